import ClusterTypes
import LockProtocol

/// Who this node is, and whom it knows.
public struct PeerConfiguration: Sendable {
  public var node: NodeID
  /// The other nodes that may become members.
  public var peers: Set<NodeID>
  public var lockspace: LockspaceName
  /// Bytes of a lock value block; equal on all members (dlm-wire 14.3).
  public var lvbLength: Int
  /// False for a lockspace without directory, as the members agree (dlm-wire 11.2).
  public var usesDirectory: Bool
  /// The owner of locks for which the caller names none.
  public var processID: UInt32
  /// Start of the ids of recovery questions; another one in each life.
  public var seed: UInt64

  /// What `lvbLength` may be: a multiple of 8 that leaves room for the rest of a message.
  public static let lvbLengths = 8...1024
  /// Of libdlm and GFS2.
  public static let standardLVBLength = 32

  public init(
    node: NodeID, peers: Set<NodeID>, lockspace: LockspaceName,
    lvbLength: Int = Self.standardLVBLength, usesDirectory: Bool = true, processID: UInt32,
    seed: UInt64
  ) {
    self.node = node
    self.peers = peers
    self.lockspace = lockspace
    self.lvbLength = lvbLength
    self.usesDirectory = usesDirectory
    self.processID = processID
    self.seed = seed
  }
}
