import ArgumentParser
import ClusterCredentials
import ClusterSetup
import VolumeReports

struct ClusterInitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Make the cluster's authority, this node's key, and a clvmd.conf.",
    discussion: """
      Run it on one node. Where a clvmd.conf exists, give neither --name nor --node: the cluster \
      that it describes gets keys. The others join with 'clvm cluster token' and 'clvm cluster join'.
      """)

  @OptionGroup var files: ClusterFileOptions

  @Option(name: .long, help: "The new cluster's name, as in its filesystems' superblocks.")
  var name: String?

  @Option(
    name: .long, parsing: .singleValue,
    help: "A node, as [ID:]NAME=ADDRESS[,SECOND-ADDRESS]. Once for each node.")
  var node: [String] = []

  @Option(name: .long, help: "Which of the nodes this machine is, if not the one of its host name.")
  var local: String?

  @Flag(
    name: .long, help: "Let an administrator's word tell that a node is dead; see clvmd.conf(5).")
  var allowExternal = false

  @Option(name: .long, help: "Where this node's keys go.")
  var keys = KeyDirectory.standardPath

  @Option(
    name: .long,
    help:
      "Make all nodes' keys here and leave them in this directory, to be carried by other means.")
  var export: String?

  func run() throws {
    let nodes = try node.map { text in
      guard let node = NamedNode(text) else {
        throw ValidationError("'\(text)' is not of the form [ID:]NAME=ADDRESS[,SECOND-ADDRESS].")
      }
      return node
    }
    guard name != nil || nodes.isEmpty && local == nil && !allowExternal else {
      throw ValidationError("A new cluster needs --name.")
    }
    let new = name.map {
      ClusterInitialization.NewCluster(
        name: $0, nodes: nodes, localNode: local, allowsExternal: allowExternal)
    }
    let result = try CommandFailure.unlessFailed {
      try ClusterInitialization(
        configurationPath: files.config, keyDirectory: KeyDirectory(path: keys)
      ).run(new, exportDirectory: export)
    }
    guard !files.json else { return Output.json(result.json) }
    Output.lines([
      "  Cluster '\(result.clusterName)' has the id \(result.cluster).",
      "  Its authority's key is in \(keys), and so is the key of this node (\(result.node)).",
      result.madeConfiguration
        ? "  The configuration is in \(files.config)."
        : "  The id was added to \(files.config). All nodes need it: copy it, or let them join.",
    ])
    if let export {
      Output.line(
        "  Bring each directory below \(export) to \(KeyDirectory.standardPath) of its node, the "
          + "clvmd.conf in it to /etc/lvm, and remove \(export).")
    } else if !result.others.isEmpty {
      let others = result.others.map(\.description).joined(separator: ", ")
      Output.line("  For each of the nodes \(others), run here: clvm cluster token --node NODE")
    }
    Output.line("  Keep a copy of \(keys)/authority.key where nobody but you can read it.")
  }
}

extension ClusterInitialization.Result {
  var json: JSONValue {
    .object([
      ("cluster_id", .string("\(cluster)")), ("cluster_name", .string(clusterName)),
      ("node", node.json), ("authority", .string("\(authority)")),
      ("other_nodes", .array(others.map(\.json))),
      ("made_configuration", .bool(madeConfiguration)),
    ])
  }
}
