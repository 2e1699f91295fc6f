import ClusterTypes
import LockManager
import LockProtocol
import NIOCore

/// What the lockspaces of a node need from whoever runs them.
package protocol LockspaceRunnerDelegate: AnyObject {
  func send(_ packet: Packet, to node: NodeID)
  /// The same for a lock message, as nearly all packets are.
  func send(_ message: LockMessage, to node: NodeID)
  /// Locking is enabled again in the lockspace. `slots` is empty if the members contradict each other
  /// about them.
  func recovered(_ lockspace: LockspaceName, generation: UInt32, slots: [LockspaceSlot])
  func recoveryFailed(_ lockspace: LockspaceName, _ failure: RecoveryFailure)
  /// A node is in one lockspace more, or fewer, of this node's; the count of the common ones is
  /// what the reliability layer goes by.
  func memberAdded(_ node: NodeID, lockspaceCount: Int)
  func memberRemoved(_ node: NodeID, lockspaceCount: Int)
}

extension LockspaceRunnerDelegate {
  package func send(_ message: LockMessage, to node: NodeID) { send(.lock(message), to: node) }
}

/// The lockspaces of one node at work: steps their machines, carries out what these decide, and
/// tells the users of locks.
///
/// Confined to one event loop: a packet is decoded, decided on and answered without leaving it.
package final class LockspaceRunner {
  /// One lockspace.
  package final class Space {
    package let name: LockspaceName
    fileprivate let id: LockspaceID
    // Each message steps the machine once, and nothing that it does leads back here before its end:
    // checks for overlapping access would find nothing and cost a tenth of the rest.
    @exclusivity(unchecked)
    package fileprivate(set) var machine: LockspaceMachine
    @exclusivity(unchecked)
    fileprivate var effects: [LockspaceMachine.Effect] = []
    /// The memory of those that were carried out last.
    fileprivate var spare: [LockspaceMachine.Effect] = []
    @exclusivity(unchecked)
    fileprivate var isCarryingOut = false
    fileprivate var wake: Scheduled<Void>?
    fileprivate var isClosed = false

    fileprivate init(_ configuration: LockspaceMachine.Configuration) {
      name = configuration.name
      id = configuration.lockspaceID
      machine = LockspaceMachine(configuration)
    }
  }

  /// What is kept of a request while its lock lives.
  package struct RequestNotes {
    /// See `OwnedLockRequest`.
    package fileprivate(set) var owner: String
    package fileprivate(set) var processID: UInt32
    package let transaction: UInt64?
    package let mayBeVictim: Bool
  }

  private struct Record {
    let space: Space
    var request: RequestNotes
    let listener: any LockListener
    /// As last told; nil before the first grant, when a refusal leaves no lock.
    var mode: LockMode?

    mutating func hold(_ mode: LockMode) -> any LockListener {
      self.mode = mode
      return listener
    }
  }

  /// Must live as long as the runner.
  package unowned var delegate: (any LockspaceRunnerDelegate)?
  private let localNode: NodeID
  private let loop: any EventLoop
  private var spaces: [LockspaceID: Space] = [:]
  /// That of the last packet: most likely also that of the next.
  @exclusivity(unchecked)
  private var lastSpace: Space?
  @exclusivity(unchecked)
  private var records = LockRecords<Record>()
  /// The moment of the batch of packets that is being read.
  @exclusivity(unchecked)
  private var batchTime: Timestamp?

  package init(localNode: NodeID, loop: any EventLoop) {
    self.localNode = localNode
    self.loop = loop
  }

  // MARK: - Lockspaces

  package func open(_ configuration: LockspaceMachine.Configuration) -> Space {
    let space = Space(configuration)
    spaces[configuration.lockspaceID] = space
    return space
  }

  /// Forgets the lockspace; its locks are lost, and their users hear so.
  package func close(_ space: Space) {
    guard !space.isClosed else { return }
    space.isClosed = true
    space.wake?.cancel()
    spaces = spaces.filter { $0.value !== space }
    lastSpace = nil
    let lost = handles(in: space)
    let listeners = lost.compactMap { records.remove($0)?.listener }
    for member in space.machine.members where member != localNode {
      delegate?.memberRemoved(member, lockspaceCount: commonLockspaceCount(with: member))
    }
    for listener in listeners { listener.lockReleased() }
  }

  private func commonLockspaceCount(with member: NodeID) -> Int {
    spaces.values.count { $0.machine.members.contains(member) }
  }

  // MARK: - Locks

  package func newHandle() -> LockHandle { records.reserve() }

  /// Notes who uses the handle, before the request is made.
  package func register(
    _ handle: LockHandle, in space: Space, _ request: OwnedLockRequest,
    listener: any LockListener
  ) {
    let notes = RequestNotes(
      owner: request.owner, processID: request.processID, transaction: request.transaction,
      mayBeVictim: request.mayBeVictim)
    records[handle] = Record(space: space, request: notes, listener: listener)
  }

  /// Forgets a handle whose request was not made.
  @discardableResult
  package func withdraw(_ handle: LockHandle) -> (any LockListener)? {
    records.remove(handle)?.listener
  }

  package func space(of handle: LockHandle) -> Space? { records[handle]?.space }
  package func notes(of handle: LockHandle) -> RequestNotes? { records[handle]?.request }
  /// Notes another user of the lock than the one who asked for it.
  package func describe(_ handle: LockHandle, owner: String, processID: UInt32) {
    guard records[handle] != nil else { return }
    records[handle]?.request.owner = owner
    records[handle]?.request.processID = processID
  }

  package func listener(of handle: LockHandle) -> (any LockListener)? { records[handle]?.listener }

  /// The mode last told; nil before the first grant.
  package func mode(of handle: LockHandle) -> LockMode? {
    records[handle]?.mode
  }

  /// Of all locks of this node in the lockspace, granted or not.
  package func handles(in space: Space) -> [LockHandle] {
    records.handles.filter { records[$0]?.space === space }.sorted()
  }

  // MARK: - Stepping

  /// A packet of another node. Of a lockspace that is not open here the answer is that.
  package func received(_ packet: Packet, from sender: NodeID) {
    if batchTime == nil { batchTime = .now }
    guard let space = space(packet.lockspaceID) else {
      let reply = LockspaceMachine.unknownLockspaceReply(to: packet, from: localNode)
      if let reply { delegate?.send(reply, to: sender) }
      return
    }
    space.machine.receive(
      packet, from: sender, at: batchTime ?? .now, effects: &space.effects)
    carryOut(space)
  }

  /// The same for a lock message.
  package func received(_ message: LockMessage, from sender: NodeID) {
    guard let space = space(message.lockspaceID) else {
      return received(.lock(message), from: sender)
    }
    if batchTime == nil { batchTime = .now }
    space.machine.receive(
      message, from: sender, at: batchTime ?? .now, effects: &space.effects)
    carryOut(space)
  }

  private func space(_ id: LockspaceID) -> Space? {
    if let lastSpace, lastSpace.id == id { return lastSpace }
    lastSpace = spaces[id]
    return lastSpace
  }

  /// All packets that were there have been received: the clock goes on.
  package func endedBatch() { batchTime = nil }

  package func step(_ space: Space, _ input: LockspaceMachine.Input) {
    guard !space.isClosed else { return }
    space.machine.handle(input, at: batchTime ?? .now, effects: &space.effects)
    carryOut(space)
  }

  /// Carries out effects in the order they came about, also when one of them leads to more: two
  /// packets to one node must not overtake each other.
  private func carryOut(_ space: Space) {
    guard !space.isCarryingOut else { return }
    space.isCarryingOut = true
    // Nearly always there is one, and nothing has to be kept in order.
    if space.effects.count == 1 { carryOut(space.effects.removeLast(), in: space) }
    if space.effects.isEmpty {
      space.isCarryingOut = false
      return
    }
    var batch: [LockspaceMachine.Effect] = []
    swap(&space.spare, &batch)
    while !space.effects.isEmpty {
      swap(&space.effects, &batch)
      for effect in batch { carryOut(effect, in: space) }
      batch.removeAll(keepingCapacity: true)
    }
    swap(&space.spare, &batch)
    space.isCarryingOut = false
  }

  private func carryOut(_ effect: consuming LockspaceMachine.Effect, in space: Space) {
    switch effect {
    case .send(.lock(let message), let target): delegate?.send(message, to: target)
    case .send(let packet, let target): delegate?.send(packet, to: target)
    case .completed(let handle, let outcome): completed(handle, outcome)
    case .released(let handle): records.remove(handle)?.listener.lockReleased()
    case .blocking(let handle, let mode): records[handle]?.listener.lockBlocks(mode)
    case .refused(let handle, let reason): refused(handle, reason, in: space)
    case .memberAdded(let member):
      delegate?.memberAdded(member, lockspaceCount: commonLockspaceCount(with: member))
    case .memberRemoved(let member):
      delegate?.memberRemoved(member, lockspaceCount: commonLockspaceCount(with: member))
    case .recovered(let generation, let slots):
      delegate?.recovered(space.name, generation: generation, slots: slots)
    case .recoveryFailed(let failure): delegate?.recoveryFailed(space.name, failure)
    case .wake(let moment): schedule(space, moment)
    }
  }

  private func completed(_ handle: LockHandle, _ outcome: LockOutcome) {
    guard let mode = outcome.mode else {
      records.remove(handle)?.listener.lockCompleted(outcome)
      return
    }
    guard records.isReserved(handle) else { return }
    let listener = records[handle]?.hold(mode)
    listener?.lockCompleted(outcome)
  }

  /// A refused request leaves no lock; any other refused call leaves the lock as it was, waiting or not.
  private func refused(_ handle: LockHandle, _ reason: CallRefusal, in space: Space) {
    guard let record = records[handle] else { return }
    if space.machine.grantedMode(of: handle) == nil { records.remove(handle) }
    record.listener.lockRefused(reason)
  }

  private func schedule(_ space: Space, _ moment: Timestamp) {
    space.wake?.cancel()
    let delay = TimeAmount.nanoseconds(Int64(clamping: (moment - Timestamp.now).wholeNanoseconds))
    space.wake = loop.assumeIsolated().scheduleTask(in: delay) { [self] in
      step(space, .timer)
    }
  }
}
