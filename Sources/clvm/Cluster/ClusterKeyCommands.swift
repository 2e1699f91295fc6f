import AdminProtocol
import ArgumentParser
import ClusterCredentials
import ClusterDaemon
import ClusterSetup
import ClusterTypes
import Glibc
import VolumeReports

/// The daemon and the configuration of this node.
struct ClusterChangeOptions: ParsableArguments {
  @OptionGroup var daemon: DaemonOptions

  @Option(name: .long, help: "The node's configuration file.")
  var config = ConfigurationFile.standardPath

  func keyChange() throws -> KeyChange {
    try CommandFailure.unlessFailed {
      try KeyChange(configurationPath: config) {
        sleep(1)
      } ask: {
        try daemon.perform(.keys($0))
      }
    }
  }
}

struct ClusterWithdrawCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "withdraw",
    abstract: "Withdraw the keys of a node: no other node talks to it any more.",
    discussion: """
      Run it on the node that holds the authority's key. Its connections end at once, on all nodes; a \
      node that is not connected now learns of it with its next connection. 'clvm cluster token' and \
      'clvm cluster join --replace' give the node a new key. A member is then removed from the \
      cluster and fenced: that needs --force.
      """)

  @OptionGroup var options: ClusterChangeOptions

  @Flag(name: .long, help: "Also when the node is a member of the cluster.")
  var force = false

  @Option(name: .long, help: "Withdraw only this key, sha256:..., and not all keys of the node.")
  var key: String?

  @Argument(help: "Name or number of the node.")
  var node: String

  func run() throws {
    let fingerprint = try key.map { text in
      guard let fingerprint = KeyFingerprint(text) else {
        throw ValidationError("'\(text)' is no fingerprint of a key: sha256: and 64 digits.")
      }
      return fingerprint
    }
    let change = try options.keyChange()
    guard let found = change.node(node) else {
      throw CommandFailure("There is no node '\(node)' in \(options.config).")
    }
    if !force, fingerprint == nil { try refuseMember(found.id) }
    let result = try CommandFailure.unlessFailed { try change.withdraw(found, only: fingerprint) }
    guard !options.daemon.json else { return Output.json(result.json(found.id)) }
    Output.lines(result.lines)
  }

  private func refuseMember(_ id: NodeID) throws {
    let reply = try options.daemon.perform(.nodes)
    guard case .nodes(let nodes) = reply else { throw options.daemon.unexpected(reply) }
    guard nodes.first(where: { $0.node == id })?.state == .member else { return }
    throw CommandFailure(
      "Node \(id) is a member of the cluster: without its key it would be removed and fenced. Stop "
        + "clvmd there first, or say --force.")
  }
}

extension KeyChange.Withdrawal {
  var lines: [String] {
    withdrawn.map { "  Withdrawn: \($0)" }
      + (unaware.isEmpty
        ? ["  Every other node knows it."]
        : [
          "  Not connected now, and told with the next connection: node "
            + unaware.map(\.description).joined(separator: ", ")
        ])
  }

  func json(_ node: NodeID) -> JSONValue {
    .object([
      ("node", node.json), ("withdrawn", .array(withdrawn.map { .string("\($0)") })),
      ("unaware_nodes", .array(unaware.map(\.json))),
    ])
  }
}

struct ClusterRotateKeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rotate-keys",
    abstract: "Replace the cluster's authority and the keys of all nodes, while the cluster runs.",
    discussion: """
      Run it on the node that holds the authority's key, while all nodes are there. Until the last node \
      has its new key, old and new ones are believed. If it is interrupted, run it again.
      """)

  @OptionGroup var options: ClusterChangeOptions

  func run() throws {
    let change = try options.keyChange()
    let fingerprint = try CommandFailure.unlessFailed {
      try change.rotate { if !options.daemon.json { Output.line("  \($0)") } }
    }
    guard !options.daemon.json else {
      return Output.json(.object([("authority", .string("\(fingerprint)"))]))
    }
    Output.line("  Keep a new copy of the authority's key, authority.key.")
  }
}

struct ClusterKeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract: "Show which keys the nodes have, and how new what they believe is.")

  @OptionGroup var daemon: DaemonOptions

  func run() throws {
    let reply = try daemon.perform(.keys(.states))
    guard case .keyStates(let states, let silentNodes) = reply else {
      throw daemon.unexpected(reply)
    }
    guard !daemon.json else {
      return Output.json(
        .object([
          ("nodes", .array(states.map(\.json))),
          ("silent_nodes", .array(silentNodes.map(\.json))),
        ]))
    }
    var table = TextTable(columns: [
      .init("Node", isRightAligned: true), .init("List", isRightAligned: true), .init("Key"),
      .init("Authority"),
    ])
    table.rows = states.map {
      ["\($0.node)", "\($0.listNumber)", $0.fingerprint, $0.authority]
    }
    Output.lines(table.lines() + silentNodes.map { "  Node \($0) does not answer." })
  }
}

extension NodeKeyState {
  fileprivate var json: JSONValue {
    .object([
      ("node", node.json), ("list", .unsigned(listNumber)), ("key", .string(fingerprint)),
      ("authority", .string(authority)),
    ])
  }
}
