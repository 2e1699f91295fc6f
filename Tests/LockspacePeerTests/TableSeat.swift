import ClusterTypes
import DistributedLockManager
import LockManager
import LockProtocol

@testable import LockspacePeer

/// The lockspace of one session at a `PeerTable`: a machine whose packets the table delivers.
final class TableSeat: PeerLockspace, LockCalls {
  let configuration: PeerConfiguration
  var machine: LockspaceMachine?
  var now = Timestamp(milliseconds: 1000)
  /// Whom the lockspace was left with; the table's tests say when they have agreed.
  var partners: [NodeID] = []
  private(set) var lines: [[UInt8]] = []
  private var listeners: [LockHandle: any LockListener] = [:]
  private var lastHandle: UInt64 = 0
  private var outbox: [(Packet, to: NodeID)] = []
  private var later: [() -> Void] = []
  private var isCarryingOut = false
  private var effects: [LockspaceMachine.Effect] = []
  private var ownSession: PeerSession?

  init(_ configuration: PeerConfiguration) {
    self.configuration = configuration
    join()
  }

  var session: PeerSession {
    if let ownSession { return ownSession }
    let session = PeerSession(configuration, lockspace: self) { [unowned self] in lines.append($0) }
    ownSession = session
    return session
  }

  func takeLines() -> [[UInt8]] {
    defer { lines = [] }
    return lines
  }

  func takePackets() -> [(Packet, to: NodeID)] {
    defer { outbox = [] }
    return outbox
  }

  /// What was to happen afterwards.
  func catchUp() {
    while !later.isEmpty { later.removeFirst()() }
  }

  // MARK: - PeerLockspace

  func join() {
    machine = LockspaceMachine(
      .init(
        name: configuration.lockspace, localNode: configuration.node,
        shared: LockspaceConfiguration(lvbLength: UInt32(configuration.lvbLength)),
        usesDirectory: configuration.usesDirectory, seed: configuration.seed))
  }

  func start(_ members: [Member], renewed: Set<NodeID>) {
    step(.start(members: members, departed: renewed))
  }

  func stop() { step(.stop) }

  func leave() {
    partners = machine?.members.filter { $0 != configuration.node } ?? []
    machine = nil
    let lost = listeners.values
    listeners = [:]
    for listener in lost { listener.lockReleased() }
  }

  var locks: any LockCalls { self }

  func abandon(_ handle: LockHandle) {
    step(.abandon(handle))
    listeners[handle] = nil
  }

  func purge(_ node: NodeID, processID: UInt32) { step(.purge(node, processID: processID)) }
  func afterwards(_ body: @escaping () -> Void) { later.append(body) }

  // MARK: - LockCalls

  func isStopped(_ lockspace: LockspaceName) -> Bool { machine?.state != .running }
  func valueBlockLength(in lockspace: LockspaceName) -> Int { configuration.lvbLength }

  func newHandle() -> LockHandle {
    lastHandle += 1
    return LockHandle(1 << 32 | lastHandle)
  }

  func lock(_ request: OwnedLockRequest, handle: LockHandle, listener: any LockListener) {
    listeners[handle] = listener
    step(.lock(request.call(handle)))
  }

  func convert(_ handle: LockHandle, to mode: LockMode, flags: LockFlags, valueBlock: [UInt8]?) {
    step(.convert(handle, mode, flags: flags, valueBlock: valueBlock))
  }

  func unlock(_ handle: LockHandle, flags: LockFlags, valueBlock: [UInt8]?) {
    step(.unlock(handle, flags: flags, valueBlock: valueBlock))
  }

  func cancel(_ handle: LockHandle) { step(.cancel(handle)) }

  // MARK: - The machine

  func step(_ input: LockspaceMachine.Input) {
    machine?.handle(input, at: now, effects: &effects)
    guard !isCarryingOut else { return }
    isCarryingOut = true
    while !effects.isEmpty { carryOut(effects.removeFirst()) }
    isCarryingOut = false
  }

  private func carryOut(_ effect: LockspaceMachine.Effect) {
    switch effect {
    case .send(let packet, let node): outbox.append((packet, node))
    case .completed(let handle, let outcome): listeners[handle]?.lockCompleted(outcome)
    case .released(let handle): listeners.removeValue(forKey: handle)?.lockReleased()
    case .blocking(let handle, let mode): listeners[handle]?.lockBlocks(mode)
    case .refused(let handle, let reason): listeners[handle]?.lockRefused(reason)
    case .recovered(let generation, let slots):
      session.started(generation: generation, slots: slots)
    case .recoveryFailed(let failure): session.failed(failure)
    case .memberAdded, .memberRemoved, .wake: break
    }
  }
}
