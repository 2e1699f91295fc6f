import ArgumentParser
import ClusterCredentials
import ClusterSetup

/// Setting up and changing the cluster itself.
struct ClusterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cluster", abstract: "Set up the cluster, and change it.",
    subcommands: [
      ClusterInitCommand.self, ClusterTokenCommand.self, ClusterJoinCommand.self,
      ClusterImportCommand.self, ClusterCheckCommand.self, ClusterAddNodeCommand.self,
      ClusterRemoveNodeCommand.self, ClusterApplyCommand.self, ClusterKeysCommand.self,
      ClusterWithdrawCommand.self, ClusterRotateKeysCommand.self,
    ])
}

/// The files of this node.
struct ClusterFileOptions: ParsableArguments {
  @Option(name: .long, help: "The node's configuration file.")
  var config = "/etc/lvm/clvmd.conf"

  @Flag(name: .long, help: "Print JSON.")
  var json = false
}

extension CommandFailure {
  /// What the modules below have to say becomes this command's failure.
  static func unlessFailed<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure("\(error)")
    }
  }
}
