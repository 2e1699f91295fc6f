import ClusterSimulation
import ClusterTypes

/// Who is a member, and how far the change to the present members is: all stop before any starts.
///
/// It knows everything at once, as no real membership does; what it tells the nodes arrives in its
/// order and at different times.
struct LockOracle: Sendable {
  /// Live nodes that are or are about to become members.
  var members: Set<NodeID> = []
  /// Members that have the lockspace, started or not.
  var joined: Set<NodeID> = []
  /// The seed of the last join that was ordered.
  var joinSeeds: [NodeID: UInt64] = [:]
  /// Members on their way out; true for those that go down afterwards.
  var leaving: [NodeID: Bool] = [:]
  /// Counts membership changes; a later one replaces an unfinished one.
  var epoch = 0
  var isChanging = false
  /// Who has been started once, and so must be stopped.
  var started: Set<NodeID> = []
  var unstopped: Set<NodeID> = []
  /// For each member, who was removed since its last start.
  var departed: [NodeID: Set<NodeID>] = [:]
  /// Nodes that have left and go down; they do not come back before.
  var goingDown: Set<NodeID> = []
  /// Lives whose end has not been noticed.
  var unnoticed: [NodeID: NodeLife] = [:]
  /// On their way to each node, oldest first.
  var orders: [NodeID: [(life: NodeLife, order: LockOrder)]] = [:]
  /// Orders and answers on their way.
  var underWay = 0
}

/// What a node does as far as it has told.
struct NodeView: Sendable {
  /// The epoch that the node was started for last.
  var epoch = 0
  /// Locking is enabled.
  var isRunning = false
  var generation: UInt32 = 0
  /// Resources that the node mastered when it was last looked at while it ran.
  var mastered: Set<Int> = []
  /// Lock ids that were seen; none may come again.
  var lockIDs: Set<UInt32> = []
  /// The queues as the master had them after its last step, by resource.
  var queues: [Int: MasterQueues] = [:]
}

extension LockSimulation {
  // MARK: Orders

  mutating func order(_ order: LockOrder, to node: NodeID) {
    guard let life = world.life(of: node) else { return }
    oracle.orders[node, default: []].append((life, order))
    oracle.underWay += 1
    world.schedule(
      .orderDue(node), after: .microseconds(Int64.random(in: 100...12_000, using: &random)))
  }

  /// The oldest order that waits for the node arrives.
  mutating func deliverOrder(to node: NodeID) {
    guard let (life, order) = oracle.orders[node]?.first else { return }
    if world.life(of: node) == life, world.isPaused(node) {
      return world.schedule(.orderDue(node), after: .milliseconds(1))
    }
    oracle.orders[node]?.removeFirst()
    oracle.underWay -= 1
    guard world.life(of: node) == life else { return }
    switch order {
    case .stop:
      note("node \(node) is stopped")
      views[node]?.isRunning = false
      views[node]?.queues = [:]
    case .start(let epoch, let members, let departed):
      note("node \(node) starts with \(members), departed \(departed.sorted())")
      views[node]?.epoch = epoch
    case .join(let seed):
      views[node] = NodeView()
      if oracle.joinSeeds[node] == seed { oracle.joined.insert(node) }
    case .left: views[node] = nil
    case .enable, .fenced, .call: break
    }
    examine(world.order(order, to: node), of: node)
  }

  // MARK: Members

  mutating func boot(_ node: NodeID) {
    world.boot(
      node,
      LockStack(
        local: node, limits: .init(unacknowledgedCount: scenario.linkLimit), mutation: mutation,
        tossMilliseconds: scenario.tossMilliseconds,
        hasOtherLockspace: scenario.hasOtherLockspace))
    guard let life = world.life(of: node) else { return }
    for other in world.liveNodes where other != node {
      guard let otherLife = world.life(of: other) else { continue }
      order(.enable(node, life), to: other)
      order(.enable(other, otherLife), to: node)
    }
  }

  mutating func join(_ node: NodeID) {
    note("node \(node) joins")
    oracle.members.insert(node)
    oracle.departed[node] = []
    let seed = random.next()
    oracle.joinSeeds[node] = seed
    order(.join(seed: seed), to: node)
  }

  mutating func changeMembers() {
    oracle.epoch += 1
    oracle.isChanging = true
    oracle.unstopped = oracle.started
    for node in oracle.started.sorted() { order(.stop(epoch: oracle.epoch), to: node) }
    startIfStopped()
  }

  mutating func stopped(_ node: NodeID, _ life: NodeLife, epoch: Int) {
    oracle.underWay -= 1
    guard world.life(of: node) == life, epoch == oracle.epoch else { return }
    oracle.unstopped.remove(node)
    startIfStopped()
  }

  private mutating func startIfStopped() {
    guard oracle.unstopped.isEmpty, oracle.isChanging else { return }
    world.schedule(
      .startAll(epoch: oracle.epoch),
      after: .microseconds(Int64.random(in: 0...20_000, using: &random)))
  }

  mutating func startAll(epoch: Int) {
    guard epoch == oracle.epoch, oracle.isChanging, oracle.unstopped.isEmpty else { return }
    oracle.isChanging = false
    for (node, closes) in oracle.leaving.sorted(by: { $0.key < $1.key }) {
      finishLeave(node, closes: closes)
    }
    let members = oracle.members.sorted()
    for node in members {
      oracle.started.insert(node)
      let departed = oracle.departed[node] ?? []
      oracle.departed[node] = []
      order(.start(epoch: epoch, members: members, departed: departed), to: node)
    }
  }

  private mutating func finishLeave(_ node: NodeID, closes: Bool) {
    oracle.leaving[node] = nil
    oracle.started.remove(node)
    oracle.joined.remove(node)
    oracle.joinSeeds[node] = nil
    depart(node)
    loseApplications(of: node)
    order(.left, to: node)
    guard closes, let life = world.life(of: node) else { return }
    oracle.goingDown.insert(node)
    oracle.underWay += 1
    world.schedule(
      .powerOff(node, life),
      after: .milliseconds(Int64.random(in: 20...200, using: &random)))
  }

  private mutating func depart(_ node: NodeID) {
    for other in oracle.members where other != node {
      oracle.departed[other, default: []].insert(node)
    }
  }

  // MARK: Death

  /// The node loses power; the control plane will notice.
  mutating func crash(_ node: NodeID) {
    guard let life = world.life(of: node) else { return }
    note("node \(node) crashes")
    world.crash(node)
    views[node] = nil
    oracle.joined.remove(node)
    oracle.joinSeeds[node] = nil
    loseApplications(of: node)
    oracle.unnoticed[node] = life
    oracle.underWay += 1
    world.schedule(
      .detected(node, life),
      after: .microseconds(Int64.random(in: 1000...60_000, using: &random)))
  }

  mutating func detected(_ node: NodeID, _ life: NodeLife) {
    oracle.underWay -= 1
    guard oracle.unnoticed[node] == life else { return }
    gone(node)
    changeMembers()
  }

  /// The node is known to be dead, and fenced.
  mutating func gone(_ node: NodeID) {
    note("the others learn that node \(node) is dead")
    oracle.unnoticed[node] = nil
    if oracle.started.contains(node) { depart(node) }
    oracle.members.remove(node)
    oracle.leaving[node] = nil
    oracle.started.remove(node)
    oracle.unstopped.remove(node)
    for other in world.liveNodes { order(.fenced(node), to: other) }
  }

  /// A node that has left goes down.
  mutating func powerOff(_ node: NodeID, _ life: NodeLife) {
    oracle.underWay -= 1
    oracle.goingDown.remove(node)
    guard world.life(of: node) == life, !oracle.members.contains(node) else { return }
    note("node \(node) goes down")
    world.crash(node)
    views[node] = nil
    for other in world.liveNodes { order(.fenced(node), to: other) }
  }

  /// Members that are up and stay.
  var stableMembers: [NodeID] {
    oracle.members.filter { oracle.leaving[$0] == nil && world.life(of: $0) != nil }.sorted()
  }
}
