import ClusterTransport
import ClusterTypes
import LockManager
import LockProtocol
import Logging
import NIOCore

/// Hears what becomes of the lockspaces of a service; called on its event loop.
package protocol LockServiceObserver: AnyObject {
  /// Locking is enabled again. `slots` is empty if the members contradict each other about them.
  func lockspace(_ name: LockspaceName, recovered generation: UInt32, slots: [LockspaceSlot])
  func lockspace(_ name: LockspaceName, failed failure: RecoveryFailure)
  /// The node does not acknowledge what it is sent: it must be removed.
  func lost(_ node: NodeID)
}

/// The lockspaces of a `LockNode` and the connections to its peers.
///
/// Confined to the node's event loop.
package final class LockService: LockTransportDelegate, LockspaceRunnerDelegate, LockCalls {
  private struct Space {
    let runner: LockspaceRunner.Space
    let valueBlockLength: Int
    /// Locking is enabled.
    var isRunning = false
    var startWaiters: [(Result<UInt32, LockNodeError>) -> Void] = []
  }

  /// Not needed by users that wait for `start`.
  package weak var observer: (any LockServiceObserver)?
  private let transport: LockTransport
  private let runner: LockspaceRunner
  private let logger: Logger
  private let loop: any EventLoop
  private let departuresAreTold: Bool
  private var spaces: [LockspaceName: Space] = [:]
  private var closeWaiters: [EventLoopPromise<Void>] = []
  private var closingPeers: Set<NodeID> = []

  package init(_ plan: ServicePlan, loop: any EventLoop, logger: Logger) {
    self.loop = loop
    self.logger = logger
    departuresAreTold = plan.departuresAreTold
    transport = LockTransport(
      configuration: .init(node: plan.node, address: plan.address, version: plan.version),
      eventLoop: loop, logger: logger)
    runner = LockspaceRunner(localNode: plan.node, loop: loop)
    transport.delegate = self
    runner.delegate = self
  }

  package func start(_ plan: ServicePlan) -> EventLoopFuture<Void> {
    do {
      try transport.setPeers(plan.peers)
    } catch {
      return loop.makeFailedFuture(error)
    }
    for node in plan.peers.keys { transport.enable(node) }
    return transport.start()
  }

  package func stop() -> EventLoopFuture<Void> {
    _ = giveUpClosing()
    return transport.stop()
  }

  package func forget(_ node: NodeID) {
    transport.removeAddress(node)
    transport.enable(node)
  }

  // MARK: - Lockspaces

  func isOpen(_ name: LockspaceName) -> Bool { spaces[name] != nil }

  /// A copy, for reports; nil unless the lockspace is open.
  package func machine(of name: LockspaceName) -> LockspaceMachine? {
    spaces[name]?.runner.machine
  }

  package func open(_ configuration: LockspaceMachine.Configuration) throws(LockNodeError) {
    guard spaces[configuration.name] == nil else { throw .alreadyOpen(configuration.name) }
    spaces[configuration.name] = Space(
      runner: runner.open(configuration),
      valueBlockLength: Int(configuration.shared.lvbLength))
  }

  /// `completion` gets the new generation when locking is enabled, or why it is not.
  package func start(
    _ name: LockspaceName, members: [Member], departed: Set<NodeID>,
    completion: @escaping (Result<UInt32, LockNodeError>) -> Void
  ) {
    guard let space = spaces[name] else { return completion(.failure(.closed(name))) }
    spaces[name]?.startWaiters.append(completion)
    runner.step(space.runner, .start(members: members, departed: departed))
  }

  package func stop(_ name: LockspaceName) throws(LockNodeError) {
    guard let space = spaces[name] else { throw .closed(name) }
    spaces[name]?.isRunning = false
    runner.step(space.runner, .stop)
  }

  /// Locks that are left are lost. With the last lockspace the node parts from its peers; the future
  /// succeeds when all have agreed.
  package func close(_ name: LockspaceName) -> EventLoopFuture<Void> {
    guard let space = spaces.removeValue(forKey: name) else {
      return loop.makeSucceededVoidFuture()
    }
    let peers = space.runner.machine.members
    runner.close(space.runner)
    for waiter in space.startWaiters { waiter(.failure(.closed(name))) }
    guard spaces.isEmpty else { return loop.makeSucceededVoidFuture() }
    let promise = loop.makePromise(of: Void.self)
    closeWaiters.append(promise)
    closingPeers = Set(
      peers.filter { node in
        transport.closeState(of: node).map { $0 != .closed && $0 != .overflowed } ?? false
      })
    transport.lastLockspaceReleased()
    endClosing()
    return promise.futureResult
  }

  private func endClosing() {
    guard closingPeers.isEmpty else { return }
    let waiters = closeWaiters
    closeWaiters = []
    for waiter in waiters { waiter.succeed() }
  }

  /// Waits no longer for peers to agree that this node has left.
  ///
  /// - Returns: those that have not.
  package func giveUpClosing() -> [NodeID] {
    let silent = closingPeers.sorted()
    closingPeers = []
    endClosing()
    return silent
  }

  func locks(in name: LockspaceName) -> [(lock: LockDescription, owner: String?)] {
    (spaces[name]?.runner.machine.lockDescriptions(at: .now) ?? []).map { lock in
      (lock, lock.handle.flatMap { runner.notes(of: $0)?.owner })
    }
  }

  // MARK: - Calls

  package func isStopped(_ lockspace: LockspaceName) -> Bool {
    spaces[lockspace]?.isRunning == false
  }

  package func valueBlockLength(in lockspace: LockspaceName) -> Int {
    spaces[lockspace]?.valueBlockLength ?? 0
  }

  package func newHandle() -> LockHandle { runner.newHandle() }

  package func lock(
    _ request: OwnedLockRequest, handle: LockHandle, listener: any LockListener
  ) throws(ClusterLockError) {
    guard let space = spaces[request.lockspace]?.runner else {
      runner.withdraw(handle)
      throw .notJoined(request.lockspace)
    }
    runner.register(handle, in: space, request, listener: listener)
    runner.step(space, .lock(request.call(handle)))
  }

  package func convert(
    _ handle: LockHandle, to mode: LockMode, flags: LockFlags, valueBlock: [UInt8]?
  ) {
    guard let space = runner.space(of: handle) else { return }
    runner.step(space, .convert(handle, mode, flags: flags, valueBlock: valueBlock))
  }

  package func unlock(_ handle: LockHandle, flags: LockFlags, valueBlock: [UInt8]?) {
    guard let space = runner.space(of: handle) else { return }
    runner.step(space, .unlock(handle, flags: flags, valueBlock: valueBlock))
  }

  package func cancel(_ handle: LockHandle) {
    guard let space = runner.space(of: handle) else { return }
    runner.step(space, .cancel(handle))
  }

  /// The owner of the lock is gone. What is granted and was requested with `.persistent` stays as an
  /// orphan, about which nobody is told anything any more.
  package func abandon(_ handle: LockHandle) {
    guard let space = runner.space(of: handle) else { return }
    runner.step(space, .abandon(handle))
    runner.withdraw(handle)
  }

  /// Unlocks the orphans that a process (0: all) left on `node`.
  package func purge(_ node: NodeID, processID: UInt32, in lockspace: LockspaceName) {
    guard let space = spaces[lockspace]?.runner else { return }
    runner.step(space, .purge(node, processID: processID))
  }

  // MARK: - What the lockspaces do

  package func send(_ packet: Packet, to node: NodeID) { transport.send(packet, to: node) }

  package func send(_ message: LockMessage, to node: NodeID) {
    transport.send(message, to: node)
  }

  package func memberAdded(_ node: NodeID, lockspaceCount: Int) {
    transport.memberAdded(node, userCount: lockspaceCount)
  }

  package func memberRemoved(_ node: NodeID, lockspaceCount: Int) {
    transport.memberRemoved(node, userCount: lockspaceCount)
    // Without a lockspace it is this node that has gone.
    if !departuresAreTold, !spaces.isEmpty { transport.expectNextLife(of: node) }
  }

  package func recovered(_ lockspace: LockspaceName, generation: UInt32, slots: [LockspaceSlot]) {
    spaces[lockspace]?.isRunning = true
    endStart(lockspace, .success(generation))
    observer?.lockspace(lockspace, recovered: generation, slots: slots)
  }

  package func recoveryFailed(_ lockspace: LockspaceName, _ failure: RecoveryFailure) {
    logger.critical("lockspace \(lockspace): recovery failed: \(failure)")
    endStart(lockspace, .failure(.recoveryFailed(lockspace, failure)))
    observer?.lockspace(lockspace, failed: failure)
  }

  private func endStart(_ lockspace: LockspaceName, _ result: Result<UInt32, LockNodeError>) {
    let waiters = spaces[lockspace]?.startWaiters ?? []
    spaces[lockspace]?.startWaiters = []
    for waiter in waiters { waiter(result) }
  }

  // MARK: - What the network does

  package func lockTransport(_ transport: LockTransport, received packet: Packet, from node: NodeID)
  {
    runner.received(packet, from: node)
  }

  package func lockTransport(
    _ transport: LockTransport, received message: LockMessage, from node: NodeID
  ) {
    runner.received(message, from: node)
  }

  package func lockTransportReadComplete(_ transport: LockTransport) { runner.endedBatch() }

  package func lockTransport(_ transport: LockTransport, closed node: NodeID) {
    closingPeers.remove(node)
    endClosing()
  }

  package func lockTransport(_ transport: LockTransport, lost node: NodeID) {
    closingPeers.remove(node)
    endClosing()
    observer?.lost(node)
  }
}
