import ArgumentParser
import ClusterDaemon
import ClusterImport
import VolumeReports

struct ClusterImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Print a clvmd.conf with the nodes of another cluster stack.",
    discussion: """
      Reads O2CB's /etc/ocfs2/cluster.conf or corosync's /etc/corosync/corosync.conf, and says on \
      standard error what became of each line. To go on using that file, put its path into \
      cluster/nodes_from of clvmd.conf instead.
      """)

  @Option(name: .long, help: "The file.")
  var from: String

  @Flag(name: .long, help: "Print what became of each line as JSON, and no clvmd.conf.")
  var json = false

  func run() throws {
    let cluster: ImportedCluster
    do {
      cluster = try OtherStackFiles().imported(from)
    } catch {
      throw CommandFailure("\(error.place): \(error.message)")
    }
    let text = cluster.configurationText(from: from)
    guard !json else { return Output.json(cluster.json) }
    for line in cluster.lines { Output.error("  \(line.text(in: from))") }
    Output.bytes(Array(text.utf8))
    let check = DaemonConfiguration.check(
      Array(text.utf8), hostName: ConfigurationFile.hostName())
    for problem in check.problems { Output.error("  \(problem)") }
  }
}

extension ImportedLine {
  /// `FILE:LINE: TEXT: what became of it`.
  func text(in path: String) -> String {
    switch fate {
    case .taken: "\(path):\(number): \(text) -> \(meaning)"
    case .ignored: "\(path):\(number): \(text): not needed: \(meaning)"
    case .attention: "\(path):\(number): \(text): ATTENTION: \(meaning)"
    }
  }
}

extension ImportedCluster {
  var json: JSONValue {
    .object([
      ("format", .string(format.rawValue)), ("cluster_name", .string(name)),
      (
        "nodes",
        .array(
          nodes.map { node in
            .object([
              ("name", .string(node.name)), ("node", .number(Int64(node.id))),
              ("addresses", .array(node.addresses.map { .string($0) })),
            ])
          })
      ),
      (
        "lines",
        .array(
          lines.map { line in
            .object([
              ("line", .number(Int64(line.number))), ("text", .string(line.text)),
              ("fate", .string(line.fate.rawValue)), ("meaning", .string(line.meaning)),
            ])
          })
      ),
    ])
  }
}
