import ArgumentParser
import CLinux
import DistributedLockManager
import Logging
import NIOCore
import NIOPosix

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
    subcommands: [PairCommand.self, RecoveryCommand.self, MemoryCommand.self],
    defaultSubcommand: PairCommand.self)
}

extension Measurement: ExpressibleByArgument {}

struct PairCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pair", abstract: "Two nodes in this process, on loopback.")

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

  func validate() throws {
    guard rounds > 0, operations > 0, (1...LockPair.resourceCount).contains(inFlight) else {
      throw ValidationError(
        "Rounds and operations are 1 or more, in flight 1 to \(LockPair.resourceCount).")
    }
  }

  func run() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    let loops = [group.next(), group.next()]
    let isPinned = try await Self.pin(loops)
    let cluster = try await LoopbackNodes(loops)
    let partner = try await Partner(cluster.nodes[1], cluster.lockspaces[1])
    let locks = try await LockPair(cluster.nodes[0], cluster.lockspaces[0])
    let echoServer = try await Echo.serve(
      on: SocketAddress(ipAddress: "127.0.0.1", port: 0), eventLoop: loops[1])
    guard let address = echoServer.localAddress else { throw ChannelError.unknownLocalAddress }
    let echo = try await Echo.connect(to: address, eventLoop: loops[0])

    let results = try await Rounds(
      count: rounds, operations: operations, inFlight: inFlight, only: Set(only)
    ).measure(locks, echo)

    try await echo.close()
    try await echoServer.close()
    try await locks.end()
    try await partner.end()
    try await cluster.stop()
    try await group.shutdownGracefully()
    report(results, isPinned: isPinned)
  }

  private func report(_ results: Results, isPinned: Bool) {
    guard !json else {
      let entries = [("pinned", "\(isPinned)")] + results.json
      let lines = entries.map { "  \"\($0.0)\": \($0.1)" }
      return print("{\n" + lines.joined(separator: ",\n") + "\n}")
    }
    print(results.table())
    print("threads \(isPinned ? "are" : "could not be") bound to one processor each")
  }

  /// Each node's thread on a processor of its own, if there are as many.
  private static func pin(_ loops: [any EventLoop]) async throws -> Bool {
    var isPinned = true
    for (index, loop) in loops.enumerated() {
      let result = try await loop.submit { clinux_bind_thread(Int32(index)) == 0 }.get()
      isPinned = isPinned && result
    }
    return isPinned
  }
}
