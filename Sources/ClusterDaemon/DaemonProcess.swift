import BlockDevices
import ClusterMembership
import ClusterTypes
import Corosync
import DeviceMapper
import DistributedLockManager
import Fencing
import Glibc
import KernelLockspaces
import LVMSystemDirectory
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// The process around the daemon: what must be true before it starts, signals, and the order of
/// starting and stopping.
public struct DaemonProcess {
  /// How long commands of an earlier life may take to end before this one starts over them.
  private static let writerWaitSeconds = 30
  private static let quorumPatience = TimeAmount.seconds(10)

  private var configuration: DaemonConfiguration
  private let logger: Logger

  /// Told by `clvmd -d`: 0 for what the configuration says, more for more to be logged.
  public var setLogLevel: @Sendable (UInt8) -> Void = { _ in }
  /// Volumes that the command line says were active exclusively, each by the 64 characters of its
  /// VG's and its own UUID.
  public var exclusiveVolumes: [String] = []
  /// The file from which the configuration was read, which follows the cluster's decisions about its
  /// nodes; nil when it comes from nowhere.
  public var configurationPath: String?

  public init(configuration: DaemonConfiguration, logger: Logger) {
    self.configuration = configuration
    self.logger = logger
  }

  public enum Ending: Sendable {
    case exit(Int32)
    /// The process is to become the daemon anew: nothing was given up.
    case restart
  }

  /// Runs until a signal or the cluster ends it. Returns the exit code; throws what kept it from
  /// starting.
  ///
  /// - Parameter ready: called when the daemon serves and the cluster has quorum with this node; or
  ///   when that has not come for ten seconds, because other nodes have to be started, too.
  public func run(ready: (() throws -> Void)? = nil) throws -> Ending {
    try ensurePrivateDirectory(configuration.stateDirectory)
    let instanceLock = try InstanceLock(path: configuration.stateDirectory + "/clvmd.lock")
    defer { instanceLock.release() }
    try refuseForeignDaemons()
    let notifier = try SystemdNotifier()
    let signals = SignalWait()
    stayInMemory()
    allowManyFiles()
    let (local, membership, keeper, corosync) = try begin()
    var decided = self
    if let nodes = membership?.decided { decided.configuration = configuration.following(nodes) }
    return try decided.serve(
      local, membership, keeper, corosync, notifier: notifier, signals: signals, ready: ready)
  }

  private func serve(
    _ local: Member, _ membership: MembershipSetup?, _ keeper: KeeperClient?,
    _ corosync: CorosyncGroup?, notifier: SystemdNotifier, signals: SignalWait,
    ready: (() throws -> Void)?
  ) throws -> Ending {
    logger.notice(
      """
      clvmd starts: node \(local.node) (\(configuration.cluster.localNode.name)) of cluster \
      \(configuration.cluster.name)
      """)
    let kernelWorker = try prepareKernel(local.instance, keeper)
    let reservations = try reserveDisks(local.instance, isDirty: membership?.isDirty ?? false)
    let posixLockDevice = try kernelWorker.map { _ in try PosixLockDevice() }
    let pools = WorkerPools()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let requests = EndRequests()
    let daemon = try start(
      local, membership, keeper, corosync, reservations, kernelWorker, posixLockDevice, pools,
      group.next(), host: host(requests))
    let watchdog = petWatchdog(notifier, on: daemon.eventLoop)
    notify(notifier, .ready, .status("node \(local.node) of cluster \(configuration.cluster.name)"))
    if let ready {
      try daemon.awaitQuorum(atMost: Self.quorumPatience).wait()
      try ready()
    }
    guard try waitForEnd(signals, daemon, requests) else {
      // Silence on open connections would look like a dead node; closed ones, and a port at which
      // nobody listens, tell the others to be patient.
      try daemon.cutOff().wait()
      keeper?.stop()
      return .restart
    }
    notify(notifier, .stopping)
    watchdog?.cancel()
    try daemon.stop().wait()
    try kernelWorker?.removeConfiguration()
    release(reservations)
    try keeper?.farewell()
    try pools.stopAndWait()
    try group.syncShutdownGracefully()
    logger.notice("clvmd has stopped")
    return .exit(requests.exitCode)
  }

  private func host(_ requests: EndRequests) -> DaemonHost {
    var host = DaemonHost()
    host.requestEnd = { requests.end(with: $0) }
    host.requestRestart = { requests.restart() }
    host.setLogLevel = setLogLevel
    if configuration.devices.filter == nil {
      host.readSelection = { try DeviceSelection(try LVMConfiguration()) }
    }
    host.mappedDevices = {
      var mapper = LibraryDeviceMapper()
      return try mapper.devices().map(\.uuid)
    }
    host.exclusiveVolumes = exclusiveVolumes
    host.configurationPath = configurationPath
    return host
  }

  private func start(
    _ local: Member, _ membership: MembershipSetup?, _ keeper: KeeperClient?,
    _ corosync: CorosyncGroup?,
    _ reservations: ReservationRunner?, _ kernelWorker: KernelWorker?,
    _ posixLockDevice: PosixLockDevice?, _ pools: WorkerPools,
    _ loop: any EventLoop, host: DaemonHost
  ) throws -> RunningDaemon {
    let selection = try CurrentDeviceSelection(logger: logger, read: configuration.deviceSelection)
    var disks = SharedDisks(
      localNode: local.node, hostName: ConfigurationFile.hostName(),
      selection: { selection.current() })
    disks.backups = GroupBackups(logger: logger)
    let failPoints = configuration.failPointFile.map { FailPoints(file: $0) }
    if let failPoints {
      logger.critical(
        "debugging is enabled: this daemon fails where \(failPoints.file) asks it to")
    }
    let workers = VolumeWorkers(disks: disks, failPoints: failPoints)
    return try RunningDaemon.start(on: loop) { [configuration, logger] in
      try Daemon(
        configuration: configuration, local: local, kernelWorker: kernelWorker,
        posixLockDevice: posixLockDevice, membership: membership, keeper: keeper,
        corosync: corosync, reservations: reservations,
        workers: workers,
        pools: pools, loop: loop, logger: logger, host: host)
    }.wait()
  }

  /// As long as the cluster's event loop turns, systemd hears of it.
  private func petWatchdog(_ notifier: SystemdNotifier, on loop: any EventLoop) -> RepeatedTask? {
    guard let interval = notifier.watchdogInterval else { return nil }
    let period = TimeAmount.nanoseconds(interval.timeAmount.nanoseconds / 2)
    return loop.scheduleRepeatedTask(initialDelay: .zero, delay: period) { [logger] _ in
      do {
        try notifier.send(.watchdog)
      } catch {
        logger.warning("\(error)")
      }
    }
  }

  /// False when the process is to become the daemon anew.
  private func waitForEnd(
    _ signals: SignalWait, _ daemon: RunningDaemon, _ requests: EndRequests
  ) throws -> Bool {
    while true {
      if signals.wait() == .restart || requests.takeRestart() {
        guard let obstacle = try daemon.restartObstacle().wait() else { return false }
        logger.error("clvmd does not restart: \(obstacle)")
        continue
      }
      // Whoever asks: what would hang without the daemon keeps it.
      guard let obstacle = try daemon.stopObstacle().wait() else { return true }
      logger.error("clvmd does not stop: \(obstacle)")
    }
  }

  // MARK: - Before the start

  /// The daemon must not wait for a disk whose locks it holds. Pages are locked as they are used,
  /// or the stacks of all threads would be.
  private func stayInMemory() {
    guard mlockall(MCL_CURRENT | MCL_FUTURE | Int32(MCL_ONFAULT)) != 0 else { return }
    logger.warning("memory cannot be locked: \(String(cString: strerror(errno)))")
  }

  /// Every client of a socket is a file; the usual limit of a shell is too few for a busy node.
  private func allowManyFiles() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
      logger.warning("the limit of open files stays: \(String(cString: strerror(errno)))")
    }
  }

  private func refuseForeignDaemons() throws {
    let foreign = ForeignDaemons()
    if configuration.kernelLockManager != nil {
      if let controller = try foreign.dlmControld() { throw DaemonError("\(controller)") }
      // What a keeper has held is compared with the kernel later.
      if configuration.keeper == nil, let leftover = try foreign.existingLockspaces() {
        throw DaemonError("\(leftover)")
      }
    }
    if let settings = configuration.lvmlockd,
      let other = try foreign.lvmlockd(pidFile: settings.pidFile, socket: settings.socket)
    {
      throw DaemonError("\(other)", isAlreadyRunning: true)
    }
  }

  /// Who this life of the node is, and where its membership begins.
  private func begin() throws -> (Member, MembershipSetup?, KeeperClient?, CorosyncGroup?) {
    let isClean = EarlierLife.waitForWriters(seconds: Self.writerWaitSeconds)
    if !isClean {
      let processes = EarlierLife.runningWriters().map(String.init).joined(separator: ", ")
      logger.warning(
        """
        lvm commands are still running (pid \(processes)); if an earlier clvmd served them, the \
        other nodes wait until an administrator says that it is dead
        """)
    }
    let bootID = String(
      decoding: try readFile("/proc/sys/kernel/random/boot_id").filter { $0 > 0x20 }, as: UTF8.self)
    switch configuration.membership.provider {
    case .embedded:
      try ensurePrivateDirectory(configuration.clusterDirectory)
      let keeper = try configuration.keeper.map { settings in
        try KeeperClient(
          settings, timers: configuration.membership.timers,
          leaseResets: configuration.clusterConfiguration.leaseResets, holdsNothingElse: isClean,
          control: KernelLockManager(), logger: logger)
      }
      let setup = try MembershipSetup(
        configuration: configuration, bootID: bootID, startedClean: isClean,
        reservedDevices: try nameReservedDisks(),
        keeper: keeper ?? UnwatchedNode(holdsNothing: isClean, logger: logger),
        seed: .random(in: 1 ... .max))
      return (setup.local, setup, keeper, nil)
    case .corosync:
      let group = try joinCorosync()
      return (try makeLocalMember(bootID: bootID, startedClean: isClean), nil, nil, group)
    case .external:
      return (try makeLocalMember(bootID: bootID, startedClean: isClean), nil, nil, nil)
    }
  }

  private func joinCorosync() throws -> CorosyncGroup {
    let cluster = configuration.cluster
    let group = try CorosyncGroup(
      name: "clvmd:" + cluster.name, local: cluster.localNode.id, nodes: cluster.nodes.map(\.id))
    if group.clusterName != cluster.name {
      logger.warning(
        "corosync calls its cluster '\(group.clusterName)', clvmd.conf '\(cluster.name)'")
    }
    return group
  }

  private func makeLocalMember(bootID: String, startedClean: Bool) throws -> Member {
    var time = timespec()
    guard clock_gettime(CLOCK_REALTIME, &time) == 0 else {
      throw DaemonError("the clock cannot be read")
    }
    // Later lives compare greater as long as the clock is not set back; the rest keeps two lives
    // of one second apart.
    let incarnation =
      UInt64(truncatingIfNeeded: time.tv_sec) << 32 | UInt64(time.tv_nsec) << 2
      | UInt64.random(in: 0...3)
    return Member(
      instance: NodeInstance(configuration.cluster.localNode.id, Incarnation(incarnation)),
      bootID: bootID, startedClean: startedClean)
  }

  private func prepareKernel(
    _ local: NodeInstance, _ keeper: KeeperClient?
  ) throws -> KernelWorker? {
    guard let settings = configuration.kernelLockManager else { return nil }
    var addresses: [NodeID: NodeAddress] = [:]
    for node in configuration.cluster.nodes { addresses[node.id] = node.address }
    let worker = try KernelWorker(
      local: local, addresses: addresses, clusterName: configuration.cluster.name,
      tcpPort: settings.tcpPort, keeper: keeper)
    let stack = OCFS2ClusterStack()
    let selection = try stack.select()
    logger.info("OCFS2: \(selection)")
    if let warning = stack.dlmfsWarning() { logger.warning("\(warning)") }
    return worker
  }

  /// What all nodes call the set of this node's reserved disks; zero without any.
  private func nameReservedDisks() throws -> UInt64 {
    let disks = configuration.fencing.reservedDisks
    guard !disks.isEmpty else { return 0 }
    do throws(ReservationError) {
      return try ReservationRunner.name(of: disks)
    } catch {
      throw DaemonError("persistent reservations: \(error)")
    }
  }

  /// Registers this node on the disks from which it can be fenced, before it may write to them. A life
  /// that goes on with what the kernel runs keeps the keys that it has: one that was evicted meanwhile
  /// must not let itself in again.
  private func reserveDisks(
    _ local: NodeInstance, isDirty: Bool
  ) throws -> ReservationRunner? {
    let disks = configuration.fencing.reservedDisks
    guard !disks.isEmpty else { return nil }
    let drain = Duration.milliseconds(Int64(configuration.membership.timers.drain))
    let runner = ReservationRunner(
      clusterID: configuration.clusterID, local: local,
      aborts: configuration.fencing.abortsReservations,
      drain: drain + drain * Int(2 * configuration.membership.timers.clockError) / 1000)
    if !isDirty {
      do throws(ReservationError) {
        try runner.register(disks)
      } catch {
        throw DaemonError("persistent reservations: \(error)")
      }
    }
    return runner
  }

  private func release(_ reservations: ReservationRunner?) {
    do throws(ReservationError) {
      try reservations?.unregister(configuration.fencing.reservedDisks)
    } catch {
      logger.warning("this node's key stays on a disk: \(error)")
    }
  }

  private func notify(_ notifier: SystemdNotifier, _ messages: SystemdNotifier.Message...) {
    for message in messages {
      do {
        try notifier.send(message)
      } catch {
        logger.warning("\(error)")
      }
    }
  }
}

/// What was asked of the process from other threads.
private final class EndRequests: Sendable {
  private struct State {
    var exitCode: Int32 = 0
    var isRestartWanted = false
  }

  private let state = Mutex(State())

  var exitCode: Int32 { state.withLock(\.exitCode) }

  /// The first reason counts.
  func end(with code: Int32) {
    state.withLock { if $0.exitCode == 0 { $0.exitCode = code } }
    SignalWait.wake()
  }

  func restart() {
    state.withLock { $0.isRestartWanted = true }
    SignalWait.wake()
  }

  func takeRestart() -> Bool {
    state.withLock { state in
      defer { state.isRestartWanted = false }
      return state.isRestartWanted
    }
  }
}
