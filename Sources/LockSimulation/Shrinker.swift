/// Leaves out whatever a failing run does not need to fail.
public struct Shrinker: Sendable {
  public let scenario: LockScenario
  public let mutation: LockMutation?
  public private(set) var actions: [PlannedAction]
  public private(set) var violation: Violation
  public private(set) var runCount = 0
  /// After that many runs it stops where it is.
  public let maximumRuns: Int

  /// Nil if the scenario does not fail.
  public init?(_ scenario: LockScenario, mutation: LockMutation? = nil, maximumRuns: Int = 3000) {
    var simulation = LockSimulation(scenario, mutation: mutation)
    simulation.run()
    guard let violation = simulation.violation else { return nil }
    self.scenario = scenario
    self.mutation = mutation
    self.maximumRuns = maximumRuns
    self.violation = violation
    // What came after it is of no account.
    actions = Array(simulation.actions.prefix(simulation.performedActionCount))
    if !stillFails(actions) { actions = simulation.actions }
  }

  /// Delta debugging: leaves out halves, then quarters, down to single actions, as long as the same
  /// invariant is violated.
  public mutating func shrink() {
    var size = max(1, actions.count / 2)
    while true {
      let hasShrunk = leaveOut(size)
      if size > 1 {
        size = max(1, size / 2)
      } else if !hasShrunk || runCount >= maximumRuns {
        return
      }
    }
  }

  /// Tries without each run of `size` actions; true if some could go.
  private mutating func leaveOut(_ size: Int) -> Bool {
    var hasShrunk = false
    var start = 0
    while start < actions.count, runCount < maximumRuns {
      var fewer = actions
      fewer.removeSubrange(start..<min(start + size, actions.count))
      if stillFails(fewer) {
        actions = fewer
        hasShrunk = true
      } else {
        start += size
      }
    }
    return hasShrunk
  }

  private mutating func stillFails(_ candidate: [PlannedAction]) -> Bool {
    runCount += 1
    var simulation = LockSimulation(scenario, actions: candidate, mutation: mutation)
    simulation.run()
    guard let found = simulation.violation, found.invariant == violation.invariant else {
      return false
    }
    violation = found
    return true
  }
}
