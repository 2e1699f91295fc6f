import ClusterTypes
import LockProtocol

/// One lockspace on one node: locks, resources, directory and recovery, as Linux's fs/dlm has them
/// (dlm-wire 7 to 16).
///
/// The machine is a value. It opens no socket and reads no clock: the shell hands it inputs with
/// the time and carries out the effects **in order**:
///
///     machine.handle(.receive(packet, from: node), at: now, effects: &effects)
///     for effect in effects { … }
///
/// The shell's duties: deliver the messages of one node in the order they were sent; lose none
/// except `status`, `names` and their replies, or have the control plane remove the node; stop all
/// members before any is started; answer `status` for lockspaces it does not have with
/// `unknownLockspaceReply`.
///
/// Roles are not stored, they follow from the data. A resource knows its `master`; a lock its
/// owner. Owner here and master here: a local lock. Owner here, master elsewhere: the process copy.
/// Owner elsewhere: the master copy.
public struct LockspaceMachine: Sendable {
  let configuration: Configuration
  /// One array for all of them.
  let emptyValueBlock: [UInt8]
  var now = Timestamp(nanoseconds: 0)
  var effects: [Effect] = []

  var locks: LockTable
  var resources = ResourceTable()
  var directory = DirectoryMap(members: [])

  /// Requests that were sent to a node that is not the master, and pause before the next try.
  var pausedRequests: [PausedRequest] = []
  /// When idle resources are examined next; nil while there is none.
  var nextScan: Timestamp?
  /// The moment last asked for by `.wake`.
  var requestedWake: Timestamp?

  var recovery: Recovery
  /// Lock messages that came between stop and the end of recovery (dlm-wire 15.1).
  var requestQueue: [LockMessage] = []
  /// Calls made meanwhile.
  var heldCalls: [Input] = []
  /// Callbacks that came about meanwhile.
  var heldCallbacks: [Effect] = []

  public internal(set) var statistics = Statistics()

  public init(_ configuration: Configuration) {
    self.configuration = configuration
    emptyValueBlock = Array(repeating: 0, count: configuration.lvbLength)
    locks = LockTable(faults: configuration.faults)
    recovery = Recovery(seed: configuration.seed)
  }

  /// Takes one input and appends what is to be done to `effects`.
  public mutating func handle(_ input: Input, at now: Timestamp, effects: inout [Effect]) {
    self.now = now
    swap(&self.effects, &effects)
    switch input {
    case .lock, .convert, .unlock, .cancel, .abandon, .purge: take(call: input)
    case .receive(let packet, let node): receive(packet, from: node)
    case .stop: stop()
    case .start(let members, let departed): start(members: members, departed: departed)
    case .timer: timerFired()
    }
    askForWake()
    swap(&self.effects, &effects)
  }

  /// The same as the input `receive`, for the many.
  public mutating func receive(
    _ packet: Packet, from node: NodeID, at now: Timestamp, effects: inout [Effect]
  ) {
    self.now = now
    swap(&self.effects, &effects)
    receive(packet, from: node)
    askForWake()
    swap(&self.effects, &effects)
  }

  /// The same for a lock message.
  public mutating func receive(
    _ message: LockMessage, from node: NodeID, at now: Timestamp, effects: inout [Effect]
  ) {
    self.now = now
    swap(&self.effects, &effects)
    statistics.messagesReceived += 1
    if message.sender == node, node != localNode,
      message.lockspaceID == configuration.lockspaceID
    {
      receive(message)
    } else {
      drop()
    }
    askForWake()
    swap(&self.effects, &effects)
  }

  var localNode: NodeID { configuration.localNode }
}

extension LockspaceMachine {
  /// What is fixed for the life of a lockspace on a node.
  public struct Configuration: Hashable, Sendable {
    public var name: LockspaceName
    public var lockspaceID: LockspaceID
    public var localNode: NodeID
    /// What must be equal on all members; a difference fails the recovery.
    public var shared: LockspaceConfiguration
    /// Sent with every lock: `.user` in a lockspace shared with libdlm, nothing in one that kernel
    /// file systems use (dlm-wire 7.1).
    public var messageFlags: LockMessageFlags
    /// False in a lockspace "without directory": the directory node of a name is always its master,
    /// and every recovery rebuilds everything. Equal on all members, which cannot check it
    /// (dlm-wire 11.2; the kernel's `nodir`).
    public var usesDirectory: Bool
    /// How long an idle resource is remembered.
    public var tossDelay: Duration
    /// How often idle resources are examined.
    public var scanInterval: Duration
    /// After which a recovery question is asked again.
    public var statusRetry: Duration
    /// The pause before a request that reached the wrong node is tried again.
    public var masterSearchPause: Duration
    /// Start of the ids of recovery questions; should differ between lives of the node.
    public var seed: UInt64
    package var faults: MachineFaults = []

    public init(
      name: LockspaceName, lockspaceID: LockspaceID? = nil, localNode: NodeID,
      shared: LockspaceConfiguration = LockspaceConfiguration(lvbLength: 32),
      messageFlags: LockMessageFlags = [], usesDirectory: Bool = true,
      tossDelay: Duration = .seconds(10),
      scanInterval: Duration = .seconds(5), statusRetry: Duration = .seconds(5),
      masterSearchPause: Duration = .milliseconds(10), seed: UInt64
    ) {
      self.name = name
      self.lockspaceID = lockspaceID ?? LockspaceID(name: name)
      self.localNode = localNode
      self.shared = shared
      self.messageFlags = messageFlags
      self.usesDirectory = usesDirectory
      self.tossDelay = tossDelay
      self.scanInterval = scanInterval
      self.statusRetry = statusRetry
      self.masterSearchPause = masterSearchPause
      self.seed = seed
    }

    var lvbLength: Int { Int(shared.lvbLength) }
  }

  /// Counters since the machine was made.
  public struct Statistics: Hashable, Sendable {
    public var requests = 0
    public var conversions = 0
    public var unlocks = 0
    public var cancels = 0
    public var grants = 0
    public var blockingCallbacks = 0
    public var deadlocks = 0
    public var lookups = 0
    public var recoveries = 0
    public var messagesReceived = 0
    /// Messages that dlm-wire 7.3 and 14.2 tell to ignore.
    public var messagesDropped = 0
  }
}
