import AdminProtocol
import ArgumentParser
import ClusterDaemon
import LVMMetadata
import MetadataSamples

/// How long whole daemons take for commands on shared volume groups, as multiples of each other and of an
/// exchange between the nodes in the same run.
@main
struct VolumeBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "volume-benchmark",
    abstract: "Measure activation and extension of shared volumes on three nodes.",
    discussion: """
      The nodes are daemons in this process: their real transport on loopback, real metadata in an image \
      file, the lock manager, the record; only the mapped devices are in memory. Build with -c release.
      """)

  @Option(help: "Logical volumes of the group.")
  var volumes = 1_000
  @Option(help: "How often an extension is measured.")
  var rounds = 31
  @Option(help: "Who decides on the members: embedded or external.")
  var provider = "embedded"

  func validate() throws {
    guard (1...1_400).contains(volumes), rounds > 0 else {
      throw ValidationError("1 to 1,400 volumes, whose metadata fits, and 1 round or more.")
    }
    guard ["embedded", "external"].contains(provider) else {
      throw ValidationError("The provider is embedded or external.")
    }
  }

  func run() async throws {
    var generator = GroupGenerator(seed: 7)
    var group = generator.linearGroup(volumeCount: volumes)
    group.lockType = "dlm"
    group.physicalVolumes[0].status.insert(.allocatable)
    let provider: DaemonConfiguration.MembershipProvider =
      provider == "embedded" ? .embedded : .external
    let cluster = try await BenchmarkCluster(group, nodeCount: 3, provider: provider)
    do {
      try await measure(cluster)
      try await cluster.end()
    } catch {
      try await cluster.end()
      throw error
    }
  }

  private func measure(_ cluster: BenchmarkCluster) async throws {
    let names = cluster.group.logicalVolumes.map(\.name)
    print("provider \(provider), 3 nodes in one process, \(names.count) linear volumes\n")
    let first = names[0]
    try cluster.start(on: 0)
    try cluster.activate(.activateShared, [first])
    let alone = try extensions(of: first, cluster)
    for node in 1...2 { try cluster.start(on: node) }
    try cluster.activate(.activateShared, [first])
    let exchange = try cluster.exchange(rounds: rounds)
    let together = try extensions(of: first, cluster)
    report(alone, together, exchange)
    try reportActivation(cluster, names)
  }

  // MARK: - Extension

  private struct Extensions {
    /// Of the whole command.
    let median: Duration
    /// The longest time for which each node's devices stood still in any of them.
    let suspended: [Int32: UInt64]
  }

  private func extensions(of name: String, _ cluster: BenchmarkCluster) throws -> Extensions {
    var times: [Duration] = []
    var suspended: [Int32: UInt64] = [:]
    for _ in 0..<rounds {
      let (time, outcome) = try cluster.extend(name)
      times.append(time)
      for suspension in outcome.suspensions {
        suspended[suspension.node.rawValue] = max(
          suspended[suspension.node.rawValue] ?? 0, suspension.milliseconds)
      }
    }
    return Extensions(median: times.median, suspended: suspended)
  }

  private func report(_ alone: Extensions, _ together: Extensions, _ exchange: Duration) {
    let added = together.median - alone.median
    print("lvextend by one extent, median of \(rounds)")
    line("active on one node: planning, commit, device-mapper", alone.median)
    line("active on three nodes", together.median)
    line("one exchange with all nodes", exchange)
    print("  what two more nodes add, in exchanges: \(added.ratio(to: exchange))  (to reach: <= 2)")
    for (node, milliseconds) in together.suspended.sorted(by: { $0.key < $1.key }) {
      print("  node \(node) held I/O for at most \(milliseconds) ms")
    }
    print("")
  }

  // MARK: - Activation

  private func reportActivation(_ cluster: BenchmarkCluster, _ names: [String]) throws {
    try cluster.activate(.deactivate, [])
    let whole = try time { try cluster.activate(.activateShared, []) }
    let wholeAway = try time { try cluster.activate(.deactivate, []) }
    let single = try time {
      for name in names { try cluster.activate(.activateShared, [name]) }
    }
    let singleAway = try time {
      for name in names { try cluster.activate(.deactivate, [name]) }
    }
    print("\(names.count) volumes on all nodes")
    line("vgchange -asy, once for the group", whole)
    line("lvchange -asy, once for each volume", single)
    print("  times faster: \(single.ratio(to: whole))  (to reach: >= 5)")
    line("vgchange -an, once for the group", wholeAway)
    line("lvchange -an, once for each volume", singleAway)
    print("  times faster: \(singleAway.ratio(to: wholeAway))")
  }

  private func time(_ body: () throws -> Void) rethrows -> Duration {
    try ContinuousClock().measure(body)
  }

  private func line(_ title: String, _ time: Duration) {
    let padding = String(repeating: " ", count: max(1, 54 - title.count))
    print("  \(title)\(padding)\(time.milliseconds) ms")
  }
}

extension Duration {
  private var nanoseconds: Double {
    Double(components.seconds) * 1e9 + Double(components.attoseconds) / 1e9
  }

  /// With two decimals.
  var milliseconds: String { Self.text(nanoseconds / 1e6) }
  func ratio(to other: Duration) -> String { Self.text(nanoseconds / other.nanoseconds) }

  private static func text(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let fraction = abs(hundredths) % 100
    let sign = hundredths < 0 ? "-" : ""
    return "\(sign)\(abs(hundredths) / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }
}

extension [Duration] {
  var median: Duration { sorted()[count / 2] }
}
