import ClusterTypes
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import ClusterTransport

/// Control channels of several nodes on one machine, over real sockets.
@Suite(.timeLimit(.minutes(1)))
struct ControlChannelsTests {
  @Test func everyPairHasOneChannelThatCarriesFramesInOrder() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let nodes = try await ControlNodes.start([1, 2, 3].map { try makeHello($0) }, on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.connectedCount == 6 } }.get()
    try await loop.submit { nodes.value.sendToAll(frameCount: 100) }.get()
    try await loop.flatSubmit { nodes.value.wait { $0.frames.count == 600 } }.get()
    let inOrder = try await loop.submit { nodes.value.framesAreInOrder }.get()
    #expect(inOrder)
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test func brokenChannelIsReportedAndMadeAgain() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let nodes = try await ControlNodes.start([1, 2].map { try makeHello($0) }, on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.connectedCount == 2 } }.get()
    try await loop.submit { nodes.value.disconnectFirst() }.get()
    try await loop.flatSubmit {
      nodes.value.wait { $0.disconnections.count == 2 && $0.connectedCount == 2 }
    }.get()
    let reasons = try await loop.submit { nodes.value.disconnections }.get()
    #expect(Set(reasons) == [.requested("test"), .closedByPeer])
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test func foreignClusterIsRefusedOnBothSides() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let hellos = [try makeHello(1), try makeHello(2, cluster: "other")]
    let nodes = try await ControlNodes.start(hellos, on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.refusals.count >= 2 } }.get()
    let refusals = try await loop.submit { nodes.value.refusals }.get()
    #expect(refusals.contains(.wrongCluster(theirs: "other", ours: "test")))
    let connectedCount = try await loop.submit { nodes.value.connectedCount }.get()
    #expect(connectedCount == 0)
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test func nodeThatIsNotConfiguredAnyMoreLosesItsChannel() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let nodes = try await ControlNodes.start([1, 2].map { try makeHello($0) }, on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.connectedCount == 2 } }.get()
    try await loop.submit { try nodes.value.forgetPeersOfFirst() }.get()
    try await loop.flatSubmit {
      nodes.value.wait { $0.disconnections.contains(.unconfigured) && !$0.refusals.isEmpty }
    }.get()
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }
}

/// Nodes at 127.0.0.N; lives on the event loop.
private final class ControlNodes: ControlChannelsDelegate {
  private let loop: any EventLoop
  private let nodes: [ControlChannels]
  private(set) var frames: [(from: NodeID, to: NodeID, bytes: [UInt8])] = []
  private(set) var disconnections: [ControlDisconnection] = []
  private(set) var refusals: [ControlRefusal] = []
  private var waiting: (condition: (ControlNodes) -> Bool, promise: EventLoopPromise<Void>)?

  private init(_ hellos: [Hello], on loop: any EventLoop) throws {
    self.loop = loop
    nodes = try hellos.map { hello in
      let configuration = ControlChannels.Configuration(
        address: try SocketAddress(ipAddress: "127.0.0.\(hello.node)", port: 0))
      return ControlChannels(
        configuration: configuration, hello: hello, eventLoop: loop,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
  }

  static func start(
    _ hellos: [Hello], on loop: any EventLoop
  ) async throws -> NIOLoopBound<ControlNodes> {
    try await loop.flatSubmit {
      do {
        let nodes = try ControlNodes(hellos, on: loop)
        let bound = NIOLoopBound(nodes, eventLoop: loop)
        return EventLoopFuture.andAllSucceed(nodes.nodes.map { $0.start() }, on: loop)
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
    for node in nodes { addresses[node.hello.node] = node.listeningAddress }
    for node in nodes {
      node.delegate = self
      try node.setPeers(addresses)
    }
  }

  var connectedCount: Int { nodes.reduce(0) { $0 + $1.connectedPeers.count } }

  /// Each pair's frames carry rising numbers.
  var framesAreInOrder: Bool {
    var next: [String: UInt8] = [:]
    for frame in frames {
      let pair = "\(frame.from) \(frame.to)"
      guard frame.bytes == [next[pair, default: 0]] else { return false }
      next[pair, default: 0] += 1
    }
    return true
  }

  /// Succeeds when the condition holds after some event.
  func wait(for condition: @escaping (ControlNodes) -> Bool) -> EventLoopFuture<Void> {
    let promise = loop.makePromise(of: Void.self)
    waiting = (condition, promise)
    check()
    return promise.futureResult
  }

  private func check() {
    if let waiting, waiting.condition(self) {
      self.waiting = nil
      waiting.promise.succeed()
    }
  }

  func sendToAll(frameCount: UInt8) {
    for number in 0..<frameCount {
      for node in nodes {
        for peer in node.connectedPeers { #expect(node.send([number], to: peer)) }
      }
    }
  }

  func disconnectFirst() { nodes[0].disconnect(nodes[1].hello.node, reason: "test") }

  func forgetPeersOfFirst() throws { try nodes[0].setPeers([:]) }

  func stop() -> EventLoopFuture<Void> {
    EventLoopFuture.andAllSucceed(nodes.map { $0.stop() }, on: loop)
  }

  func controlChannels(_ channels: ControlChannels, connected node: NodeID, hello: Hello) {
    #expect(hello.node == node)
    check()
  }

  func controlChannels(
    _ channels: ControlChannels, disconnected node: NodeID, reason: ControlDisconnection
  ) {
    disconnections.append(reason)
    check()
  }

  func controlChannels(
    _ channels: ControlChannels, received bytes: ArraySlice<UInt8>, from node: NodeID
  ) {
    frames.append((node, channels.hello.node, Array(bytes)))
    check()
  }

  func controlChannels(
    _ channels: ControlChannels, refused address: String, reason: ControlRefusal
  ) {
    refusals.append(reason)
    check()
  }
}
