import ArgumentParser

/// How long locks take, as multiples of the round trip of a raw TCP echo in the same run: only such
/// ratios can be compared between machines.
@main
struct LockBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lock-benchmark",
    abstract: "Measure the lock manager against a raw TCP echo.",
    discussion: """
      All measurements take turns, round by round, so that whatever else the machine does hits them \
      alike. Shown are medians over the rounds. Build with -c release.
      """,
    subcommands: [
      PairCommand.self, PartnerCommand.self, RecoveryCommand.self, MemoryCommand.self,
    ],
    defaultSubcommand: PairCommand.self)
}

extension Measurement: ExpressibleByArgument {}

struct PairCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pair",
    abstract: "Two nodes, in this process on loopback or with a partner elsewhere.")

  @Option(help: "Rounds; every measurement runs once in each.")
  var rounds = 21
  @Option(help: "Operations of one measurement in a round.")
  var operations = 2_000
  @Option(help: "Operations under way at once, where there are many.")
  var inFlight = 64
  @Option(help: "Measure only this; can be repeated.")
  var only: [Measurement] = []
  @Flag(help: "Print the results as JSON.")
  var json = false
  @Option(help: "The address of a 'lock-benchmark partner'.")
  var partner: String?
  @Option(help: "This node's address, for that partner.")
  var address = "127.0.0.1"
  @Option(help: "The port of both nodes; the two behind it are the echoes'.")
  var port = PartnerCommand.standardPort

  func validate() throws {
    guard rounds > 0, operations > 0, (1...LockPair.resourceCount).contains(inFlight) else {
      throw ValidationError(
        "Rounds and operations are 1 or more, in flight 1 to \(LockPair.resourceCount).")
    }
  }

  func run() async throws {
    let setup =
      if let partner {
        try await PairSetup.with(partner: partner, address: address, port: port)
      } else {
        try await PairSetup.inThisProcess()
      }
    let locks = try await LockPair(setup.node, setup.lockspace)
    let results = try await Rounds(
      count: rounds, operations: operations, inFlight: inFlight, only: Set(only)
    ).measure(locks, setup.bytes, setup.messages)

    for echo in [setup.bytes, setup.messages] { try await echo.close() }
    try await locks.end()
    try await setup.end()
    report(results, isPinned: setup.isPinned)
  }

  private func report(_ results: Results, isPinned: Bool) {
    guard !json else {
      let entries = [("pinned", "\(isPinned)")] + results.json
      let lines = entries.map { "  \"\($0.0)\": \($0.1)" }
      return print("{\n" + lines.joined(separator: ",\n") + "\n}")
    }
    print(results.table())
    guard partner == nil else { return }
    print("threads \(isPinned ? "are" : "could not be") bound to one processor each")
  }
}

struct PartnerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "partner",
    abstract: "The other node of a pair, until standard input ends. Start it before the pair.")

  static let standardPort: UInt16 = 30_064

  @Option(help: "This node's address.")
  var address: String
  @Option(help: "The address of the measuring node.")
  var peer: String
  @Option(help: "The port of both nodes; the two behind it are the echoes'.")
  var port = Self.standardPort

  func run() async throws {
    try await PairSetup.serve(address: address, peer: peer, port: port)
  }
}
