import ClusterSimulation
import ClusterTypes
import LockProtocol

@testable import LockManager

/// Several lockspace machines, a network between them, a control plane above them, applications on
/// top. Everything that happens comes from one seed.
struct SimulatedCluster {
  enum Control: Sendable {
    case stop(epoch: Int)
    case start(members: [Member])
  }

  enum Event: Sendable {
    case deliver(Packet, from: NodeID, to: NodeID, incarnation: Int, OrderedLinks.Ticket)
    case wake(NodeID, incarnation: Int, at: Timestamp)
    case control(NodeID, incarnation: Int, Control)
    case startAll(epoch: Int)
    case trouble
    case client(NodeID, incarnation: Int)
  }

  enum Activity: Sendable {
    /// Calls and trouble.
    case busy
    /// No calls and no trouble: what is under way may come to rest.
    case quiet
    /// Everything is given up.
    case draining
  }

  struct Node {
    var machine: LockspaceMachine
    let incarnation: Int
    var wakeAt: Timestamp?
  }

  let scenario: Scenario
  var random: SeededGenerator
  var agenda = Agenda<Event>()
  var links = OrderedLinks()
  var nodes: [NodeID: Node] = [:]
  var controlPlane = ControlPlane()
  var locks: [LockHandle: ClientLock] = [:]
  var histories: [ValueHistory]
  var nextHandle: UInt64 = 1
  /// Until then the applications only give up what they have.
  var restEnd = Timestamp(nanoseconds: 0)
  var nextIncarnation = 1
  var step = 0
  var activity = Activity.busy
  var violations: [String] = []
  /// The last things that happened, for a failing seed.
  var log: [String] = []
  var keepsLog = false

  static let controlNode = node(1000)

  static func node(_ number: Int32) -> NodeID {
    guard let node = NodeID(number) else { preconditionFailure("node \(number)") }
    return node
  }

  static func resource(_ index: Int) -> ResourceName {
    guard let name = ResourceName("resource-\(index)") else { preconditionFailure("name") }
    return name
  }

  init(_ scenario: Scenario) {
    self.scenario = scenario
    random = SeededGenerator(seed: scenario.seed)
    histories = Array(repeating: ValueHistory(), count: scenario.resourceCount)
    let first = (1...scenario.nodeCount).map { Self.node(Int32($0)) }
    for node in first { boot(node) }
    controlPlane.members = Set(first)
    changeMembers()
    scheduleTrouble()
  }

  var now: Timestamp { agenda.now }

  mutating func note(_ text: @autoclosure () -> String) {
    guard keepsLog else { return }
    log.append("\(now.nanoseconds / 1000) us: \(text())")
    if log.count > 4000 { log.removeFirst(2000) }
  }

  mutating func violation(_ text: String) {
    violations.append("seed \(scenario.seed), step \(step), \(now): \(text)")
    note("VIOLATION \(text)")
  }

  /// A node comes up with an empty lockspace that waits for its first start.
  mutating func boot(_ node: NodeID) {
    guard let name = LockspaceName("simulation") else { preconditionFailure("name") }
    let machine = LockspaceMachine(
      LockspaceMachine.Configuration(name: name, localNode: node, seed: random.next()))
    nodes[node] = Node(machine: machine, incarnation: nextIncarnation)
    agenda.schedule(
      .client(node, incarnation: nextIncarnation),
      after: .microseconds(Int64.random(in: 1...5000, using: &random)))
    nextIncarnation += 1
  }

  /// False when nothing is left to happen or something is wrong.
  mutating func runStep() -> Bool {
    guard violations.isEmpty, let event = agenda.next() else { return false }
    step += 1
    switch event {
    case .deliver(let packet, let from, let to, let incarnation, let ticket):
      guard links.isIntact(ticket), nodes[to]?.incarnation == incarnation else { break }
      note("\(from)>\(to) \(packet.summary)")
      input(.receive(packet, from: from), to: to)
    case .wake(let node, let incarnation, let time):
      guard nodes[node]?.incarnation == incarnation, nodes[node]?.wakeAt == time else { break }
      nodes[node]?.wakeAt = nil
      input(.timer, to: node)
    case .control(let node, let incarnation, let control):
      guard nodes[node]?.incarnation == incarnation else { break }
      take(control, at: node)
    case .startAll(let epoch): startAll(epoch: epoch)
    case .trouble: makeTrouble()
    case .client(let node, let incarnation):
      guard nodes[node]?.incarnation == incarnation else { break }
      clientTurn(on: node)
    }
    return violations.isEmpty
  }

  mutating func run(until end: Timestamp) {
    while now < end, runStep() {}
  }

  /// As long as the scenario says, rests not counted.
  mutating func runBusy() {
    var end = Timestamp(milliseconds: scenario.milliseconds)
    var rest = restEnd
    while now < end, runStep() {
      guard restEnd > rest else { continue }
      end = end + (restEnd - max(rest, now))
      rest = restEnd
    }
  }

  mutating func input(_ input: LockspaceMachine.Input, to node: NodeID) {
    var effects: [LockspaceMachine.Effect] = []
    let now = now
    nodes[node]?.machine.handle(input, at: now, effects: &effects)
    for effect in effects { carryOut(effect, of: node) }
    checkQueues(of: node)
  }

  private mutating func carryOut(_ effect: LockspaceMachine.Effect, of node: NodeID) {
    switch effect {
    case .send(let packet, let to): transmit(packet, from: node, to: to)
    case .wake(let time):
      guard let incarnation = nodes[node]?.incarnation else { return }
      nodes[node]?.wakeAt = time
      agenda.schedule(.wake(node, incarnation: incarnation, at: time), at: time)
    case .memberRemoved(let other): links.breakLink(node, other)
    case .memberAdded: break
    case .recovered(let generation, _):
      note("node \(node) recovered, generation \(generation)")
    case .recoveryFailed(let failure): violation("node \(node): \(failure)")
    case .completed(let handle, let outcome): completed(handle, outcome)
    case .released(let handle): released(handle)
    case .blocking(let handle, let mode): blocking(handle, mode)
    case .refused(let handle, let refusal): refused(handle, refusal)
    }
  }

  private mutating func transmit(_ packet: Packet, from: NodeID, to: NodeID) {
    let (arrival, ticket) = links.send(
      from: from, to: to, at: now, usual: 50...2000, using: &random)
    if activity == .busy, scenario.losesStatusMessages, packet.isBare, random.chance(1) {
      return note("lost \(from)>\(to) \(packet.summary)")
    }
    guard let incarnation = nodes[to]?.incarnation else { return }
    agenda.schedule(
      .deliver(packet, from: from, to: to, incarnation: incarnation, ticket), at: arrival)
  }
}

extension Packet {
  var summary: String {
    switch self {
    case .lock(let message):
      "\(message.type) lkid \(message.lockID) remid \(message.remoteID)"
        + " \(message.grantedMode)/\(message.requestedMode) result \(message.result)"
        + " flags \(String(message.lockFlags.rawValue, radix: 16)) node \(message.nodeID)"
        + (message.type == .request || message.type == .lookup
          ? " \(message.resourceName.map(\.description) ?? "")" : "")
    case .recovery(let message):
      "\(message.type) result \(message.result) seq \(message.sequence)/\(message.sequenceReply)"
    }
  }
}
