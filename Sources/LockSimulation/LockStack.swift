import ClusterSimulation
import ClusterTypes
import LockManager
import LockProtocol

/// What the control plane and the applications of a node tell it.
enum LockOrder: Sendable {
  /// Connections to and from a life of a node are allowed from now on.
  case enable(NodeID, NodeLife)
  /// The node is dead for certain: nothing of its past counts.
  case fenced(NodeID)
  /// A lockspace is made, and waits for its first start.
  case join(seed: UInt64)
  case stop(epoch: Int)
  case start(epoch: Int, members: [NodeID], departed: Set<NodeID>)
  /// The others go on without this node's lockspace. It was the last one: the close is agreed with
  /// everybody, and until then it must not be joined again, or what the earlier one still had to
  /// say would be taken for the new one's (dlm-wire 5.4).
  case left
  case call(LockspaceMachine.Input)
}

/// What a node tells: everything its machine takes and does.
enum LockReport: Sendable {
  case received(Packet, from: NodeID, life: NodeLife)
  case effect(LockspaceMachine.Effect)
  case stopped(epoch: Int)
  case started(epoch: Int)
  /// The peer does not acknowledge and must be fenced.
  case lost(NodeID)
  /// A message that must be ignored was not.
  case minded(Packet, from: NodeID)
}

/// One node: a lockspace machine, a link to each other node, and connections, put together the way
/// the daemon does it.
struct LockStack: NodeStack {
  typealias Message = [UInt8]
  typealias Effects = [NodeEffect<[UInt8], LockReport>]

  /// Another node.
  struct Peer: Sendable {
    var link: PeerLink
    var isEnabled = false
    /// Oldest first; the first one is written to.
    var connections: [ConnectionID] = []
    var isDialing = false
    var redialMilliseconds: Int64 = 0
    /// The life that is enabled.
    var life = NodeLife?.none

    /// In place: a copy of the link would copy its queues.
    mutating func run(_ body: (inout PeerLink) -> [PeerLink.Effect]) -> [PeerLink.Effect] {
      body(&link)
    }
  }

  let local: NodeID
  let limits: PeerLink.Limits
  let mutation: LockMutation?
  let tossMilliseconds: UInt64
  /// See `LockScenario.hasOtherLockspace`.
  let hasOtherLockspace: Bool
  var boundary = MutatedBoundary()
  var machine: LockspaceMachine?
  var peers: [NodeID: Peer] = [:]
  var peerOf: [ConnectionID: (node: NodeID, life: NodeLife)] = [:]

  init(
    local: NodeID, limits: PeerLink.Limits, mutation: LockMutation?, tossMilliseconds: UInt64,
    hasOtherLockspace: Bool
  ) {
    self.local = local
    self.limits = limits
    self.mutation = mutation
    self.tossMilliseconds = tossMilliseconds
    self.hasOtherLockspace = hasOtherLockspace
  }

  static let machineTimer = 0
  static func linkTimer(_ node: NodeID) -> Int { 100 + Int(node.rawValue) }
  static func redialTimer(_ node: NodeID) -> Int { 200 + Int(node.rawValue) }

  mutating func handle(
    _ event: NodeEvent<[UInt8], LockOrder>, at now: Timestamp, effects: inout Effects
  ) {
    switch event {
    case .order(let order): take(order, at: now, effects: &effects)
    case .connected(let id, let node, let life, let isDialed):
      connected(id, to: node, life: life, isDialed: isDialed, at: now, effects: &effects)
    case .dialFailed(let node):
      peers[node]?.isDialing = false
      if peers[node]?.link.hasWork == true { dial(node, at: now, effects: &effects) }
    case .received(let id, let bytes, let isLastOfBatch):
      received(bytes, on: id, isLastOfBatch: isLastOfBatch, at: now, effects: &effects)
    case .closed(let id): closed(id, at: now, effects: &effects)
    case .timer(Self.machineTimer): step(.timer, at: now, effects: &effects)
    case .timer(let key):
      guard let node = NodeID(Int32(key % 100)) else { return }
      if key >= 200 {
        redial(node, effects: &effects)
      } else {
        run(node, at: now, effects: &effects) { $0.timerFired(at: now) }
      }
    }
  }

  private mutating func take(_ order: LockOrder, at now: Timestamp, effects: inout Effects) {
    switch order {
    case .enable(let node, let life):
      guard peers[node]?.life != life || peers[node]?.isEnabled != true else { return }
      forget(node, effects: &effects)
      peers[node]?.isEnabled = true
      peers[node]?.life = life
      if hasOtherLockspace {
        run(node, at: now, effects: &effects) { $0.memberAdded(userCount: 1) }
      }
    case .fenced(let node): forget(node, effects: &effects)
    case .join(let seed):
      var configuration = LockspaceMachine.Configuration(
        name: Names.lockspace, localNode: local, tossDelay: .milliseconds(tossMilliseconds),
        scanInterval: .milliseconds(tossMilliseconds / 2), seed: seed)
      configuration.faults = mutation?.machineFault ?? []
      machine = LockspaceMachine(configuration)
      boundary = MutatedBoundary()
    case .stop(let epoch):
      step(.stop, at: now, effects: &effects)
      effects.append(.report(.stopped(epoch: epoch)))
    case .start(let epoch, let members, let departed):
      effects.append(.report(.started(epoch: epoch)))
      step(
        .start(members: members.map { Member($0) }, departed: departed), at: now,
        effects: &effects)
    case .left: left(at: now, effects: &effects)
    case .call(let input): step(input, at: now, effects: &effects)
    }
  }

  private mutating func left(at now: Timestamp, effects: inout Effects) {
    guard let members = machine?.members else { return }
    machine = nil
    let others = otherLockspaceCount
    for node in members where node != local {
      run(node, at: now, effects: &effects) { $0.memberRemoved(userCount: others) }
    }
    guard !hasOtherLockspace else { return }
    for node in peers.keys.sorted() {
      run(node, at: now, effects: &effects) { $0.lastLockspaceReleased() }
    }
  }

  private var otherLockspaceCount: Int { hasOtherLockspace ? 1 : 0 }

  /// The close has been agreed with everybody who can agree, or there is none.
  var isClosed: Bool {
    hasOtherLockspace
      || peers.values.allSatisfy { !$0.isEnabled || $0.link.state == .closed }
  }

  // MARK: The machine

  mutating func step(
    _ input: LockspaceMachine.Input, at now: Timestamp, effects: inout Effects
  ) {
    var inputs = [input]
    if let mutation { inputs = boundary.inputs(input, mutation, machine: machine) }
    for input in inputs {
      var new: [LockspaceMachine.Effect] = []
      machine?.handle(input, at: now, effects: &new)
      if let mutation { new = boundary.effects(new, mutation, at: local) }
      for effect in new { carryOut(effect, at: now, effects: &effects) }
    }
  }

  private mutating func carryOut(
    _ effect: LockspaceMachine.Effect, at now: Timestamp, effects: inout Effects
  ) {
    switch effect {
    case .wake(let time):
      effects.append(.setTimer(Self.machineTimer, at: time))
      return
    case .send(let packet, let node):
      effects.append(.report(.effect(effect)))
      send(packet, to: node, at: now, effects: &effects)
      return
    case .memberAdded(let node):
      let count = otherLockspaceCount + 1
      run(node, at: now, effects: &effects) { $0.memberAdded(userCount: count) }
    case .memberRemoved(let node):
      let count = otherLockspaceCount
      run(node, at: now, effects: &effects) { $0.memberRemoved(userCount: count) }
    case .completed, .released, .blocking, .refused, .recovered, .recoveryFailed: break
    }
    effects.append(.report(.effect(effect)))
  }

  mutating func deliver(
    _ packet: Packet, from node: NodeID, life: NodeLife, at now: Timestamp,
    effects: inout Effects
  ) {
    guard machine != nil else {
      if let reply = LockspaceMachine.unknownLockspaceReply(to: packet, from: local) {
        send(reply, to: node, at: now, effects: &effects)
      }
      return
    }
    effects.append(.report(.received(packet, from: node, life: life)))
    let before = machine?.mustIgnore(packet) == true ? machine?.fingerprint() : nil
    step(.receive(packet, from: node), at: now, effects: &effects)
    if let before, machine?.fingerprint() != before {
      effects.append(.report(.minded(packet, from: node)))
    }
  }
}

/// The one lockspace that is simulated.
enum Names {
  static let lockspace: LockspaceName = {
    guard let name = LockspaceName("simulation") else { preconditionFailure("a name") }
    return name
  }()

  static let resources: [ResourceName] = (0..<32).map {
    guard let name = ResourceName("resource-\($0)") else { preconditionFailure("a name") }
    return name
  }

  static func node(_ number: Int) -> NodeID {
    guard let node = NodeID(Int32(number)) else { preconditionFailure("node \(number)") }
    return node
  }
}
