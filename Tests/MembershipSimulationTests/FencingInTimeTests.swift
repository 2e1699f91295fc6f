import ClusterTypes
import Testing

@testable import ClusterMembership
@testable import MembershipSimulation

/// From a kill to writers that go on: what is waited for, and what is kept over a restart.
@Suite struct FencingInTimeTests {
  private static let second: UInt64 = 1_000_000_000

  @Test func writersGoOnInTime() {
    func longest(_ timers: MembershipTimers, byReservation: Bool) -> Double {
      Figures.killToWriters(timers, byReservation: byReservation, runs: 6).samples.max()
        ?? .infinity
    }
    #expect(longest(.standard, byReservation: true) <= 5)
    #expect(longest(.standard, byReservation: false) <= 10)
    #expect(longest(.lan, byReservation: false) <= 4.5)
    #expect(longest(.lan, byReservation: true) <= 2)
  }

  /// Three nodes with one lockspace, and fence devices that answer at once.
  private func formedCluster(reservations: Bool) -> MembershipWorld {
    var plan = SimulationPlan(calm: 4, nodes: 3, timers: .standard)
    plan.fenceLevels = 1
    plan.reservationLevels = reservations ? 1 : 0
    plan.hasOtherDisks = false
    plan.fencesAtOnce = true
    plan.trustsWatchdog = false
    let world = MembershipWorld(plan)
    for machine in world.machines { machine.wanted = Set(MembershipWorld.names.prefix(1)) }
    world.run(until: 40 * Self.second)
    return world
  }

  private func record(_ world: MembershipWorld) -> Record? {
    world.machines.compactMap(\.daemon).first { $0.isLeader }?.record
  }

  /// Runs until the record is such, for a minute at most.
  private func run(_ world: MembershipWorld, until isSo: (Record) -> Bool) -> Bool {
    let end = world.now + 60 * Self.second
    while world.now < end {
      world.run(until: world.now + 10_000_000)
      if let record = record(world), isSo(record) { return true }
    }
    return false
  }

  private func killAFollower(_ world: MembershipWorld) throws -> NodeSlot {
    let leader = try #require(world.machines.first { $0.daemon?.isLeader == true })
    let victim = try #require(world.machines.last { $0.slot != leader.slot })
    world.powerOff(victim.slot, "killed", forMilliseconds: 3_600_000)
    return victim.slot
  }

  /// Once the executor waited for the drain time itself: a restart in it lost the proof.
  @Test func aRestartWhileTheLastWritesLandKeepsTheProof() throws {
    let world = formedCluster(reservations: false)
    var succeeded: UInt64?
    var settled: UInt64?
    world.onDecision = { decision, moment in
      let record = decision.record
      if record.attempts.contains(where: \.hasSucceeded) {
        succeeded = succeeded ?? moment
      } else if succeeded != nil, !record.awaitsEvidence {
        settled = settled ?? moment
      }
    }
    _ = try killAFollower(world)
    #expect(run(world) { $0.attempts.contains(where: \.hasSucceeded) })
    let attempt = try #require(record(world)?.attempts.first)
    world.crashDaemon(attempt.executor, "restart")
    #expect(run(world) { !$0.awaitsEvidence && $0.attempts.isEmpty })
    let (start, end) = (try #require(succeeded), try #require(settled))
    #expect(end - start >= 5 * Self.second, "the drain time counts")
    #expect(record(world)?.lastAttempt == attempt.id, "nothing is fenced again")
    #expect(world.violations == [])
  }

  @Test func anExclusionThatBreaksIsWithdrawnAndRenewed() throws {
    let world = formedCluster(reservations: true)
    let victim = try killAFollower(world)
    func exclusion(_ record: Record) -> UInt64 {
      record.removed.first { $0.member.slot == victim }?.exclusion ?? 0
    }
    #expect(run(world) { exclusion($0) != 0 && $0.spaces.allSatisfy { $0.phase == .started } })
    let before = try #require(record(world))
    let generation = try #require(before.spaces.first?.generation)
    world.sharedDisks.isReserved = false
    #expect(run(world) { exclusion($0) == 0 && $0.spaces.allSatisfy { $0.phase == .stopping } })
    #expect(
      run(world) {
        exclusion($0) > exclusion(before) && $0.spaces.allSatisfy { $0.phase == .started }
      })
    #expect(world.sharedDisks.isReserved)
    #expect(record(world)?.spaces.first.map { $0.generation > generation } == true)
    #expect(world.violations == [])
  }

  /// Nothing is proven by keys that are taken off other disks than the node writes to.
  @Test func otherDisksProveNothing() throws {
    var plan = SimulationPlan(calm: 4, nodes: 3, timers: .standard)
    plan.fenceLevels = 1
    plan.reservationLevels = 1
    plan.hasOtherDisks = true
    plan.fencesAtOnce = true
    plan.trustsWatchdog = false
    let world = MembershipWorld(plan)
    for machine in world.machines { machine.wanted = Set(MembershipWorld.names.prefix(1)) }
    world.run(until: 40 * Self.second)
    let victim = try #require(world.machines.first).slot
    world.powerOff(victim, "killed", forMilliseconds: 3_600_000)
    #expect(run(world) { $0.lastAttempt > 2 })
    #expect(record(world)?.awaitsEvidence == true)
    #expect(record(world)?.spaces.allSatisfy { $0.phase == .stopping } == true)
    #expect(world.situations.contains(.otherDisks))
  }
}
