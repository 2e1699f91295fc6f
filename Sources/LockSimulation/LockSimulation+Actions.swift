import ClusterSimulation
import ClusterTypes

/// What the plan says, carried out on the state that it meets.
extension LockSimulation {
  /// The next action, after its own time and `pause`.
  mutating func scheduleAction(pause: Duration = .zero) {
    guard nextAction < actions.count else { return settle() }
    world.schedule(
      .action, after: pause + .microseconds(Int64(actions[nextAction].microseconds)))
  }

  mutating func act() {
    guard case .acting = phase else { return }
    let action = actions[nextAction]
    nextAction += 1
    switch action.kind {
    case .settle: return settle()
    case .awaitRecovery: return awaitRecovery(until: now + Self.recoveryPatience)
    case .idle(let milliseconds):
      note("nobody does anything for \(milliseconds) ms")
      return scheduleAction(pause: .milliseconds(Int64(milliseconds)))
    case .use(let node, let choice): use(Names.node(node), choice: choice)
    case .crash(let node): crashIfOthersStay(Names.node(node))
    case .join(let node): joinIfAbsent(Names.node(node))
    case .leave(let node, let closes): leave(Names.node(node), closes: closes)
    case .breakConnections(let node, let other):
      note("\(action)")
      world.breakConnections(Names.node(node), Names.node(other))
    case .partition(let mask, let isOneWay, let milliseconds):
      note("\(action)")
      partition(mask, isOneWay: isOneWay, milliseconds: milliseconds)
    case .pause(let node, let milliseconds):
      note("\(action)")
      world.pause(Names.node(node), for: .milliseconds(Int64(milliseconds)))
    }
    scheduleAction()
  }

  /// Partitions and pauses may keep a recovery from ending: then life goes on without.
  mutating func awaitRecovery(until end: Timestamp) {
    let isRunning = oracle.members.allSatisfy {
      views[$0]?.isRunning == true && views[$0]?.epoch == oracle.epoch
    }
    if now > end || (isRunning && !oracle.isChanging && oracle.unnoticed.isEmpty) {
      return scheduleAction()
    }
    world.schedule(.recoveryCheck(until: end), after: .milliseconds(10))
  }

  private mutating func crashIfOthersStay(_ node: NodeID) {
    guard world.life(of: node) != nil, stableMembers.contains(where: { $0 != node }) else {
      return
    }
    crash(node)
  }

  private mutating func joinIfAbsent(_ node: NodeID) {
    guard !oracle.members.contains(node) || oracle.unnoticed[node] != nil else { return }
    guard oracle.leaving[node] == nil, !oracle.goingDown.contains(node) else { return }
    if world.life(of: node) == nil {
      // It is back before its end was noticed.
      if oracle.unnoticed[node] != nil { gone(node) }
      boot(node)
    } else if world.withStack(of: node, { $0.isClosed && $0.machine == nil }) != true {
      return
    }
    join(node)
    changeMembers()
  }

  private mutating func leave(_ node: NodeID, closes: Bool) {
    guard stableMembers.contains(node), stableMembers.contains(where: { $0 != node }) else {
      return
    }
    note("node \(node) leaves\(closes ? " and goes down" : "")")
    oracle.leaving[node] = closes
    oracle.members.remove(node)
    changeMembers()
  }

  private mutating func partition(_ mask: UInt64, isOneWay: Bool, milliseconds: UInt64) {
    var paths: [(from: NodeID, to: NodeID)] = []
    for from in 1...scenario.nodeCount where mask >> UInt64(from) & 1 == 1 {
      for to in 1...scenario.nodeCount where mask >> UInt64(to) & 1 == 0 {
        paths.append((Names.node(from), Names.node(to)))
        if !isOneWay { paths.append((Names.node(to), Names.node(from))) }
      }
    }
    for path in paths { world.block(from: path.from, to: path.to) }
    world.schedule(.heal(paths), after: .milliseconds(Int64(milliseconds)))
  }

  // MARK: Rest and end

  mutating func settle() {
    note("everything comes to rest")
    world.healAll()
    phase = .settling(until: now + Self.settlingPatience)
    rest = RestDetector()
    world.schedule(.restCheck, after: .milliseconds(20))
  }

  mutating func restCheck() {
    let isQuiet = isQuiet
    let isAtRest = rest.isAtRest(isQuiet: isQuiet, deliveries: deliveryCount)
    switch phase {
    case .acting, .over: return
    case .settling(let end):
      guard isAtRest else {
        if now > end { violate(.liveness, "does not come to rest: \(unrest)") }
        return world.schedule(.restCheck, after: .milliseconds(rest.pollMilliseconds))
      }
      checkAtRest()
      if nextAction < actions.count {
        phase = .acting
        scheduleAction()
      } else {
        note("everything is given up")
        phase = .draining(until: now + Self.drainingPatience)
        rest = RestDetector()
        world.schedule(.drain, after: .zero)
        world.schedule(.restCheck, after: .milliseconds(20))
      }
    case .draining(let end):
      if isAtRest, locks.isEmpty, isEverythingForgotten {
        note("nothing is left")
        phase = .over
      } else if now > end {
        checkNothingLeft()
        phase = .over
      } else {
        world.schedule(.restCheck, after: .milliseconds(rest.pollMilliseconds))
      }
    }
  }

  mutating func drain() {
    guard case .draining = phase else { return }
    for node in world.liveNodes { giveUp(on: node) }
    if !locks.isEmpty { world.schedule(.drain, after: .milliseconds(10)) }
  }
}

/// Nothing moves if nothing did for some polls in a row.
struct RestDetector: Sendable {
  private var deliveries = -1
  private var quietPolls = 0
  /// Grows: what takes long is not asked often.
  private(set) var pollMilliseconds: Int64 = 20

  mutating func isAtRest(isQuiet: Bool, deliveries: Int) -> Bool {
    if isQuiet, self.deliveries == deliveries {
      quietPolls += 1
    } else {
      quietPolls = 0
    }
    self.deliveries = deliveries
    if quietPolls == 0 { pollMilliseconds = min(pollMilliseconds + 10, 250) }
    return quietPolls >= 2
  }
}

extension LockSimulation {
  /// Actions that have begun.
  public var performedActionCount: Int { nextAction }
}
