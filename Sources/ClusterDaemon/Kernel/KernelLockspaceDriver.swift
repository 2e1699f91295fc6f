import ClusterMembership
import ClusterTypes
import Glibc
import KernelLockspaces
import LockspaceGroups
import Logging
import NIOCore
import NIOPosix

/// Carries the kernel's lockspaces through the cluster's stops and starts.
///
/// A join or leave begins with a uevent, behind which a process waits in the kernel, unkillably,
/// until it is answered: each of them is answered, be it with an error. Blocking writes run on
/// worker threads, in order for each lockspace.
final class KernelLockspaceDriver: LockspaceDriver, ClusterObserver {
  /// Which answer a process in the kernel waits for, and the kernel's number of the event that said
  /// so; 0 where the event was lost.
  private enum Waiting: Equatable {
    case nobody
    case join(UInt64)
    case leave(UInt64)

    var joinEvent: UInt64? { if case .join(let event) = self { event } else { nil } }
    var leaveEvent: UInt64? { if case .leave(let event) = self { event } else { nil } }
  }

  private struct Space {
    var waiting = Waiting.nobody
    /// Members of the last start that the kernel took; empty when it does not run the lockspace.
    var startedMembers: [NodeInstance] = []
    /// Who went since then, and how: a start may fail, and is then made up for.
    var failed: Set<NodeInstance> = []
    var left: Set<NodeInstance> = []
    /// The newest generation that a stop or start was ordered for.
    var generation: UInt64 = 0
    /// The end of the queue of blocking work.
    var tail: EventLoopFuture<Void>
  }

  private static let recoveryPollInterval = TimeAmount.milliseconds(50)
  private static let retryInterval = TimeAmount.seconds(1)

  private let worker: KernelWorker
  private unowned let node: ClusterNode
  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let logger: Logger
  private var spaces: [LockspaceName: Space] = [:]
  private var isRefusing = false
  /// Lives through the same stops and starts.
  var posixLocks: PosixLockService?

  init(
    worker: KernelWorker, node: ClusterNode, loop: any EventLoop, pool: NIOThreadPool,
    logger: Logger
  ) {
    self.worker = worker
    self.node = node
    self.loop = loop
    self.pool = pool
    self.logger = logger
    // What an earlier life has left in the kernel: the cluster stops it, and starts it again.
    for (name, space) in worker.adopted {
      spaces[name] = Space(
        startedMembers: space.members, generation: space.generation,
        tail: loop.makeSucceededVoidFuture())
      logger.notice("lockspace \(name): taken up, generation \(space.generation)")
    }
  }

  /// Lockspaces that exist in this node's kernel.
  var activeLockspaces: [LockspaceName] { spaces.keys.sorted() }

  // MARK: - The kernel's events

  func received(_ reading: UeventSocket.Reading) {
    for event in reading.events { received(event) }
    if reading.deviceNodesChanged { synchronizeDeviceNodes() }
    if reading.isIncomplete { lookForMissedJoins() }
  }

  /// Events were lost: a join whose event nobody heard shows in sysfs, and a process waits there.
  private func lookForMissedJoins() {
    logger.error("events of the kernel were lost; looking for lockspaces that wait")
    run(worker) { try $0.waitingLockspaces() }.whenComplete { [self] result in
      switch result {
      case .success(let names):
        for name in names where spaces[name] == nil { online(name, event: 0) }
      case .failure(let error): logger.error("\(error)")
      }
    }
  }

  private func received(_ event: KernelUevent) {
    guard let name = event.lockspace else {
      if event.action == .online || event.action == .offline {
        refuse(event)
      }
      return
    }
    switch event.action {
    case .online: online(name, event: event.sequenceNumber ?? 0)
    case .offline: offline(name, event: event.sequenceNumber ?? 0)
    case .add, .remove: break
    }
  }

  private func refuse(_ event: KernelUevent) {
    logger.error("lockspace '\(event.lockspaceText)' is refused: its name cannot be served")
    run(worker) { try $0.refuse(event, errno: 22) }.whenFailure { [logger] error in
      logger.error("\(error)")
    }
  }

  private func online(_ name: LockspaceName, event: UInt64) {
    logger.info("lockspace \(name): the kernel wants to join")
    var space = spaces[name] ?? Space(tail: loop.makeSucceededVoidFuture())
    space.waiting = .join(event)
    spaces[name] = space
    if isRefusing { refuseJoin(name) } else { node.join(name, .kernel) }
  }

  private func offline(_ name: LockspaceName, event: UInt64) {
    guard spaces[name] != nil else {
      logger.warning("lockspace \(name): the kernel leaves what this daemon does not know")
      run(worker) { try $0.leave(name, leaveEvent: event) }.whenFailure { [logger] error in
        logger.error("\(error)")
      }
      return
    }
    logger.info("lockspace \(name): the kernel wants to leave")
    spaces[name]?.waiting = .leave(event)
    node.leave(name, .kernel)
  }

  // MARK: - The cluster's orders

  func stop(_ name: LockspaceName, generation: UInt64) {
    // Before anybody hears that this node has stopped.
    posixLocks?.lockspaceStops(name)
    guard let space = spaces[name] else {
      node.stopped(name, generation: generation)
      return
    }
    spaces[name]?.generation = generation
    let runsInKernel = !space.startedMembers.isEmpty
    enqueue(name, "stop") { worker in
      if runsInKernel { try worker.stop(name) }
    } done: { driver, error in
      driver.stopEnded(name, generation: generation, error: error)
    }
  }

  private func stopEnded(_ name: LockspaceName, generation: UInt64, error: (any Error)?) {
    guard error != nil else {
      node.stopped(name, generation: generation)
      return
    }
    // Nobody may start before this node has stopped: try until it is so.
    after(Self.retryInterval) { driver in
      guard driver.spaces[name]?.generation == generation else { return }
      driver.stop(name, generation: generation)
    }
  }

  func start(_ order: StartOrder) {
    let name = order.name
    guard let space = spaces[name] else {
      logger.error("lockspace \(name) is to start, but the kernel has not asked for it")
      node.leave(name, .kernel)
      return
    }
    spaces[name]?.generation = order.generation
    spaces[name]?.failed = space.failed.union(order.failed)
    spaces[name]?.left = space.left.union(order.left)
    posixLocks?.lockspaceStarts(
      name, generation: order.generation, members: order.members,
      isFirstStart: order.isFirstStart)
    startInKernel(name, order.generation, order.members)
  }

  private func startInKernel(
    _ name: LockspaceName, _ generation: UInt64, _ members: [NodeInstance]
  ) {
    guard let space = spaces[name], space.generation == generation else { return }
    let start = KernelStart(
      name: name, generation: generation, members: members, since: space.startedMembers,
      failed: space.failed, left: space.left, joinEvent: space.waiting.joinEvent)
    // From here on a stop has something to stop, even if the start fails half-way.
    if space.startedMembers.isEmpty { spaces[name]?.startedMembers = members }
    enqueue(name, "start") { worker in
      try worker.start(start)
    } done: { driver, error in
      driver.startEnded(start, generation, error: error)
    }
  }

  private func startEnded(_ start: KernelStart, _ generation: UInt64, error: (any Error)?) {
    let name = start.name
    if let error {
      guard let event = start.joinEvent else {
        logger.critical(
          "lockspace \(name) does not start on this node, the other members wait: \(error)")
        after(Self.retryInterval) { $0.startInKernel(name, generation, start.members) }
        return
      }
      spaces[name]?.waiting = .nobody
      spaces[name]?.startedMembers = []
      enqueue(name, "refuse the join") {
        try $0.refuseJoin(name, event: event, errno: EIO)
      } done: { driver, _ in
        driver.node.leave(name, .kernel)
      }
      return
    }
    if let event = start.joinEvent, spaces[name]?.waiting == .join(event) {
      spaces[name]?.waiting = .nobody
    }
    spaces[name]?.startedMembers = start.members
    spaces[name]?.failed.subtract(start.failed)
    spaces[name]?.left.subtract(start.left)
    awaitRecovery(name, generation: generation)
  }

  /// Polls until the kernel's recovery has ended here, or something newer was ordered.
  private func awaitRecovery(_ name: LockspaceName, generation: UInt64) {
    guard spaces[name]?.generation == generation else { return }
    run(worker) { try $0.isRunning(name) }.whenComplete { [self] result in
      guard spaces[name]?.generation == generation else { return }
      switch result {
      case .success(true):
        logger.info("lockspace \(name): running, generation \(generation)")
        node.running(name, generation: generation)
      case .success(false), .failure:
        after(Self.recoveryPollInterval) { $0.awaitRecovery(name, generation: generation) }
      }
    }
  }

  func left(_ name: LockspaceName) {
    posixLocks?.lockspaceLeft(name)
    guard let space = spaces[name] else { return }
    let waiting = space.waiting
    spaces[name]?.waiting = .nobody
    spaces[name]?.startedMembers = []
    spaces[name]?.failed = []
    spaces[name]?.left = []
    enqueue(name, "leave") { worker in
      let refusal = Result {
        if let event = waiting.joinEvent {
          try worker.refuseJoin(name, event: event, errno: EIO)
        }
      }
      try worker.leave(name, leaveEvent: waiting.leaveEvent)
      try refusal.get()
    } done: { driver, _ in
      driver.logger.info("lockspace \(name): left")
      // The kernel may have asked to join again as soon as its leave was answered.
      if driver.spaces[name]?.waiting == .nobody { driver.spaces[name] = nil }
    }
  }

  // MARK: - Who is in the cluster

  func viewInstalled(_ view: View) {
    let members = view.members.map(\.instance).filter { !hasEarlierLife(of: $0) }
    run(worker) { try $0.admit(members) }.whenFailure { [logger] error in
      logger.error("the members of the view cannot be told to the kernel: \(error)")
    }
  }

  func nodeRemoved(_ instance: NodeInstance) {}

  func nodeFenced(_ instance: NodeInstance) {
    // This node's own entry is that of its present life.
    guard instance.node != node.local.node else { return }
    // Where it was a member, the next start takes it for failed and forgets it.
    guard !spaces.values.contains(where: { $0.startedMembers.contains(instance) }) else { return }
    run(worker) { try $0.forget(instance) }.whenFailure { [logger] error in
      logger.error("node \(instance.node) cannot be removed from the kernel's list: \(error)")
    }
  }

  func quorumChanged(_ isQuorate: Bool) {}
  func groupsChanged() {}
  func joinRefused(_ name: LockspaceName, reason: String) { refuseJoin(name) }

  /// Nobody will ever let these join.
  func evicted() { refuseJoins() }

  /// Refuses joins that wait, and all that come.
  func refuseJoins() {
    isRefusing = true
    for (name, space) in spaces
    where space.waiting.joinEvent != nil && space.startedMembers.isEmpty {
      refuseJoin(name)
    }
  }

  private func refuseJoin(_ name: LockspaceName) {
    // An answer that nobody waits for would be taken by the next one who does.
    guard let event = spaces[name]?.waiting.joinEvent else { return }
    spaces[name]?.waiting = .nobody
    enqueue(name, "refuse the join") {
      try $0.refuseJoin(name, event: event, errno: EIO)
    } done: { driver, _ in
      if driver.spaces[name]?.waiting == .nobody { driver.spaces[name] = nil }
    }
  }

  private func hasEarlierLife(of instance: NodeInstance) -> Bool {
    spaces.values.contains { space in
      space.startedMembers.contains { $0.node == instance.node && $0 < instance }
    }
  }

  // MARK: - Worker threads

  /// Queues blocking work on a lockspace; `done` runs on the event loop.
  private func enqueue(
    _ name: LockspaceName, _ what: String,
    _ work: @escaping @Sendable (KernelWorker) throws -> Void,
    done: @escaping (KernelLockspaceDriver, (any Error)?) -> Void
  ) {
    guard let space = spaces[name] else { return }
    let next = space.tail.flatMap { [loop, pool, worker] in
      pool.runIfActive(eventLoop: loop) { try work(worker) }
    }
    spaces[name]?.tail = next.recover { _ in }
    next.assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success: done(self, nil)
      case .failure(let error):
        logger.error("lockspace \(name): cannot \(what): \(error)")
        done(self, error)
      }
    }
  }

  private func run<Result: Sendable>(
    _ worker: KernelWorker, _ work: @escaping @Sendable (KernelWorker) throws -> Result
  ) -> EventLoopFuture<Result>.Isolated {
    pool.runIfActive(eventLoop: loop) { try work(worker) }.assumeIsolated()
  }

  private func after(_ delay: TimeAmount, _ body: @escaping (KernelLockspaceDriver) -> Void) {
    loop.assumeIsolated().scheduleTask(in: delay) { [self] in body(self) }
  }

  private func synchronizeDeviceNodes() {
    run(worker) { try $0.synchronizeDeviceNodes() }.whenFailure { [logger] error in
      logger.error("the lock manager's device nodes cannot be made: \(error)")
    }
  }
}
