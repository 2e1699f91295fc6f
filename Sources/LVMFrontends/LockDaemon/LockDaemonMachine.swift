import ClusterTypes

/// Everything lvmlockd decides, without any of its input and output.
///
/// The machine answers unmodified lvm 2.03 commands (lvmlockd-socket) and says what it wants from a
/// cluster: lockspaces, locks, and that other nodes reload what was changed. Its owner calls
/// `handle` with every event and the time, carries the effects out in order, and calls again with
/// `timePassed` when `nextDeadline` has come.
///
/// What it promises:
/// - every request is answered exactly once, or its client's connection is closed;
/// - transient locks end with their client's connection, persistent ones only when asked;
/// - the exclusive VG lock of a command that ended without giving it up is released only after this node's
///   devices of the VG were brought onto the committed metadata: none stays suspended;
/// - the VG lock under which metadata was changed is released, and its release answered, only after
///   every other node has reloaded the change, has failed to, or has been fenced;
/// - clients of one node queue without limit, first come first served; for another node they wait
///   `Configuration.lockWaitLimit` at the most, and for LV locks not at all;
/// - without quorum nothing is granted and nothing hangs.
///
/// It differs from lvmlockd on purpose where lvmlockd leaves a request unanswered, forgets failures
/// (joins, refreshes) or retries instead of queueing.
public struct LockDaemonMachine: Sendable {
  public struct Configuration: Sendable {
    /// Letters, digits and `. _ - +`: it becomes part of the VG's lock arguments.
    public var clusterName: String
    /// How long a request for the global or a VG lock waits for another node, for a lockspace, or
    /// for a recovery of the lock manager, before it is answered -11 (or -211). lvm asks four times.
    public var lockWaitLimit: Duration
    /// How long a request that needs the cluster waits for the lease of a daemon that has just started, or of
    /// a node that has just become a member, before it is answered that there is no lock manager.
    public var leaseWaitLimit: Duration

    public init(
      clusterName: String, lockWaitLimit: Duration = .seconds(20),
      leaseWaitLimit: Duration = .seconds(10)
    ) {
      precondition(
        !clusterName.isEmpty
          && clusterName.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ":") },
        "a cluster name that LVM's lock arguments cannot hold: \(clusterName)")
      self.clusterName = clusterName
      self.lockWaitLimit = lockWaitLimit
      self.leaseWaitLimit = leaseWaitLimit
    }
  }

  struct Client {
    let processID: Int32
    var command: String?
    /// The request that waits for its reply.
    var pending: PendingRequest?
    /// The persistent lock that the last reply granted.
    var undo: (address: ResourceAddress, undo: PersistentLockUndo)?
  }

  struct PendingRequest {
    let message: LockDaemonMessage
    /// The reply's `lock_type`.
    let lockType: String
  }

  let configuration: Configuration
  var clients: [ClientID: Client] = [:]
  var lockspaces: [LockspaceName: Lockspace] = [:]
  /// Which lock a token names; tokens of lockspaces that were left are not found any more.
  var addresses: [LockToken: ResourceAddress] = [:]
  var questions: [ClusterQuestionID: ClusterQuestion] = [:]
  /// What the cluster was told last of who uses a lock.
  var uses: [LockToken: LockUse] = [:]
  /// Persistent locks that are being taken up again.
  var adoptions: [ResourceAddress: PersistentLock] = [:]
  var startWaits: [ClientID] = []
  /// A join failed while somebody waited.
  var hasFailedStart = false
  var stopRequests: [StopRequest] = []
  var isClusterRunning = false
  var isQuorate = false
  var hasStarted = false
  /// The daemon has just started, or this node has become a member: its first lease is waited for until then.
  var leaseWait: Timestamp?
  /// Whose requests wait for that lease.
  var awaitingLease: [ClientID] = []
  var journal = LockDaemonJournal()
  /// The time of the event being handled.
  var now = Timestamp(nanoseconds: 0)
  var effects: [Effect] = []
  private var lastIdentifier: UInt64 = 0

  public init(configuration: Configuration) {
    self.configuration = configuration
  }

  /// When to call `handle(.timePassed)` at the latest; nil when nothing waits for time.
  public var nextDeadline: Timestamp? {
    let lease = awaitingLease.isEmpty ? nil : leaseWait
    return
      (lockspaces.values.flatMap { $0.resources.values.compactMap(\.nextDeadline) }
      + [lease].compactMap(\.self)).min()
  }

  /// Nodes that failed to load the last change of a VG, by VG, with their reasons.
  public var reloadFailures: [String: [NodeID: String]] {
    var failures: [String: [NodeID: String]] = [:]
    for lockspace in lockspaces.values where !lockspace.reloadFailures.isEmpty {
      if let vg = lockspace.vg { failures[vg] = lockspace.reloadFailures }
    }
    return failures
  }

  /// Takes one event in and says what to do. `now` never goes back.
  public mutating func handle(_ input: Input, at now: Timestamp) -> [Effect] {
    self.now = now
    beginFirstLeaseWait()
    switch input {
    case .clientConnected(let client, let processID):
      clients[client] = Client(processID: processID)
    case .received(let client, let bytes): receive(bytes, from: client)
    case .clientClosed(let client): close(client)
    case .replyUndelivered(let client): takeBack(client)
    case .clusterChanged(let isRunning, let isQuorate): clusterChanged(isRunning, isQuorate)
    case .joined(let name): joined(name)
    case .joinFailed(let name, let reason): joinFailed(name, reason)
    case .left(let name): left(name)
    case .members(let question, let others): membersCounted(question, others)
    case .lockGranted(let token, let valueBlock):
      guard let address = addresses[token] else { break }
      withResource(address) { $0.granted(valueBlock: valueBlock, $1) }
    case .lockRefused(let token, let refusal):
      guard let address = addresses[token] else { break }
      withResource(address) { $0.refused(refusal, $1) }
    case .settled(let question, let hasEnded): settlementEnded(question, hasEnded: hasEnded)
    case .reloaded(let question, let failures): reloadEnded(question, failures)
    case .holders(let question, let holders): holdersFound(question, holders)
    case .sharingChecked(let question, let refusal): sharingChecked(question, refusal)
    case .changeVolumeLock(let id, let request): changeVolumeLock(id, request)
    case .adopt(let locks): adopt(locks)
    case .timePassed:
      endLeaseWaitIfDue()
      forEachResource { $0.expire($1) }
    }
    continueStops()
    defer { effects = [] }
    return effects
  }

  var isAvailable: Bool { isClusterRunning && isQuorate }

  mutating func nextIdentifier() -> UInt64 {
    lastIdentifier += 1
    return lastIdentifier
  }

  mutating func log(_ level: LockDaemonLogLevel, _ text: String) {
    journal.append(text, at: now)
    effects.append(.log(level, text))
  }
}

/// Clients.
extension LockDaemonMachine {
  private mutating func receive(_ bytes: [UInt8], from client: ClientID) {
    guard clients[client] != nil else { return }
    guard clients[client]?.pending == nil else {
      log(.warning, "\(described(client)) sent a request before it had the reply to the last one")
      effects.append(.closeClient(client))
      return
    }
    let message = LockDaemonMessage(decoding: bytes)
    if let command = message.command { clients[client]?.command = command }
    clients[client]?.undo = nil
    let pending = PendingRequest(message: message, lockType: lockType(of: message))
    clients[client]?.pending = pending
    journal.append("\(described(client)) \(message.name)", at: now)
    perform(message.request, of: client)
  }

  private func lockType(of message: LockDaemonMessage) -> String {
    if let type = message.lockType { return type }
    switch message.request {
    case .lockGlobal: return "dlm"
    case .lockVolumeGroup(let vg, _), .updateVolumeGroup(let vg, _), .askBusy(let vg),
      .freeVolumeGroup(let vg), .beginRename(let vg), .kill(let vg), .drop(let vg),
      .describeVolumeGroup(let vg), .findFreeLock(let vg), .beginLockArguments(let vg):
      return Lockspace.name(vg: vg).flatMap { lockspaces[$0] } == nil ? "none" : "dlm"
    case .lockLogicalVolume, .adoptLogicalVolume, .freeLogicalVolume, .startVolumeGroup:
      return "dlm"
    case .moveGlobalLock, .adoptLock,
      .malformed where message.name.hasSuffix("_gl"):
      return lockspaces[Self.globalName] == nil ? "none" : "dlm"
    case .hello, .quit, .info, .dump, .runningLockManager, .initializeVolumeGroup,
      .initializeLogicalVolume, .queryLogicalVolume, .queryVolumeGroup, .refreshLogicalVolume,
      .startWait, .stopVolumeGroup, .stopAll, .endRename, .endLockArguments, .unknown, .malformed:
      return "none"
    }
  }

  private mutating func close(_ client: ClientID) {
    let label = described(client)
    guard let processID = clients.removeValue(forKey: client)?.processID else { return }
    startWaits.removeAll { $0 == client }
    awaitingLease.removeAll { $0 == client }
    stopRequests.removeAll { $0.client == client }
    for name in lockspaces.keys {
      lockspaces[name]?.latecomers.removeAll { $0.owner == .client(client) }
    }
    forEachResource { $0.withdraw(client, label: label, processID: processID, $1) }
  }

  /// The reply to a granted persistent lock was lost: its command cannot know that it has it.
  private mutating func takeBack(_ client: ClientID) {
    guard let (address, undo) = clients[client]?.undo else { return }
    clients[client]?.undo = nil
    log(.warning, "\(described(client)) did not hear of its lock \(address.resource.text)")
    withResource(address) { $0.undo(undo, $1) }
  }

  func described(_ client: ClientID) -> String {
    guard let known = clients[client] else { return "client \(client)" }
    return "\(known.command ?? "client")[\(known.processID)]"
  }

  /// Answers the request of `client`; nothing happens when the client is gone.
  mutating func answer(
    _ client: ClientID, _ result: LockDaemonResult, flags: LockDaemonFlags = [],
    holder: LockOwner? = nil, mode: LockMode? = nil
  ) {
    guard let pending = clients[client]?.pending else { return }
    let operation = pending.message.operation
    let text: [UInt8] =
      switch pending.message.request {
      case .hello, .quit: LockDaemonReply.greeting(result)
      case .queryVolumeGroup, .queryLogicalVolume:
        LockDaemonReply.query(
          operation: operation, result,
          mode: result == .success ? mode?.rawValue ?? "un" : "iv")
      case .initializeVolumeGroup:
        LockDaemonReply.initialization(
          operation: operation, result, vgArguments: result == .success ? lockArguments : nil,
          lvArguments: nil)
      case .initializeLogicalVolume, .endLockArguments:
        LockDaemonReply.initialization(
          operation: operation, result, vgArguments: nil,
          lvArguments: result == .success ? "dlm" : nil)
      case .describeVolumeGroup:
        LockDaemonReply.status(operation: operation, lockType: pending.lockType, result)
      case .lockGlobal, .lockVolumeGroup, .lockLogicalVolume, .adoptLock, .adoptLogicalVolume,
        .updateVolumeGroup, .freeLogicalVolume, .refreshLogicalVolume, .startVolumeGroup,
        .startWait, .stopVolumeGroup, .stopAll, .askBusy, .freeVolumeGroup, .beginRename,
        .endRename, .kill, .drop, .runningLockManager, .info, .dump, .findFreeLock,
        .moveGlobalLock, .beginLockArguments, .unknown, .malformed:
        LockDaemonReply.ordinary(
          operation: operation, lockType: pending.lockType, result,
          flags: flags.union(flagsBehind(result, of: pending.message.request)),
          owner: holder)
      }
    clients[client]?.pending = nil
    effects.append(.reply(client, text))
  }

  /// Says why there is no lockspace: lvm decides by these words whether a report may go on.
  private func flagsBehind(
    _ result: LockDaemonResult, of request: LockDaemonRequest
  ) -> LockDaemonFlags {
    guard result == .noLockspace else { return [] }
    var flags: LockDaemonFlags = []
    if case .lockGlobal = request { flags = [.noLockspaces, .noGlobalLockspace] }
    if lockspaces.isEmpty { flags.insert(.noLockspaces) }
    if lockspaces[Self.globalName] == nil { flags.insert(.noGlobalLockspace) }
    if !isClusterRunning { flags.insert(.noLockManager) }
    return flags
  }

  /// What `init_vg` hands out and LVM stores in the metadata.
  var lockArguments: String { "1.0.0:\(configuration.clusterName)" }
}
