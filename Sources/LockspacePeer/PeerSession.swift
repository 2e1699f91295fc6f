import ClusterTypes
import LockManager
import LockProtocol

/// One node of one lockspace, driven by lines of JSON: what dlm-peer(8) decides.
///
/// A value without I/O and clock, as the lock manager inside it. The shell hands it lines, packets
/// and the time, and carries out the effects in order.
public struct PeerSession: Sendable {
  public enum Effect: Sendable {
    /// A whole line for the caller.
    case print([UInt8])
    case send(Packet, to: NodeID)
    case memberAdded(NodeID)
    /// The node has left or is dead: nobody says which.
    case memberRemoved(NodeID)
    /// The node died and is a member again.
    case memberRenewed(NodeID)
    /// This node has left: agree on the close with these nodes, then hand in `parted`.
    case release(with: [NodeID])
    /// Hand in `timerFired` then; replaces an earlier wish.
    case wake(at: Timestamp)
    /// A line for the log.
    case log(String)
  }

  /// A lock of this node, as far as its caller is to be told about it.
  struct Record: Sendable {
    /// The lock or convert call that is under way; nil while there is none.
    var call: Call?
    var unlock: Call?

    struct Call: Sendable {
      let id: RequestID?
    }
  }

  /// A call about a lock, checked as far as it can be without the lock manager.
  struct LockCallRequest: Sendable {
    let id: RequestID?
    let handle: LockHandle
    let input: LockspaceMachine.Input
  }

  let configuration: PeerConfiguration
  var machine: LockspaceMachine
  var now = Timestamp(nanoseconds: 0)
  var effects: [Effect] = []
  var records: [LockHandle: Record] = [:]
  var lastHandle: UInt64 = 0
  /// Calls that came while locking was not enabled.
  var heldCalls: [LockCallRequest] = []
  /// The lockspace was left, and not started again.
  public private(set) var hasLeft = false
  /// The others have not agreed on it yet.
  public private(set) var isParting = false
  /// Died and back, for the machine's next `memberAdded`.
  private var renewed: Set<NodeID> = []
  private var lives: UInt64 = 0

  public init(_ configuration: PeerConfiguration) {
    self.configuration = configuration
    machine = Self.makeMachine(configuration, seed: configuration.seed)
  }

  private static func makeMachine(
    _ configuration: PeerConfiguration, seed: UInt64
  ) -> LockspaceMachine {
    LockspaceMachine(
      .init(
        name: configuration.lockspace, localNode: configuration.node,
        shared: LockspaceConfiguration(lvbLength: UInt32(configuration.lvbLength)),
        usesDirectory: configuration.usesDirectory, seed: seed))
  }

  // MARK: - Inputs

  /// A line of input without its end. Blank lines are ignored.
  public mutating func take(line: some Collection<UInt8>, at now: Timestamp) -> [Effect] {
    self.now = now
    let isBlank = line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    if !isBlank { take(PeerRequest(line: line)) }
    return takeEffects()
  }

  /// A line that was longer than the shell reads.
  public mutating func takeOverlongLine(limit: Int) -> [Effect] {
    refuse(nil, RequestError("a line has more than \(limit) bytes"))
    return takeEffects()
  }

  public mutating func receive(
    _ packet: Packet, from node: NodeID, at now: Timestamp
  ) -> [Effect] {
    self.now = now
    if hasLeft {
      let reply = LockspaceMachine.unknownLockspaceReply(to: packet, from: configuration.node)
      if let reply { effects.append(.send(reply, to: node)) }
    } else if packet.lockspaceID == LockspaceID(name: configuration.lockspace) {
      step(.receive(packet, from: node))
    } else if let reply = LockspaceMachine.unknownLockspaceReply(
      to: packet, from: configuration.node)
    {
      effects.append(.send(reply, to: node))
    }
    return takeEffects()
  }

  public mutating func timerFired(at now: Timestamp) -> [Effect] {
    self.now = now
    if !hasLeft { step(.timer) }
    return takeEffects()
  }

  /// The close was agreed with all members, or given up.
  ///
  /// - Parameter silent: those that did not answer in time.
  public mutating func parted(silent: [NodeID]) -> [Effect] {
    isParting = false
    print(.init(event: .left, silent: silent.isEmpty ? nil : silent.map(\.rawValue)))
    return takeEffects()
  }

  /// Input has ended although the lockspace was not left.
  public mutating func inputEnded() -> [Effect] {
    if !hasLeft {
      let text = "input ended without leave: this node is gone, and must be removed by the others"
      print(.init(event: .error, error: text))
    }
    return takeEffects()
  }

  /// The transport cannot reach the node any more.
  public mutating func lost(_ node: NodeID) -> [Effect] {
    let text = "node \(node) does not acknowledge what it is sent: remove it"
    print(.init(event: .error, error: text))
    return takeEffects()
  }

  private mutating func takeEffects() -> [Effect] {
    defer { effects = [] }
    return effects
  }

  // MARK: - Requests

  private mutating func take(_ request: PeerRequest) {
    let operation: PeerRequest.Operation
    switch request.operation {
    case .success(let parsed): operation = parsed
    case .failure(let error): return refuse(request.id, error)
    }
    do throws(RequestError) {
      try carryOut(operation, id: request.id)
    } catch {
      refuse(request.id, error)
    }
  }

  private mutating func carryOut(
    _ operation: PeerRequest.Operation, id: RequestID?
  ) throws(RequestError) {
    switch operation {
    case .start(let members, let renewed): try start(members, renewed: renewed, id: id)
    case .stop:
      try requireLockspace()
      accept(id)
      step(.stop)
    case .lock, .convert, .unlock, .cancel, .abandon, .purge:
      try requireLockspace()
      try call(operation, id: id)
    case .dump:
      try requireLockspace()
      let dump = LockspaceDump(machine, configuration, at: now)
      effects.append(.print(PeerOutput.answer(.init(id: id, ok: true, dump: dump)).line))
    case .leave:
      try requireLockspace()
      leave(id)
    }
  }

  private func requireLockspace() throws(RequestError) {
    guard !hasLeft else {
      throw RequestError(
        "this node has left lockspace \(configuration.lockspace)",
        status: RequestError.notConnected)
    }
  }

  private mutating func start(
    _ members: [Member], renewed: Set<NodeID>, id: RequestID?
  ) throws(RequestError) {
    if machine.state == .running, !hasLeft {
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
    if hasLeft {
      lives += 1
      machine = Self.makeMachine(configuration, seed: configuration.seed &+ lives << 32)
      hasLeft = false
    }
    self.renewed = renewed
    step(.start(members: members, departed: renewed))
    self.renewed = []
  }

  /// What is still under way ends; the others purge the locks.
  private mutating func leave(_ id: RequestID?) {
    accept(id)
    hasLeft = true
    isParting = true
    endCalls()
    effects.append(.release(with: machine.members.filter { $0 != configuration.node }))
  }

  // MARK: - Output

  mutating func accept(_ id: RequestID?, lkid: LockHandle? = nil) {
    effects.append(
      .print(PeerOutput.answer(.init(id: id, ok: true, lkid: lkid?.rawValue)).line))
  }

  private mutating func refuse(_ id: RequestID?, _ error: RequestError) {
    effects.append(
      .print(
        PeerOutput.answer(.init(id: id, ok: false, error: error.text, status: error.status))
          .line))
  }

  mutating func print(_ event: PeerEvent) { effects.append(.print(PeerOutput.event(event).line)) }

  // MARK: - The machine

  mutating func step(_ input: LockspaceMachine.Input) {
    var caused: [LockspaceMachine.Effect] = []
    machine.handle(input, at: now, effects: &caused)
    for effect in caused { carryOut(effect) }
    if machine.state == .running, !heldCalls.isEmpty { takeHeldCalls() }
  }

  mutating func carryOut(_ effect: LockspaceMachine.Effect) {
    switch effect {
    case .send(let packet, let node): effects.append(.send(packet, to: node))
    case .memberAdded(let node):
      effects.append(renewed.contains(node) ? .memberRenewed(node) : .memberAdded(node))
    case .memberRemoved(let node):
      if !renewed.contains(node) { effects.append(.memberRemoved(node)) }
    case .wake(let moment): effects.append(.wake(at: moment))
    case .recovered(let generation, let slots):
      print(
        .init(
          event: .started, generation: generation,
          slots: slots.map { .init(node: $0.node.rawValue, slot: $0.slot) }))
    case .recoveryFailed(let failure):
      effects.append(.log("recovery failed: \(failure)"))
      print(.init(event: .error, error: "\(failure)"))
    case .completed(let handle, let outcome): completed(handle, outcome)
    case .released(let handle): released(handle)
    case .blocking(let handle, let mode):
      guard records[handle] != nil else { return }
      print(.init(event: .blocking, lkid: handle.rawValue, mode: "\(mode)"))
    case .refused(let handle, let reason): refused(handle, reason)
    }
  }
}
