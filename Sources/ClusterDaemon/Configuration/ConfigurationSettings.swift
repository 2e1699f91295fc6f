import ClusterCredentials
import ClusterMembership
import ConfigText
import KeeperProtocol

/// One name that may appear in clvmd.conf, and what stands there when it does not.
struct Setting<Value: SettingValue>: Sendable {
  enum Presence: Sendable {
    case required
    case optional
    case standard(Value)
  }

  /// Sections and name, separated by `/`. `*` stands for the name of a node.
  let path: String
  let presence: Presence
}

/// What a setting can hold.
protocol SettingValue: Sendable {
  /// Nil when `value` has another type.
  init?(setting value: ConfigValue)
  /// How to say in a message what is expected.
  static var form: String { get }
}

extension String: SettingValue {
  init?(setting value: ConfigValue) {
    guard case .string(let text) = value else { return nil }
    self = text
  }
  static let form = "a text in double quotes"
}

extension Int64: SettingValue {
  init?(setting value: ConfigValue) {
    guard case .integer(let number) = value else { return nil }
    self = number
  }
  static let form = "a whole number"
}

extension Bool: SettingValue {
  init?(setting value: ConfigValue) {
    guard case .integer(let number) = value, number == 0 || number == 1 else { return nil }
    self = number == 1
  }
  static let form = "0 or 1"
}

extension [String]: SettingValue {
  init?(setting value: ConfigValue) {
    guard let texts = value.asStrings else { return nil }
    self = texts
  }
  static let form = "a list of texts, as in [ \"a\", \"b\" ]"
}

/// Every setting of clvmd.conf with its default.
enum Settings {
  static let clusterName = Setting<String>(path: "cluster/name", presence: .required)
  static let clusterID = Setting<String>(path: "cluster/id", presence: .optional)
  static let allowPlaintext = Setting<Bool>(
    path: "cluster/allow_plaintext", presence: .standard(false))
  static let keyDirectory = Setting<String>(
    path: "cluster/key_directory", presence: .standard(KeyDirectory.standardPath))
  static let localNodeID = Setting<Int64>(path: "cluster/node_id", presence: .optional)
  static let controlPort = Setting<Int64>(
    path: "cluster/control_port", presence: .standard(21063))
  static let lockPort = Setting<Int64>(path: "cluster/lock_port", presence: .standard(21065))
  static let nodes = "cluster/nodes"
  /// Another stack's file, whose cluster name and nodes count in the place of those here.
  static let nodesFrom = Setting<String>(path: "cluster/nodes_from", presence: .optional)
  static let nodeID = Setting<Int64>(path: "cluster/nodes/*/id", presence: .required)
  static let nodeAddress = Setting<String>(path: "cluster/nodes/*/address", presence: .required)
  static let nodeSecondAddress = Setting<String>(
    path: "cluster/nodes/*/second_address", presence: .optional)

  static let nodeRole = Setting<String>(
    path: "cluster/nodes/*/role", presence: .standard("member"))

  /// Absent it is "embedded", or "external" where that is allowed.
  static let provider = Setting<String>(path: "membership/provider", presence: .optional)
  static let allowExternal = Setting<Bool>(
    path: "membership/allow_external", presence: .standard(false))
  static let profile = Setting<String>(path: "membership/profile", presence: .standard("default"))
  static let quorumDisk = Setting<String>(path: "membership/quorum_disk", presence: .optional)
  static let fenceRace = Setting<Bool>(path: "membership/fence_race", presence: .standard(false))
  /// Of the providers that bring no times of their own; 500 and 3000 when absent.
  static let heartbeatInterval = Setting<Int64>(
    path: "membership/heartbeat_interval_ms", presence: .optional)
  static let silenceTimeout = Setting<Int64>(
    path: "membership/silence_timeout_ms", presence: .optional)
  /// The embedded provider's table of times, in the order of `MembershipTimers.names`.
  static let timers = MembershipTimers.names.map { name in
    Setting<Int64>(
      path: "membership/timers/\(name)\(name == "clock_error" ? "_permille" : "_ms")",
      presence: .optional)
  }

  static let kernelEnabled = Setting<Bool>(
    path: "kernel_lockspaces/enabled", presence: .standard(true))
  static let kernelPort = Setting<Int64>(
    path: "kernel_lockspaces/tcp_port", presence: .standard(21064))
  static let posixLocksEnabled = Setting<Bool>(
    path: "kernel_lockspaces/posix_locks", presence: .standard(true))
  static let posixLockRate = Setting<Int64>(
    path: "kernel_lockspaces/posix_lock_rate", presence: .standard(0))

  static let keeperEnabled = Setting<Bool>(path: "keeper/enabled", presence: .standard(false))
  static let keeperSocket = Setting<String>(
    path: "keeper/socket", presence: .standard(KeeperProtocol.standardSocket))
  static let keeperWatchdog = Setting<String>(path: "keeper/watchdog", presence: .optional)

  static let powerOn = Setting<Bool>(path: "fencing/power_on", presence: .standard(false))
  static let reservationsAbort = Setting<Bool>(
    path: "fencing/reservations_abort", presence: .standard(true))
  static let fenceDevices = "fencing/devices"
  static let fenceAgent = Setting<String>(path: "fencing/devices/*/agent", presence: .optional)
  static let fenceCommand = Setting<[String]>(
    path: "fencing/devices/*/command", presence: .optional)
  static let fenceReservations = Setting<[String]>(
    path: "fencing/devices/*/reservations", presence: .optional)
  static let fenceParameters = Setting<[String]>(
    path: "fencing/devices/*/parameters", presence: .standard([]))
  static let fenceSecrets = Setting<String>(
    path: "fencing/devices/*/secrets", presence: .optional)
  static let fencePorts = Setting<[String]>(
    path: "fencing/devices/*/ports", presence: .standard([]))
  static let fenceOffAction = Setting<String>(
    path: "fencing/devices/*/off_action", presence: .standard("off"))
  static let fenceTimeout = Setting<Int64>(
    path: "fencing/devices/*/timeout_ms", presence: .standard(60_000))
  static let fenceRetries = Setting<Int64>(
    path: "fencing/devices/*/retries", presence: .standard(1))
  static let fenceDelay = Setting<Int64>(
    path: "fencing/devices/*/delay_ms", presence: .standard(0))
  static let fenceMonitor = Setting<String>(
    path: "fencing/devices/*/monitor", presence: .standard("monitor"))
  static let fenceMonitorInterval = Setting<Int64>(
    path: "fencing/devices/*/monitor_interval_s", presence: .standard(600))
  static let fenceNodes = "fencing/nodes"
  static let fenceLevels = Setting<[String]>(
    path: "fencing/nodes/*/levels", presence: .required)

  static let lvmlockdEnabled = Setting<Bool>(path: "lvmlockd/enabled", presence: .standard(true))
  static let lvmlockdSocket = Setting<String>(
    path: "lvmlockd/socket",
    presence: .standard(DaemonConfiguration.LVMLockdSettings.standard.socket))
  static let lvmlockdPidFile = Setting<String>(
    path: "lvmlockd/pid_file",
    presence: .standard(DaemonConfiguration.LVMLockdSettings.standard.pidFile))

  static let clusterLockingEnabled = Setting<Bool>(
    path: "cluster_locking/enabled", presence: .standard(true))
  static let clusterLockingSocket = Setting<String>(
    path: "cluster_locking/socket", presence: .standard("/run/lvm/clvmd.sock"))
  static let clusterLockingPidFile = Setting<String>(
    path: "cluster_locking/pid_file", presence: .standard("/run/clvmd.pid"))
  static let commandTimeout = Setting<Int64>(
    path: "cluster_locking/command_timeout_ms", presence: .standard(10_000))

  static let adminSocket = Setting<String>(
    path: "admin/socket", presence: .standard("/run/clvmd/admin.socket"))
  static let deviceFilter = Setting<[String]>(path: "devices/filter", presence: .optional)
  static let deviceScan = Setting<[String]>(path: "devices/scan", presence: .standard(["/dev"]))
  static let logLevel = Setting<String>(path: "log/level", presence: .standard("info"))
  static let debugging = Setting<Bool>(path: "debugging/enabled", presence: .standard(false))
  static let failPointFile = Setting<String>(
    path: "debugging/failpoint_file", presence: .optional)
  static let stateDirectory = Setting<String>(
    path: "state_directory", presence: .standard("/run/clvmd"))
  static let clusterDirectory = Setting<String>(
    path: "cluster_directory", presence: .standard("/var/lib/clvmd"))

  static let paths = singlePaths + timers.map(\.path)

  private static let singlePaths: [String] = [
    clusterName.path, nodesFrom.path, clusterID.path, allowPlaintext.path, keyDirectory.path,
    localNodeID.path,
    controlPort.path, lockPort.path, nodeID.path,
    nodeAddress.path, nodeSecondAddress.path, nodeRole.path, provider.path, allowExternal.path,
    profile.path, quorumDisk.path, fenceRace.path, clusterDirectory.path, heartbeatInterval.path,
    silenceTimeout.path, kernelEnabled.path, kernelPort.path,
    posixLocksEnabled.path, posixLockRate.path,
    keeperEnabled.path, keeperSocket.path, keeperWatchdog.path, powerOn.path,
    reservationsAbort.path, fenceAgent.path, fenceCommand.path, fenceReservations.path,
    fenceParameters.path, fenceSecrets.path,
    fencePorts.path, fenceOffAction.path, fenceTimeout.path, fenceRetries.path, fenceDelay.path,
    fenceMonitor.path, fenceMonitorInterval.path, fenceLevels.path,
    lvmlockdEnabled.path, lvmlockdSocket.path, lvmlockdPidFile.path,
    clusterLockingEnabled.path, clusterLockingSocket.path, clusterLockingPidFile.path,
    commandTimeout.path, adminSocket.path,
    deviceFilter.path, deviceScan.path, logLevel.path, stateDirectory.path,
    debugging.path, failPointFile.path,
  ]
}
