import ClusterTypes
import Testing

@testable import ClusterMembership
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
    var plan = SimulationPlan(seed: seed)
    plan.hasOperations = false
    let world = MembershipWorld(plan)
    world.run()
    #expect(world.violations == [], "seed \(seed)")
    #expect(world.starts > 10, "seed \(seed): something must have happened")
  }

  /// Two nodes without a third vote. In early forms of the race a node was hit that had been admitted while
  /// an attempt was open, because its peer had voted for it, or while the configuration was being changed.
  @Test(arguments: [UInt64(43), 163])
  func raceHasNoViolation(seed: UInt64) {
    for seed in seed..<seed + 12 {
      let world = MembershipWorld(Self.race(seed))
      world.run()
      #expect(world.violations == [], "seed \(seed)")
    }
  }

  @Test func racesAreWonAndTheWinnerStartsAlone() {
    var seen: Set<Situation> = []
    for seed in UInt64(1)...40 {
      let world = MembershipWorld(Self.race(seed))
      world.run()
      #expect(world.violations == [], "seed \(seed)")
      seen.formUnion(world.situations)
    }
    #expect(seen.isSuperset(of: [.raceWon, .raceFailed, .startedAlone]))
  }

  /// As an upgrade does it. Each daemon once refused the other its vote for as long as an agent of its
  /// earlier life might act, so that there was no leader, and the watchdogs fired.
  @Test func racersWhoseDaemonsAreRestartedKeepTheirLeases() {
    for seed in UInt64(1)...12 {
      var plan = Self.race(seed)
      plan.faults = [.daemonCrash]
      plan.faultInterval = 15_000
      plan.baseLoss = 0
      plan.expectsNoRemoval = true
      let world = MembershipWorld(plan)
      world.run()
      // One that ran nothing yet begins anew, and is removed as what it was before.
      let violations = world.violations.filter { !$0.contains("was removed though") }
      #expect(violations == [], "seed \(seed)")
      #expect(!world.situations.contains(.watchdogFired), "seed \(seed)")
    }
  }

  private static func race(_ seed: UInt64) -> SimulationPlan {
    var plan = SimulationPlan(seed: seed)
    plan.mayRace = true
    plan.nodeCount = 2
    plan.hasDisk = false
    plan.hasWitness = false
    plan.fenceLevels = max(1, plan.fenceLevels)
    plan.reservationLevels = 0
    return plan
  }

  @Test(arguments: [UInt64(2), 7])
  func changesOfVolumeGroupsSurvive(seed: UInt64) {
    var plan = SimulationPlan(seed: seed)
    plan.hasOperations = true
    let world = MembershipWorld(plan)
    world.run()
    #expect(world.violations == [], "seed \(seed)")
    #expect(world.operationsSeen.count > 10, "seed \(seed): something must have happened")
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

  @Test(arguments: ["without evidence", "forgotten with its coordinator"])
  func defectIsFound(name: String) throws {
    let mutation = try #require(Mutation.all.first { $0.name.contains(name) })
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

  /// A node whose disk was lost drew an incarnation above all that the leader had heard, and below one that
  /// another member had: that one ignored it and said nothing, and it was never admitted (seed 371).
  @Test func lostCounterIsToldByWhoeverHeardAHigherOne() throws {
    let plan = SimulationPlan(calm: 1, nodes: 3, timers: .lan)
    let world = MembershipWorld(plan)
    world.run(until: 20_000_000_000)
    let daemons = world.machines.compactMap(\.daemon)
    var listener = try #require(daemons.first { !$0.isLeader })
    var sender = try #require(daemons.first { $0.slot != listener.slot })
    var effects: [EmbeddedEffect] = []
    let next = Timestamp(nanoseconds: sender.now + UInt64(plan.timers.heartbeat) * 2_000_000)
    sender.handle(.tick, at: next, effects: &effects)
    let ping = effects.lazy.compactMap { effect -> MembershipMessage? in
      guard case .send(let target, let message) = effect, target == listener.slot,
        case .ping = message.body
      else { return nil }
      return message
    }.first
    var message = try #require(ping)
    let known = message.incarnation
    message.incarnation = Incarnation(1)
    effects = []
    listener.handle(
      .received(message), at: Timestamp(nanoseconds: listener.now + 1), effects: &effects)
    let isTold = effects.contains { effect in
      guard case .send(let target, let answer) = effect, target == sender.slot,
        case .joinReply(.outdated(let incarnation)) = answer.body
      else { return false }
      return incarnation == known
    }
    #expect(isTold, "\(effects)")
  }

  /// On a busy machine a restarted daemon listened for longer than a silence before its first channel was
  /// open, and was removed.
  @Test func daemonThatListensAgainIsHeldUntilItsChannelIsOpen() throws {
    var plan = SimulationPlan(calm: 1, nodes: 3, timers: .lan)
    plan.end = Timestamp(milliseconds: 20_000)
    let world = MembershipWorld(plan)
    world.run()
    let leaders = world.machines.compactMap(\.daemon).filter { $0.isLeader }
    var leader = try #require(leaders.first)
    let me = leader.slot
    let others = leader.record.memberSet.filter { $0 != me }
    let other = try #require(others.first)
    let silence = UInt64(MembershipTimers.lan.silence)
    let died = leader.now / 1_000_000
    func feed(_ input: EmbeddedInput, _ milliseconds: UInt64) {
      var effects: [EmbeddedEffect] = []
      leader.handle(input, at: Timestamp(milliseconds: died + milliseconds), effects: &effects)
    }
    // Nobody was refused there: an open port alone is no reason for patience.
    feed(.peerListens(other), 0)
    #expect(!leader.isHeld(other))
    feed(.peerRefused(other), 100)
    feed(.peerListens(other), 50 + silence)
    feed(.tick, 150 + silence)
    #expect(leader.isHeld(other), "it listened less than a silence ago")
    feed(.tick, 60 + 2 * silence)
    #expect(!leader.isHeld(other), "nor does its port answer any more")
    feed(.peerListens(other), 61 + 2 * silence)
    #expect(!leader.isHeld(other))
    for moment in stride(
      from: 2 * silence, to: UInt64(MembershipTimers.lan.restartHold) + 700, by: 200)
    {
      feed(.peerRefused(other), moment)
    }
    #expect(!leader.isHeld(other), "restart_hold is the end of all patience")
  }

  @Test func killedNodeIsOutOfTheViewInTimeAndOneWayFaultCostsOneView() {
    #expect(Figures.killToView(.standard, runs: 3).samples.allSatisfy { $0 <= 4 })
    #expect(Figures.viewsDuringOneWayFault(.lan) == 1)
  }
}
