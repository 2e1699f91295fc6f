import ArgumentParser
import ClusterDaemon
import Glibc
import LVMFrontends

/// The daemon's own command line, and that of LVM 2.02's clvmd, whose place it takes.
struct Clvmd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clvmd",
    abstract: "Cluster volume manager daemon: membership, locks, lockspaces and volume changes.",
    discussion: """
      Without options, or with --config, it stays in the foreground; with options of LVM 2.02's \
      clvmd it goes to the background unless -f is given. See clvmd(8) and clvmd.conf(5).

      Available cluster managers: auto singlenode
      """)

  @Option(name: .shortAndLong, help: "The configuration file.")
  var config: String?
  @Flag(help: "Check the configuration, say what is wrong with it, and exit.")
  var checkConfig = false

  @Flag(help: "Make the configured device, which must be empty, the quorum disk, and exit.")
  var makeQuorumDisk = false

  @Flag(name: [.customShort("f"), .long], help: "Stay in the foreground.")
  var foreground = false
  @Flag(name: [.customShort("V"), .long], help: "Show the version.")
  var version = false

  @Option(
    name: .customShort("I", allowingJoined: true),
    help: ArgumentHelp(
      "The cluster manager: auto (clvmd.conf), or singlenode (no configuration, no network).",
      valueName: "manager"))
  var clusterManager: String?
  @Option(
    name: .customShort("d", allowingJoined: true),
    help: ArgumentHelp(
      "Log everything (1 or more), or what is configured (0). Sent to the daemon if one runs.",
      valueName: "level"))
  var debugLevel: UInt8?
  @Flag(name: .customShort("C"), help: "With -d or -S: on all nodes.")
  var onAllNodes = false
  @Flag(name: .customShort("R"), help: "Have all nodes read lvm.conf and their devices anew.")
  var refresh = false
  @Flag(
    name: .customShort("S"), help: "Have the daemon start anew in its process, keeping all locks.")
  var restart = false
  @Option(
    name: .customShort("t", allowingJoined: true),
    help: ArgumentHelp("How long a node may take for its part of a command.", valueName: "seconds"))
  var commandTimeout: Int64?
  @Option(
    name: .customShort("T", allowingJoined: true),
    help: ArgumentHelp(
      "How long to wait for the daemon in the background; exit status 5 when it takes longer.",
      valueName: "seconds"))
  var startTimeout: Int32?
  @Option(
    name: .customShort("E", allowingJoined: true),
    help: ArgumentHelp("A volume that was active exclusively; may be repeated.", valueName: "uuid"))
  var exclusive: [String] = []

  /// Started the way LVM 2.02's clvmd is.
  private var isOldStyle: Bool {
    clusterManager != nil || debugLevel != nil || startTimeout != nil || commandTimeout != nil
      || !exclusive.isEmpty
  }

  func run() throws {
    if version {
      print("Cluster LVM daemon version: clvmd \(DaemonRelease.text), in the place of LVM 2.02's")
      print("Protocol version:           0.2.1")
      return
    }
    if checkConfig { return try printCheck() }
    if makeQuorumDisk { return try makeDisk() }
    if try callRunningDaemon() { return }
    try start()
  }

  private func printCheck() throws {
    let path = config ?? ConfigurationFile.standardPath
    let configuration = try usable(ConfigurationFile.check(path: path), path)
    print("\(path): configuration is usable, node \(configuration.cluster.localNode.id)")
  }

  private func makeDisk() throws {
    let configuration = try configuration()
    do {
      try configuration.makeQuorumDisk()
    } catch {
      DaemonRun.complain("\(error)")
      throw ExitCode(5)
    }
    print(
      "\(configuration.membership.quorumDisk ?? "") is the quorum disk of cluster "
        + configuration.cluster.name)
  }

  // MARK: - Talking to the daemon

  /// False when this process is to become the daemon.
  private func callRunningDaemon() throws -> Bool {
    let running = RunningClvmd(socketPath: socketPath)
    if refresh {
      try running.call(.refresh)
    } else if restart {
      try running.call(.restart(onAllNodes: onAllNodes))
    } else if let debugLevel, onAllNodes || running.isThere {
      try running.call(.setDebugLevel(debugLevel, onAllNodes: onAllNodes))
    } else {
      return false
    }
    return true
  }

  private var socketPath: String {
    let check = ConfigurationFile.check(path: config ?? ConfigurationFile.standardPath)
    return check.configuration?.clusterLocking?.socket
      ?? DaemonConfiguration.ClusterLockingSettings.standard.socket
  }

  // MARK: - Becoming the daemon

  private func start() throws {
    if isOldStyle, geteuid() != 0 {
      DaemonRun.complain("clvmd must be run as root")
      throw ExitCode(4)
    }
    var configuration = try configuration()
    if let commandTimeout {
      configuration = configuration.withCommandTimeout(seconds: commandTimeout)
    }
    var run = DaemonRun(
      program: "clvmd", isForeground: foreground || !isOldStyle || config != nil,
      systemLogLevel: .info)
    if isOldStyle { (run.failure, run.alreadyRunning) = (3, 1) }
    run.startLimit = startTimeout
    run.debugLevel = debugLevel ?? 0
    if clusterManager == nil || clusterManager == "auto" {
      run.configurationPath = config ?? ConfigurationFile.standardPath
    }
    run.exclusiveVolumes = exclusive.map { $0.filter { $0 != "-" } }
    try run.run(configuration)
  }

  private func configuration() throws -> DaemonConfiguration {
    switch clusterManager {
    case nil, "auto":
      let path = config ?? ConfigurationFile.standardPath
      return try usable(ConfigurationFile.check(path: path), path)
    case "singlenode":
      // As the original names itself and its cluster.
      var single = SingleNodeConfiguration(clusterName: "localcluster")
      single.nodeName = "SINGLENODE"
      single.servesClusterLocking = true
      single.servesLVMLockd = true
      return try usable(single.check, "singlenode")
    case let manager?:
      DaemonRun.complain(
        """
        clvmd: there is no cluster manager '\(manager)': membership and locks are clvmd's own, see \
        clvmd.conf(5). Available cluster managers: auto singlenode
        """)
      throw ExitCode(2)
    }
  }

  private func usable(_ check: ConfigurationCheck, _ source: String) throws -> DaemonConfiguration {
    for problem in check.problems { DaemonRun.complain("\(problem)") }
    if let configuration = check.configuration { return configuration }
    DaemonRun.complain("\(source) cannot be used; clvmd does not start.")
    throw ExitCode(isOldStyle ? 1 : 5)
  }
}
