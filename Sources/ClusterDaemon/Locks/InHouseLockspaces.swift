import ClusterTypes
import DistributedLockManager
import LockManager
import LockProtocol
import LockspaceGroups
import Logging
import NIOCore

/// The lockspaces that the daemon's own lock manager runs, and the locks of local users in them.
///
/// Confined to the cluster's event loop: a packet is decoded, decided on and answered without
/// leaving it.
final class InHouseLockspaces: LockspaceDriver, LockCalls, LockspaceRunnerDelegate {
  private struct Space {
    enum Phase {
      case joining
      case running
      case stopped
      case leaving
    }

    let runner: LockspaceRunner.Space
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
  }

  private struct HeldCall {
    let handle: LockHandle
    let input: LockspaceMachine.Input
  }

  private unowned let node: ClusterNode
  private let loop: any EventLoop
  private let logger: Logger
  private let runner: LockspaceRunner
  private let sendPacket: (Packet, NodeID) -> Void
  private var spaces: [LockspaceName: Space] = [:]

  /// Called before a lockspace starts without a member that died, to finish what that one left
  /// undone under its locks; the start waits until the closure it is given is called.
  var beforeStart: ((LockspaceName, @escaping () -> Void) -> Void)?
  /// Whether this node takes locks of an earlier life up again in the lockspace. The others grant
  /// nothing new before it has said that it runs, and it says so after `reclaimed`.
  var isReclaiming: (LockspaceName) -> Bool = { _ in false }
  /// The agreed state of lockspaces has changed.
  var agreed: () -> Void = {}
  /// See `LockspaceRunnerDelegate`.
  var memberCame: (NodeID, _ lockspaceCount: Int) -> Void = { _, _ in }
  var memberWent: (NodeID, _ lockspaceCount: Int) -> Void = { _, _ in }

  init(
    node: ClusterNode, loop: any EventLoop, logger: Logger, send: @escaping (Packet, NodeID) -> Void
  ) {
    self.node = node
    self.loop = loop
    self.logger = logger
    sendPacket = send
    runner = LockspaceRunner(localNode: node.local.node, loop: loop)
    runner.delegate = self
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
    var space = Space(runner: runner.open(configuration))
    space.joinWaiters = [completion]
    spaces[name] = space
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
    guard let space = spaces[name] else { return completion() }
    for handle in runner.handles(in: space.runner) { unlock(handle, flags: .forceUnlock) }
    spaces[name]?.users = 1
    leave(name, completion: completion)
  }

  // MARK: - Locks

  func newHandle() -> LockHandle { runner.newHandle() }

  func isStopped(_ name: LockspaceName) -> Bool { spaces[name]?.phase == .stopped }

  func valueBlockLength(in name: LockspaceName) -> Int { Self.valueBlockLength }

  /// That of all these lockspaces.
  static let valueBlockLength = 32

  func lock(
    _ request: OwnedLockRequest, handle: LockHandle, listener: any LockListener
  ) throws(ClusterLockError) {
    guard let space = spaces[request.lockspace]?.runner else {
      runner.withdraw(handle)
      throw .notJoined(request.lockspace)
    }
    runner.register(handle, in: space, request, listener: listener)
    let call = LockspaceMachine.Input.lock(request.call(handle))
    if request.isReclaim { runner.step(space, call) } else { self.request(space, handle, call) }
  }

  /// Hands a request to the machine when every member runs: one that is back may be claiming what
  /// an earlier life of it held.
  private func request(
    _ space: LockspaceRunner.Space, _ handle: LockHandle, _ input: LockspaceMachine.Input
  ) {
    let mustWait = spaces[space.name].map { !$0.isOpen || !$0.held.isEmpty } ?? false
    guard mustWait else { return runner.step(space, input) }
    spaces[space.name]?.held.append(HeldCall(handle: handle, input: input))
  }

  private func runsEverywhere(_ name: LockspaceName) -> Bool {
    guard node.isOperational, spaces[name]?.phase == .running || spaces[name]?.phase == .leaving,
      let lockspace = node.groups.lockspace(name),
      case .started(let running) = lockspace.phase
    else { return false }
    return lockspace.members.allSatisfy { running.contains($0.node) }
  }

  /// The agreed state of lockspaces has changed.
  func groupsChanged() {
    defer { agreed() }
    for name in spaces.keys.sorted() {
      let isOpen = runsEverywhere(name)
      spaces[name]?.isOpen = isOpen
      guard isOpen, let held = spaces[name]?.held, !held.isEmpty else { continue }
      spaces[name]?.held = []
      guard let space = spaces[name]?.runner else { continue }
      for call in held { runner.step(space, call.input) }
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
    guard let space = runner.space(of: handle) else { return }
    request(space, handle, .convert(handle, mode, flags: flags, valueBlock: valueBlock))
  }

  func unlock(_ handle: LockHandle, flags: LockFlags = [], valueBlock: [UInt8]? = nil) {
    guard let space = runner.space(of: handle) else { return }
    let held = takeBack(handle, in: space.name)
    if case .lock = held?.input {
      runner.withdraw(handle)?.lockReleased()
    } else {
      runner.step(space, .unlock(handle, flags: flags, valueBlock: valueBlock))
    }
  }

  func cancel(_ handle: LockHandle) {
    guard let space = runner.space(of: handle) else { return }
    guard let held = takeBack(handle, in: space.name) else {
      return runner.step(space, .cancel(handle))
    }
    let listener = runner.listener(of: handle)
    let mode = runner.mode(of: handle)
    if case .lock = held.input { runner.withdraw(handle) }
    listener?.lockCompleted(LockOutcome(result: .cancelled, mode: mode))
  }

  // MARK: - The network

  func received(_ packet: Packet, from sender: NodeID) { runner.received(packet, from: sender) }

  /// All packets that were there have been received.
  func endedBatch() { runner.endedBatch() }

  // MARK: - The cluster's orders

  func stop(_ name: LockspaceName, generation: UInt64) {
    guard let space = spaces[name] else { return node.stopped(name, generation: generation) }
    spaces[name]?.generation = generation
    spaces[name]?.owesRunning = false
    spaces[name]?.isOpen = false
    if space.phase == .running { spaces[name]?.phase = .stopped }
    runner.step(space.runner, .stop)
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
    runner.step(space.runner, .start(members: members, departed: departed))
  }

  func left(_ name: LockspaceName) {
    guard let space = spaces.removeValue(forKey: name) else { return }
    runner.close(space.runner)
    for waiter in space.joinWaiters { waiter(DaemonError("lockspace \(name) was left")) }
    for waiter in space.leaveWaiters { waiter() }
  }

  func joinRefused(_ name: LockspaceName, reason: String) {
    guard let space = spaces.removeValue(forKey: name) else { return }
    runner.close(space.runner)
    let failure = DaemonError("lockspace \(name) cannot be joined: \(reason)")
    for waiter in space.joinWaiters { waiter(failure) }
    for waiter in space.leaveWaiters { waiter() }
  }

  // MARK: - What the lockspaces do

  func send(_ packet: Packet, to node: NodeID) { sendPacket(packet, node) }
  func memberAdded(_ node: NodeID, lockspaceCount: Int) { memberCame(node, lockspaceCount) }
  func memberRemoved(_ node: NodeID, lockspaceCount: Int) { memberWent(node, lockspaceCount) }

  func recovered(_ name: LockspaceName, generation: UInt32, slots: [LockspaceSlot]) {
    guard let space = spaces[name] else { return }
    logger.info("lockspace \(name): running, recovery \(generation)")
    if space.phase != .leaving { spaces[name]?.phase = .running }
    spaces[name]?.joinWaiters = []
    spaces[name]?.owesRunning = true
    reclaimed(name)
    for waiter in space.joinWaiters { waiter(nil) }
  }

  func recoveryFailed(_ name: LockspaceName, _ failure: RecoveryFailure) {
    logger.critical("lockspace \(name): recovery failed: \(failure)")
    guard let space = spaces[name], space.phase == .joining else { return }
    spaces[name]?.joinWaiters = []
    spaces[name]?.phase = .leaving
    node.leave(name, .inHouse)
    for waiter in space.joinWaiters { waiter(DaemonError("lockspace \(name): \(failure)")) }
  }

  // MARK: - Looking

  var machines: [(LockspaceName, LockspaceMachine)] {
    spaces.sorted { $0.key < $1.key }.map { ($0.key, $0.value.runner.machine) }
  }

  var localNode: NodeID { node.local.node }

  func notes(of handle: LockHandle) -> LockspaceRunner.RequestNotes? { runner.notes(of: handle) }

  /// Whose the lock is from now on: one lock of this node may serve one command after the other.
  func describe(_ handle: LockHandle, owner: String, processID: UInt32) {
    runner.describe(handle, owner: owner, processID: processID)
  }

  /// Ends a request in order to end a deadlock.
  func giveUp(_ handle: LockHandle) { runner.listener(of: handle)?.lockIsVictim() }

  var joined: [LockspaceName] { spaces.keys.sorted() }
}
