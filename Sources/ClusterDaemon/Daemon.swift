import ClusterMembership
import ClusterTypes
import Corosync
import DeviceMapper
import Fencing
import KernelLockspaces
import LVMFrontends
import Logging
import NIOCore
import NIOPosix
import VolumeActivation

/// The parts of the daemon that live on the cluster's event loop, wired to each other.
final class Daemon: ClusterObserver {
  private static let stopLimit = TimeAmount.seconds(20)

  private var configuration: DaemonConfiguration
  private let loop: any EventLoop
  private let logger: Logger
  private let network: NodeNetwork
  private let node: ClusterNode
  private let locks: InHouseLockspaces
  private let survey: LockSurvey
  private let questions: NodeQuestions
  private let clusterFacts: ClusterFactsService
  private let keys: KeyService?
  /// Nil where the list of nodes is fixed.
  private let nodes: ConfigurationService?
  private let kernelWorker: KernelWorker?
  private let deadlocks: DeadlockWatch
  private let volumes: VolumeService
  private let lockDaemon: LockDaemonService
  private let clusterLocking: ClusterLockingService?
  private let admin: AdminService
  private let sockets: DaemonSockets
  private let kernel: KernelLockspaceDriver?
  private let ueventReader: UeventReader?
  private let posixLocks: PosixLockService?
  private let keeper: KeeperClient?
  private let fenceDevices: FenceDevices
  private let leftovers: LeftoverRecovery
  /// Asks the process to end; called once the node can do nothing useful any more.
  private let requestEnd: @Sendable (Int32) -> Void
  private let mappedDevices: (@Sendable () throws -> [MappedDeviceUUID])?
  /// Kept until the cluster has quorum with this node.
  private var quorumWaiters: [EventLoopPromise<Void>] = []
  private let host: DaemonHost

  init(
    configuration: DaemonConfiguration, local: Member, kernelWorker: KernelWorker?,
    posixLockDevice: PosixLockDevice? = nil, membership: MembershipSetup?,
    keeper: KeeperClient? = nil, corosync: CorosyncGroup? = nil,
    reservations: ReservationRunner? = nil, workers: VolumeWorkers, pools: WorkerPools,
    loop: any EventLoop, logger: Logger, host: DaemonHost
  ) throws {
    self.configuration = configuration
    self.loop = loop
    self.logger = logger
    self.host = host
    requestEnd = host.requestEnd
    mappedDevices = host.mappedDevices
    let nodeKeys = try configuration.cluster.nodeKeys()
    let network = try NodeNetwork(
      configuration: configuration, local: local, keys: nodeKeys, loop: loop, logger: logger)
    self.network = network
    self.keeper = keeper
    fenceDevices = FenceDevices(
      configuration.fencing, reservations: reservations,
      reservedDevices: membership?.machine.reservedDevices ?? 0,
      sharedDevices: { [disks = workers.disks] in try disks.devicesOfSharedGroups() }, loop: loop,
      logger: logger, now: { .now })
    let engine: any ClusterEngine
    if let membership {
      engine = Self.recordedCluster(membership, fenceDevices, network, loop, logger)
    } else {
      engine = Self.orderedCluster(local, configuration, corosync, network, loop, logger)
    }
    node = ClusterNode(engine: engine, logger: logger)
    locks = InHouseLockspaces(
      node: node, loop: loop, logger: logger, send: { network.sendLock($0, to: $1) })
    volumes = VolumeService(
      node: node, runner: workers, loop: loop, pool: pools.volumes, logger: logger,
      send: { network.sendVolumes($0, to: $1) })
    let survey = LockSurvey(node: node, locks: locks, loop: loop, logger: logger)
    self.survey = survey
    lockDaemon = LockDaemonService(
      node: node, locks: locks, volumes: volumes,
      store: PersistentLockStore(path: configuration.stateDirectory + "/lv-locks"),
      survey: survey,
      sharing: SharingCheck(workers: workers, loop: loop, pool: pools.volumes, logger: logger),
      logger: logger)
    clusterLocking = try configuration.clusterLocking.map { [node, locks] settings in
      try ClusterLockingService(
        machine: .init(configuration.cluster, settings, life: local.instance.incarnation.rawValue),
        node: node, locks: locks, worker: ClusterLockingWorker(workers.disks, host),
        store: ClusteredVolumeStore(path: configuration.stateDirectory + "/clustered-volumes"),
        loop: loop, pool: pools.volumes, logger: logger,
        send: { network.sendClusterLocking($0, to: $1) })
    }
    deadlocks = DeadlockWatch(
      survey: survey, locks: locks, localNode: local.node, loop: loop, logger: logger)
    let status = StatusReport(
      configuration: configuration, node: node, locks: locks, volumes: volumes, survey: survey,
      deadlocks: deadlocks)
    let questions = NodeQuestions(loop: loop, logger: logger)
    self.questions = questions
    keys = nodeKeys.map {
      KeyService(keys: $0, questions: questions, loop: loop, pool: pools.volumes, logger: logger)
    }
    clusterFacts = ClusterFactsService(
      configuration: configuration, questions: questions, loop: loop, pool: pools.volumes,
      logger: logger)
    self.kernelWorker = kernelWorker
    nodes = node.record.map { [node] record in
      ConfigurationService(
        configuration: configuration, node: node, access: record,
        file: ConfigurationWatch(
          path: host.configurationPath, loop: loop, pool: pools.volumes, logger: logger),
        hasDisk: membership?.disk != nil, loop: loop, logger: logger)
    }
    let ground = VolumeCommandGround(
      node: node, locks: locks, volumes: volumes, workers: workers, loop: loop, pool: pools.volumes)
    admin = AdminService(
      node: node, status: status,
      commandLocks: CommandLocks(locks: locks, node: node, loop: loop),
      resizes: ResizeService(ground), commands: GroupCommandService(ground),
      activations: ActivationService(ground),
      clusterFacts: clusterFacts, keys: keys, nodes: nodes,
      workers: workers, loop: loop, pool: pools.volumes, logger: logger)
    leftovers = LeftoverRecovery(
      locks: locks, volumes: volumes, workers: workers, loop: loop, pool: pools.volumes,
      logger: logger)
    sockets = DaemonSockets(
      configuration: configuration, lockDaemon: lockDaemon,
      clusterLocking: clusterLocking?.frontend, admin: admin, loop: loop, logger: logger)
    kernel = kernelWorker.map { [node] worker in
      KernelLockspaceDriver(
        worker: worker, node: node, loop: loop, pool: pools.kernel, logger: logger)
    }
    ueventReader = kernelWorker.flatMap { $0.uevents.map { UeventReader($0) } }
    posixLocks = try posixLockDevice.map { device in
      try PosixLockService(
        device: device, settings: configuration.kernelLockManager?.posixLocks ?? .init(),
        local: local.instance, directory: configuration.stateDirectory + "/posix-locks",
        adopted: Set(kernelWorker?.adopted.keys ?? [:].keys), loop: loop, logger: logger,
        send: { network.sendPosixLocks($0, to: $1) })
    }
    wire(status)
  }

  private static func recordedCluster(
    _ setup: MembershipSetup, _ executor: any FenceExecutor, _ network: NodeNetwork,
    _ loop: any EventLoop, _ logger: Logger
  ) -> RecordedCluster {
    for warning in setup.warnings { logger.warning("\(warning)") }
    let cluster = RecordedCluster(
      setup: setup, executor: executor, loop: loop, logger: logger,
      send: { network.sendMembership($0, to: $1) })
    cluster.isHeard = { network.isHeard($0) }
    cluster.probe = { network.probe($0) }
    return cluster
  }

  private static func orderedCluster(
    _ local: Member, _ configuration: DaemonConfiguration, _ corosync: CorosyncGroup?,
    _ network: NodeNetwork, _ loop: any EventLoop, _ logger: Logger
  ) -> OrderedCluster {
    let timing = configuration.membership
    if let corosync {
      return OrderedCluster(
        local: local,
        provider: CorosyncProvider(
          .init(
            local: local, process: corosync.process, linkGrace: timing.silenceTimeout * 2)),
        corosync: CorosyncReader(corosync), unseen: configuration.cluster.nodes.map(\.id),
        loop: loop, logger: logger, send: { _, _ in })
    }
    return OrderedCluster(
      local: local,
      provider: ExternalProvider(
        .init(
          local: local, nodes: configuration.cluster.nodes.map(\.id),
          settle: timing.heartbeatInterval * 2, linkGrace: timing.silenceTimeout * 2,
          roundTimeout: timing.silenceTimeout * 2)),
      loop: loop, logger: logger, send: { network.sendMembership($0, to: $1) })
  }

  private func wire(_ status: StatusReport) {
    network.membershipInput = { [node] in node.handle($0) }
    network.probed = { [node] in node.probed($0, isListening: $1) }
    network.volumeMessage = { [volumes] in volumes.received($0, from: $1) }
    network.lockSurveyMessage = { [survey] in survey.received($0, from: $1) }
    network.administrationMessage = { [questions] in questions.received($0, from: $1) }
    questions.answer = { [clusterFacts, keys] subject, payload, reply in
      switch subject {
      case .clock: clusterFacts.answerClock(reply)
      case .facts: clusterFacts.answerFacts(reply)
      case .trustList, .keyState, .renewKey, .installCertificate:
        keys?.answer(subject, payload) { reply($0.encoded) }
      }
    }
    if let keys {
      keys.apply = { [network] in network.replaceSecurity($0, listNumber: $1) }
      network.trustListTold = { keys.connected($0, listNumber: $1) }
      keys.otherNodes = { [network] in network.peers }
    }
    questions.send = { [network] in network.sendAdministration($0, to: $1) }
    survey.send = { [network] in network.sendLockSurvey($0, to: $1) }
    network.lockPacket = { [locks] in locks.received($0, from: $1) }
    network.endedLockPackets = { [locks] in locks.endedBatch() }
    locks.memberCame = { [network] in network.memberAdded($0, lockspaceCount: $1) }
    locks.memberWent = { [network] in network.memberRemoved($0, lockspaceCount: $1) }
    // Nobody gets the lock of a volume group before what its dead holder left is settled here.
    locks.beforeStart = { [leftovers, clusterLocking] name, start in
      leftovers.settle(name) {
        guard let clusterLocking else { return start() }
        clusterLocking.settle(name, then: start)
      }
    }
    locks.isReclaiming = { [lockDaemon, clusterLocking] name in
      lockDaemon.isReclaiming(name) || clusterLocking?.isReclaiming(name) == true
    }
    leftovers.isChangedHere = { [lockDaemon] in lockDaemon.isChanging($0) }
    leftovers.provisionalLocks = { [lockDaemon] in
      lockDaemon.provisionalLocks(ofVolumeGroup: $0)
    }
    leftovers.confirmLocks = { [lockDaemon] in lockDaemon.confirmVolumeLocks($0) }
    leftovers.giveBackLocks = { [lockDaemon] requests, completion in
      lockDaemon.changeVolumeLocks(requests, completion: completion)
    }
    volumes.activationLocks.change = { [lockDaemon] requests, isProvisional, completion in
      lockDaemon.changeVolumeLocks(
        requests, isProvisional: isProvisional, completion: completion)
    }
    volumes.activationLocks.confirm = { [lockDaemon] in lockDaemon.confirmVolumeLocks($0) }
    lockDaemon.reclaimed = { [locks] in locks.reclaimed($0) }
    if let clusterLocking {
      network.clusterLockingMessage = { clusterLocking.received($0, from: $1) }
      locks.agreed = { clusterLocking.clusterChanged() }
      clusterLocking.reclaimed = { [locks] in locks.reclaimed($0) }
      clusterLocking.restart = host.requestRestart
    }
    if let nodes {
      nodes.isHeard = { [network] in network.isHeard($0) }
      nodes.nodesChanged = { [unowned self, status] cluster in
        configuration.cluster = cluster
        status.cluster = cluster
        network.nodesChanged(cluster)
        clusterFacts.nodesChanged(cluster)
        kernelWorker?.replaceAddresses(
          Dictionary(cluster.nodes.map { ($0.id, $0.address) }, uniquingKeysWith: { one, _ in one })
        )
      }
      nodes.fencingChanged = { [fenceDevices, clusterFacts] fencing in
        fenceDevices.change(to: fencing)
        clusterFacts.fencingChanged(fencing)
      }
      status.configurationWarnings = { nodes.warnings }
    }
    admin.isHeard = { [network] in network.isHeard($0) }
    status.isHeard = { [network] in network.isHeard($0) }
    status.fenceDevices = { [fenceDevices] in fenceDevices.reports }
    lockDaemon.started = { [leftovers] in leftovers.started($0) }
    lockDaemon.settle = { [leftovers] in
      leftovers.settle(volumeGroup: $0, leftByProcess: $1, completion: $2)
    }
    lockDaemon.quit = { [requestEnd] in requestEnd(0) }
    if let posixLocks {
      kernel?.posixLocks = posixLocks
      network.posixLockMessage = { posixLocks.received($0, from: $1) }
      network.connected = { posixLocks.connected($0) }
      admin.posixLocks = posixLocks
    }
    node.setDriver(locks, for: .inHouse)
    if let kernel { node.setDriver(kernel, for: .kernel) }
    // The order matters: connections are ready before anybody uses them, volume changes know of a
    // death before lockspaces start without the dead.
    node.addObserver(network)
    node.addObserver(volumes)
    if let kernel { node.addObserver(kernel) }
    node.addObserver(lockDaemon)
    if let clusterLocking { node.addObserver(clusterLocking) }
    node.addObserver(admin)
    node.addObserver(self)
  }

  /// The locks of this node for Swift code.
  var clusterLocks: ClusterLocks { ClusterLocks(locks: locks, node: node, loop: loop) }

  // MARK: - Start and stop

  func start() -> EventLoopFuture<Void> {
    deadlocks.start()
    if let ueventReader, let kernel {
      let driver = NIOLoopBound(kernel, eventLoop: loop)
      ueventReader.start(on: loop) { [logger] result in
        switch result {
        case .success(let reading): driver.value.received(reading)
        case .failure(let error):
          logger.critical("the kernel's events cannot be heard any more: \(error)")
        }
      }
    }
    let bound = NIOLoopBound(self, eventLoop: loop)
    posixLocks?.start()
    listenToKeeper()
    fenceDevices.start()
    nodes?.start()
    let exclusive = host.exclusiveVolumes
    // The locks of what is active are claimed before another node is heard.
    return (clusterLocking?.start(exclusive: exclusive) ?? loop.makeSucceededVoidFuture())
      .flatMap { bound.value.network.start() }
      .flatMapThrowing {
        bound.value.node.start()
        try bound.value.adoptLocks()
        // A node that is alone hears of nobody: nothing else would set its clock going.
        bound.value.node.handle(.timer)
      }
      .flatMap { bound.value.sockets.start() }
  }

  private func adoptLocks() throws {
    do {
      try lockDaemon.adopt(devices: try mappedDevices?())
    } catch let error as DeviceMapperError {
      logger.warning("cannot look which logical volumes are active: \(error)")
      try lockDaemon.adopt(devices: nil)
    }
  }

  private func listenToKeeper() {
    let bound = NIOLoopBound(self, eventLoop: loop)
    keeper?.listen { [loop] reading in
      loop.execute { bound.value.kernel?.received(reading) }
    } lost: { [loop] error in
      loop.execute { bound.value.keeperIsLost(error) }
    }
  }

  /// Nobody pets the watchdog by lease any more, and nothing would survive this daemon.
  private func keeperIsLost(_ error: any Error) {
    logger.critical("\(error)")
    guard stopObstacle != nil else { return requestEnd(1) }
    logger.critical("something on this node may write and nobody watches it: resetting the machine")
    MachineReset.now(logger)
  }

  /// Ends when the cluster has quorum with this node in it, or after `limit`.
  func awaitQuorum(atMost limit: TimeAmount) -> EventLoopFuture<Void> {
    guard !node.isOperational else { return loop.makeSucceededVoidFuture() }
    let promise = loop.makePromise(of: Void.self)
    quorumWaiters.append(promise)
    let timeout = loop.scheduleTask(in: limit) { promise.succeed() }
    return promise.futureResult.always { _ in timeout.cancel() }
  }

  private func noticeQuorum() {
    guard node.isOperational else { return }
    for waiter in quorumWaiters { waiter.succeed() }
    quorumWaiters = []
  }

  /// Why a new life must not begin in this process now; nil when it may.
  var restartObstacle: String? {
    // What a keeper holds does not miss this life.
    keeper == nil ? kernelObstacle : nil
  }

  private var kernelObstacle: String? {
    let mounted = kernel?.activeLockspaces ?? []
    guard mounted.isEmpty else {
      let names = mounted.map(\.text).joined(separator: ", ")
      return "lockspaces of the kernel are in use (\(names)): unmount their filesystems first"
    }
    return nil
  }

  /// Why the daemon must not stop now; nil when it may.
  var stopObstacle: String? {
    if let kernelObstacle { return kernelObstacle }
    if let change = volumes.waits.first { return "a volume is being changed: \(change)" }
    let active = lockDaemon.persistentLockCount
    guard active == 0 else {
      return "\(active) logical volumes of shared volume groups are active on this node: "
        + "deactivate them first"
    }
    // Alone, nobody can change what is active here before the next start takes it up again.
    let clustered = clusterLocking?.activeVolumeCount ?? 0
    guard clustered == 0 || configuration.cluster.nodes.count == 1 else {
      return "\(clustered) logical volumes of clustered volume groups are active on this node: "
        + "deactivate them first"
    }
    return nil
  }

  /// Closes the sockets, leaves every lockspace, and parts from the other nodes.
  func stop() -> EventLoopFuture<Void> {
    let bound = NIOLoopBound(self, eventLoop: loop)
    kernel?.refuseJoins()
    deadlocks.stop()
    clusterLocking?.prepareStop()
    return sockets.stop().flatMap { bound.value.leaveLockspaces() }.flatMap {
      bound.value.leaveCluster()
    }.flatMap {
      bound.value.network.stop()
    }.always { _ in
      bound.value.node.stop()
      bound.value.nodes?.stop()
      bound.value.ueventReader?.stop()
      bound.value.posixLocks?.stop()
      bound.value.fenceDevices.stop()
    }
  }

  private func leaveLockspaces() -> EventLoopFuture<Void> {
    // Its clients are gone, and so is whoever could be told what becomes of their locks.
    lockDaemon.handle = { _ in }
    let names = locks.joined
    guard !names.isEmpty, node.isOperational else { return loop.makeSucceededVoidFuture() }
    let promise = loop.makePromise(of: Void.self)
    var remaining = names.count
    for name in names {
      locks.abandon(name) {
        remaining -= 1
        if remaining == 0 { promise.succeed() }
      }
    }
    // Other nodes may be unable to stop with us; then our death is what they will see.
    loop.scheduleTask(in: Self.stopLimit) { promise.succeed() }
    return promise.futureResult
  }

  /// Others that cannot decide it see a death, of a node that holds nothing.
  private func leaveCluster() -> EventLoopFuture<Void> {
    let promise = loop.makePromise(of: Void.self)
    node.leave().cascade(to: promise)
    loop.scheduleTask(in: Self.stopLimit) { promise.succeed() }
    return promise.futureResult
  }

  /// Closes every connection and listener without leaving anything first; files stay, as after a kill.
  func cutOff() -> EventLoopFuture<Void> {
    deadlocks.stop()
    posixLocks?.stop()
    fenceDevices.stop()
    nodes?.stop()
    node.stop()
    clusterLocking?.prepareStop()
    return sockets.stop(leavingFiles: true).and(network.stop()).map { _ in }
  }

  /// Looks at once, without patience.
  func lookForDeadlocks() { deadlocks.look(patience: .zero) }

  // MARK: - The cluster

  /// What this life knows of the one before it on this boot: its process is gone, no lvm command
  /// runs that could hold one of its locks, and the locks of active volumes are claimed again. The
  /// claims are under way before these words, and nothing starts before them.
  func viewInstalled(_ view: View) {
    noticeQuorum()
    guard node.local.startedClean else { return }
    for dead in node.groups.unprovenNodes
    where dead.instance.node == node.local.node && dead.instance < node.local.instance
      && (dead.bootID == node.local.bootID || dead.isUnknownLife)
    {
      let evidence =
        dead.isUnknownLife
        ? "its daemon found nothing of an earlier life"
        : "its daemon was started again on the same boot"
      node.vouchDead(dead.instance, .clean, evidence: evidence)
    }
  }

  func nodeRemoved(_ instance: NodeInstance) {}
  func nodeFenced(_ instance: NodeInstance) {}
  func quorumChanged(_ isQuorate: Bool) { noticeQuorum() }

  func evicted() {
    if let obstacle = stopObstacle {
      logger.critical(
        """
        the cluster went on without this node. It may write to shared disks no more: \
        reboot it now (\(obstacle))
        """)
    } else {
      logger.critical("the cluster went on without this node; ending, to come back in a new life")
      requestEnd(1)
    }
  }
}
