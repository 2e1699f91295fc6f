import AdminProtocol
import ArgumentParser
import ClusterCredentials
import ClusterDaemon
import ClusterSetup
import ClusterTypes
import VolumeReports

extension DaemonOptions {
  /// Has the cluster decide a change of its configuration, and prints what came of it.
  fileprivate func change(_ request: ConfigurationRequest) throws {
    let reply = try perform(.changeConfiguration(request))
    guard case .printed(let lines) = reply else { throw unexpected(reply) }
    if json {
      Output.json(.object([("messages", .array(lines.map { .string($0) }))]))
    } else {
      Output.lines(lines.map { "  " + $0 })
    }
  }
}

struct ClusterAddNodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add-node",
    abstract: "Add a node to the running cluster.",
    discussion: """
      Run it on any node that has quorum; clvmd.conf of every node follows. Then let the machine join: \
      'clvm cluster token' on the node that holds the authority's key, 'clvm cluster join' on the new \
      one. It gets its vote when it is there. Its fence levels are set in clvmd.conf afterwards, and \
      come into force with 'clvm cluster apply'.
      """)

  @OptionGroup var daemon: DaemonOptions

  @Flag(name: .long, help: "A node that votes and runs neither locks nor volumes.")
  var witness = false

  @Argument(help: "The node, as [ID:]NAME=ADDRESS[,SECOND-ADDRESS].")
  var node: String

  func run() throws {
    guard let named = NamedNode(node) else {
      throw ValidationError("'\(node)' is not of the form [ID:]NAME=ADDRESS[,SECOND-ADDRESS].")
    }
    try daemon.change(
      .add(
        NewNode(
          name: named.name, id: named.id, addresses: named.addresses, isWitness: witness)))
  }
}

struct ClusterRemoveNodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove-node",
    abstract: "Remove a node from the running cluster, and withdraw its keys.",
    discussion: """
      The node must have left (its clvmd is stopped), or its death must be proven. clvmd.conf of every \
      other node follows. Keys are withdrawn where the authority's key is; elsewhere, do that with \
      'clvm cluster withdraw' first.
      """)

  @OptionGroup var options: ClusterChangeOptions

  @Argument(help: "Name or number of the node.")
  var node: String

  func run() throws {
    let daemon = options.daemon
    let reply = try daemon.perform(.nodes)
    guard case .nodes(let nodes) = reply else { throw daemon.unexpected(reply) }
    guard let found = nodes.first(where: { $0.name == node || "\($0.node)" == node }) else {
      throw CommandFailure("There is no node '\(node)' in this cluster.")
    }
    // Read before the node is gone from the file.
    let change = hasAuthority ? try options.keyChange() : nil
    try daemon.change(.remove(found.node))
    guard let change else {
      return Output.error(
        "  This node does not hold the authority's key: the keys of node \(found.name) are not "
          + "withdrawn. They are of no use without a configured address.")
    }
    let result = try CommandFailure.unlessFailed {
      try change.withdraw(.init(id: found.node, name: found.name))
    }
    if !daemon.json { Output.lines(result.lines) }
  }

  private var hasAuthority: Bool {
    guard let cluster = ConfigurationFile.check(path: options.config).configuration?.cluster,
      cluster.id != nil
    else { return false }
    return KeyDirectory(path: cluster.keyDirectory).hasAuthority
  }
}

struct ClusterApplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Make what this node's clvmd.conf says the decision of the running cluster.",
    discussion: """
      Takes over membership/timers, fence levels, names and addresses of nodes, and whether there is a \
      quorum disk; and this node takes its fence devices from the file, the others when fence levels are \
      decided that their own files have, too. Make the file alike on all nodes, restart clvmd where its \
      discussion in clvmd.conf(5) says so, then run this on one of them. 'clvm status' warns while the \
      file differs from what was decided or is used.
      """)

  @OptionGroup var daemon: DaemonOptions

  func run() throws { try daemon.change(.apply) }
}
