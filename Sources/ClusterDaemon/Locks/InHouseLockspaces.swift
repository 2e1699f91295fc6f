import ClusterTypes
import LockManager
import LockProtocol
import LockspaceGroups
import Logging
import NIOCore

/// The lockspaces that the daemon's own lock manager runs, and the locks of local users in them.
///
/// Confined to the cluster's event loop: a packet is decoded, decided on and answered without
/// leaving it.
final class InHouseLockspaces: LockspaceDriver {
  /// What a user of a lock hears.
  struct LockEvents {
    /// A request or conversion ended.
    var completed: (LockOutcome) -> Void
    /// The lock is gone.
    var released: () -> Void = {}
    /// Another wants `mode`, which this lock excludes.
    var blocking: (LockMode) -> Void = { _ in }
    /// The call had no effect.
    var refused: (CallRefusal) -> Void
  }

  private struct Space {
    enum Phase {
      case joining
      case running
      case stopped
      case leaving
    }

    var machine: LockspaceMachine
    var phase = Phase.joining
    /// How many local users want the lockspace.
    var users = 1
    /// The newest generation that a stop or start was ordered for.
    var generation: UInt64 = 0
    /// Who went since the machine last started: a start may be overtaken by a newer one.
    var departed: Set<NodeID> = []
    /// Died among them; what they left is settled before the next start.
    var hasFailed = false
    /// Every member runs the present generation.
    var isOpen = false
    /// Requests of local users that wait until it is so.
    var held: [HeldCall] = []
    /// The machine has recovered in the present generation, and it was not told to the others.
    var owesRunning = false
    var joinWaiters: [(DaemonError?) -> Void] = []
    var leaveWaiters: [() -> Void] = []
    var wake: Scheduled<Void>?
  }

  private struct HeldCall {
    let handle: LockHandle
    let input: LockspaceMachine.Input
  }

  private struct LockRecord {
    let lockspace: LockspaceName
    let owner: String
    let events: LockEvents
    /// Its request was granted once; before that, a refusal leaves no lock.
    var isLock = false
    /// As last told.
    var mode = LockMode.nl
  }

  private unowned let node: ClusterNode
  private let loop: any EventLoop
  private let logger: Logger
  private let send: (Packet, NodeID) -> Void
  private var spaces: [LockspaceName: Space] = [:]
  private var names: [LockspaceID: LockspaceName] = [:]
  private var records: [LockHandle: LockRecord] = [:]
  private var lastHandle: UInt64 = 0
  private var effects: [(LockspaceName, LockspaceMachine.Effect)] = []
  private var isCarryingOut = false

  /// Called before a lockspace starts without a member that died, to finish what that one left
  /// undone under its locks; the start waits until the closure it is given is called.
  var beforeStart: ((LockspaceName, @escaping () -> Void) -> Void)?
  /// Whether this node takes locks of an earlier life up again in the lockspace. The others grant
  /// nothing new before it has said that it runs, and it says so after `reclaimed`.
  var isReclaiming: (LockspaceName) -> Bool = { _ in false }
  /// A node is in one lockspace more, or fewer, of this node's; the count of the common ones is
  /// what the reliability layer goes by.
  var memberAdded: (NodeID, _ lockspaceCount: Int) -> Void = { _, _ in }
  var memberRemoved: (NodeID, _ lockspaceCount: Int) -> Void = { _, _ in }

  init(
    node: ClusterNode, loop: any EventLoop, logger: Logger, send: @escaping (Packet, NodeID) -> Void
  ) {
    self.node = node
    self.loop = loop
    self.logger = logger
    self.send = send
  }

  // MARK: - Joining and leaving

  /// Makes this node a member. `completion` gets nil when locks can be taken, or the reason why
  /// not. Every successful join must be matched by a `leave`.
  func join(_ name: LockspaceName, completion: @escaping (DaemonError?) -> Void) {
    if let space = spaces[name] {
      switch space.phase {
      case .running, .stopped:
        spaces[name]?.users += 1
        completion(nil)
      case .joining:
        spaces[name]?.users += 1
        spaces[name]?.joinWaiters.append(completion)
      case .leaving:
        spaces[name]?.leaveWaiters.append { [self] in join(name, completion: completion) }
      }
      return
    }
    let configuration = LockspaceMachine.Configuration(
      name: name, localNode: node.local.node, seed: node.local.instance.incarnation.rawValue)
    var space = Space(machine: LockspaceMachine(configuration))
    space.joinWaiters = [completion]
    spaces[name] = space
    names[configuration.lockspaceID] = name
    node.join(name, .inHouse)
  }

  /// Gives one use of the lockspace up; with the last one this node leaves. Locks that are still
  /// held then are lost: release them before.
  func leave(_ name: LockspaceName, completion: @escaping () -> Void) {
    guard let space = spaces[name], space.users > 0 else { return completion() }
    spaces[name]?.users -= 1
    guard space.users == 1 else { return completion() }
    spaces[name]?.phase = .leaving
    spaces[name]?.leaveWaiters.append(completion)
    node.leave(name, .inHouse)
  }

  /// Leaves whatever uses are left: the daemon stops.
  func abandon(_ name: LockspaceName, completion: @escaping () -> Void) {
    guard spaces[name] != nil else { return completion() }
    for (handle, record) in records where record.lockspace == name {
      unlock(handle, flags: .forceUnlock)
    }
    spaces[name]?.users = 1
    leave(name, completion: completion)
  }

  // MARK: - Locks

  /// A handle for a request to come: it may be granted before `lock` returns.
  func newHandle() -> LockHandle {
    lastHandle += 1
    return LockHandle(lastHandle)
  }

  /// Whether the lockspace grants nothing until its members have recovered.
  func isStopped(_ name: LockspaceName) -> Bool { spaces[name]?.phase == .stopped }

  /// Requests a lock. `owner` is told to whoever asks who holds it; `isReclaim`: the lock was held
  /// in an earlier life and is taken up again.
  func lock(
    _ name: LockspaceName, handle: LockHandle, resource: ResourceName, mode: LockMode,
    flags: LockFlags, valueBlock: [UInt8]? = nil, processID: UInt32, owner: String,
    isReclaim: Bool = false, events: LockEvents
  ) throws(DaemonError) {
    guard spaces[name] != nil else {
      throw DaemonError("lockspace \(name) has not been joined on this node")
    }
    records[handle] = LockRecord(lockspace: name, owner: owner, events: events)
    let call = LockCall(
      handle: handle, resource: resource, mode: mode, flags: flags, valueBlock: valueBlock,
      processID: processID)
    if isReclaim { step(name, .lock(call)) } else { request(name, handle, .lock(call)) }
  }

  /// Hands a request to the machine when every member runs: one that is back may be claiming what
  /// an earlier life of it held.
  private func request(
    _ name: LockspaceName, _ handle: LockHandle, _ input: LockspaceMachine.Input
  ) {
    guard let space = spaces[name], !space.isOpen || !space.held.isEmpty else {
      return step(name, input)
    }
    spaces[name]?.held.append(HeldCall(handle: handle, input: input))
  }

  private func runsEverywhere(_ name: LockspaceName) -> Bool {
    guard spaces[name]?.phase == .running || spaces[name]?.phase == .leaving,
      let lockspace = node.groups.lockspace(name),
      case .started(let running) = lockspace.phase
    else { return false }
    return lockspace.members.allSatisfy { running.contains($0.node) }
  }

  /// The agreed state of lockspaces has changed.
  func groupsChanged() {
    for name in spaces.keys.sorted() {
      let isOpen = runsEverywhere(name)
      spaces[name]?.isOpen = isOpen
      guard isOpen, let held = spaces[name]?.held, !held.isEmpty else { continue }
      spaces[name]?.held = []
      for call in held { step(name, call.input) }
    }
  }

  /// This node has claimed what it held in an earlier life.
  func reclaimed(_ name: LockspaceName) {
    guard let space = spaces[name], space.owesRunning, !isReclaiming(name) else { return }
    spaces[name]?.owesRunning = false
    node.running(name, generation: space.generation)
  }

  /// Takes a call back that the machine has not seen; false when there is none.
  private func takeBack(_ handle: LockHandle, in name: LockspaceName) -> HeldCall? {
    guard let index = spaces[name]?.held.firstIndex(where: { $0.handle == handle }) else {
      return nil
    }
    return spaces[name]?.held.remove(at: index)
  }

  func convert(_ handle: LockHandle, to mode: LockMode, flags: LockFlags, valueBlock: [UInt8]?) {
    guard let record = records[handle] else { return }
    request(
      record.lockspace, handle, .convert(handle, mode, flags: flags, valueBlock: valueBlock))
  }

  func unlock(_ handle: LockHandle, flags: LockFlags = [], valueBlock: [UInt8]? = nil) {
    guard let record = records[handle] else { return }
    let held = takeBack(handle, in: record.lockspace)
    if case .lock = held?.input {
      records[handle] = nil
      return record.events.released()
    }
    step(record.lockspace, .unlock(handle, flags: flags, valueBlock: valueBlock))
  }

  func cancel(_ handle: LockHandle) {
    guard let record = records[handle] else { return }
    guard let held = takeBack(handle, in: record.lockspace) else {
      return step(record.lockspace, .cancel(handle))
    }
    if case .lock = held.input { records[handle] = nil }
    record.events.completed(
      LockOutcome(result: .cancelled, mode: record.isLock ? record.mode : nil))
  }

  // MARK: - The network

  func received(_ packet: Packet, from sender: NodeID) {
    guard let name = names[packet.lockspaceID] else {
      let reply = LockspaceMachine.unknownLockspaceReply(to: packet, from: node.local.node)
      if let reply { send(reply, sender) }
      return
    }
    step(name, .receive(packet, from: sender))
  }

  // MARK: - The cluster's orders

  func stop(_ name: LockspaceName, generation: UInt64) {
    guard let space = spaces[name] else { return node.stopped(name, generation: generation) }
    spaces[name]?.generation = generation
    spaces[name]?.owesRunning = false
    spaces[name]?.isOpen = false
    if space.phase == .running { spaces[name]?.phase = .stopped }
    step(name, .stop)
    node.stopped(name, generation: generation)
  }

  func start(_ order: StartOrder) {
    guard spaces[order.name] != nil else {
      logger.error("lockspace \(order.name) is to start, but nobody here has asked for it")
      return node.leave(order.name, .inHouse)
    }
    spaces[order.name]?.generation = order.generation
    spaces[order.name]?.departed.formUnion((order.failed + order.left).map(\.node))
    if !order.failed.isEmpty { spaces[order.name]?.hasFailed = true }
    guard let beforeStart, spaces[order.name]?.hasFailed == true else {
      return startMachine(order)
    }
    beforeStart(order.name) { [self] in startMachine(order) }
  }

  private func startMachine(_ order: StartOrder) {
    guard let space = spaces[order.name], space.generation == order.generation,
      node.groups.lockspace(order.name)?.generation == order.generation
    else { return }
    let departed = space.departed
    spaces[order.name]?.departed = []
    spaces[order.name]?.hasFailed = false
    let members = order.members.map { LockManager.Member($0.node) }
    step(order.name, .start(members: members, departed: departed))
  }

  func left(_ name: LockspaceName) {
    guard let space = spaces.removeValue(forKey: name) else { return }
    space.wake?.cancel()
    names = names.filter { $0.value != name }
    let lost = records.filter { $0.value.lockspace == name }.sorted { $0.key < $1.key }
    for (handle, _) in lost { records[handle] = nil }
    for member in space.machine.members where member != node.local.node {
      memberRemoved(member, commonLockspaceCount(with: member))
    }
    for (_, record) in lost { record.events.released() }
    for waiter in space.joinWaiters { waiter(DaemonError("lockspace \(name) was left")) }
    for waiter in space.leaveWaiters { waiter() }
  }

  func joinRefused(_ name: LockspaceName, reason: String) {
    guard let space = spaces.removeValue(forKey: name) else { return }
    names = names.filter { $0.value != name }
    let failure = DaemonError("lockspace \(name) cannot be joined: \(reason)")
    for waiter in space.joinWaiters { waiter(failure) }
    for waiter in space.leaveWaiters { waiter() }
  }

  // MARK: - Stepping

  private func step(_ name: LockspaceName, _ input: LockspaceMachine.Input) {
    var new: [LockspaceMachine.Effect] = []
    spaces[name]?.machine.handle(input, at: .now, effects: &new)
    effects += new.map { (name, $0) }
    carryOut()
  }

  /// Carries out effects in the order they came about, also when one of them leads to more: two
  /// packets to one node must not overtake each other.
  private func carryOut() {
    guard !isCarryingOut else { return }
    isCarryingOut = true
    var next = 0
    while next < effects.count {
      let (name, effect) = effects[next]
      next += 1
      carryOut(effect, in: name)
    }
    effects.removeAll(keepingCapacity: true)
    isCarryingOut = false
  }

  private func carryOut(_ effect: LockspaceMachine.Effect, in name: LockspaceName) {
    switch effect {
    case .send(let packet, let target): send(packet, target)
    case .completed(let handle, let outcome):
      let events = records[handle]?.events
      if let mode = outcome.mode {
        records[handle]?.isLock = true
        records[handle]?.mode = mode
      } else {
        records[handle] = nil
      }
      events?.completed(outcome)
    case .released(let handle): records.removeValue(forKey: handle)?.events.released()
    case .blocking(let handle, let mode): records[handle]?.events.blocking(mode)
    case .refused(let handle, let reason):
      guard let record = records[handle] else { return }
      if !record.isLock || reason == .unknownHandle { records[handle] = nil }
      record.events.refused(reason)
    case .memberAdded(let member): memberAdded(member, commonLockspaceCount(with: member))
    case .memberRemoved(let member):
      memberRemoved(member, commonLockspaceCount(with: member))
    case .recovered(let generation, _): recovered(name, generation)
    case .recoveryFailed(let failure): recoveryFailed(name, failure)
    case .wake(let moment): schedule(name, moment)
    }
  }

  private func commonLockspaceCount(with member: NodeID) -> Int {
    spaces.values.count { $0.machine.members.contains(member) }
  }

  private func recovered(_ name: LockspaceName, _ recoveryGeneration: UInt32) {
    guard let space = spaces[name] else { return }
    logger.info("lockspace \(name): running, recovery \(recoveryGeneration)")
    if space.phase != .leaving { spaces[name]?.phase = .running }
    spaces[name]?.joinWaiters = []
    spaces[name]?.owesRunning = true
    reclaimed(name)
    for waiter in space.joinWaiters { waiter(nil) }
  }

  private func recoveryFailed(_ name: LockspaceName, _ failure: RecoveryFailure) {
    logger.critical("lockspace \(name): recovery failed: \(failure)")
    guard let space = spaces[name], space.phase == .joining else { return }
    spaces[name]?.joinWaiters = []
    spaces[name]?.phase = .leaving
    node.leave(name, .inHouse)
    for waiter in space.joinWaiters { waiter(DaemonError("lockspace \(name): \(failure)")) }
  }

  private func schedule(_ name: LockspaceName, _ moment: Timestamp) {
    spaces[name]?.wake?.cancel()
    let delay = TimeAmount.nanoseconds(Int64((moment - Timestamp.now).wholeNanoseconds))
    spaces[name]?.wake = loop.scheduleTask(in: delay) {
      [loopBound = NIOLoopBound(self, eventLoop: loop)] in
      loopBound.value.step(name, .timer)
    }
  }

  // MARK: - Looking

  /// All locks that this node knows in its lockspaces, with the owner's name where it is local.
  func descriptions() -> [(lockspace: LockspaceName, lock: LockDescription, owner: String?)] {
    spaces.keys.sorted().flatMap { name in
      (spaces[name]?.machine.lockDescriptions(at: .now) ?? []).map { lock in
        (name, lock, lock.handle.flatMap { records[$0]?.owner })
      }
    }
  }

  var joined: [LockspaceName] { spaces.keys.sorted() }
}
