import ClusterTypes

/// The reliability layer between this node and one other: numbers, acknowledgements,
/// retransmission, versions and the orderly close (dlm-wire 4, 5; the kernel's midcomms).
///
/// It belongs to the pair of nodes: it outlives TCP connections and is shared by all lockspaces.
/// The driver keeps one connection to send on and reads from all it has. It
///
/// 1. calls `connected` when there is a connection to send on, also when it changes to another
///    one, and `connectionLost` when there is none any more;
/// 2. passes every whole message read to `receive`, then calls `endReadBatch` once per read;
/// 3. carries out the effects, which are returned or, where messages come and go, appended, in
///    order;
/// 4. calls `timerFired` at the moment of the last `wake` effect.
public struct PeerLink: Sendable {
  public enum Effect: Hashable, Sendable {
    /// Write these bytes, whole messages, to the connection.
    case send([UInt8])
    /// Hand the packet to the lock manager.
    case deliver(Packet)
    /// There is something to send and no connection: make one.
    case connect
    /// Abort all connections with a reset, so that the peer retransmits, and connect again.
    case resetConnections
    /// The pair has closed in order: nothing more is expected from the peer.
    case closed
    /// Call `timerFired` then; replaces an earlier wish.
    case wake(at: Timestamp)
    /// Something was dropped; worth a line in the log.
    case dropped(DropReason)
    /// The peer does not acknowledge. The link is of no use until the node has been removed.
    case overflowed
  }

  /// How far the orderly close has come (dlm-wire 5.4); named as TCP names it.
  public enum CloseState: Hashable, Sendable {
    case closed
    case established
    case finWait1
    case finWait2
    case closeWait
    case closing
    case lastAck
    /// Too much was left unacknowledged; only the removal of the node ends this.
    case overflowed
  }

  public struct Limits: Hashable, Sendable {
    /// Messages and bytes that may wait for the peer's acknowledgement.
    public var unacknowledgedCount: Int
    public var unacknowledgedBytes: Int
    /// Status and names messages that wait for a connection; the oldest go first, because they
    /// are repeated anyway.
    public var waitingBareCount: Int

    public init(
      unacknowledgedCount: Int = 1 << 16, unacknowledgedBytes: Int = 64 << 20,
      waitingBareCount: Int = 64
    ) {
      self.unacknowledgedCount = unacknowledgedCount
      self.unacknowledgedBytes = unacknowledgedBytes
      self.waitingBareCount = waitingBareCount
    }
  }

  /// How long a gap in the numbers may last before the connections are reset (dlm-wire 5.2).
  public static let gapPatience: Duration = .seconds(1)
  static let maximumGapPatience: Duration = .seconds(32)

  public let local: NodeID
  public let peer: NodeID
  /// What this node writes into its headers.
  public let localVersion: ProtocolVersion
  public let limits: Limits

  public internal(set) var state: CloseState = .closed
  /// What the peer speaks; nil until the first message has come.
  public internal(set) var peerVersion: ProtocolVersion?
  /// The number that the peer's next sequenced message must have.
  public internal(set) var expectedSequence: UInt32 = 0

  /// Lockspaces of which both nodes are members.
  var userCount = 0
  var isConnected = false
  var queue = SendQueue()
  /// Packets that wait until the peer's version is known: only then it is clear how to send them.
  var waitingForVersion: [Packet] = []
  /// Messages without a number that wait for a connection.
  var waitingForConnection: [[UInt8]] = []
  /// The number that the acknowledgement of our own finish message must pass.
  var finishSequence: UInt32?
  var owesAcknowledgement = false
  var gap: Gap?

  /// Messages were dropped because earlier ones are missing.
  struct Gap: Hashable, Sendable {
    /// What was missing when the clock was started.
    var missing: UInt32
    /// The highest number that was dropped; it must come again.
    var highest: UInt32
    var deadline: Timestamp
    /// How long to wait for `missing`; doubled by each reset that did not help, so that two nodes
    /// that disagree for good do not keep each other busy.
    var patience: Duration
  }

  public init(
    local: NodeID, peer: NodeID, localVersion: ProtocolVersion = .version3dot2,
    limits: Limits = Limits()
  ) {
    self.local = local
    self.peer = peer
    self.localVersion = localVersion
    self.limits = limits
  }

  /// Whether packets to the peer are numbered; nil while its version is unknown. A node that
  /// writes 3.1 itself is sent, and sends, everything bare.
  var isSequenced: Bool? {
    localVersion == .version3dot1 ? false : peerVersion.map { $0 == .version3dot2 }
  }

  /// Sequenced messages that the peer has not acknowledged.
  public var unacknowledgedCount: Int { queue.count }

  /// Back to the beginning of the pair's life, except for what the connections and the control
  /// plane know (dlm-wire 5.5).
  mutating func reset(to newState: CloseState) {
    state = newState
    peerVersion = nil
    expectedSequence = 0
    queue = SendQueue()
    waitingForVersion = []
    finishSequence = nil
    owesAcknowledgement = false
    gap = nil
  }
}
