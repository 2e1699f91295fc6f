import ClusterTypes
import DistributedLockManager
import LockManager
import LockProtocol

/// One node of one lockspace, driven by lines of JSON: what dlm-peer(8) decides.
///
/// Without I/O: it is handed lines, and what becomes of the lockspace, and writes lines.
final class PeerSession {
  /// A call about a lock, checked as far as it can be without the lock manager.
  struct LockCallRequest {
    enum Operation {
      case lock(OwnedLockRequest)
      case convert(LockMode, LockFlags, valueBlock: [UInt8]?)
      case unlock(LockFlags, valueBlock: [UInt8]?)
      case cancel
      case abandon
    }

    let id: RequestID?
    let lock: PeerLock
    let operation: Operation
  }

  let configuration: PeerConfiguration
  let lockspace: any PeerLockspace
  private let output: ([UInt8]) -> Void
  var locks: [UInt64: PeerLock] = [:]
  var lastNumber: UInt64 = 0
  enum HeldCall {
    case lock(LockCallRequest)
    case purge(NodeID, processID: UInt32)
  }

  /// Calls that came while locking was not enabled.
  var heldCalls: [HeldCall] = []
  /// Events that a call causes before it is answered; nil while there is no such call.
  var heldEvents: [PeerEvent]?
  /// The lock of that call, and why it was refused.
  var calling: (lock: PeerLock, refusal: CallRefusal?)?
  /// The others have not agreed yet that this node has left.
  private(set) var isParting = false

  /// - Parameter output: takes whole lines for the caller.
  init(
    _ configuration: PeerConfiguration, lockspace: any PeerLockspace,
    output: @escaping ([UInt8]) -> Void
  ) {
    self.configuration = configuration
    self.lockspace = lockspace
    self.output = output
  }

  /// The lockspace was left, and not started again.
  var hasLeft: Bool { lockspace.machine == nil }
  var isRunning: Bool { lockspace.machine?.state == .running }

  // MARK: - Input

  /// A line of input without its end. Blank lines are ignored.
  func take(line: some Collection<UInt8>) {
    let isBlank = line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    if !isBlank { take(PeerRequest(line: line)) }
  }

  /// A line that was longer than the shell reads.
  func takeOverlongLine(limit: Int) {
    refuse(nil, RequestError("a line has more than \(limit) bytes"))
  }

  /// Input has ended.
  func inputEnded() {
    if hasLeft { return }
    let text = "input ended without leave: this node is gone, and must be removed by the others"
    print(.init(event: .error, error: text))
  }

  // MARK: - What becomes of the lockspace

  /// Locking is enabled.
  func started(generation: UInt32, slots: [LockspaceSlot]) {
    print(
      .init(
        event: .started, generation: generation,
        slots: slots.map { .init(node: $0.node.rawValue, slot: $0.slot) }))
    lockspace.afterwards { [self] in takeHeldCalls() }
  }

  func failed(_ failure: RecoveryFailure) {
    print(.init(event: .error, error: "\(failure)"))
  }

  /// The transport cannot reach the node any more.
  func lost(_ node: NodeID) {
    let text = "node \(node) does not acknowledge what it is sent: remove it"
    print(.init(event: .error, error: text))
  }

  /// The close was agreed with all members, or given up.
  ///
  /// - Parameter silent: those that did not answer in time.
  func parted(silent: [NodeID]) {
    isParting = false
    print(.init(event: .left, silent: silent.isEmpty ? nil : silent.map(\.rawValue)))
  }

  // MARK: - Requests

  private func take(_ request: PeerRequest) {
    do throws(RequestError) {
      try carryOut(try request.operation.get(), id: request.id)
    } catch {
      refuse(request.id, error)
    }
  }

  private func carryOut(
    _ operation: PeerRequest.Operation, id: RequestID?
  ) throws(RequestError) {
    if case .start(let members, let renewed) = operation {
      return try start(members, renewed: renewed, id: id)
    }
    guard let machine = lockspace.machine else {
      throw RequestError(
        "this node has left lockspace \(configuration.lockspace)",
        status: RequestError.notConnected)
    }
    switch operation {
    case .start: break
    case .stop:
      accept(id)
      lockspace.stop()
    case .lock, .convert, .unlock, .cancel, .abandon: try call(operation, id: id)
    case .purge(let node, let processID):
      guard node == configuration.node || machine.members.contains(node) else {
        throw RequestError("node \(node) is no member", status: RequestError.noEntry)
      }
      accept(id)
      guard isRunning, heldCalls.isEmpty else {
        return heldCalls.append(.purge(node, processID: processID))
      }
      lockspace.purge(node, processID: processID)
    case .dump:
      let numbers = Dictionary(
        uniqueKeysWithValues: locks.values.compactMap { lock in
          lock.handle.map { ($0, lock.number) }
        })
      let dump = LockspaceDump(machine, configuration, numbers: numbers, at: lockspace.now)
      write(.answer(.init(id: id, ok: true, dump: dump)))
    case .leave:
      accept(id)
      endCalls()
      isParting = true
      lockspace.leave()
    }
  }

  private func start(
    _ members: [Member], renewed: Set<NodeID>, id: RequestID?
  ) throws(RequestError) {
    if isRunning {
      throw RequestError("the lockspace is running: stop it first", status: RequestError.busy)
    }
    guard !isParting else {
      throw RequestError("the others have not agreed on leave yet", status: RequestError.busy)
    }
    guard members.contains(where: { $0.node == configuration.node }) else {
      throw RequestError("this node, \(configuration.node), is not among the members")
    }
    for member in members where member.node != configuration.node {
      guard configuration.peers.contains(member.node) else {
        throw RequestError("node \(member.node) has no address: it was not given as peer")
      }
    }
    guard renewed.isSubset(of: members.map(\.node)), !renewed.contains(configuration.node) else {
      throw RequestError("renewed nodes must be other members")
    }
    accept(id)
    if hasLeft { lockspace.join() }
    lockspace.start(members, renewed: renewed)
  }

  // MARK: - Output

  func accept(_ id: RequestID?, lkid: UInt64? = nil) {
    write(.answer(.init(id: id, ok: true, lkid: lkid)))
  }

  private func refuse(_ id: RequestID?, _ error: RequestError) {
    write(.answer(.init(id: id, ok: false, error: error.text, status: error.status)))
  }

  func print(_ event: PeerEvent) {
    if heldEvents == nil { write(.event(event)) } else { heldEvents?.append(event) }
  }

  private func write(_ line: PeerOutput) { output(line.line) }

  /// The call has been answered.
  func releaseHeldEvents() {
    for event in heldEvents ?? [] { write(.event(event)) }
    heldEvents = nil
  }
}
