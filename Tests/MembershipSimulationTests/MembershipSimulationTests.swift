import ClusterMembership
import ClusterTypes
import Testing

@testable import MembershipSimulation

/// A taste of what `clvm-membership-sim` does at length: histories by seed, checked from outside.
@Suite struct MembershipSimulationTests {
  /// The first are those in which a bug showed once:
  /// * 1: a node whose counter was lost drew an incarnation below one that was heard, and was not heard
  ///   any more;
  /// * 10: a leader sent batches to a restarted node as if it still had the earlier ones;
  /// * 48: a new leader had never heard a member's word that its earlier life was over.
  @Test(arguments: [UInt64(1), 10, 48, 3])
  func seedHasNoViolation(seed: UInt64) {
    let world = MembershipWorld(SimulationPlan(seed: seed))
    world.run()
    #expect(world.violations == [], "seed \(seed)")
    #expect(world.starts > 10, "seed \(seed): something must have happened")
  }

  @Test func historyOfASeedIsTheSameTwice() {
    let worlds = (0..<2).map { _ in
      let world = MembershipWorld(SimulationPlan(seed: 5))
      world.keepsTranscript = true
      world.run()
      return world
    }
    #expect(worlds[0].wholeHistory == worlds[1].wholeHistory)
  }

  @Test func defectIsFound() throws {
    let mutation = try #require(Mutation.all.first { $0.name.contains("without evidence") })
    #expect(mutation.firstCatch() != nil)
  }

  /// A leader of the first formation once took back voters before it knew all of them, and then had
  /// no quorum for ever.
  @Test func firstFormationWaitsForAllVoters() {
    var plan = SimulationPlan(calm: 73, nodes: 3, timers: .lan)
    plan.end = Timestamp(milliseconds: 20_000)
    let world = MembershipWorld(plan)
    world.run()
    #expect(world.violations == [])
  }

  @Test func killedNodeIsOutOfTheViewInTimeAndOneWayFaultCostsOneView() {
    #expect(Figures.killToView(.standard, runs: 3).samples.allSatisfy { $0 <= 4 })
    #expect(Figures.viewsDuringOneWayFault(.lan) == 1)
  }
}
