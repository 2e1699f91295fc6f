import ClusterTypes

/// Everything clvmd decides: what the original does in its main loop, its connections' threads and
/// its one worker, as one synchronous machine.
///
/// A request passes these stages on the node on which it was made (clvmd-socket spec, section 8):
///
///     received ──▶ lock of the VG, or of a volume that is to be suspended
///              ──▶ every addressed node does its part         (ClusterLockingJobs)
///              ──▶ an activation that failed somewhere is undone elsewhere
///              ──▶ the lock of a resumed volume goes back to what it was
///              ──▶ reply
///
/// Where the original goes wrong, this one differs on purpose:
/// * a client that dies leaves no suspended volume behind: they are resumed, everywhere, on what the
///   disk says, and only then its VG locks are released;
/// * a node that died with volumes suspended on others: these resume once it is known to be dead;
/// * a node that does not answer in time is not waited for again before it has answered, and is told
///   to forget the command;
/// * an activation that fails on one node is undone on the others;
/// * requests that only have names made (`SYNC_NAMES`) or refresh caches never wait for a node:
///   operations wait for their device nodes themselves, and nothing is cached.
public struct ClusterLockingMachine: Sendable {
  typealias VolumeOperation = ClusterLockingRequest.VolumeOperation
  typealias GroupLockOperation = ClusterLockingRequest.GroupLockOperation

  struct Client: Sendable {
    let processID: Int32
    /// The job of its request under way.
    var request: ClusterLockingJobID?
    /// VG locks by resource.
    var locks: [String: LockToken] = [:]
    /// Volumes that it suspended and did not resume, in that order.
    var suspended: [Suspension] = []
    var isClosed = false
  }

  struct Suspension: Sendable {
    let operation: VolumeOperation
    let destination: ClusterLockingRequest.Destination
  }

  let configuration: Configuration
  var members: [NodeID] = []
  var isQuorate = false
  var clients: [ClientID: Client] = [:]
  /// Requests of clients of this node.
  var requests: [ClusterLockingJobID: RunningRequest] = [:]
  /// This node's part of requests of all nodes.
  var jobs: [ClusterLockingJobID: Job] = [:]
  /// By volume group; the first one is at work.
  var queues: [String: [ClusterLockingJobID]] = [:]
  /// Locks of volumes that this node holds or is asking for.
  var volumeLocks: [String: VolumeLock] = [:]
  var tokens: [LockToken: TokenUse] = [:]
  /// Nodes that let a command time out and have not been heard since.
  var silentNodes: Set<NodeID> = []
  /// Volumes suspended on this node, with the node whose command did it.
  var suspendedFor: [String: NodeID] = [:]
  var lastNumber: UInt64 = 0
  var lastToken: UInt64 = 0
  var now = Timestamp(nanoseconds: 0)
  var effects: [Effect] = []

  public init(configuration: Configuration) { self.configuration = configuration }

  /// Volumes that this node holds a lock of, with the mode.
  public var heldVolumes: [String: ClusterLockingMode] { volumeLocks.compactMapValues(\.granted) }

  public var hasQuorum: Bool { isQuorate }

  /// Volumes suspended here, with the node whose command did it.
  public var suspendedVolumes: [String: NodeID] { suspendedFor }

  /// Nodes that did not answer in time.
  public var unresponsiveNodes: Set<NodeID> { silentNodes }

  /// When `timePassed` is due; nil for never.
  public var nextDeadline: Timestamp? { requests.values.compactMap(\.deadline).min() }

  public mutating func handle(_ input: Input, at now: Timestamp) -> [Effect] {
    self.now = now
    switch input {
    case .clientConnected(let client, let processID):
      clients[client] = Client(processID: processID)
    case .received(let client, let request): received(request, from: client)
    case .malformed(let client, let error): malformed(error, from: client)
    case .clientClosed(let client): clientClosed(client)
    case .membersChanged(let members): membersChanged(members)
    case .quorumChanged(let isQuorate): quorumChanged(isQuorate)
    case .message(let message, let node): received(message, from: node)
    case .lockGranted(let token): lockEnded(token, refusal: nil)
    case .lockRefused(let token, let refusal): lockEnded(token, refusal: refusal)
    case .worked(let job, let result): worked(job, result)
    case .adopt(let volumes): adopt(volumes)
    case .timePassed: timePassed()
    }
    defer { effects = [] }
    return effects
  }

  func name(of node: NodeID) -> String { configuration.nodeNames[node] ?? String(node.rawValue) }

  mutating func nextJob() -> ClusterLockingJobID {
    lastNumber += 1
    return ClusterLockingJobID(
      origin: configuration.node, life: configuration.life, number: lastNumber)
  }

  private mutating func quorumChanged(_ isQuorate: Bool) {
    self.isQuorate = isQuorate
    guard isQuorate else { return }
    for client in clients.keys.sorted() where clients[client]?.isClosed == true { cleanUp(client) }
    recoverVolumesOfTheDead()
  }

  private mutating func membersChanged(_ members: [NodeID]) {
    let gone = Set(self.members).subtracting(members)
    self.members = members.sorted()
    silentNodes.subtract(gone)
    for id in requests.keys.sorted() { forget(gone, in: id) }
    recoverVolumesOfTheDead()
  }
}
