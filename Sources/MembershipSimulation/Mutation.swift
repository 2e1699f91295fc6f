import ClusterMembership

/// A deliberate defect, and the trouble in which it should show.
package struct Mutation: Sendable {
  package var name: String
  /// Seeds after which it counts as missed.
  package var seeds: UInt64 = 200
  private var defects: MembershipDefects
  /// A second guard that would hide the defect, and is off with it and without it.
  private var withoutGuard: MembershipDefects
  /// A defect of the world.
  private var inWorld: (@Sendable (inout SimulationPlan) -> Void)?
  private var prepare: @Sendable (inout SimulationPlan) -> Void

  /// The first seed that catches it, with what was seen; nil if none does. A seed in which something is
  /// wrong without the defect, too, catches nothing.
  package func firstCatch() -> (seed: UInt64, violation: String)? {
    for seed in 1...seeds {
      guard let found = violation(seed, isPresent: true) else { continue }
      if violation(seed, isPresent: false) == nil { return (seed, found) }
    }
    return nil
  }

  private func violation(_ seed: UInt64, isPresent: Bool) -> String? {
    var plan = SimulationPlan(seed: seed)
    prepare(&plan)
    plan.defects = isPresent ? defects.union(withoutGuard) : withoutGuard
    if isPresent { inWorld?(&plan) }
    let world = MembershipWorld(plan)
    world.run()
    return world.violations.first
  }

  private init(
    _ name: String, _ defects: MembershipDefects,
    without withoutGuard: MembershipDefects = [],
    prepare: @escaping @Sendable (inout SimulationPlan) -> Void = { _ in }
  ) {
    self.name = name
    self.defects = defects
    self.withoutGuard = withoutGuard
    self.prepare = prepare
  }

  /// A defect of the world.
  private init(
    _ name: String, inWorld defect: WritableKeyPath<SimulationPlan, Bool> & Sendable,
    prepare: @escaping @Sendable (inout SimulationPlan) -> Void
  ) {
    self.init(name, [], prepare: prepare)
    inWorld = { $0[keyPath: defect] = true }
  }

  private static let onlyWatchdog: @Sendable (inout SimulationPlan) -> Void = { plan in
    plan.fenceLevels = 0
    plan.trustsWatchdog = true
    plan.nodeCount = 3
    plan.hasDisk = false
    plan.hasWitness = false
    plan.faults = [.isolation, .muting, .delay, .freeze, .partition, .keeperStall]
    plan.faultInterval = 9000
  }

  private static let fencing: @Sendable (inout SimulationPlan) -> Void = { plan in
    plan.fenceLevels = 2
    plan.trustsWatchdog = false
    plan.faults = [.isolation, .freeze, .fenceMood, .powerCut, .daemonCrash, .muting]
    plan.faultInterval = 9000
  }

  private static let reservations: @Sendable (inout SimulationPlan) -> Void = { plan in
    plan.fenceLevels = 1
    plan.reservationLevels = 1
    plan.fenceMood = 0
    plan.hasOtherDisks = false
    plan.trustsWatchdog = false
    plan.nodeCount = 3
    plan.hasDisk = false
    plan.hasWitness = false
    plan.faults = [.isolation, .freeze, .reservationLoss, .slowStop, .muting]
    plan.faultInterval = 5000
  }

  private static let race: @Sendable (inout SimulationPlan) -> Void = { plan in
    plan.nodeCount = 2
    plan.hasDisk = false
    plan.hasWitness = false
    plan.fenceLevels = 1
    plan.reservationLevels = 0
    plan.mayRace = true
    plan.faults = [.partition, .isolation, .powerCut, .crashAtStep, .fenceMood, .daemonCrash]
    plan.faultInterval = 9000
  }

  package static let all: [Mutation] = [
    Mutation("START on a majority of the stops", .startOnMajorityOfStops),
    Mutation("START without evidence", .startWithoutEvidence),
    Mutation("a stop of another generation counts", .acknowledgeAnyGeneration),
    Mutation("a stop is acknowledged before it has returned", .acknowledgeBeforeStop),
    Mutation("a restarted daemon takes its lockspaces for stopped", .adoptFromMemory) {
      $0.faults = [.daemonCrash, .crashAtStep, .slowStop, .restartAll]
      $0.faultInterval = 4000
    },
    Mutation("nobody is told of a daemon's new life", .untoldLife) {
      $0.faults = [.daemonCrash, .crashAtStep, .slowStop, .restartAll]
      $0.faultInterval = 4000
    },
    Mutation("a lease counts from the pong's receipt", .leaseFromReceipt, prepare: onlyWatchdog),
    Mutation("presumed dead without the lease", .presumeWithoutLease, prepare: onlyWatchdog),
    Mutation(
      "presumed dead from the last pong only", .presumeFromPongOnly, prepare: onlyWatchdog),
    Mutation("any other boot id is evidence", .anyBootIsEvidence) {
      $0.faults = [.powerCut, .cascade, .crashAtStep]
    },
    Mutation("no drain after a return", .noDrainAfterReturn) { $0.faults = [.powerCut, .cascade] },
    Mutation("no drain after a fence", .noDrainAfterFence, prepare: fencing),
    Mutation("a start without reading again", .startWithoutReading, prepare: reservations),
    Mutation("a lost reservation counts as proof", inWorld: \.overlooksLostReservation) {
      reservations(&$0)
    },
    Mutation("keys off other disks are a proof", .anyDevicesExclude) {
      reservations(&$0)
      $0.hasOtherDisks = true
    },
    Mutation(
      "a proof that is withdrawn stops nothing", .withdrawalStopsNothing, prepare: reservations),
    Mutation("any exit of an agent is success", .anyExitIsSuccess, prepare: fencing),
    Mutation("admission while an attempt is open", .admitDuringAttempt, prepare: fencing),
    Mutation("a lost report closes the attempt", .lostReportClosesAttempt) {
      fencing(&$0)
      $0.fenceLevels = 1
      $0.fenceMood = 3  // It acts late, and the victim is back meanwhile.
      $0.faults = [.isolation, .muting, .daemonCrash, .crashAtStep, .powerCut]
      $0.faultInterval = 6000
    },
    // While an attempt is open nothing newer of its victim is admitted, so that there is nothing else
    // that a success could be counted for.
    Mutation(
      "a success counts for the node, not the incarnation", .successByNode,
      without: .admitDuringAttempt
    ) {
      fencing(&$0)
      $0.checksFenceTargets = false
      $0.fenceMood = MembershipWorld.tellsLate
      $0.faults = [.isolation, .freeze, .muting]
      $0.faultInterval = 5000
    },
    Mutation("whoever was just booted races", .anyoneRaces, prepare: race),
    Mutation("any exit of an agent wins the race", .anyExitIsSuccess, prepare: race),
    Mutation("requests without numbers", .noRequestNumbers) {
      $0.faults = [.delay, .loss, .powerCut, .freeze]
      $0.baseLoss = 3
    },
    Mutation("a configuration change in one step", .oneStepConfiguration) {
      $0.faults = [.configurationChange, .partition, .isolation, .powerCut]
      $0.nodeCount = 3
      $0.hasDisk = false
      $0.faultInterval = 6000
    },
    Mutation(
      "a voter does not notice that its memory is lost", inWorld: \.overlooksAmnesia
    ) {
      $0.faults = [.amnesia, .isolation, .crashAtStep, .partition]
      $0.nodeCount = 3
      $0.hasDisk = false
      $0.faultInterval = 6000
    },
    Mutation("a restart forgets the vote", inWorld: \.losesVotes) {
      $0.faults = [.daemonCrash, .restartAll, .crashAtStep, .partition, .muting, .oneWayCut]
      $0.nodeCount = 3
      $0.hasDisk = false
      $0.faultInterval = 5000
    },
    Mutation("an answer leaves before the sync", .replyBeforeSync) {
      $0.faults = [.daemonCrash, .crashAtStep, .powerCut, .diskStall]
      $0.faultInterval = 5000
    },
    Mutation("the quorum disk is not read after the write", .noDiskSecondRead) {
      $0.nodeCount = 2
      $0.hasDisk = true
      $0.hasWitness = false
      $0.faults = [.partition, .isolation, .freeze, .powerCut]
      $0.faultInterval = 6000
    },
    Mutation("an evicted incarnation may return", .evictedMayReturn),
    Mutation("a change is forgotten with its coordinator", .operationsDieWithCoordinator) {
      $0.hasOperations = true
      $0.faults = [.powerCut, .isolation]
    },
    Mutation("no patience with a restarting daemon", .noRestartHold) {
      $0.expectsNoRemoval = true
      $0.faults = [.daemonCrash]
      $0.baseLoss = 0
    },
    Mutation("a frozen node goes on as before", .ignoreGap) {
      $0.faults = [.freeze]
      $0.faultInterval = 20_000
    },
  ]
}
