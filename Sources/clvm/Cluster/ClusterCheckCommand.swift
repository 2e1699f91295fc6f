import AdminProtocol
import ArgumentParser
import ClusterDaemon
import ClusterImport
import ClusterPreflight
import VolumeReports

struct ClusterCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Look whether the nodes, their network, disks and fence devices fit together.",
    discussion: """
      Through clvmd where it runs, on all nodes; else on this node only. Takes some seconds, whoever \
      is dead. The exit status is 0 unless something is wrong; warnings are not.
      """)

  @OptionGroup var daemon: DaemonOptions

  @Option(name: .long, help: "The node's configuration file.")
  var config = ConfigurationFile.standardPath

  func run() throws {
    var problems: [String] = []
    let check = ConfigurationFile.check(path: config)
    problems += check.problems.map(\.description)
    let imported = importedCluster()
    guard let configuration = check.configuration else {
      throw CommandFailure(problems + ["\(config) cannot be used: nothing else was looked at."])
    }
    let (facts, note) = try facts(configuration)
    let findings = Preflight(facts).findings
    if daemon.json {
      Output.json(json(findings, facts, check, imported))
    } else {
      for line in imported?.cluster.lines ?? [] {
        Output.line("  \(line.text(in: imported?.path ?? ""))")
      }
      for problem in problems { Output.line("  \(problem)") }
      if let note { Output.line("  \(note)") }
      Output.lines(findings.flatMap(\.lines))
    }
    let worst = findings.map(\.severity).max() ?? .good
    if worst == .error {
      let count = findings.count { $0.severity == .error }
      throw CommandFailure("\(count) of \(findings.count) findings are errors.")
    }
  }

  /// The facts of all nodes, or of this one with a sentence that says why.
  private func facts(
    _ configuration: DaemonConfiguration
  ) throws -> (facts: ClusterFacts, note: String?) {
    do {
      var client = try AdminClient(socketPath: daemon.socket)
      let reply = try client.perform(.facts)
      switch reply {
      case .facts(let facts): return (facts, nil)
      case .failed(let failure): throw CommandFailure(failure)
      default: throw daemon.unexpected(reply)
      }
    } catch let error as AdminClientError {
      let own = NodeFactsCollector(configuration: configuration).collect()
      let others = own.nodes.map(\.node).filter { $0 != own.node }
      return (
        ClusterFacts(local: own.node, facts: [own], silentNodes: others),
        "Only this node was looked at. \(error)"
      )
    }
  }

  /// What became of another stack's file, where the nodes come from there.
  private func importedCluster() -> (path: String, cluster: ImportedCluster)? {
    guard let path = ConfigurationFile.importedPath(path: config),
      let cluster = try? OtherStackFiles().imported(path)
    else { return nil }
    return (path, cluster)
  }

  private func json(
    _ findings: [Finding], _ facts: ClusterFacts, _ check: ConfigurationCheck,
    _ imported: (path: String, cluster: ImportedCluster)?
  ) -> JSONValue {
    var members: [(String, JSONValue)] = [
      ("findings", .array(findings.map(\.json))),
      ("nodes_checked", .array(facts.facts.map { $0.node.json })),
      ("silent_nodes", .array(facts.silentNodes.map(\.json))),
      ("configuration_problems", .array(check.problems.map { .string($0.description) })),
    ]
    if let imported {
      members.append(("nodes_from", .string(imported.path)))
      members.append(("imported", imported.cluster.json))
    }
    return .object(members)
  }
}

extension Finding {
  /// One line, and another one for what is to be done.
  fileprivate var lines: [String] {
    let mark =
      switch severity {
      case .good: "ok     "
      case .warning: "WARNING"
      case .error: "ERROR  "
      }
    return ["  \(mark)  \(message)"] + (advice.isEmpty ? [] : ["           -> \(advice)"])
  }

  fileprivate var json: JSONValue {
    .object([
      ("severity", .string(severity.rawValue)), ("subject", .string(subject.rawValue)),
      ("nodes", .array(nodes.map(\.json))), ("message", .string(message)),
      ("advice", .string(advice)),
    ])
  }
}
