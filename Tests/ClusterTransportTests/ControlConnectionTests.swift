import ClusterTypes
import NIOCore
import NIOEmbedded
import Testing

@testable import ClusterTransport

/// Introduction, frames and heartbeats of one control connection, with an invented clock.
struct ControlConnectionTests {
  private enum Event: Equatable {
    case checked(NodeID)
    case opened(NodeID)
    case received([UInt8])
    case refused(ControlRefusal)
    case ended(ControlDisconnection)
  }

  private final class Owner: ControlConnectionOwner {
    var events: [Event] = []
    var refusalOnOpen: ControlRefusal?
    var refusalOfHello: ControlRefusal?

    func connectionOpened(_ connection: ControlConnection) throws(ControlRefusal) {
      if let refusalOnOpen { throw refusalOnOpen }
    }

    func connection(_ connection: ControlConnection, check hello: Hello) throws(ControlRefusal) {
      events.append(.checked(hello.node))
      if let refusalOfHello { throw refusalOfHello }
    }

    func connection(_ connection: ControlConnection, openedBy hello: Hello) {
      events.append(.opened(hello.node))
    }

    func connection(_ connection: ControlConnection, received bytes: ArraySlice<UInt8>) {
      events.append(.received(Array(bytes)))
    }

    func connection(_ connection: ControlConnection, refused reason: ControlRefusal) {
      events.append(.refused(reason))
    }

    func connection(_ connection: ControlConnection, ended reason: ControlDisconnection) {
      events.append(.ended(reason))
    }
  }

  private let owner = Owner()
  private let local: Hello
  private let remote: Hello
  private let connection: ControlConnection
  private let channel: EmbeddedChannel
  private let timing = ControlTiming(
    heartbeatInterval: .seconds(1), silenceTimeout: .seconds(4), handshakeTimeout: .seconds(5))

  init() throws {
    local = try makeHello(1)
    remote = try makeHello(2)
    connection = ControlConnection(
      owner: owner, dialedNode: nil, localHello: local, timing: timing)
    channel = EmbeddedChannel(handler: connection)
  }

  private func activate() throws {
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.2", port: 4711)).wait()
  }

  private func feed(_ bytes: [UInt8]) throws {
    try channel.writeInbound(ByteBuffer(bytes: bytes))
  }

  /// Frames that have left since the last call.
  private func sent() throws -> [[UInt8]] {
    channel.embeddedEventLoop.run()
    var splitter = ControlFrameSplitter(limit: ControlFrameSplitter.maximumLength)
    while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
      splitter.append(buffer.readableBytesView)
    }
    var frames: [[UInt8]] = []
    while let frame = try splitter.next() { frames.append(Array(frame)) }
    return frames
  }

  private func open() throws {
    try activate()
    try feed(ControlFrameSplitter.frame(remote.encoded()))
    try feed(ControlFrameSplitter.frame([]))
  }

  @Test func bothIntroduceThemselvesAndConfirm() throws {
    try activate()
    #expect(try sent() == [local.encoded()])
    try feed(ControlFrameSplitter.frame(remote.encoded()))
    #expect(owner.events == [.checked(remote.node)])
    #expect(try sent() == [[]])
    try feed(ControlFrameSplitter.frame([]) + ControlFrameSplitter.frame([7]))
    #expect(
      owner.events == [
        .checked(remote.node), .checked(remote.node), .opened(remote.node), .received([7]),
      ])
    connection.send([1, 2])
    connection.send([3])
    #expect(try sent() == [[1, 2], [3]])
  }

  @Test func strangerIsToldNothing() throws {
    owner.refusalOnOpen = .unknownAddress
    try activate()
    #expect(try sent() == [])
    #expect(owner.events == [.refused(.unknownAddress)])
    #expect(!channel.isActive)
  }

  @Test func refusedPeerIsToldWhoRefuses() throws {
    owner.refusalOfHello = .unknownNode(remote.node)
    try activate()
    try feed(ControlFrameSplitter.frame(remote.encoded()))
    #expect(try sent() == [local.encoded()])
    #expect(owner.events == [.checked(remote.node), .refused(.unknownNode(remote.node))])
    #expect(!channel.isActive)
  }

  @Test func peerThatSaysNothingIsRefusedInTime() throws {
    try activate()
    channel.embeddedEventLoop.advanceTime(by: .milliseconds(4999))
    #expect(owner.events == [])
    channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
    #expect(owner.events == [.refused(.handshakeTimeout)])
  }

  @Test func peerThatIsAcceptedButNeverConfirmsIsRefusedInTime() throws {
    try activate()
    try feed(ControlFrameSplitter.frame(remote.encoded()))
    channel.embeddedEventLoop.advanceTime(by: .seconds(5))
    #expect(owner.events == [.checked(remote.node), .refused(.handshakeTimeout)])
  }

  @Test func strangersBytesAreLimitedBeforeTheyAreBuffered() throws {
    try activate()
    try feed([0xFF, 0xFF, 0x01, 0x00])
    guard case .refused(.malformedHello) = owner.events.last else {
      Issue.record("a frame of 131071 bytes was awaited")
      return
    }
  }

  @Test func otherProtocolsAreRecognised() throws {
    try activate()
    try feed(ControlFrameSplitter.frame(Array("GET / HTTP/1.1".utf8)))
    #expect(owner.events == [.refused(.malformedHello("not a clvmd control connection"))])
  }

  @Test func frameBeforeTheFirstHeartbeatIsRefused() throws {
    try activate()
    try feed(ControlFrameSplitter.frame(remote.encoded()) + ControlFrameSplitter.frame([1]))
    #expect(
      owner.events == [
        .checked(remote.node), .refused(.malformedHello("a frame before the first heartbeat")),
      ])
  }

  @Test func closeDuringTheIntroductionIsARefusal() throws {
    try activate()
    channel.pipeline.fireChannelInactive()
    #expect(owner.events == [.refused(.closedDuringHandshake)])
  }

  @Test func heartbeatsGoOutAndSilenceEndsTheChannel() throws {
    try open()
    _ = try sent()
    channel.embeddedEventLoop.advanceTime(by: .seconds(3))
    #expect(try sent() == [[], [], []])
    try feed(ControlFrameSplitter.frame([]))
    channel.embeddedEventLoop.advanceTime(by: .seconds(3))
    #expect(connection.isOpen)
    channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    #expect(owner.events.last == .ended(.silent))
    #expect(!channel.isActive)
  }

  @Test func frameLongerThanAllowedEndsTheChannel() throws {
    try open()
    try feed([0x01, 0x00, 0x10, 0x00])
    #expect(
      owner.events.last == .ended(.malformed("a frame of 1048577 bytes, more than 1048576")))
  }

  @Test func endIsReportedOnce() throws {
    try open()
    connection.end(.requested("test"))
    channel.embeddedEventLoop.run()
    connection.end(.stopped)
    connection.send([1])
    #expect(owner.events.filter { if case .ended = $0 { true } else { false } }.count == 1)
  }
}

func makeHello(
  _ number: Int32, cluster: String = "test", incarnation: UInt64 = 1,
  versions: ControlVersionRange = ControlVersionRange(oldest: 1, newest: 1)
) throws -> Hello {
  Hello(
    versions: versions, clusterName: cluster, node: try #require(NodeID(number)),
    incarnation: Incarnation(incarnation), bootID: "boot-\(number)", payload: [1, 2, 3])
}
