import ArgumentParser
import MembershipSimulation

/// Runs the membership core against seeded faults and says what happened.
@main
struct MembershipSimulator: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clvm-membership-sim",
    abstract: "Simulate the membership core under faults and check what it must guarantee.")

  @Option(help: "The first seed.")
  var seed: UInt64 = 1

  @Option(help: "How many seeds to run, each ten simulated minutes.")
  var seeds: UInt64 = 2000

  @Flag(help: "Show the end of the history of the first failing seed.")
  var verbose = false

  func run() throws {
    var campaign = Campaign()
    for number in seed..<(seed + seeds) {
      let world = MembershipWorld(SimulationPlan(seed: number))
      world.keepsTranscript = verbose
      world.run()
      campaign.add(world, seed: number)
      if verbose, !world.violations.isEmpty {
        for line in world.lastLines { print(line) }
        break
      }
    }
    for line in campaign.report { print(line) }
    if !campaign.isGood { throw ExitCode(1) }
  }
}
