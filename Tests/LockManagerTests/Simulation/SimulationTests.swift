import ClusterTypes
import Glibc
import Testing

/// Random operations on random clusters with random trouble. A failure names its seed; `replay`
/// shows what happened.
struct SimulationTests {
  @Test("Under random operations and membership changes the lockspace keeps its promises")
  func randomRuns() {
    for seed in 1...Self.lastSeed {
      let cluster = Self.run(seed: seed, keepsLog: false)
      #expect(
        cluster.violations.isEmpty,
        "\(cluster.violations.prefix(3)), replay with SIMULATION_SEED=\(seed)")
      if !cluster.violations.isEmpty { return }
    }
  }

  private static let replayedSeed = number("SIMULATION_SEED")
  private static let lastSeed = number("SIMULATION_SEEDS") ?? 250

  private static func number(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
  }

  @Test("One seed again, with everything that happened", .enabled(if: replayedSeed != nil))
  func replay() {
    guard let seed = Self.replayedSeed else { return }
    let cluster = Self.run(seed: seed, keepsLog: true)
    print(cluster.scenario)
    for line in cluster.log { print(line) }
    #expect(cluster.violations.isEmpty)
  }

  static func run(seed: UInt64, keepsLog: Bool) -> SimulatedCluster {
    var cluster = SimulatedCluster(Scenario(seed: seed))
    cluster.keepsLog = keepsLog
    cluster.runBusy()
    cluster.activity = .quiet
    cluster.run(until: cluster.now + .seconds(20))
    if cluster.violations.isEmpty { cluster.checkAgreement() }
    cluster.activity = .draining
    cluster.run(until: cluster.now + .seconds(60))
    if cluster.violations.isEmpty { cluster.checkNothingLeft() }
    return cluster
  }
}
