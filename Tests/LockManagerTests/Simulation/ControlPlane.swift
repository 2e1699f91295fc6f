import ClusterSimulation
import ClusterTypes
import LockManager

/// Who is a member, and how far the change to the present members is: all stop before any starts.
struct ControlPlane: Sendable {
  /// Live nodes that are or are about to become members.
  var members: Set<NodeID> = []
  /// Nodes on their way out in an orderly manner.
  var leaving: Set<NodeID> = []
  /// Counts membership changes; a later one replaces an unfinished one.
  var epoch = 0
  /// Who has been started once, and so must be stopped.
  var started: Set<NodeID> = []
  var unstopped: Set<NodeID> = []
  /// For each member, who was removed since its last start.
  var removed: [NodeID: Set<NodeID>] = [:]
}

extension SimulatedCluster {
  mutating func changeMembers() {
    controlPlane.epoch += 1
    controlPlane.unstopped = controlPlane.started
    for node in controlPlane.started.sorted() {
      command(node, .stop(epoch: controlPlane.epoch))
    }
    startIfStopped()
  }

  private mutating func command(_ node: NodeID, _ control: Control) {
    guard let incarnation = nodes[node]?.incarnation else { return }
    let (arrival, _) = links.send(
      from: Self.controlNode, to: node, at: now, usual: 100...15000, using: &random)
    agenda.schedule(.control(node, incarnation: incarnation, control), at: arrival)
  }

  private mutating func startIfStopped() {
    guard controlPlane.unstopped.isEmpty else { return }
    agenda.schedule(
      .startAll(epoch: controlPlane.epoch),
      after: .microseconds(Int64.random(in: 0...20000, using: &random)))
  }

  mutating func startAll(epoch: Int) {
    guard epoch == controlPlane.epoch else { return }
    for node in controlPlane.leaving.sorted() { remove(node) }
    controlPlane.leaving = []
    let members = controlPlane.members.sorted().map { Member($0) }
    for node in controlPlane.members.sorted() {
      controlPlane.started.insert(node)
      command(node, .start(members: members))
    }
  }

  mutating func take(_ control: Control, at node: NodeID) {
    switch control {
    case .stop(let epoch):
      note("node \(node) stops")
      input(.stop, to: node)
      guard epoch == controlPlane.epoch else { return }
      controlPlane.unstopped.remove(node)
      startIfStopped()
    case .start(let members):
      let departed = controlPlane.removed[node] ?? []
      controlPlane.removed[node] = nil
      note("node \(node) starts with \(members.map(\.node)), departed \(departed.sorted())")
      input(.start(members: members, departed: departed), to: node)
    }
  }

  /// The node is gone, with all its locks.
  mutating func remove(_ node: NodeID) {
    note("node \(node) is gone")
    nodes[node] = nil
    for lock in locks.values where lock.node == node && lock.mayHaveWritten {
      histories[lock.resource].loseLast()
    }
    // Some of what it sent may never arrive.
    for other in nodes.keys.sorted() where random.chance(50) { links.breakLink(node, other) }
    locks = locks.filter { $0.value.node != node }
    links.breakLink(Self.controlNode, node)
    controlPlane.members.remove(node)
    controlPlane.leaving.remove(node)
    controlPlane.started.remove(node)
    controlPlane.unstopped.remove(node)
    controlPlane.removed[node] = nil
    for other in controlPlane.members { controlPlane.removed[other, default: []].insert(node) }
  }

  // MARK: Trouble

  mutating func scheduleTrouble() {
    // Often soon after the last: in the midst of its recovery.
    let milliseconds: ClosedRange<Int64> = random.chance(40) ? 1...60 : 200...1000
    agenda.schedule(
      .trouble, after: .milliseconds(Int64.random(in: milliseconds, using: &random)))
  }

  mutating func makeTrouble() {
    guard activity == .busy else { return }
    defer { scheduleTrouble() }
    if random.chance(10) {
      // Long enough for some nodes to forget idle resources while others remember them.
      restEnd = now + .milliseconds(Int64.random(in: 4000...20000, using: &random))
      return
    }
    guard scenario.hasMembershipChanges, now >= restEnd else { return }
    let stable = controlPlane.members.subtracting(controlPlane.leaving).sorted()
    let absent = (1...scenario.nodeCount).map { Self.node(Int32($0)) }
      .filter { nodes[$0] == nil }
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<4:
      guard stable.count > 1, let victim = stable.randomElement(using: &random) else { return }
      note("node \(victim) crashes")
      remove(victim)
      if random.chance(15) { join(victim) }
      changeMembers()
    case 4..<5:
      guard stable.count > 1, let leaver = stable.randomElement(using: &random) else { return }
      note("node \(leaver) leaves")
      controlPlane.leaving.insert(leaver)
      controlPlane.members.remove(leaver)
      changeMembers()
    default:
      guard let joiner = absent.randomElement(using: &random) else { return }
      join(joiner)
      changeMembers()
    }
  }

  private mutating func join(_ node: NodeID) {
    note("node \(node) joins")
    boot(node)
    controlPlane.members.insert(node)
  }
}
