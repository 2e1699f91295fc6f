import ClusterSimulation
import ClusterTypes

/// One thing that is done to the cluster, by its users or by fate. What exactly a `choice` leads to
/// depends on the state it meets, so that an action makes sense also when earlier ones are left out.
public struct PlannedAction: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    case use(node: Int, choice: UInt64)
    case crash(node: Int)
    /// An absent node comes up and joins.
    case join(node: Int)
    /// With `closes` the node also goes down afterwards.
    case leave(node: Int, closes: Bool)
    case breakConnections(node: Int, other: Int)
    /// Nothing passes between the nodes of the bit mask and the rest.
    case partition(mask: UInt64, isOneWay: Bool, milliseconds: UInt64)
    case pause(node: Int, milliseconds: UInt64)
    /// Nobody does anything for that long.
    case idle(milliseconds: UInt64)
    /// Nobody does anything until the members have recovered, if they do so soon.
    case awaitRecovery
    /// All trouble ends, everything comes to rest and is checked.
    case settle
  }

  public let kind: Kind
  /// After the action before.
  public let microseconds: UInt64
}

/// All actions of a run, as data: the shrinker leaves some out.
enum LockPlan {
  static func actions(of scenario: LockScenario) -> [PlannedAction] {
    var random = SeededGenerator(seed: scenario.seed ^ 0xAC71)
    var actions: [PlannedAction] = []
    if random.chance(80) { actions.append(PlannedAction(kind: .awaitRecovery, microseconds: 0)) }
    // Who went comes back some actions later, most of the time: an empty cluster shows nothing.
    var returns: [Int: Int] = [:]
    while actions.count < scenario.actionCount {
      if let node = returns.removeValue(forKey: actions.count) {
        add(.join(node: node), to: &actions, scenario, &random)
        continue
      }
      let kind = kind(for: scenario, using: &random)
      add(kind, to: &actions, scenario, &random)
      if let node = kind.leaver, random.chance(90) {
        returns[actions.count + Int.random(in: 1...25, using: &random)] = node
      }
    }
    return actions
  }

  private static func add(
    _ kind: PlannedAction.Kind, to actions: inout [PlannedAction], _ scenario: LockScenario,
    _ random: inout SeededGenerator
  ) {
    actions.append(
      PlannedAction(kind: kind, microseconds: UInt64.random(in: scenario.gap, using: &random)))
    guard kind.isMembershipChange else { return }
    // Trouble likes company: in the midst of a recovery.
    while random.chance(30) {
      let longest: UInt64 = random.chance(50) ? 20_000 : 400_000
      actions.append(
        PlannedAction(
          kind: trouble(for: scenario, using: &random),
          microseconds: UInt64.random(in: 500...longest, using: &random)))
    }
    // Without a rest now and then nobody would get a lock.
    if random.chance(75) {
      actions.append(PlannedAction(kind: .awaitRecovery, microseconds: 80_000))
    }
  }

  private static func kind(
    for scenario: LockScenario, using random: inout SeededGenerator
  ) -> PlannedAction.Kind {
    let node = Int.random(in: 1...scenario.nodeCount, using: &random)
    let dice = Int.random(in: 0..<100, using: &random)
    var limit = scenario.crashPercent
    if dice < limit { return random.chance(80) ? .crash(node: node) : .join(node: node) }
    limit += scenario.leavePercent
    if dice < limit {
      return .leave(node: node, closes: random.chance(50))
    }
    limit += scenario.breakPercent
    if dice < limit {
      let other = Int.random(in: 1...scenario.nodeCount, using: &random)
      return .breakConnections(node: node, other: other)
    }
    limit += scenario.partitionPercent
    if dice < limit {
      return .partition(
        mask: UInt64.random(in: 1..<(1 << UInt64(scenario.nodeCount)), using: &random) << 1,
        isOneWay: random.chance(30),
        milliseconds: UInt64.random(in: 1...(random.chance(20) ? 3000 : 60), using: &random))
    }
    limit += scenario.pausePercent
    if dice < limit {
      return .pause(
        node: node,
        milliseconds: UInt64.random(in: 1...(random.chance(20) ? 2000 : 50), using: &random))
    }
    if random.chance(1) {
      return random.chance(60)
        ? .settle
        : .idle(
          milliseconds: UInt64.random(in: 100...(2 * scenario.tossMilliseconds), using: &random))
    }
    return .use(node: node, choice: random.next())
  }

  private static func trouble(
    for scenario: LockScenario, using random: inout SeededGenerator
  ) -> PlannedAction.Kind {
    let node = Int.random(in: 1...scenario.nodeCount, using: &random)
    return random.chance(50) ? .crash(node: node) : .join(node: node)
  }
}

extension PlannedAction.Kind {
  /// The node that is gone afterwards.
  fileprivate var leaver: Int? {
    switch self {
    case .crash(let node), .leave(let node, _): node
    case .use, .join, .breakConnections, .partition, .pause, .idle, .awaitRecovery, .settle: nil
    }
  }

  fileprivate var isMembershipChange: Bool {
    switch self {
    case .crash, .join, .leave: true
    case .use, .breakConnections, .partition, .pause, .idle, .awaitRecovery, .settle: false
    }
  }
}

extension PlannedAction: CustomStringConvertible {
  public var description: String {
    switch kind {
    case .use(let node, _): "an application on node \(node) does something"
    case .crash(let node): "node \(node) crashes"
    case .join(let node): "node \(node) joins"
    case .leave(let node, let closes): "node \(node) leaves\(closes ? " and goes down" : "")"
    case .breakConnections(let node, let other):
      "connections between \(node) and \(other) are lost"
    case .partition(let mask, let isOneWay, let milliseconds):
      "nodes \((1..<64).filter { mask >> UInt64($0) & 1 == 1 }) are cut off"
        + "\(isOneWay ? " one way" : "") for \(milliseconds) ms"
    case .pause(let node, let milliseconds): "node \(node) pauses for \(milliseconds) ms"
    case .idle(let milliseconds): "nobody does anything for \(milliseconds) ms"
    case .awaitRecovery: "nobody does anything until the members have recovered"
    case .settle: "everything comes to rest"
    }
  }
}
