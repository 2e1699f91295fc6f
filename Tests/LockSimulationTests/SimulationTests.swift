import LockProtocol
import Testing

@testable import LockSimulation

/// A few seeds in a debug build; `clvm-sim` runs thousands of them in a release build.
struct SimulationTests {
  @Test func lockManagersKeepTheirPromises() {
    for seed in 1...40 as ClosedRange<UInt64> {
      var simulation = LockSimulation(LockScenario(seed: seed))
      simulation.run()
      #expect(simulation.violation == nil, "clvm-sim --seed \(seed) --transcript --shrink")
    }
  }

  @Test func theSameSeedGivesTheSameRun() {
    var transcripts: [[String]] = []
    for _ in 0..<2 {
      var simulation = LockSimulation(LockScenario(seed: 7), transcriptLines: 100_000)
      simulation.run()
      transcripts.append(simulation.transcript.lines)
    }
    #expect(transcripts[0].count > 200)
    #expect(transcripts[0] == transcripts[1])
  }

  @Test func aMutationIsCaughtAndItsRunShrinks() throws {
    let table = MutationTable([.losesDownConversions], from: 1, limit: 100)
    let seed = try #require(table.rows.first?.violation?.seed)
    #expect(table.areAllCaught)
    var shrinker = try #require(
      Shrinker(LockScenario(seed: seed), mutation: .losesDownConversions, maximumRuns: 150))
    let before = shrinker.actions.count
    shrinker.shrink()
    #expect(shrinker.actions.count < before)
    var again = LockSimulation(
      LockScenario(seed: seed), actions: shrinker.actions, mutation: .losesDownConversions)
    again.run()
    #expect(again.violation?.invariant == shrinker.violation.invariant)
  }

  @Test func whatIsNotCaughtIsSaid() {
    // Nothing has happened yet after no seed at all.
    let table = MutationTable([.losesCancels], from: 1, limit: 0)
    #expect(!table.areAllCaught)
    #expect(table.description.contains("NOTHING"))
  }

  @Test func theTablesOfModesAgreeWithThemselves() {
    for one in LockMode.requestable {
      for other in LockMode.requestable {
        #expect(one.excludes(other) == other.excludes(one))
        #expect(one.excludes(other) == !one.companions.contains(other), "\(one) \(other)")
      }
      #expect(one.covers(.nl) && LockMode.ex.covers(one) && one.covers(one))
    }
    #expect(!LockMode.pr.covers(.cw) && !LockMode.cw.covers(.pr))
  }
}
