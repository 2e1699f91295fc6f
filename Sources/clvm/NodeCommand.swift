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
      """)

  @OptionGroup var daemon: DaemonOptions

  @Flag(name: [.short, .long], help: "Do not ask.")
  var yes = false

  @Argument(help: "The node's number.")
  var node: Int32

  func run() throws {
    guard let id = NodeID(node) else { throw ValidationError("\(node) is not a node id.") }
    if !yes { try confirm(id) }
    let reply = try daemon.perform(.nodeFenced(id))
    guard case .done = reply else { throw daemon.unexpected(reply) }
    if daemon.json {
      Output.json(.object([("node", id.json), ("fenced", .bool(true))]))
    } else {
      Output.line("  Node \(id) counts as fenced.")
    }
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
