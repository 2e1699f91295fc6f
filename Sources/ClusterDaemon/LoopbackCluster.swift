import BlockDevices
import ByteCoding
import ClusterCredentials
import ClusterMembership
import ClusterTypes
import Glibc
import KernelLockspaces
import Logging
import NIOCore
import NIOPosix
import VolumeActivation

/// Daemons of one cluster in one process, on 127.0.0.1 and the addresses behind it: for tests and
/// benchmarks. They see no disk but image files, map devices in memory only, and leave the kernel's lock
/// manager alone.
package struct LoopbackCluster: Sendable {
  package static let name = "loopback"

  package let nodes: [NodeID]
  private let folder: String
  private let controlPort: UInt16
  private let lockPort: UInt16
  private let membership: DaemonConfiguration.Membership
  private let witnesses: Set<NodeID>
  private let servesClusterLocking: Bool
  /// Signs the nodes' keys; no daemon has its key.
  package let authority: ClusterAuthority
  private let logger: Logger
  /// The disks of all nodes.
  private let images: [String: DeviceNumber]
  private let devices: [NodeID: LoopbackDevices]

  /// - Parameters:
  ///   - nodeCount: 1 to 32.
  ///   - folder: an existing directory for sockets and state, of a short path.
  ///   - images: files that are the disks of all nodes.
  package init(
    nodeCount: Int, folder: String, heartbeatInterval: Duration = .milliseconds(100),
    silenceTimeout: Duration = .milliseconds(1_500),
    provider: DaemonConfiguration.MembershipProvider = .external, quorumDisk: String? = nil,
    witnesses: Set<NodeID> = [], servesClusterLocking: Bool = false,
    images: [String] = [], logger: Logger
  ) throws {
    precondition((1...DaemonConfiguration.nodesMax).contains(nodeCount), "1 to 32 nodes")
    nodes = (1...Int32(nodeCount)).compactMap { NodeID($0) }
    self.folder = folder
    self.servesClusterLocking = servesClusterLocking
    self.logger = logger
    self.witnesses = witnesses
    var timers = MembershipTimers.lan
    timers.silence = UInt32(silenceTimeout.wholeMilliseconds)
    timers.heartbeat = UInt32(heartbeatInterval.wholeMilliseconds)
    timers.lease = 3 * timers.silence
    timers.restartHold = 3 * timers.silence
    // Nothing here has I/O in flight, and nobody is kept waiting.
    timers.drain = 0
    timers.rejoinHold = timers.heartbeat
    authority = try ClusterAuthority(cluster: .random(), clusterName: Self.name)
    membership = .init(
      provider: provider, heartbeatInterval: heartbeatInterval, silenceTimeout: silenceTimeout,
      timers: timers, quorumDisk: quorumDisk)
    let numbers = images.indices.map { DeviceNumber(major: 8, minor: 16 * UInt32($0)) }
    self.images = Dictionary(zip(images, numbers)) { first, _ in first }
    let sizes = try images.map { try BlockDevice(path: $0, access: .readOnly).sizeBytes / 512 }
    let disks = Dictionary(zip(numbers, sizes)) { first, _ in first }
    devices = Dictionary(uniqueKeysWithValues: nodes.map { ($0, LoopbackDevices(disks: disks)) })
    (controlPort, lockPort) = try Self.freePorts(nodes.map(Self.address(of:)))
  }

  /// Those that are no witnesses.
  package var members: [NodeID] { nodes.filter { !witnesses.contains($0) } }

  /// Makes the quorum disk that all nodes name.
  package func makeQuorumDisk() throws {
    guard let node = nodes.first, let configuration = configuration(of: node, knowing: nodes) else {
      return
    }
    try configuration.makeQuorumDisk()
  }

  private static func address(of node: NodeID) -> String { "127.0.0.\(node)" }

  /// Starts the daemon of one node.
  ///
  /// - Parameters:
  ///   - life: greater for a later life of the same node; the embedded provider counts by itself.
  ///   - bootID: another one than before says that the machine was booted anew.
  ///   - isClean: whether nothing of an earlier life may still write.
  ///   - configured: the nodes that this node's file lists; nil for all.
  ///   - configurationPath: a file that is to follow when nodes come and go.
  package func start(
    _ node: NodeID, life: UInt64 = 1, bootID: String = "first", isClean: Bool = true,
    configured: [NodeID]? = nil, configurationPath: String? = nil
  ) async throws -> LoopbackNode {
    guard var configuration = configuration(of: node, knowing: configured ?? nodes) else {
      throw DaemonError("node \(node) is none of this cluster")
    }
    try ensurePrivateDirectory(configuration.stateDirectory)
    try makeKeys(of: configuration.cluster)
    let setup = try setup(node, configuration, bootID: bootID, isClean: isClean)
    if let decided = setup?.decided { configuration = configuration.following(decided) }
    let local =
      setup?.local
      ?? Member(
        instance: NodeInstance(node, Incarnation(life)), bootID: "\(node)-\(bootID)",
        startedClean: isClean)
    let workers = try workers(of: node)
    let pools = WorkerPools()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    var logger = logger
    logger[metadataKey: "node"] = "\(node)"
    var host = DaemonHost()
    host.configurationPath = configurationPath
    do {
      let daemon = try await RunningDaemon.start(on: loop) { [logger, configuration, host] in
        try Daemon(
          configuration: configuration, local: local, kernelWorker: nil, membership: setup,
          workers: workers, pools: pools, loop: loop, logger: logger, host: host)
      }.get()
      return LoopbackNode(
        node: node, configuration: configuration, daemon: daemon, pools: pools, group: group)
    } catch {
      try await group.shutdownGracefully()
      try await pools.stop()
      throw error
    }
  }

  private func workers(of node: NodeID) throws -> VolumeWorkers {
    let noDevices = DeviceSelection(filter: try DeviceFilter(patterns: ["r|.*|"]))
    var disks = SharedDisks(
      localNode: node, hostName: "node\(node)", selection: { noDevices })
    disks.images = images
    guard let kernel = devices[node], !images.isEmpty else { return VolumeWorkers(disks: disks) }
    return VolumeWorkers(disks: disks) { LoopbackMapper(kernel: kernel) }
  }

  /// Where a node's daemon keeps what a reboot empties.
  package func stateDirectory(of node: NodeID) -> String { "\(folder)/\(node)" }

  /// The mapped devices of a node; nil where there are no disks.
  package func devices(of node: NodeID) -> LoopbackDevices? { images.isEmpty ? nil : devices[node] }

  private func setup(
    _ node: NodeID, _ configuration: DaemonConfiguration, bootID: String, isClean: Bool
  ) throws -> MembershipSetup? {
    guard configuration.membership.provider == .embedded else { return nil }
    try ensurePrivateDirectory(configuration.clusterDirectory)
    let boot = BootID(
      high: UInt64(node.rawValue), low: UInt64(CRC32.zlib(Array(bootID.utf8))))
    return try MembershipSetup(
      configuration: configuration, bootID: boot.description, startedClean: isClean,
      keeper: LoopbackKeeper(findings: KeeperFindings(isAlive: isClean, spaces: [])),
      seed: .random(in: 1 ... .max))
  }

  /// A later life of a node keeps its key.
  private func makeKeys(of cluster: DaemonConfiguration.Cluster) throws {
    let directory = keyDirectory(of: cluster.localNode.id)
    guard !directory.hasCredential else { return }
    try directory.make()
    let key = NodeKey()
    let request = try VerifiedRequest(decoding: try key.certificateRequest())
    let certificate = try authority.issue(request, for: cluster.localNode.id)
    try directory.store(NodeCredential(key: key, certificate: certificate))
    try directory.store(
      try TrustList(
        signing: TrustedKeys(authorities: [authority.certificate]), number: 1, by: authority))
  }

  /// Removes the folder and what daemons leave in it. To be called when all have ended.
  package func removeFolder() {
    for node in nodes {
      for file in ["lv-locks", "clustered-volumes"] { unlink("\(folder)/\(node)/\(file)") }
      for slot in 0...1 { unlink("\(folder)/\(node)/cluster/state.\(slot)") }
      rmdir("\(folder)/\(node)/cluster")
      for file in ["node.pem", "trusted", "issued", "authority.key"] {
        unlink("\(folder)/\(node)/keys/\(file)")
      }
      rmdir("\(folder)/\(node)/keys")
      rmdir("\(folder)/\(node)")
    }
    rmdir(folder)
  }

  /// Where a node's keys are.
  package func keyDirectory(of node: NodeID) -> KeyDirectory {
    KeyDirectory(path: "\(folder)/\(node)/keys")
  }

  private func configuration(of node: NodeID, knowing known: [NodeID]) -> DaemonConfiguration? {
    let nodes = known.compactMap { node in
      NodeAddress(Self.address(of: node)).map {
        DaemonConfiguration.Node(
          name: "node\(node)", id: node, address: $0, secondAddress: nil,
          isWitness: witnesses.contains(node))
      }
    }
    guard let local = nodes.first(where: { $0.id == node }) else { return nil }
    let directory = "\(folder)/\(node)"
    return DaemonConfiguration(
      cluster: .init(
        name: Self.name, id: authority.certificate.cluster, keyDirectory: "\(directory)/keys",
        localNode: local, controlPort: controlPort, lockPort: lockPort,
        nodes: nodes),
      membership: membership, fencing: .none, keeper: nil, kernelLockManager: nil,
      lvmlockd: .init(socket: directory + "/lvm", pidFile: directory + "/lvm.pid"),
      clusterLocking: servesClusterLocking
        ? .init(
          socket: directory + "/clvmd", pidFile: directory + "/clvmd.pid",
          commandTimeout: .seconds(2)) : nil,
      adminSocket: directory + "/admin", devices: .init(filter: nil, scan: []),
      logLevel: .info, stateDirectory: directory, clusterDirectory: directory + "/cluster")
  }

  /// Two ports that nobody uses on any of the addresses. Somebody may take one before the daemons
  /// do; then these say so.
  private static func freePorts(_ addresses: [String]) throws -> (UInt16, UInt16) {
    for _ in 0..<100 {
      let ports = try [0, 0].map { port in try boundSocket("127.0.0.1", port: UInt16(port)) }
      defer { for (descriptor, _) in ports { close(descriptor) } }
      let others = addresses.dropFirst().flatMap { address in
        ports.map { try? boundSocket(address, port: $0.port) }
      }
      for case (let descriptor, _)? in others { close(descriptor) }
      if others.allSatisfy({ $0 != nil }) { return (ports[0].port, ports[1].port) }
    }
    throw DaemonError("no port is free on all of \(addresses.joined(separator: ", "))")
  }

  private static func boundSocket(
    _ address: String, port: UInt16
  ) throws(DaemonError) -> (descriptor: Int32, port: UInt16) {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    inet_pton(AF_INET, address, &name.sin_addr)
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw DaemonError("no socket, errno \(errno)") }
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard isBound else {
      close(descriptor)
      throw DaemonError("\(address) port \(port) cannot be bound")
    }
    return (descriptor, UInt16(bigEndian: name.sin_port))
  }
}

/// Nodes of one process have no machines that could be reset.
private struct LoopbackKeeper: LeaseKeeper {
  let findings: KeeperFindings
  var capabilities: Capabilities { Capabilities() }
  func setLease(until: Timestamp) {}
  func becomeDirty() {}
  func becomeClean() {}
  func selfFence(reason: String) {}
}

/// One daemon of a `LoopbackCluster`. Must be ended with `stop` or `vanish`.
package struct LoopbackNode: Sendable {
  package let node: NodeID
  private let configuration: DaemonConfiguration
  private let daemon: RunningDaemon
  private let pools: WorkerPools
  private let group: MultiThreadedEventLoopGroup

  fileprivate init(
    node: NodeID, configuration: DaemonConfiguration, daemon: RunningDaemon, pools: WorkerPools,
    group: MultiThreadedEventLoopGroup
  ) {
    self.node = node
    self.configuration = configuration
    self.daemon = daemon
    self.pools = pools
    self.group = group
  }

  package var locks: ClusterLocks { daemon.locks }
  package var eventLoop: any EventLoop { daemon.eventLoop }
  package var adminSocket: String { configuration.adminSocket }
  package var clusterLockingSocket: String { configuration.clusterLocking?.socket ?? "" }
  package var lockDaemonSocket: String { configuration.lvmlockd?.socket ?? "" }

  /// Looks for deadlocks now, without waiting until a lock has waited for long.
  package func lookForDeadlocks() async throws { try await daemon.lookForDeadlocks().get() }

  /// As the daemon ends when systemd stops it.
  package func stop() async throws {
    try await daemon.stop().get()
    try await end()
  }

  /// As the daemon ends when it is killed.
  package func vanish() async throws {
    try await daemon.cutOff().get()
    try await end()
  }

  private func end() async throws {
    try await group.shutdownGracefully()
    try await pools.stop()
  }
}
