import ClusterTypes

/// Names a command that is carried out on several nodes; never used twice.
public struct ClusterLockingJobID: Hashable, Comparable, Sendable {
  /// The node on which the lvm command runs.
  public let origin: NodeID
  /// Tells the lives of the origin's daemon apart.
  public let life: UInt64
  public let number: UInt64

  public init(origin: NodeID, life: UInt64, number: UInt64) {
    self.origin = origin
    self.life = life
    self.number = number
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.origin, left.life, left.number) < (right.origin, right.life, right.number)
  }
}

/// What one node is asked to do.
public enum ClusterLockingNodeCommand: Equatable, Sendable {
  case test(String)
  case refresh
  case setDebugLevel(UInt8)
  case backUp(volumeGroup: String)
  case volume(ClusterLockingRequest.VolumeOperation)
  case cache(ClusterLockingRequest.CacheAction)
  case query(resource: String)
}

/// What one node answers.
public struct ClusterLockingNodeResult: Equatable, Sendable {
  public var status: Int32
  public var text: String
  /// An activation made the volume active; it was not before.
  public var hasActivated: Bool

  public init(status: Int32 = 0, text: String = "", hasActivated: Bool = false) {
    self.status = status
    self.text = text
    self.hasActivated = hasActivated
  }

  init(_ status: ClusterLockingStatus, _ text: String? = nil) {
    self.init(status: status.rawValue, text: text ?? status.text)
  }
}

extension ClusterLockingMachine {
  public struct Configuration: Sendable {
    static let activationTimeoutMin = Duration.seconds(60)

    public var node: NodeID
    /// Names of all configured nodes; lvm prints them.
    public var nodeNames: [NodeID: String]
    public var clusterName: String
    /// Tells this life of the daemon from earlier ones.
    public var life: UInt64
    /// How long a node may take for its part.
    public var nodeTimeout: Duration

    public init(
      node: NodeID, nodeNames: [NodeID: String], clusterName: String, life: UInt64,
      nodeTimeout: Duration = .seconds(10)
    ) {
      self.node = node
      self.nodeNames = nodeNames
      self.clusterName = clusterName
      self.life = life
      self.nodeTimeout = nodeTimeout
    }
  }

  /// Blocking work on this node's devices and files.
  public enum Work: Equatable, Sendable {
    /// Whether lvm.conf lets this node activate the volume at all.
    case judgeActivation(volume: String)
    /// An active volume with the same read-only state is left alone; a suspended one is resumed.
    case activate(ClusterLockingRequest.VolumeOperation)
    case deactivate(ClusterLockingRequest.VolumeOperation)
    /// Reads both copies of the metadata, loads what differs into inactive tables, suspends.
    case suspend(ClusterLockingRequest.VolumeOperation)
    /// Resumes on what the disk says is committed.
    case resume(ClusterLockingRequest.VolumeOperation)
    case cache(ClusterLockingRequest.CacheAction)
    case backUp(volumeGroup: String)
    case refresh
    case setDebugLevel(UInt8)
    case test(String)
  }

  public struct WorkResult: Equatable, Sendable {
    /// Nil for success.
    public var failure: String?
    /// Whether the volume has a device on this node now; for a judgement, whether it may have one.
    public var isActive: Bool
    /// Whether the work changed that.
    public var isChanged: Bool
    /// An answer for the client.
    public var text: String

    public init(
      failure: String? = nil, isActive: Bool = false, isChanged: Bool = false, text: String = ""
    ) {
      self.failure = failure
      self.isActive = isActive
      self.isChanged = isChanged
      self.text = text
    }
  }

  /// What happens to the machine.
  public enum Input: Sendable {
    case clientConnected(ClientID, processID: Int32)
    case received(ClientID, ClusterLockingRequest)
    /// Bytes that are no request that can be carried out.
    case malformed(ClientID, ClusterLockingRequestError)
    case clientClosed(ClientID)

    /// The nodes that take part, this one included. Who is missing was fenced, or has left.
    case membersChanged([NodeID])
    case quorumChanged(Bool)
    case message(ClusterLockingMessage, from: NodeID)

    case lockGranted(LockToken)
    /// The lock is as it was before the operation.
    case lockRefused(LockToken, ClusterLockRefusal)
    case worked(ClusterLockingJobID, WorkResult)

    /// Volumes that were active before this life of the daemon, with their modes.
    case adopt([String: ClusterLockingMode])
    case timePassed
  }

  /// What the shell has to do, in this order.
  public enum Effect: Equatable, Sendable {
    case reply(ClientID, [UInt8])
    case closeClient(ClientID)
    /// A new lock. Every operation on a lock is answered by `lockGranted` or `lockRefused`.
    case lock(LockToken, resource: String, ClusterLockingMode, isQueued: Bool, isReclaim: Bool)
    /// Never waits.
    case convert(LockToken, ClusterLockingMode)
    /// Ends the waiting of the operation under way; its one answer says how it ended.
    case cancel(LockToken)
    /// Not answered.
    case unlock(LockToken)
    case send(NodeID, ClusterLockingMessage)
    /// Answered by `worked`. Never two at a time for one volume group's volumes.
    case work(ClusterLockingJobID, Work)
    /// To be on disk before the effects that follow; nil forgets the volume.
    case persist(volume: String, ClusterLockingMode?)
    /// Becomes the daemon anew, with these volumes locked exclusively.
    case restart(exclusive: [String])
    case log(LockDaemonLogLevel, String)
  }
}
