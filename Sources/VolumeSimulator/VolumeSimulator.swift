import ArgumentParser
import VolumeSimulation

/// Runs the enumeration of crash points, or one run of it again.
@main
struct VolumeSimulator: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clvm-volume-sim",
    abstract: "Change volumes on three simulated nodes, interrupted at every effect.",
    discussion: """
      Every operation is run once without faults; then every kind of fault strikes every node before, \
      within and after every effect of it. Exits 1 if something did not hold, and names the runs; \
      --replay runs one of them again, with --transcript it tells what happened, with --shrink it \
      leaves out what is not needed to fail. Build with -c release.
      """)

  @Option(help: "Only this operation.")
  var operation: String?
  @Option(
    help: "Decides how long messages take, and which runs are left out; odd: without a record.")
  var seed: UInt64 = 2
  @Option(help: "Of the runs with one fault, every so-many-th.")
  var stride = 1
  @Option(help: "How many runs with two faults, of each operation.")
  var pairs = 0
  @Option(help: "One run, as a violation names it.")
  var replay: String?
  @Flag(help: "With --replay: print what happened.")
  var transcript = false
  @Flag(help: "With --replay: leave out what is not needed to fail.")
  var shrink = false
  @Option(help: "With --replay: with this deliberate defect.")
  var mutation: String?
  @Flag(help: "Run with every deliberate defect until it is caught; exit 1 if one is not.")
  var mutations = false
  @Option(help: "With --mutations: runs for each.")
  var limit = 3000
  @Flag(help: "Exit 1 if some situation that the campaign is about never came up.")
  var everywhere = false

  func validate() throws {
    guard stride > 0, pairs >= 0, limit > 0 else {
      throw ValidationError("Stride and limit are 1 or more, pairs 0 or more.")
    }
    if let operation, VolumeOperation(rawValue: operation) == nil {
      let names = VolumeOperation.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("No operation \(operation); there are \(names).")
    }
    if let mutation, VolumeMutation(rawValue: mutation) == nil {
      let names = VolumeMutation.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("No defect \(mutation); there are \(names).")
    }
    if let replay, VolumeRun(replay) == nil {
      throw ValidationError("'\(replay)' is not the name of a run.")
    }
    if transcript || shrink || mutation != nil, replay == nil {
      throw ValidationError("--transcript, --shrink and --mutation need --replay.")
    }
  }

  func run() throws {
    if let replay, let run = VolumeRun(replay, mutation: mutation.flatMap(VolumeMutation.init)) {
      return try again(run)
    }
    if mutations { return try runMutations() }
    let begin = ContinuousClock.now
    var campaign = VolumeCampaign()
    for chosen in VolumeOperation.allCases
    where operation == nil || operation == chosen.rawValue {
      campaign.addSingles(of: chosen, seed: seed, stride: stride)
      campaign.addPairs(of: chosen, count: pairs, seed: seed)
    }
    let seconds = (ContinuousClock.now - begin).components.seconds
    for (operation, count) in campaign.effectCounts.sorted(by: { $0.key.rawValue < $1.key.rawValue }
    ) {
      print("\(operation.rawValue): \(count) effects")
    }
    for situation in VolumeSituation.allCases {
      print("\(campaign.situations[situation] ?? 0) runs: \(situation.rawValue)")
    }
    for violation in campaign.violations { print(violation) }
    print("\(campaign.runCount) runs, \(seconds) s: \(campaign.violations.count) violations")
    if !campaign.violations.isEmpty || everywhere && !campaign.unvisited.isEmpty {
      throw ExitCode(1)
    }
  }

  private func again(_ run: VolumeRun) throws {
    var run = run
    if shrink, var shrinker = VolumeShrinker(run) {
      shrinker.shrink()
      run = shrinker.violation.run
      print("\(run) is enough, after \(shrinker.runCount) runs")
    }
    let world = VolumeWorld(run, keepsTranscript: transcript)
    world.run()
    for line in world.transcript { print(line) }
    guard let violation = world.violation else { return print("\(run): nothing wrong") }
    print(violation)
    throw ExitCode(1)
  }

  private func runMutations() throws {
    let table = VolumeMutationTable(VolumeMutation.allCases, limit: limit)
    print(table)
    if !table.areAllCaught { throw ExitCode(1) }
  }
}
