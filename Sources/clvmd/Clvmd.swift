import ArgumentParser
import ClusterDaemon

/// The daemon's own command line.
struct Clvmd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clvmd",
    abstract: "Cluster volume manager daemon: membership, locks, lockspaces and volume changes.",
    discussion: "Runs in the foreground. See clvmd(8) and clvmd.conf(5).")

  @Option(name: .shortAndLong, help: "The configuration file.")
  var config = ConfigurationFile.standardPath

  @Flag(help: "Check the configuration, say what is wrong with it, and exit.")
  var checkConfig = false

  @Flag(help: "Make the configured device, which must be empty, the quorum disk, and exit.")
  var makeQuorumDisk = false

  func run() throws {
    let check = ConfigurationFile.check(path: config)
    for problem in check.problems { DaemonRun.complain("\(problem)") }
    guard let configuration = check.configuration else {
      DaemonRun.complain("\(config) cannot be used; clvmd does not start.")
      throw ExitCode(5)
    }
    if checkConfig {
      print("\(config): configuration is usable, node \(configuration.cluster.localNode.id)")
      return
    }
    if makeQuorumDisk {
      do {
        try configuration.makeQuorumDisk()
      } catch {
        DaemonRun.complain("\(error)")
        throw ExitCode(5)
      }
      print(
        "\(configuration.membership.quorumDisk ?? "") is the quorum disk of cluster "
          + configuration.cluster.name)
      return
    }
    try DaemonRun(program: "clvmd", isForeground: true, systemLogLevel: .info).run(configuration)
  }
}
