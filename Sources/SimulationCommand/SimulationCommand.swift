import ArgumentParser
import ClusterSimulation
import LockSimulation

/// Runs the simulator: many seeds, or one of them again.
@main
struct SimulationCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clvm-sim",
    abstract: "Run lock managers in a simulated cluster, where everything goes wrong by a seed.",
    discussion: """
      Exits 1 at the first seed that violates an invariant, and names it; the same seed then fails \
      again with --seed, with --transcript it tells what happened, and with --shrink it leaves \
      everything out that is not needed to fail. Build with -c release.
      """)

  @Option(help: "Run this seed only.")
  var seed: UInt64?
  @Option(help: "How many seeds to run.")
  var seeds = 100
  @Option(help: "The first of them.")
  var from: UInt64 = 1
  @Option(help: "Stop each run after that many steps, without the checks of its end.")
  var steps: Int?
  @Flag(help: "Print what happened, with the time in virtual milliseconds.")
  var transcript = false
  @Option(help: "How many of the last lines to print.")
  var lines = 100_000
  @Flag(help: "Leave out actions that a failing seed does not need.")
  var shrink = false
  @Option(help: "Run with this deliberate fault in every lock manager.")
  var mutation: String?
  @Flag(
    help: "Run every deliberate fault until it is caught, print the table; exit 1 if one is not.")
  var mutations = false
  @Option(help: "With --mutations: seeds for each.")
  var limit = 200

  func validate() throws {
    guard seeds > 0, limit > 0, lines > 0, steps ?? 1 > 0 else {
      throw ValidationError("Seeds, steps, lines and the limit are 1 or more.")
    }
    if let mutation, LockMutation(rawValue: mutation) == nil {
      let names = LockMutation.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("No mutation \(mutation); there are \(names).")
    }
    if transcript || shrink, seed == nil {
      throw ValidationError("A transcript and shrinking need --seed.")
    }
  }

  private var chosenMutation: LockMutation? { mutation.flatMap(LockMutation.init) }

  func run() throws {
    if mutations { return try runMutations() }
    if let seed { return try replay(LockScenario(seed: seed)) }
    var stepCount = 0
    let begin = ContinuousClock.now
    for start in stride(from: 0, to: seeds, by: Self.batchSize) {
      let batch = (start..<min(start + Self.batchSize, seeds)).map { from &+ UInt64($0) }
      let (steps, mutation) = (steps ?? .max, chosenMutation)
      let results = batch.concurrentMap { seed in
        var simulation = LockSimulation(LockScenario(seed: seed), mutation: mutation)
        simulation.run(steps: steps)
        return (seed: seed, stepCount: simulation.stepCount, violation: simulation.violation)
      }
      for result in results {
        stepCount += result.stepCount
        guard let violation = result.violation else { continue }
        print("\(violation)\nclvm-sim --seed \(result.seed) --transcript --shrink tells more")
        throw ExitCode(1)
      }
    }
    let seconds = (ContinuousClock.now - begin).components.seconds
    print("\(seeds) seeds from \(from), \(stepCount) steps, \(seconds) s: nothing wrong")
  }

  /// Seeds after which it is looked whether one has failed.
  private static let batchSize = 100

  private func replay(_ scenario: LockScenario) throws {
    print("seed \(scenario.seed): \(scenario)")
    var actions: [PlannedAction]?
    if shrink, var shrinker = Shrinker(scenario, mutation: chosenMutation) {
      let before = shrinker.actions.count
      shrinker.shrink()
      actions = shrinker.actions
      print(
        "\(shrinker.actions.count) of \(before) actions are left after \(shrinker.runCount) runs:")
      for action in shrinker.actions { print("  \(action)") }
    }
    var simulation = LockSimulation(
      scenario, actions: actions, mutation: chosenMutation,
      transcriptLines: transcript ? lines : 0)
    simulation.run(steps: steps ?? .max)
    for line in simulation.transcript.lines.suffix(lines) { print(line) }
    guard let violation = simulation.violation else {
      return print("\(simulation.stepCount) steps, \(simulation.now): nothing wrong")
    }
    print(violation)
    throw ExitCode(1)
  }

  private func runMutations() throws {
    let table = MutationTable(
      chosenMutation.map { [$0] } ?? LockMutation.allCases, from: from, limit: limit)
    print(table)
    if !table.areAllCaught { throw ExitCode(1) }
  }
}
