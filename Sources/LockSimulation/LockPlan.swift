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
    while actions.count < scenario.actionCount {
      let kind = kind(for: scenario, using: &random)
      actions.append(
        PlannedAction(
          kind: kind, microseconds: UInt64.random(in: scenario.gap, using: &random)))
      // Trouble likes company: in the midst of a recovery.
      if kind.isMembershipChange, random.chance(40) {
        actions.append(
          PlannedAction(
            kind: trouble(for: scenario, using: &random),
            microseconds: UInt64.random(in: 500...40_000, using: &random)))
      }
    }
    return actions
  }

  private static func kind(
    for scenario: LockScenario, using random: inout SeededGenerator
  ) -> PlannedAction.Kind {
    let node = Int.random(in: 1...scenario.nodeCount, using: &random)
    let dice = Int.random(in: 0..<100, using: &random)
    var limit = scenario.crashPercent
    if dice < limit { return random.chance(50) ? .crash(node: node) : .join(node: node) }
    limit += scenario.leavePercent
    if dice < limit {
      return random.chance(50)
        ? .leave(node: node, closes: random.chance(50)) : .join(node: node)
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
  fileprivate var isMembershipChange: Bool {
    switch self {
    case .crash, .join, .leave: true
    case .use, .breakConnections, .partition, .pause, .idle, .settle: false
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
    case .settle: "everything comes to rest"
    }
  }
}
