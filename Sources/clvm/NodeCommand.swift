import AdminProtocol
import ArgumentParser
import ClusterTypes
import Glibc
import VolumeReports

struct NodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node", abstract: "Tell the cluster something about a node.",
    subcommands: [NodeFencedCommand.self])
}

struct NodeFencedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fenced",
    abstract: "Vouch that a node is off or cut off from the disks.",
    discussion: """
      The cluster then recovers what the node held. If the node still runs, both sides write to \
      the same blocks, and data is lost. Look at the machine first.

      With --by another cluster manager tells that it has fenced the node. The command then waits \
      until this cluster misses the life of the node that was meant when it was started, and vouches \
      for that life only.
      """)

  @OptionGroup var daemon: DaemonOptions

  @Flag(name: [.short, .long], help: "Do not ask.")
  var yes = false

  @Option(help: "Name of the authority that has fenced the node, such as pacemaker.")
  var by: String?

  @Option(help: "Seconds to wait, with --by, for the cluster to miss the node.")
  var wait = 60

  @Argument(help: "The node's number or name.")
  var node: String

  func run() throws {
    let id = try find()
    if by != nil {
      try waitAndVouch(id)
    } else {
      if !yes { try confirm(id) }
      try vouch(id)
    }
    if daemon.json {
      Output.json(.object([("node", id.json), ("fenced", .bool(true))]))
    } else {
      Output.line("  Node \(id) counts as fenced.")
    }
  }

  private func find() throws -> NodeID {
    if let id = NodeID(node) { return id }
    guard let found = try nodes().first(where: { $0.name == node }) else {
      throw ValidationError("'\(node)' is neither a node id nor the name of a node.")
    }
    return found.node
  }

  private func nodes() throws -> [NodeStatus] {
    let reply = try daemon.perform(.nodes)
    guard case .nodes(let nodes) = reply else { throw daemon.unexpected(reply) }
    return nodes
  }

  private func vouch(_ id: NodeID) throws {
    let reply = try daemon.perform(.nodeFenced(id, by: by))
    guard case .done = reply else { throw daemon.unexpected(reply) }
  }

  /// What was fenced is the life that the cluster knows now: a later one must not be meant.
  private func waitAndVouch(_ id: NodeID) throws {
    let meant = try nodes().first { $0.node == id }?.incarnation
    for _ in 0..<(max(wait, 0) * 4) {
      guard let status = try nodes().first(where: { $0.node == id }) else {
        throw CommandFailure("Node \(id) is none of the cluster's.")
      }
      // Nothing waits for it, or it is back in a new life: nothing is left to vouch for.
      guard status.incarnation == meant, status.state == .member || status.state == .unfenced else {
        return
      }
      if status.state == .unfenced { return try vouch(id) }
      usleep(250_000)
    }
    throw CommandFailure(
      "After \(wait) s node \(id) is still a member of the cluster: nothing has been done.")
  }

  private func confirm(_ id: NodeID) throws {
    guard isatty(STDIN_FILENO) == 1 else {
      throw CommandFailure("Not confirmed: without a terminal this command needs --yes.")
    }
    for question in ["Type the node's number to confirm that it is off", "And once more"] {
      write(STDERR_FILENO, "  \(question): ", question.utf8.count + 4)
      guard readLine() == id.description else {
        throw CommandFailure("Not confirmed: nothing has been done.")
      }
    }
  }
}
