import ClusterTypes
import ConfigText
import KernelLockspaces

extension DaemonConfiguration {
  /// Reads a configuration text and says all that is wrong with it.
  ///
  /// - Parameters:
  ///   - hostName: this machine's, which names the local node unless the text gives `node_id`.
  ///   - otherStacks: gets at the file that `cluster/nodes_from` names.
  public static func check(
    _ text: some Collection<UInt8>, hostName: String,
    otherStacks: OtherStackFiles = OtherStackFiles()
  ) -> ConfigurationCheck {
    var section: ConfigSection
    do {
      section = try ConfigSection(parsing: text, limits: limits)
    } catch {
      let problem = ConfigurationProblem(
        severity: .error, place: "line \(error.line)", message: error.problem)
      return ConfigurationCheck(configuration: nil, problems: [problem])
    }
    let importProblem = otherStacks.takeNodes(into: &section)
    var reader = SettingsReader(section)
    if let importProblem { reader.error(importProblem.place, importProblem.message) }
    let configuration = Self(&reader, hostName: hostName)
    let hasErrors = reader.problems.contains { $0.severity == .error }
    return ConfigurationCheck(
      configuration: hasErrors ? nil : configuration, problems: reader.problems)
  }

  /// Plenty for 32 nodes with comments.
  static let limits = ConfigLimits(byteCount: 1 << 20, depth: 8, itemCount: 10_000)

  /// Nil after an error was noted; every section is read in any case, so that no error hides another.
  private init?(_ reader: inout SettingsReader, hostName: String) {
    let cluster = Self.cluster(&reader, hostName: hostName)
    let membership = Self.membership(&reader)
    let allowsPlaintext = reader.value(of: Settings.allowPlaintext)
    let keeperEnabled = reader.value(of: Settings.keeperEnabled)
    let keeperSocket = reader.socketPath(Settings.keeperSocket)
    let watchdog = reader.path(Settings.keeperWatchdog)
    let fencing = Self.fencing(&reader, nodes: cluster?.nodes)
    let kernelEnabled = reader.value(of: Settings.kernelEnabled)
    let kernelPort = reader.port(Settings.kernelPort)
    let posixLocksEnabled = reader.value(of: Settings.posixLocksEnabled)
    let posixLockRate = reader.number(Settings.posixLockRate, in: 0...1_000_000)
    let lvmlockdEnabled = reader.value(of: Settings.lvmlockdEnabled)
    let lvmlockdSocket = reader.socketPath(Settings.lvmlockdSocket)
    let lvmlockdPidFile = reader.path(Settings.lvmlockdPidFile)
    let clusterLocking = Self.clusterLocking(&reader)
    let adminSocket = reader.socketPath(Settings.adminSocket)
    let devices = Self.devices(&reader)
    let logLevel = reader.choice(Settings.logLevel, of: LogLevel.self)
    let stateDirectory = reader.path(Settings.stateDirectory)
    let clusterDirectory = reader.path(Settings.clusterDirectory)
    failPointFile = Self.failPointFile(&reader)
    guard let cluster, let membership, let allowsPlaintext, let fencing, let keeperEnabled,
      let keeperSocket,
      let kernelEnabled, let kernelPort, let posixLocksEnabled, let posixLockRate,
      let lvmlockdEnabled,
      let lvmlockdSocket, let lvmlockdPidFile, let clusterLocking, let adminSocket, let devices,
      let logLevel, let stateDirectory, let clusterDirectory
    else { return nil }

    self.cluster = cluster
    self.membership = membership
    self.fencing = fencing
    keeper = keeperEnabled ? KeeperSettings(socket: keeperSocket, watchdog: watchdog) : nil
    // A witness runs nothing that could write.
    let runsLocks = !cluster.localNode.isWitness
    self.kernelLockManager =
      kernelEnabled && runsLocks
      ? KernelLockManagerSettings(
        tcpPort: kernelPort,
        posixLocks: .init(isEnabled: posixLocksEnabled, rate: UInt32(clamping: posixLockRate)))
      : nil
    self.lvmlockd =
      lvmlockdEnabled && runsLocks
      ? LVMLockdSettings(socket: lvmlockdSocket, pidFile: lvmlockdPidFile) : nil
    self.clusterLocking = clusterLocking.isEnabled && runsLocks ? clusterLocking.settings : nil
    self.adminSocket = adminSocket
    self.devices = devices
    self.logLevel = logLevel
    self.stateDirectory = stateDirectory
    self.clusterDirectory = clusterDirectory
    checkMembership(&reader)
    checkKeys(allowsPlaintext: allowsPlaintext, &reader)
    checkPorts(&reader)
    checkFiles(&reader)
    checkKeeper(&reader)
  }

  private static func clusterLocking(
    _ reader: inout SettingsReader
  ) -> (isEnabled: Bool, settings: ClusterLockingSettings)? {
    let isEnabled = reader.value(of: Settings.clusterLockingEnabled)
    let socket = reader.socketPath(Settings.clusterLockingSocket)
    let pidFile = reader.path(Settings.clusterLockingPidFile)
    let timeout = reader.number(Settings.commandTimeout, in: 1_000...600_000)
    guard let isEnabled, let socket, let pidFile, let timeout else { return nil }
    return (
      isEnabled,
      ClusterLockingSettings(
        socket: socket, pidFile: pidFile, commandTimeout: .milliseconds(timeout))
    )
  }

  private static func failPointFile(_ reader: inout SettingsReader) -> String? {
    let isDebugged = reader.value(of: Settings.debugging) == true
    guard let file = reader.value(of: Settings.failPointFile) else { return nil }
    if !isDebugged {
      reader.error(
        Settings.failPointFile.path,
        "it makes the daemon fail on purpose and is refused without \(Settings.debugging.path) = 1")
    }
    if !reader.isAbsolute(file) {
      reader.error(Settings.failPointFile.path, "'\(file)' is no absolute path")
    }
    return file
  }

  private static func devices(_ reader: inout SettingsReader) -> Devices? {
    let filter = reader.value(of: Settings.deviceFilter)
    for pattern in filter ?? [] where !isFilterPattern(pattern) {
      reader.error(
        Settings.deviceFilter.path,
        "'\(pattern)' is no pattern: 'a' or 'r', then an expression between two delimiters, as in "
          + "\"r|/dev/sda|\"")
    }
    guard let scan = reader.value(of: Settings.deviceScan) else { return nil }
    if scan.isEmpty { reader.error(Settings.deviceScan.path, "no directory is given") }
    for directory in scan where !reader.isAbsolute(directory) {
      reader.error(Settings.deviceScan.path, "'\(directory)' is no absolute path")
    }
    return Devices(filter: filter, scan: scan)
  }

  /// lvm.conf's form: `a` or `r`, a delimiter (a closing one for an opening one), and the same
  /// delimiter at the end.
  private static func isFilterPattern(_ pattern: String) -> Bool {
    let bytes = Array(pattern.utf8)
    guard bytes.count >= 4, bytes[0] == UInt8(ascii: "a") || bytes[0] == UInt8(ascii: "r") else {
      return false
    }
    let closing: [UInt8: UInt8] = [
      UInt8(ascii: "("): UInt8(ascii: ")"), UInt8(ascii: "["): UInt8(ascii: "]"),
      UInt8(ascii: "{"): UInt8(ascii: "}"),
    ]
    return bytes.last == closing[bytes[1], default: bytes[1]]
  }

  /// The three lock and message ports are bound on the same address of a node.
  private func checkPorts(_ reader: inout SettingsReader) {
    var users: [(path: String, port: UInt16)] = [
      (Settings.controlPort.path, cluster.controlPort), (Settings.lockPort.path, cluster.lockPort),
    ]
    if let kernelLockManager { users.append((Settings.kernelPort.path, kernelLockManager.tcpPort)) }
    for (index, user) in users.enumerated() {
      if let earlier = users[..<index].first(where: { $0.port == user.port }) {
        reader.error(user.path, "port \(user.port) is already that of \(earlier.path)")
      }
    }
  }

  /// Leases and a memory of the node come with the embedded provider only.
  private func checkKeeper(_ reader: inout SettingsReader) {
    guard keeper != nil, membership.provider != .embedded else { return }
    reader.error(
      Settings.keeperEnabled.path,
      "the provider '\(membership.provider)' gives no leases and keeps nothing that a restarted daemon could go "
        + "on with")
  }

  private func checkFiles(_ reader: inout SettingsReader) {
    var users: [(path: String, file: String)] = [(Settings.adminSocket.path, adminSocket)]
    if let lvmlockd {
      users.append((Settings.lvmlockdSocket.path, lvmlockd.socket))
      users.append((Settings.lvmlockdPidFile.path, lvmlockd.pidFile))
    }
    if let clusterLocking {
      users.append((Settings.clusterLockingSocket.path, clusterLocking.socket))
      users.append((Settings.clusterLockingPidFile.path, clusterLocking.pidFile))
    }
    for (index, user) in users.enumerated() {
      if let earlier = users[..<index].first(where: { $0.file == user.file }) {
        reader.error(user.path, "'\(user.file)' is already that of \(earlier.path)")
      }
    }
  }
}
