import ArgumentParser
import CLinux
import ClusterDaemon
import ClusterTypes
import Glibc
import LockProtocol
import Logging
import NIOPosix

/// How long locks take in a cluster of two daemons on this machine, as multiples of the round trip
/// of a raw TCP echo in the same run: only such ratios can be compared between machines.
@main
struct LockBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lock-benchmark",
    abstract: "Measure the lock manager against a raw TCP echo on loopback.",
    discussion: """
      All measurements take turns, round by round, so that whatever else the machine does hits them \
      alike. Shown are medians over the rounds. Build with -c release.
      """)

  @Option(help: "Rounds; every measurement runs once in each.")
  var rounds = 21
  @Option(help: "Operations of one measurement in a round.")
  var operations = 2_000
  @Option(help: "Operations under way at once, in the second table row of each kind.")
  var inFlight = 64
  @Flag(help: "Print the results as JSON.")
  var json = false

  func validate() throws {
    guard rounds > 0, operations > 0, inFlight > 0 else {
      throw ValidationError("Rounds, operations and operations in flight are 1 or more.")
    }
  }

  func run() async throws {
    var template = Array("/tmp/lock-benchmark-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw CleanExit.message("No directory in /tmp.") }
    let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    let logger = Logger(label: "lock-benchmark") { _ in SwiftLogNoOpLogHandler() }
    let cluster = try LoopbackCluster(
      nodeCount: 2, folder: folder, heartbeatInterval: .milliseconds(500),
      silenceTimeout: .seconds(10), logger: logger)
    var nodes: [LoopbackNode] = []
    for node in cluster.nodes { nodes.append(try await cluster.start(node)) }
    let echo = try await Echo.start(client: nodes[0].eventLoop, server: nodes[1].eventLoop)
    let isPinned = try await pin(nodes)
    let locks = try await LockWorkload(nodes: nodes)
    let results = try await measure(locks, echo)
    try await echo.stop()
    await locks.end()
    for node in nodes.reversed() { try await node.stop() }
    cluster.removeFolder()
    print(json ? results.json(isPinned: isPinned) : results.table(isPinned: isPinned))
  }

  private func measure(_ locks: LockWorkload, _ echo: Echo) async throws -> Results {
    var results = Results(inFlight: inFlight)
    for round in 0...rounds {
      for measurement in Measurement.allCases {
        let depth = measurement.isConcurrent ? inFlight : 1
        let duration =
          switch measurement.kind {
          case .echo: try await echo.exchange(operations, inFlight: depth)
          case .localLock: try await locks.cycle(.local, operations, inFlight: depth)
          case .remoteLock: try await locks.cycle(.remote, operations, inFlight: depth)
          }
        // The first round warms up.
        if round > 0 { results.add(duration / operations, to: measurement) }
      }
    }
    return results
  }

  /// Each daemon's thread on a processor of its own, if there are as many.
  private func pin(_ nodes: [LoopbackNode]) async throws -> Bool {
    var isPinned = true
    for (index, node) in nodes.enumerated() {
      let result = try await node.eventLoop.submit { clinux_bind_thread(Int32(index)) == 0 }.get()
      isPinned = isPinned && result
    }
    return isPinned
  }
}
