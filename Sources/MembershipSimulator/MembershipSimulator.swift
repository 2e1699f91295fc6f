import ArgumentParser
import ClusterMembership
import ClusterSimulation
import Glibc
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

  @Flag(help: "Introduce defects, one at a time, and fail unless some seed finds each.")
  var mutations = false

  @Flag(help: "Print times, views and costs that can be measured in simulated time.")
  var figures = false

  func run() throws {
    if mutations { return try runMutations() }
    if figures { return printFigures() }
    var campaign = Campaign()
    for start in stride(from: seed, to: seed + seeds, by: 100) {
      let results = Array(start..<min(start + 100, seed + seeds)).concurrentMap { [verbose] seed in
        let world = MembershipWorld(SimulationPlan(seed: seed))
        world.keepsTranscript = verbose
        world.run()
        var campaign = Campaign()
        campaign.add(world, seed: seed)
        return (campaign, history: world.violations.isEmpty ? [] : Array(world.lastLines))
      }
      for result in results { campaign.add(result.0) }
      if verbose, let failed = results.first(where: { !$0.history.isEmpty }) {
        for line in failed.history { print(line) }
        break
      }
    }
    for line in campaign.report { print(line) }
    if !campaign.isGood { throw ExitCode(1) }
  }

  private func runMutations() throws {
    var missed = 0
    for (mutation, found) in zip(Mutation.all, Mutation.all.concurrentMap { $0.firstCatch() }) {
      if let (seed, violation) = found {
        print("caught by seed \(seed): \(mutation.name): \(violation)")
      } else {
        missed += 1
        print("MISSED in \(mutation.seeds) seeds: \(mutation.name)")
      }
    }
    print("\(Mutation.all.count - missed) of \(Mutation.all.count) defects caught")
    if missed > 0 { throw ExitCode(1) }
  }

  private func printFigures() {
    for (name, timers) in [("default", MembershipTimers.standard), ("lan", .lan)] {
      print("\(name) profile")
      print("  kill to decided view: \(Figures.killToView(timers, runs: 200).text)")
      print("    a follower: \(Figures.killToView(timers, runs: 100, killsLeader: false).text)")
      print("    the leader: \(Figures.killToView(timers, runs: 100, killsLeader: true).text)")
      let agent = Figures.killToWriters(timers, byReservation: false, runs: 100)
      print("  kill to writers again, an agent that answers at once: \(agent.text)")
      let keys = Figures.killToWriters(timers, byReservation: true, runs: 100)
      print("    persistent reservations: \(keys.text)")
      print("  views during a lasting one-way fault: \(Figures.viewsDuringOneWayFault(timers))")
      print(
        "  needless views in 10 hours at 1 % loss: "
          + "\(Figures.viewsAtOnePercentLoss(timers, runs: 10))")
      let cost = Figures.idleCost(timers) { Double(clock()) / Double(CLOCKS_PER_SEC) }
      print(
        "  idle, 16 nodes: \(Int(cost.messagesPerSecond)) messages/s and "
          + "\((cost.bytesPerSecond / 100).rounded() / 10) kB/s per node, "
          + "\((cost.coreShare * 10_000).rounded() / 100) % of a core")
    }
  }
}
