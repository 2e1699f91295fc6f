import ClusterTypes
import Logging
import NIOCore
import Testing

@testable import ClusterTransport

/// Nodes at 127.0.0.N; lives on the event loop.
final class ControlNodes: ControlChannelsDelegate {
  private let loop: any EventLoop
  let nodes: [ControlChannels]
  private(set) var frames: [(from: NodeID, to: NodeID, bytes: [UInt8])] = []
  private(set) var disconnections: [ControlDisconnection] = []
  private(set) var refusals: [ControlRefusal] = []
  private var isStopped = false
  private var waiting: (condition: (ControlNodes) -> Bool, promise: EventLoopPromise<Void>)?

  private init(
    _ hellos: [Hello], _ securities: [LinkSecurity?], _ timing: ControlTiming,
    on loop: any EventLoop
  ) throws {
    self.loop = loop
    nodes = try zip(hellos, securities).map { hello, security in
      let configuration = ControlChannels.Configuration(
        address: try SocketAddress(ipAddress: "127.0.0.\(hello.node)", port: 0), timing: timing)
      return ControlChannels(
        configuration: configuration, hello: hello, security: security, eventLoop: loop,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
  }

  /// - Parameter keys: of one cluster; nil for channels without TLS.
  static func start(
    _ hellos: [Hello], keys: TestKeys?, timing: ControlTiming = ControlTiming(),
    on loop: any EventLoop
  ) async throws -> NIOLoopBound<ControlNodes> {
    try await start(
      hellos, securities: try hellos.map { try keys?.security($0.node) }, timing: timing, on: loop)
  }

  static func start(
    _ hellos: [Hello], securities: [LinkSecurity?], timing: ControlTiming = ControlTiming(),
    on loop: any EventLoop
  ) async throws -> NIOLoopBound<ControlNodes> {
    try await loop.flatSubmit {
      do {
        let nodes = try ControlNodes(hellos, securities, timing, on: loop)
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

  /// Every node sends to every other in each turn of the loop, until it stops.
  func keepSending() {
    guard !isStopped else { return }
    for node in nodes {
      for peer in node.connectedPeers { node.send([0], to: peer) }
    }
    loop.assumeIsolated().scheduleTask(in: .milliseconds(1)) { self.keepSending() }
  }

  /// Succeeds when so many more frames have come.
  func waitForFrames(_ count: Int) -> EventLoopFuture<Void> {
    let target = frames.count + count
    return wait { $0.frames.count >= target }
  }

  func replace(_ securities: [LinkSecurity]) {
    for (node, security) in zip(nodes, securities) { node.replaceSecurity(security) }
  }

  func disconnectFirst() { nodes[0].disconnect(nodes[1].hello.node, reason: "test") }

  func forgetPeersOfFirst() throws { try nodes[0].setPeers([:]) }

  func stop() -> EventLoopFuture<Void> {
    isStopped = true
    return EventLoopFuture.andAllSucceed(nodes.map { $0.stop() }, on: loop)
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
