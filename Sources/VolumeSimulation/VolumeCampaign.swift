import ClusterSimulation

/// Every operation, interrupted at every effect: which runs there are, and what they found.
public struct VolumeCampaign: Sendable {
  public private(set) var runCount = 0
  public private(set) var violations: [VolumeViolation] = []
  /// In how many runs each situation came up.
  public private(set) var situations: [VolumeSituation: Int] = [:]
  /// Of each operation without faults, how many effects it has.
  public private(set) var effectCounts: [VolumeOperation: Int] = [:]
  /// It stops there.
  public let violationLimit: Int

  public init(violationLimit: Int = 5) { self.violationLimit = violationLimit }

  public var isOver: Bool { violations.count >= violationLimit }

  public var unvisited: [VolumeSituation] {
    VolumeSituation.allCases.filter { situations[$0] == nil }
  }

  public mutating func add(_ runs: [VolumeRun]) {
    for start in stride(from: 0, to: runs.count, by: 100) where !isOver {
      let results = Array(runs[start..<min(start + 100, runs.count)]).concurrentMap { run in
        let world = VolumeWorld(run)
        world.run()
        return (world.situations, world.violation)
      }
      for (situations, violation) in results { note(situations, violation) }
    }
  }

  private mutating func note(
    _ visited: Set<VolumeSituation>, _ violation: VolumeViolation?
  ) {
    runCount += 1
    for situation in visited { situations[situation, default: 0] += 1 }
    if let violation { violations.append(violation) }
  }

  /// Runs an operation without faults, and says where its effects are.
  public mutating func baseline(
    of operation: VolumeOperation, seed: UInt64
  ) -> [(name: String, node: Int32)] {
    let world = VolumeWorld(VolumeRun(operation, seed: seed))
    world.run()
    note(world.situations, world.violation)
    effectCounts[operation] = world.operationEffectCount
    return Array(world.effects.prefix(world.operationEffectCount + 2))
  }

  /// Every single fault on every node before, within and after every effect; of these each
  /// `stride`-th.
  public mutating func addSingles(
    of operation: VolumeOperation, seed: UInt64, stride: Int = 1
  ) {
    let faults = singles(of: operation, seed: seed).enumerated()
      .filter { $0.offset % stride == Int(seed) % stride }
    add(faults.map { VolumeRun(operation, seed: seed, faults: [$0.element]) })
  }

  mutating func singles(of operation: VolumeOperation, seed: UInt64) -> [PlannedFault] {
    var faults: [PlannedFault] = []
    for (effect, (name, performer)) in baseline(of: operation, seed: seed).enumerated() {
      for fault in VolumeFault.allCases {
        for node in Int32(1)...3 where fault != .commandEnds || node == 1 {
          for moment in PlannedFault.Moment.allCases {
            let canBeWithin =
              name.hasPrefix("write") && node == performer
              && [.powerCut, .daemonKill].contains(fault)
            guard moment != .within || canBeWithin else { continue }
            faults.append(PlannedFault(effect: effect, moment: moment, fault: fault, node: node))
          }
        }
      }
    }
    return faults
  }

  /// Two faults in one run, drawn by chance.
  public mutating func addPairs(of operation: VolumeOperation, count: Int, seed: UInt64) {
    var random = SeededGenerator(seed: seed &* 1000 &+ UInt64(operation.rawValue.utf8.count))
    let singles = singles(of: operation, seed: seed)
    guard !singles.isEmpty else { return }
    var runs: [VolumeRun] = []
    for _ in 0..<count {
      guard let first = singles.randomElement(using: &random),
        let second = singles.randomElement(using: &random)
      else { return }
      // The second one often lies in what the first one sets off.
      let shifted = PlannedFault(
        effect: second.effect + (random.chance(50) ? first.effect : 0), moment: second.moment,
        fault: second.fault, node: second.node)
      runs.append(
        VolumeRun(
          operation, seed: UInt64.random(in: 1...1000, using: &random), faults: [first, shifted]))
    }
    add(runs)
  }
}

/// Leaves out faults, and moves them forward, as long as the same invariant is violated.
public struct VolumeShrinker: Sendable {
  public private(set) var violation: VolumeViolation
  public private(set) var runCount = 0

  /// Nil if the run does not fail.
  public init?(_ run: VolumeRun) {
    let world = VolumeWorld(run)
    world.run()
    guard let violation = world.violation else { return nil }
    self.violation = violation
  }

  public mutating func shrink() {
    while leaveOneOut() {}
    for index in violation.run.faults.indices { simplify(index) }
  }

  private mutating func leaveOneOut() -> Bool {
    violation.run.faults.indices.contains { index in
      var fewer = violation.run
      fewer.faults.remove(at: index)
      return stillFails(fewer)
    }
  }

  private mutating func simplify(_ index: Int) {
    let fault = violation.run.faults[index]
    for effect in 0..<fault.effect {
      var earlier = violation.run
      earlier.faults[index] = PlannedFault(
        effect: effect, moment: fault.moment, fault: fault.fault, node: fault.node)
      if stillFails(earlier) { return }
    }
  }

  private mutating func stillFails(_ run: VolumeRun) -> Bool {
    runCount += 1
    let world = VolumeWorld(run)
    world.run()
    guard let found = world.violation, found.invariant == violation.invariant else { return false }
    violation = found
    return true
  }
}
