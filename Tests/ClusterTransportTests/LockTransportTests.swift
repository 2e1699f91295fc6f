import ClusterTypes
import LockProtocol
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import ClusterTransport

/// Lock transports of several nodes on one machine, over real sockets.
@Suite(.timeLimit(.minutes(5)))
struct LockTransportTests {
  @Test(arguments: [false, true])
  func everyPacketArrivesOnceInOrderThoughConnectionsAreReset(isSecure: Bool) async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let nodes = try await LockNodes.start(
      count: 3, keys: isSecure ? try TestKeys() : nil, on: loop)
    let received = try await loop.flatSubmit { nodes.value.exchange(packetCount: 400) }.get()
    #expect(received.count == 6)
    for (pair, numbers) in received {
      #expect(numbers == Array(0..<400), "from and to \(pair)")
    }
    let resetCount = try await loop.submit { nodes.value.resetCount }.get()
    #expect(resetCount > 20)
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test(arguments: [false, true])
  func closeIsAgreedWithEveryPeer(isSecure: Bool) async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let nodes = try await LockNodes.start(
      count: 2, keys: isSecure ? try TestKeys() : nil, on: loop)
    _ = try await loop.flatSubmit { nodes.value.exchange(packetCount: 5) }.get()
    let closed = try await loop.flatSubmit { nodes.value.closeBoth() }.get()
    #expect(closed == 2)
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test func strangersAndDisabledNodesAreDisconnected() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let nodes = try await LockNodes.start(count: 2, on: loop)
    let target = try await loop.submit { try nodes.value.disableSecond() }.get()
    for source in ["127.0.0.9", "127.0.0.2"] {
      let channel = try await ClientBootstrap(group: loop)
        .bind(to: SocketAddress(ipAddress: source, port: 0)).connect(to: target).get()
      try await channel.closeFuture.get()
    }
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test func nodesThatLeftTheViewKeepTheirConnectionAndGetNoOther() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let nodes = try await LockNodes.start(count: 2, on: loop)
    _ = try await loop.flatSubmit { nodes.value.exchange(packetCount: 10) }.get()
    let (target, before) = try await loop.submit { try nodes.value.refuseSecond() }.get()
    #expect(before > 0)
    let channel = try await ClientBootstrap(group: loop)
      .bind(to: SocketAddress(ipAddress: "127.0.0.2", port: 0)).connect(to: target).get()
    try await channel.closeFuture.get()
    let after = try await loop.submit { try nodes.value.connectionsOfSecond() }.get()
    #expect(after == before)
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test func addressInUseIsNamed() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let nodes = try await LockNodes.start(count: 1, on: loop)
    let error = await #expect(throws: TransportError.self) {
      try await loop.flatSubmit { nodes.value.startAnotherAtTheSameAddress() }.get()
    }
    #expect(error?.description.contains("cannot listen on") == true)
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }
}

/// Nodes 1, 2, … at 127.0.0.1, 127.0.0.2, … that send each other numbered packets and reset
/// their connections again and again. Lives on the event loop.
private final class LockNodes: LockTransportDelegate {
  struct Pair: Hashable {
    let from: NodeID
    let to: NodeID
  }

  private static let lockspace = LockspaceID(0x4104_EEFA)
  private let loop: any EventLoop
  private let transports: [LockTransport]
  private var packetCount: UInt32 = 0
  private var sent: [Pair: UInt32] = [:]
  private var received: [Pair: [UInt32]] = [:]
  private var done: EventLoopPromise<[Pair: [UInt32]]>?
  private var closed: EventLoopPromise<Int>?
  private var closedCount = 0
  private(set) var resetCount = 0

  private init(count: Int32, keys: TestKeys?, on loop: any EventLoop) throws {
    self.loop = loop
    transports = try (1...count).map { number in
      let configuration = LockTransport.Configuration(
        node: try #require(NodeID(number)),
        address: try SocketAddress(ipAddress: "127.0.0.\(number)", port: 0))
      return LockTransport(
        configuration: configuration, security: try keys?.security(configuration.node),
        eventLoop: loop, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
  }

  static func start(
    count: Int32, keys: TestKeys? = nil, on loop: any EventLoop
  ) async throws -> NIOLoopBound<LockNodes> {
    try await loop.flatSubmit {
      do {
        let nodes = try LockNodes(count: count, keys: keys, on: loop)
        let bound = NIOLoopBound(nodes, eventLoop: loop)
        return EventLoopFuture.andAllSucceed(nodes.transports.map { $0.start() }, on: loop)
          .flatMapThrowing {
            try bound.value.introduce()
            return bound
          }
      } catch {
        return loop.makeFailedFuture(error)
      }
    }.get()
  }

  private func introduce() throws {
    var addresses: [NodeID: SocketAddress] = [:]
    for transport in transports {
      addresses[transport.configuration.node] = transport.listeningAddress
    }
    for transport in transports {
      transport.delegate = self
      try transport.setPeers(addresses)
      for node in addresses.keys where node != transport.configuration.node {
        transport.enable(node)
        transport.memberAdded(node, userCount: 1)
      }
    }
  }

  private var pairs: [Pair] {
    transports.flatMap { from in
      transports.filter { $0 !== from }.map {
        Pair(from: from.configuration.node, to: $0.configuration.node)
      }
    }
  }

  func exchange(packetCount: UInt32) -> EventLoopFuture<[Pair: [UInt32]]> {
    self.packetCount = packetCount
    let promise = loop.makePromise(of: [Pair: [UInt32]].self)
    done = promise
    for pair in pairs {
      let status = RecoveryMessage(
        .status(needsSlots: false), lockspaceID: Self.lockspace, sender: pair.from, id: 1,
        sequence: 1)
      transport(pair.from)?.send(.recovery(status), to: pair.to)
      for _ in 0..<5 { sendNext(pair) }
    }
    return promise.futureResult
  }

  private func transport(_ node: NodeID) -> LockTransport? {
    transports.first { $0.configuration.node == node }
  }

  private func sendNext(_ pair: Pair) {
    let number = sent[pair, default: 0]
    guard number < packetCount else { return }
    sent[pair] = number + 1
    let message = LockMessage(
      .grant, lockspaceID: Self.lockspace, sender: pair.from, lockID: LockID(number),
      extra: Array(repeating: 1, count: 32))
    transport(pair.from)?.send(.lock(message), to: pair.to)
  }

  func lockTransport(
    _ transport: LockTransport, received packet: Packet, from node: NodeID
  ) {
    guard case .lock(let message) = packet else { return }
    let local = transport.configuration.node
    let number = message.lockID.rawValue
    received[Pair(from: node, to: local), default: []].append(number)
    sendNext(Pair(from: local, to: node))
    sendNext(Pair(from: node, to: local))
    // The receiver resets in the middle of a batch, the sender with packets under way.
    if number % 41 == 17 { reset(local, node) }
    if number % 67 == 33 { reset(node, local) }
    let total = received.values.reduce(0) { $0 + $1.count }
    if total == pairs.count * Int(packetCount) { done?.succeed(received) }
  }

  private func reset(_ node: NodeID, _ peer: NodeID) {
    resetCount += 1
    transport(node)?.peers[peer]?.abortConnections()
  }

  func lockTransport(_ transport: LockTransport, closed node: NodeID) {
    closedCount += 1
    if closedCount == 2 { closed?.succeed(closedCount) }
  }

  func lockTransport(_ transport: LockTransport, lost node: NodeID) {
    Issue.record("node \(node) was lost")
  }

  /// The first node leaves; the second is told by its control plane.
  func closeBoth() -> EventLoopFuture<Int> {
    let promise = loop.makePromise(of: Int.self)
    closed = promise
    transports[0].lastLockspaceReleased()
    transports[1].memberRemoved(transports[0].configuration.node, userCount: 0)
    return promise.futureResult
  }

  /// Where the first node listens, which does not accept the second any more.
  func disableSecond() throws -> SocketAddress {
    transports[0].disable(transports[1].configuration.node)
    return try #require(transports[0].listeningAddress)
  }

  /// Where the first node listens, and how many connections with the second it keeps, after that one
  /// has left the view.
  func refuseSecond() throws -> (SocketAddress, Int) {
    transports[0].refuseConnections(of: transports[1].configuration.node)
    return (try #require(transports[0].listeningAddress), try connectionsOfSecond())
  }

  func connectionsOfSecond() throws -> Int {
    try #require(transports[0].peers[transports[1].configuration.node]).connections.count
  }

  func startAnotherAtTheSameAddress() -> EventLoopFuture<Void> {
    guard let address = transports[0].listeningAddress else {
      return loop.makeSucceededVoidFuture()
    }
    let configuration = LockTransport.Configuration(
      node: transports[0].configuration.node, address: address)
    return LockTransport(
      configuration: configuration, eventLoop: loop, logger: transports[0].logger
    ).start()
  }

  func stop() -> EventLoopFuture<Void> {
    EventLoopFuture.andAllSucceed(transports.map { $0.stop() }, on: loop)
  }
}
