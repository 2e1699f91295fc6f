import ByteCoding
import ClusterMembership
import ClusterTransport
import ClusterTypes
import DistributedLockManager
import KernelLockspaces
import LockProtocol
import Logging
import NIOCore

/// This node's connections: control channels, on which membership and volume coordination talk,
/// and the lock manager's own.
///
/// Confined to the cluster's event loop.
final class NodeNetwork: ControlChannelsDelegate, LockTransportDelegate, ClusterObserver {
  /// The first byte of a frame on a control channel.
  private enum Subject: UInt8 {
    case membership = 1
    case volumes = 2
    case locks = 3
    /// Commands of LVM 2.02.
    case clusterLocking = 4
    /// fcntl's locks of cluster filesystems.
    case posixLocks = 5
    case administration = 8
  }

  /// Of a cluster that was allowed to have no keys.
  static let plaintextWarning =
    "The nodes' messages are neither authenticated nor encrypted: whoever reaches their ports can "
    + "speak for them. 'clvm cluster init' makes keys."

  private static let versions = ControlVersionRange(oldest: 1, newest: 1)

  private let loop: any EventLoop
  private let channels: ControlChannels
  private let lockTransport: LockTransport
  private let logger: Logger
  private let local: ClusterMembership.Member
  private let localNode: NodeID
  /// Nobody is to be heard: no port is opened.
  private var isAlone: Bool
  private var isStarted = false
  private let controlPort: UInt16
  private let lockPort: UInt16
  /// The lives for which the lock transport's connections are enabled.
  private var enabled: [NodeID: NodeInstance] = [:]
  private var instances: [NodeID: NodeInstance] = [:]

  var membershipInput: (MembershipInput) -> Void = { _ in }
  /// The machine of a node answers whether a daemon listens there.
  var probed: (_ node: NodeID, _ isListening: Bool) -> Void = { _, _ in }
  var volumeMessage: (ArraySlice<UInt8>, NodeInstance) -> Void = { _, _ in }
  /// A question or report about locks.
  var lockSurveyMessage: (ArraySlice<UInt8>, NodeID) -> Void = { _, _ in }
  var clusterLockingMessage: (ArraySlice<UInt8>, NodeInstance) -> Void = { _, _ in }
  var posixLockMessage: (ArraySlice<UInt8>, NodeInstance) -> Void = { _, _ in }
  /// A channel to the node was opened.
  var connected: (NodeID) -> Void = { _ in }
  /// A question that another daemon asks for its administrator, or the answer to one.
  var administrationMessage: (ArraySlice<UInt8>, NodeID) -> Void = { _, _ in }
  /// A node is heard that has the list of believed keys of this number.
  var trustListTold: (NodeID, UInt64) -> Void = { _, _ in }
  var lockPacket: (Packet, NodeID) -> Void = { _, _ in }
  /// All packets that were there have been handed over.
  var endedLockPackets: () -> Void = {}

  init(
    configuration: DaemonConfiguration, local: ClusterMembership.Member, keys: NodeKeys?,
    loop: any EventLoop, logger: Logger
  ) throws {
    self.loop = loop
    self.logger = logger
    self.local = local
    let cluster = configuration.cluster
    localNode = cluster.localNode.id
    isAlone = cluster.nodes.count == 1
    controlPort = cluster.controlPort
    lockPort = cluster.lockPort
    let address = "\(cluster.localNode.address)"
    let secondAddress = cluster.localNode.secondAddress.map { "\($0)" }
    let security = try keys?.security()
    if security == nil, !isAlone { logger.critical("\(Self.plaintextWarning)") }
    channels = ControlChannels(
      configuration: .init(
        address: try SocketAddress(ipAddress: address, port: Int(cluster.controlPort)),
        secondAddress: try secondAddress.map {
          try SocketAddress(ipAddress: $0, port: Int(cluster.controlPort))
        },
        timing: ControlTiming(
          heartbeatInterval: configuration.membership.heartbeatInterval.timeAmount,
          silenceTimeout: configuration.membership.silenceTimeout.timeAmount)),
      hello: Hello(
        versions: Self.versions, clusterName: cluster.name, node: localNode,
        incarnation: local.instance.incarnation, bootID: local.bootID,
        payload: Self.payload(of: local, listNumber: keys?.list.number)),
      security: security, eventLoop: loop, logger: logger)
    lockTransport = LockTransport(
      configuration: .init(
        node: localNode,
        address: try SocketAddress(ipAddress: address, port: Int(cluster.lockPort)),
        secondAddress: try secondAddress.map {
          try SocketAddress(ipAddress: $0, port: Int(cluster.lockPort))
        }),
      security: security, eventLoop: loop, logger: logger)
    try setPeers(cluster)
    channels.delegate = self
    lockTransport.delegate = self
  }

  private func setPeers(_ cluster: DaemonConfiguration.Cluster) throws {
    try channels.setPeers(
      Self.addresses(cluster, port: controlPort) { $0.address },
      secondAddresses: Self.addresses(cluster, port: controlPort) { $0.secondAddress })
    try lockTransport.setPeers(
      Self.addresses(cluster, port: lockPort) { $0.address },
      secondAddresses: Self.addresses(cluster, port: lockPort) { $0.secondAddress })
  }

  /// Other nodes are in the cluster now: those that are gone are cut off, new ones are connected to.
  func nodesChanged(_ cluster: DaemonConfiguration.Cluster) {
    do {
      try setPeers(cluster)
    } catch {
      return logger.critical("the nodes that were decided cannot be connected to: \(error)")
    }
    guard isAlone, cluster.nodes.count > 1 else { return }
    isAlone = false
    guard isStarted else { return }
    start().assumeIsolated().whenFailure { [logger] error in
      logger.critical("other nodes cannot be heard: \(error)")
    }
  }

  /// What a node says about itself when it introduces itself: whether it started clean, and which list
  /// of believed keys it has.
  private static func payload(
    of local: ClusterMembership.Member, listNumber: UInt64?
  ) -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: 16)
    writer.write(UInt8(local.startedClean ? 1 : 0))
    if let listNumber { writer.write(listNumber) }
    return writer.bytes
  }

  /// Connections use these keys from now on; those with nodes that are not believed any more end.
  func replaceSecurity(_ security: LinkSecurity, listNumber: UInt64) {
    channels.hello.payload = Self.payload(of: local, listNumber: listNumber)
    channels.replaceSecurity(security)
    lockTransport.replaceSecurity(security)
  }

  private static func addresses(
    _ cluster: DaemonConfiguration.Cluster, port: UInt16,
    of address: (DaemonConfiguration.Node) -> NodeAddress?
  ) throws -> [NodeID: SocketAddress] {
    var addresses: [NodeID: SocketAddress] = [:]
    for node in cluster.nodes where node.id != cluster.localNode.id {
      guard let address = address(node) else { continue }
      addresses[node.id] = try SocketAddress(ipAddress: "\(address)", port: Int(port))
    }
    return addresses
  }

  /// Opens the lock manager's listener first: whoever becomes a member must find it open.
  func start() -> EventLoopFuture<Void> {
    isStarted = true
    guard !isAlone else { return loop.makeSucceededVoidFuture() }
    let channels = NIOLoopBound(channels, eventLoop: loop)
    return lockTransport.start().flatMap { channels.value.start() }
  }

  func stop() -> EventLoopFuture<Void> {
    lockTransport.lastLockspaceReleased()
    return channels.stop().and(lockTransport.stop()).map { _ in }
  }

  /// Tries whether a daemon listens on the node; tells `probed` if its machine answers.
  func probe(_ node: NodeID) {
    channels.probe(node) { [weak self] in self?.probed(node, $0) }
  }

  /// The other configured nodes.
  var peers: [NodeID] { channels.configuredPeers.sorted() }

  func isHeard(_ node: NodeID) -> Bool { channels.connectedPeers.contains(node) }

  // MARK: - Sending

  func sendMembership(_ bytes: [UInt8], to node: NodeID) { send(.membership, bytes, to: node) }
  func sendLockSurvey(_ bytes: [UInt8], to node: NodeID) { send(.locks, bytes, to: node) }
  func sendClusterLocking(_ bytes: [UInt8], to node: NodeID) {
    send(.clusterLocking, bytes, to: node)
  }
  func sendAdministration(_ bytes: [UInt8], to node: NodeID) {
    send(.administration, bytes, to: node)
  }
  func sendPosixLocks(_ bytes: [UInt8], to node: NodeID) { send(.posixLocks, bytes, to: node) }
  func sendVolumes(_ bytes: [UInt8], to node: NodeID) { send(.volumes, bytes, to: node) }

  /// A frame for a node without a channel is dropped: its view is about to change, and everything
  /// that matters is said again then.
  private func send(_ subject: Subject, _ bytes: [UInt8], to node: NodeID) {
    _ = channels.send([subject.rawValue] + bytes, to: node)
  }

  func sendLock(_ packet: Packet, to node: NodeID) { lockTransport.send(packet, to: node) }

  /// This node shares `lockspaceCount` lockspaces with the node, one more than before.
  func memberAdded(_ node: NodeID, lockspaceCount: Int) {
    guard node != localNode else { return }
    lockTransport.memberAdded(node, userCount: lockspaceCount)
  }

  /// One fewer than before.
  func memberRemoved(_ node: NodeID, lockspaceCount: Int) {
    guard node != localNode else { return }
    lockTransport.memberRemoved(node, userCount: lockspaceCount)
  }

  // MARK: - The cluster

  /// Nothing that was said to an earlier life of a node may be taken for the present one's.
  func viewInstalled(_ view: View) {
    for member in view.members where member.node != localNode {
      if enabled[member.node] != member.instance {
        lockTransport.removeAddress(member.node)
        enabled[member.node] = member.instance
      }
      lockTransport.enable(member.node)
    }
  }

  func nodeRemoved(_ instance: NodeInstance) {
    guard enabled[instance.node] == instance else { return }
    lockTransport.refuseConnections(of: instance.node)
  }

  func memberRenewed(_ instance: NodeInstance) {
    guard enabled[instance.node] == instance else { return }
    lockTransport.removeAddress(instance.node)
    lockTransport.enable(instance.node)
  }

  func nodeFenced(_ instance: NodeInstance) {
    guard enabled[instance.node] == instance else { return }
    lockTransport.removeAddress(instance.node)
    enabled[instance.node] = nil
  }

  func quorumChanged(_ isQuorate: Bool) {}
  func evicted() {}

  // MARK: - Control channels

  func controlChannels(_ channels: ControlChannels, connected node: NodeID, hello: Hello) {
    let member = ClusterMembership.Member(
      instance: NodeInstance(node, hello.incarnation), bootID: hello.bootID,
      startedClean: hello.payload.first == 1)
    instances[node] = member.instance
    logger.info("node \(node) is heard")
    membershipInput(.channelOpened(member))
    var reader = ByteReader(hello.payload.dropFirst())
    if let number = try? reader.read(UInt64.self) { trustListTold(node, number) }
    connected(node)
  }

  func controlChannels(
    _ channels: ControlChannels, disconnected node: NodeID, reason: ControlDisconnection
  ) {
    instances[node] = nil
    logger.warning("node \(node) is not heard any more: \(reason)")
    lockTransport.reconnect(node)
    membershipInput(.channelClosed(node))
  }

  func controlChannels(
    _ channels: ControlChannels, received bytes: ArraySlice<UInt8>, from node: NodeID
  ) {
    guard let first = bytes.first, let subject = Subject(rawValue: first),
      let instance = instances[node]
    else {
      logger.error("node \(node) sent a frame that cannot be understood; it is ignored")
      return
    }
    switch subject {
    case .membership: membershipInput(.received(Array(bytes.dropFirst()), from: node))
    case .volumes: volumeMessage(bytes.dropFirst(), instance)
    case .locks: lockSurveyMessage(bytes.dropFirst(), node)
    case .clusterLocking: clusterLockingMessage(bytes.dropFirst(), instance)
    case .posixLocks: posixLockMessage(bytes.dropFirst(), instance)
    case .administration: administrationMessage(bytes.dropFirst(), node)
    }
  }

  func controlChannels(
    _ channels: ControlChannels, refused address: String, reason: ControlRefusal
  ) {
    logger.debug("a connection with \(address) was refused: \(reason)")
  }

  // MARK: - Lock transport

  func lockTransport(_ transport: LockTransport, received packet: Packet, from node: NodeID) {
    lockPacket(packet, node)
  }

  func lockTransportReadComplete(_ transport: LockTransport) { endedLockPackets() }

  func lockTransport(_ transport: LockTransport, closed node: NodeID) {
    logger.debug("the lock managers of this node and node \(node) have parted")
  }

  func lockTransport(_ transport: LockTransport, lost node: NodeID) {
    logger.critical("node \(node) does not take the lock manager's messages: it is disconnected")
    channels.disconnect(node, reason: "it does not take the lock manager's messages")
  }
}
