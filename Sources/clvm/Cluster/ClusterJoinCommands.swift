import ArgumentParser
import ClusterCredentials
import ClusterSetup
import NIOPosix
import VolumeReports

struct ClusterTokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token",
    abstract: "Make a token with which a node joins, and wait until it is used.",
    discussion: """
      Run it on the node that holds the authority's key. The token is good for one node, once, and \
      only while this command waits. A node that has a key already gets another one in the same way.
      """)

  @OptionGroup var files: ClusterFileOptions

  @Option(name: .long, help: "Name or number of the node that is to join.")
  var node: String?

  @Option(name: .long, help: "The TCP port at which this node waits.")
  var port: UInt16 = 21066

  @Option(name: .long, help: "Give up after so many seconds.")
  var timeout: UInt32 = 900

  func run() throws {
    try CommandFailure.unlessFailed {
      let invitation = try JoinInvitation(node: node, port: port, configurationPath: files.config)
      let fingerprint = try invitation.wait(
        lifetime: .seconds(Int64(timeout)), on: MultiThreadedEventLoopGroup.singleton
      ) { token in
        guard !files.json else {
          Output.json(
            .object([
              ("token", .string(token)), ("node", invitation.node.json),
              ("expires_in_seconds", .number(Int64(timeout))),
            ]))
          return Output.flush()
        }
        Output.lines([
          "  Run this on node \(invitation.nodeName) within \(timeout) seconds:", "",
          "    clvm cluster join \(token)", "",
        ])
        Output.flush()
      }
      if files.json {
        Output.json(
          .object([
            ("node", invitation.node.json), ("fingerprint", .string("\(fingerprint)")),
          ]))
      } else {
        Output.line(
          "  Node \(invitation.node) (\(invitation.nodeName)) has its key and configuration. Start "
            + "clvmd there.")
      }
    }
  }
}

struct ClusterJoinCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "join",
    abstract: "Join a cluster with a token that 'clvm cluster token' made on a node of it.",
    discussion: """
      Makes this node's key, which never leaves this machine, and stores the certificate and the \
      clvmd.conf that the cluster gives.
      """)

  @OptionGroup var files: ClusterFileOptions

  @Option(name: .long, help: "Where this node's keys go.")
  var keys = KeyDirectory.standardPath

  @Flag(name: .long, help: "Replace an earlier key of this node, and another clvmd.conf.")
  var replace = false

  @Argument(help: "The token.")
  var token: String

  func run() throws {
    let result = try CommandFailure.unlessFailed {
      try ClusterJoining(
        token: token, configurationPath: files.config, keyDirectory: KeyDirectory(path: keys)
      ).run(replaces: replace, on: MultiThreadedEventLoopGroup.singleton)
    }
    guard !files.json else {
      return Output.json(
        .object([
          ("cluster_name", .string(result.clusterName)), ("node", result.node.json),
          ("fingerprint", .string("\(result.fingerprint)")),
        ]))
    }
    Output.lines([
      "  This machine is node \(result.node) of cluster '\(result.clusterName)'.",
      "  Its key is in \(keys), its configuration in \(files.config). Start clvmd.",
    ])
  }
}
