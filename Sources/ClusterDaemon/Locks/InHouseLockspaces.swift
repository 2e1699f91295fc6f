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
    var joinWaiters: [(DaemonError?) -> Void] = []
    var leaveWaiters: [() -> Void] = []
    var wake: Scheduled<Void>?
  }

  private struct LockRecord {
    let lockspace: LockspaceName
    let owner: String
    let events: LockEvents
    /// Its request was granted once; before that, a refusal leaves no lock.
    var isLock = false
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

  /// Called before a lockspace starts on new members, to finish what a dead member left undone
  /// under its locks; the start waits until the closure it is given is called.
  var beforeStart: ((StartOrder, @escaping () -> Void) -> Void)?
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
    node.leave(name)
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

  /// Requests a lock. `owner` is told to whoever asks who holds it.
  func lock(
    _ name: LockspaceName, handle: LockHandle, resource: ResourceName, mode: LockMode,
    flags: LockFlags, valueBlock: [UInt8]? = nil, processID: UInt32, owner: String,
    events: LockEvents
  ) throws(DaemonError) {
    guard spaces[name] != nil else {
      throw DaemonError("lockspace \(name) has not been joined on this node")
    }
    records[handle] = LockRecord(lockspace: name, owner: owner, events: events)
    step(
      name,
      .lock(
        LockCall(
          handle: handle, resource: resource, mode: mode, flags: flags, valueBlock: valueBlock,
          processID: processID)))
  }

  func convert(_ handle: LockHandle, to mode: LockMode, flags: LockFlags, valueBlock: [UInt8]?) {
    guard let record = records[handle] else { return }
    step(record.lockspace, .convert(handle, mode, flags: flags, valueBlock: valueBlock))
  }

  func unlock(_ handle: LockHandle, flags: LockFlags = [], valueBlock: [UInt8]? = nil) {
    guard let record = records[handle] else { return }
    step(record.lockspace, .unlock(handle, flags: flags, valueBlock: valueBlock))
  }

  func cancel(_ handle: LockHandle) {
    guard let record = records[handle] else { return }
    step(record.lockspace, .cancel(handle))
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
    if space.phase == .running { spaces[name]?.phase = .stopped }
    step(name, .stop)
    node.stopped(name, generation: generation)
  }

  func start(_ order: StartOrder) {
    guard spaces[order.name] != nil else {
      logger.error("lockspace \(order.name) is to start, but nobody here has asked for it")
      return node.leave(order.name)
    }
    spaces[order.name]?.generation = order.generation
    guard let beforeStart else { return startMachine(order) }
    beforeStart(order) { [self] in startMachine(order) }
  }

  private func startMachine(_ order: StartOrder) {
    guard spaces[order.name]?.generation == order.generation else { return }
    let departed = Set((order.failed + order.left).map(\.node))
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
      if outcome.mode == nil { records[handle] = nil } else { records[handle]?.isLock = true }
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
    node.running(name, generation: space.generation)
    for waiter in space.joinWaiters { waiter(nil) }
  }

  private func recoveryFailed(_ name: LockspaceName, _ failure: RecoveryFailure) {
    logger.critical("lockspace \(name): recovery failed: \(failure)")
    guard let space = spaces[name], space.phase == .joining else { return }
    spaces[name]?.joinWaiters = []
    spaces[name]?.phase = .leaving
    node.leave(name)
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
