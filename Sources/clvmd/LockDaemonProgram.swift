import ArgumentParser
import ClusterDaemon
import Glibc
import Logging

/// The command line of lvmlockd, whose place this daemon takes: see lvmlockd(8).
struct LockDaemonProgram: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lvmlockd",
    abstract: "Serves LVM 2.03's commands on shared volume groups; this is clvmd by another name.",
    discussion: """
      Goes to the background and returns when commands are served. The cluster is described in \
      clvmd.conf(5). Exit status: 0 when it serves, 13 when it is running already, 1 otherwise.
      """)

  enum SystemLogPriority: String, ExpressibleByArgument, CaseIterable {
    case err
    case warning
    case debug

    var level: Logger.Level {
      switch self {
      case .err: .error
      case .warning: .warning
      case .debug: .debug
      }
    }
  }

  @Flag(name: [.customShort("V"), .long], help: "Show the version.")
  var version = false
  @Flag(
    name: [.customShort("T"), .long],
    help: "A cluster of this node alone, which needs no configuration and no network.")
  var test = false
  @Flag(name: .shortAndLong, help: "Stay in the foreground and log to standard error.")
  var foreground = false
  @Flag(name: [.customShort("D"), .long], help: "As --foreground, with everything in the log.")
  var daemonDebug = false
  @Option(
    name: [.customShort("p", allowingJoined: true), .long],
    help: "The pid file, instead of $LVM_LVMLOCKD_PIDFILE and /run/lvmlockd.pid.")
  var pidFile: String?
  @Option(
    name: [.customShort("s", allowingJoined: true), .long],
    help: "The socket, instead of $LVM_LVMLOCKD_SOCKET and /run/lvm/lvmlockd.socket.")
  var socketPath: String?
  @Option(
    name: [.customShort("S", allowingJoined: true), .long],
    help: "From this level on messages go to syslog when in the background.")
  var syslogPriority = SystemLogPriority.warning
  @Option(
    name: [.customShort("g", allowingJoined: true), .long], help: "The lock manager: dlm.")
  var glType = "dlm"
  @Option(
    name: [.customShort("A", allowingJoined: true), .long],
    help: "0 or 1. Locks of active volumes are always taken up again, also with 0.")
  var adopt: Int?
  @Option(help: "Not used: see lv-locks in the state directory.")
  var adoptFile: String?
  @Option(
    name: [.customShort("i", allowingJoined: true), .long], help: "Not used: for sanlock only.")
  var hostId: Int?
  @Option(
    name: [.customShort("F", allowingJoined: true), .long], help: "Not used: for sanlock only.")
  var hostIdFile: String?
  @Option(
    name: [.customShort("o", allowingJoined: true), .long], help: "Not used: for sanlock only.")
  var sanlockTimeout: Int?

  // Ours.
  @Option(help: "The configuration file of the cluster.")
  var config = ConfigurationFile.standardPath
  @Option(
    help: "With --test: the directory for what must outlive the daemon, and for clvm's socket.")
  var stateDirectory: String?

  func run() throws {
    if version {
      print("lvmlockd version: 2.03 protocol 1 (clvmd)")
      return
    }
    try refuseOtherLockManagers()
    let check = configurationCheck
    for problem in check.problems { DaemonRun.complain("lvmlockd: \(problem)") }
    guard let configuration = check.configuration else { throw ExitCode(1) }
    let socket = socketPath ?? Self.environment("LVM_LVMLOCKD_SOCKET")
    let pidFile = pidFile ?? Self.environment("LVM_LVMLOCKD_PIDFILE")
    var run = DaemonRun(
      program: "lvmlockd", isForeground: foreground || daemonDebug, failure: 1,
      systemLogLevel: syslogPriority.level)
    if !test { run.configurationPath = config }
    try run.run(
      configuration.serving(
        lvmlockdSocket: socket.map(DaemonRun.absolute), pidFile: pidFile.map(DaemonRun.absolute)))
  }

  private func refuseOtherLockManagers() throws {
    if glType == "sanlock" {
      DaemonRun.complain(
        "lvmlockd: lock type sanlock is not served; shared volume groups here have lock type dlm")
      throw ExitCode(1)
    }
    guard glType == "dlm" else {
      DaemonRun.complain("lvmlockd: invalid gl-type option '\(glType)'; there is dlm")
      throw ExitCode(1)
    }
  }

  private var configurationCheck: ConfigurationCheck {
    guard test else { return ConfigurationFile.check(path: config) }
    // lvmlockd's test mode makes volume groups of a cluster of this name.
    var single = SingleNodeConfiguration(clusterName: "test")
    single.servesLVMLockd = true
    if let stateDirectory {
      let directory = DaemonRun.absolute(stateDirectory)
      single.stateDirectory = directory
      single.adminSocket = directory + "/admin.socket"
    }
    if daemonDebug { single.logLevel = .debug }
    return single.check
  }

  private static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }
}
