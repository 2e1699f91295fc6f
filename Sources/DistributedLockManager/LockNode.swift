import ClusterTransport
import ClusterTypes
import LockManager
import LockProtocol
import Logging
import NIOCore
import NIOPosix

/// One node of a distributed lock manager, in this process.
///
/// Nodes talk the protocol of Linux's fs/dlm on TCP, so that kernels can be their peers. Who is a
/// member of a lockspace is not decided here: the program says so, on every node alike.
///
///     let node = try await LockNode.start(
///       LockNode.Configuration(
///         node: 1, address: "10.0.0.1", peers: [2: "10.0.0.2", 3: "10.0.0.3"]))
///     let lockspace = try node.open("accounts")
///     try await lockspace.start(members: [1, 2, 3])
///     try await lockspace.withLock("alice", mode: .ex, owner: "transfer") { lock in
///       // Nobody else in the cluster is here.
///     }
///     try await lockspace.close()
///     try await node.stop()
///
/// Every lockspace that was started must be closed before `stop`.
public final class LockNode: Sendable {
  public struct Configuration: Sendable {
    /// This node's id: positive, and unique among the nodes.
    public var node: Int32
    /// Where this node listens, and the source of its connections: an IP address of its own.
    /// Peers know it by that address.
    public var address: String
    /// The other nodes' addresses, by node id.
    public var peers: [Int32: String]
    /// The TCP port, the same on all nodes.
    public var port: UInt16
    /// What this node speaks; 3.1 renounces numbers and acknowledgements.
    public var version: ProtocolVersion

    public init(
      node: Int32, address: String, peers: [Int32: String], port: UInt16 = 21064,
      version: ProtocolVersion = .version3dot2
    ) {
      self.node = node
      self.address = address
      self.peers = peers
      self.port = port
      self.version = version
    }
  }

  public let id: NodeID
  package let loop: any EventLoop
  package let service: NIOLoopBound<LockService>

  private init(_ id: NodeID, _ service: NIOLoopBound<LockService>, _ loop: any EventLoop) {
    self.id = id
    self.service = service
    self.loop = loop
  }

  /// Listens, and is ready for peers from then on.
  ///
  /// - Parameters:
  ///   - eventLoop: where everything about locks is decided. Nothing that blocks may run there.
  ///   - logger: gets what an administrator should know.
  /// - Throws: `LockNodeError` for a configuration that cannot work, `TransportError` when the
  ///   address cannot be listened on.
  public static func start(
    _ configuration: Configuration,
    on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(),
    logger: Logger = Logger(label: "lock-manager")
  ) async throws -> LockNode {
    let plan = try ServicePlan(configuration)
    return try await eventLoop.flatSubmit {
      let service = LockService(plan, loop: eventLoop, logger: logger)
      let node = LockNode(
        plan.node, NIOLoopBound(service, eventLoop: eventLoop), eventLoop)
      return service.start(plan).map { node }
    }.get()
  }

  /// Makes a lockspace known to this node. Nothing is granted in it before its first
  /// `Lockspace.start`.
  ///
  /// - Parameters:
  ///   - name: 1 to 64 bytes of UTF-8; the same on all members.
  ///   - valueBlockLength: bytes of a lock value block, a multiple of 8; the same on all members.
  ///   - isSharedWithUserSpace: kernels use the lockspace through libdlm. False where they use it
  ///     for a file system, or where there are none.
  /// - Throws: `LockNodeError`.
  public func open(
    _ name: String, valueBlockLength: Int = 32, isSharedWithUserSpace: Bool = false
  ) throws(LockNodeError) -> Lockspace {
    guard let lockspaceName = LockspaceName(name) else { throw .lockspaceName(name) }
    guard (8...1024).contains(valueBlockLength), valueBlockLength % 8 == 0 else {
      throw .valueBlockLength(valueBlockLength)
    }
    let configuration = LockspaceMachine.Configuration(
      name: lockspaceName, localNode: id,
      shared: LockspaceConfiguration(lvbLength: UInt32(valueBlockLength)),
      messageFlags: isSharedWithUserSpace ? .user : [], seed: .random(in: .min ... .max))
    return Lockspace(lockspaceName, self, configuration)
  }

  /// The node is known to be dead, or has left for good and its power is off: its connections are
  /// reset and its sequence numbers forgotten, so that it can come back. To be called on every
  /// other node before a lockspace starts without it.
  public func forget(_ node: Int32) async throws {
    guard let node = NodeID(node) else { throw LockNodeError.nodeID(node) }
    try await loop.submit { [service] in service.value.forget(node) }.get()
  }

  /// Parts from all peers and closes the listener.
  public func stop() async throws {
    try await loop.flatSubmit { [service] in service.value.stop() }.get()
  }
}

/// Why a lock node cannot do what it is told.
public enum LockNodeError: Error, Equatable, Sendable, CustomStringConvertible {
  case nodeID(Int32)
  case address(String)
  case lockspaceName(String)
  case resourceName
  case valueBlockLength(Int)
  case alreadyOpen(LockspaceName)
  case closed(LockspaceName)
  case recoveryFailed(LockspaceName, RecoveryFailure)

  public var description: String {
    switch self {
    case .nodeID(let number): "\(number) is not a node id: node ids are positive."
    case .address(let text): "\(text) is not an IP address."
    case .lockspaceName(let text): "\(text) cannot be the name of a lockspace: 1 to 64 bytes."
    case .resourceName: "The name of a resource has 1 to 64 bytes."
    case .valueBlockLength(let length):
      "A value block cannot have \(length) bytes: 8 to 1024, a multiple of 8."
    case .alreadyOpen(let name): "Lockspace \(name) is open on this node already."
    case .closed(let name): "Lockspace \(name) is not open on this node."
    case .recoveryFailed(let name, let failure): "Lockspace \(name): \(failure)."
    }
  }
}

/// A configuration that can work.
package struct ServicePlan {
  let node: NodeID
  let address: SocketAddress
  let peers: [NodeID: SocketAddress]
  let version: ProtocolVersion
  /// The control plane tells of a node that was a member whether it has left or is dead, as
  /// `LockNode.forget` does. Otherwise it may still take leave, or come back as another.
  let departuresAreTold: Bool

  package init(
    node: NodeID, address: SocketAddress, peers: [NodeID: SocketAddress],
    version: ProtocolVersion, departuresAreTold: Bool
  ) {
    self.node = node
    self.address = address
    self.peers = peers
    self.version = version
    self.departuresAreTold = departuresAreTold
  }

  init(_ configuration: LockNode.Configuration) throws(LockNodeError) {
    node = try Self.node(configuration.node)
    address = try Self.address(configuration.address, configuration.port)
    version = configuration.version
    departuresAreTold = true
    var peers: [NodeID: SocketAddress] = [:]
    for (id, text) in configuration.peers {
      peers[try Self.node(id)] = try Self.address(text, configuration.port)
    }
    self.peers = peers
  }

  private static func node(_ number: Int32) throws(LockNodeError) -> NodeID {
    guard let node = NodeID(number) else { throw .nodeID(number) }
    return node
  }

  private static func address(
    _ text: String, _ port: UInt16
  ) throws(LockNodeError) -> SocketAddress {
    do {
      return try SocketAddress(ipAddress: text, port: Int(port))
    } catch {
      throw .address(text)
    }
  }
}
