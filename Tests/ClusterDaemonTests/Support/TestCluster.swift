import AdminProtocol
import ClusterTypes
import Glibc
import LVMMetadata
import LockProtocol
import Logging
import Synchronization
import Testing

@testable import ClusterDaemon

/// A cluster of daemons in this process, of which a test starts, stops and kills some.
final class TestCluster: Sendable {
  let loopback: LoopbackCluster
  private let running = Mutex<[NodeID: LoopbackNode]>([:])

  /// Runs `body` with a cluster of which nobody has been started, and stops what is left after.
  static func with(
    nodeCount: Int = 3, provider: DaemonConfiguration.MembershipProvider = .external,
    quorumDisk: Bool = false, witnesses: Set<NodeID> = [], servesClusterLocking: Bool = false,
    volumeGroup: VolumeGroup? = nil, _ body: (TestCluster) async throws -> Void
  ) async throws {
    var template = Array("/tmp/clvmd-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    let disk = quorumDisk ? folder + "/quorum.img" : nil
    let image = volumeGroup == nil ? [] : [folder + "/pv.img"]
    defer { for path in image { unlink(path) } }
    if let volumeGroup { try LoopbackDisk.make(at: folder + "/pv.img", of: volumeGroup) }
    let cluster = try TestCluster(
      LoopbackCluster(
        nodeCount: nodeCount, folder: folder, provider: provider, quorumDisk: disk,
        witnesses: witnesses, servesClusterLocking: servesClusterLocking, images: image,
        logger: logger))
    if let disk { try cluster.makeQuorumDisk(disk) }
    defer { if let disk { unlink(disk) } }
    do {
      try await body(cluster)
      try await cluster.killAll()
    } catch {
      try await cluster.killAll()
      throw error
    }
  }

  /// Set CLVMD_TEST_LOG to see what the daemons say.
  private static var logger: Logger {
    guard getenv("CLVMD_TEST_LOG") != nil else {
      return Logger(label: "clvmd") { _ in SwiftLogNoOpLogHandler() }
    }
    var logger = Logger(label: "clvmd") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .debug
    return logger
  }

  private init(_ loopback: LoopbackCluster) { self.loopback = loopback }

  private func makeQuorumDisk(_ path: String) throws {
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
    try #require(descriptor >= 0)
    try #require(ftruncate(descriptor, 8 << 20) == 0)
    close(descriptor)
    try loopback.makeQuorumDisk()
  }

  private func killAll() async throws {
    for node in loopback.nodes where running.withLock({ $0[node] }) != nil { try await kill(node) }
    loopback.removeFolder()
  }

  // MARK: - Nodes

  @discardableResult
  func start(
    _ node: NodeID, life: UInt64 = 1, bootID: String = "first", isClean: Bool = true,
    configured: [NodeID]? = nil, configurationPath: String? = nil
  ) async throws -> LoopbackNode {
    let started = try await loopback.start(
      node, life: life, bootID: bootID, isClean: isClean, configured: configured,
      configurationPath: configurationPath)
    running.withLock { $0[node] = started }
    return started
  }

  /// Starts all nodes and waits until they are one view.
  func startAll() async throws -> [LoopbackNode] {
    var nodes: [LoopbackNode] = []
    for node in loopback.nodes { nodes.append(try await start(node)) }
    for node in nodes { try await awaitView(loopback.members, on: node) }
    return nodes
  }

  func stop(_ node: NodeID) async throws { try await take(node).stop() }
  func kill(_ node: NodeID) async throws { try await take(node).vanish() }

  private func take(_ node: NodeID) throws -> LoopbackNode {
    try #require(running.withLock { $0.removeValue(forKey: node) })
  }

  // MARK: - Looking

  func awaitView(_ nodes: [NodeID], on node: LoopbackNode) async throws {
    try await eventually("node \(node.node) is in a view of \(nodes)") {
      let status = try await node.status()
      return status.isQuorate && status.members == nodes && status.viewID > 0
    }
  }
}

extension ClusterStatus {
  var members: [NodeID] { nodes.filter { $0.state == .member }.map(\.node) }

  func state(of node: NodeID) -> NodeStatus.State? { nodes.first { $0.node == node }?.state }

  func lockspace(_ name: LockspaceName) -> LockspaceStatus? {
    lockspaces.first { $0.name == name }
  }
}

/// What an administrator asks on a node.
extension LoopbackNode {
  /// Sends a request and returns the first reply.
  func ask(_ request: AdminRequest) async throws -> AdminReply {
    let client = try await SocketClient.connect(to: adminSocket)
    try await client.send(request.encode())
    let reply = try AdminReply(decoding: try #require(try await client.next()))
    try? await client.close()
    return reply
  }

  func status() async throws -> ClusterStatus {
    guard case .status(let status) = try await ask(.status) else {
      throw TimedOut(description: "status is answered with something else")
    }
    return status
  }

  func locks(onlyWaiting: Bool = false) async throws -> [LockStatus] {
    guard
      case .locks(let locks, _) = try await ask(.locks(lockspace: nil, onlyWaiting: onlyWaiting))
    else { throw TimedOut(description: "locks is answered with something else") }
    return locks
  }

  /// As `clvm lock`: the connection holds the lock.
  func command(
    _ resource: String, _ mode: LockModeName, isNonBlocking: Bool = false,
    timeoutMilliseconds: UInt64? = nil, mayBeVictim: Bool = false
  ) async throws -> SocketClient {
    let client = try await SocketClient.connect(to: adminSocket)
    try await client.send(
      AdminRequest.lock(
        LockRequest(
          lockspace: Name.space, resource: resource, mode: mode, isNonBlocking: isNonBlocking,
          timeoutMilliseconds: timeoutMilliseconds, mayBeVictim: mayBeVictim)
      ).encode())
    return client
  }
}

extension SocketClient {
  func nextReply() async throws -> AdminReply {
    try AdminReply(decoding: try #require(try await next()))
  }
}

/// Names that the tests use.
enum Name {
  static let space = lockspace("work")
  static let one = node(1)
  static let two = node(2)
  static let three = node(3)
  static let resource = name("the resource")

  static func node(_ number: Int32) -> NodeID {
    guard let node = NodeID(number) else { preconditionFailure("a positive number") }
    return node
  }

  static func lockspace(_ text: String) -> LockspaceName {
    guard let name = LockspaceName(text) else { preconditionFailure("a short word") }
    return name
  }

  static func name(_ text: String) -> ResourceName {
    guard let name = ResourceName(text) else { preconditionFailure("1 to 64 bytes") }
    return name
  }
}
