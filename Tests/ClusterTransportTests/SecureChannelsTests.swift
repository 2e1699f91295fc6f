import ClusterCredentials
import ClusterTypes
import NIOCore
import NIOEmbedded
import NIOPosix
import NIOSSL
import Testing

@testable import ClusterTransport

/// Whom control channels with TLS let in, over real sockets.
@Suite(.timeLimit(.minutes(5)))
struct SecureChannelsTests {
  private let loop = MultiThreadedEventLoopGroup.singleton.next()
  private let one: NodeID
  private let two: NodeID

  init() throws {
    one = try #require(NodeID(1))
    two = try #require(NodeID(2))
  }

  private func hellos() throws -> [Hello] { try [1, 2].map { try makeHello($0) } }

  /// What two nodes with these keys hold against each other, when both have refused.
  private func refusals(_ securities: [LinkSecurity?]) async throws -> [ControlRefusal] {
    let nodes = try await ControlNodes.start(hellos(), securities: securities, on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.refusals.count >= 2 } }.get()
    let (refusals, connectedCount) = try await loop.submit {
      (nodes.value.refusals, nodes.value.connectedCount)
    }.get()
    #expect(connectedCount == 0)
    try await loop.flatSubmit { nodes.value.stop() }.get()
    return refusals
  }

  private func isUnsigned(_ refusal: ControlRefusal) -> Bool {
    guard case .notAuthenticated(let reason) = refusal else { return false }
    return reason.contains("not signed by this cluster's authority")
  }

  @Test func nodeOfAnotherAuthorityIsRefused() async throws {
    let cluster = ClusterIdentifier.random()
    let ours = try TestKeys(cluster: cluster)
    let theirs = try TestKeys(cluster: cluster)
    let refusals = try await refusals([ours.security(one), theirs.security(two)])
    #expect(refusals.contains(where: isUnsigned), "\(refusals)")
  }

  /// One end believes both authorities: that the other end does not is enough.
  @Test func bothEndsAreJudged() async throws {
    let cluster = ClusterIdentifier.random()
    let ours = try TestKeys(cluster: cluster)
    let theirs = try TestKeys(cluster: cluster)
    let both = try ours.trusted.adding(theirs.authority.certificate)
    for trusted in [(one: both, two: try theirs.trusted), (one: try ours.trusted, two: both)] {
      let refusals = try await refusals([
        ours.security(one, trusted: trusted.one), theirs.security(two, trusted: trusted.two),
      ])
      #expect(refusals.contains(where: isUnsigned), "\(refusals)")
    }
  }

  @Test func nodeOfAnotherClusterIsRefused() async throws {
    let refusals = try await refusals([
      TestKeys().security(one), TestKeys().security(two),
    ])
    #expect(
      refusals.contains {
        guard case .notAuthenticated(let reason) = $0 else { return false }
        return reason.contains("for another cluster")
      }, "\(refusals)")
  }

  @Test func certificateOfAnotherNodeIsRefused() async throws {
    let keys = try TestKeys()
    let three = try #require(NodeID(3))
    let refusals = try await refusals([keys.security(one), keys.security(three)])
    #expect(refusals.contains(.certificateOfAnotherNode(claimed: two, certified: three)))
  }

  @Test func nodeWithoutKeysIsRefusedInEitherDirection() async throws {
    let keys = try TestKeys()
    for securities in [[try keys.security(one), nil], [nil, try keys.security(two)]] {
      let refusals = try await refusals(securities)
      #expect(!refusals.isEmpty)
    }
  }

  @Test func plainClientIsToldFromANode() async throws {
    let keys = try TestKeys()
    let nodes = try await ControlNodes.start(
      hellos(), securities: [keys.security(one), nil], on: loop)
    try await loop.flatSubmit {
      nodes.value.wait { $0.refusals.contains { "\($0)".contains("does not speak TLS") } }
    }.get()
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  /// Dates mean nothing (membership design, section 5): a clock may be wrong on either side.
  @Test func expiredCertificateIsAccepted() async throws {
    let keys = try TestKeys()
    let key = NodeKey()
    let expired = try NodeCredential(
      key: key,
      certificate: try keys.authority.issue(
        VerifiedRequest(decoding: try key.certificateRequest()), for: two, validSeconds: 1...2))
    let nodes = try await ControlNodes.start(
      hellos(), securities: [keys.security(one), LinkSecurity(expired, trusted: keys.trusted)],
      on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.connectedCount == 2 } }.get()
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test func withdrawnKeyLosesItsChannelAndGetsNoOther() async throws {
    let keys = try TestKeys()
    let credential = try keys.credential(two)
    let securities = [
      try keys.security(one), try LinkSecurity(credential, trusted: keys.trusted),
    ]
    let nodes = try await ControlNodes.start(hellos(), securities: securities, on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.connectedCount == 2 } }.get()
    let trusted = try keys.trusted.revoking([credential.certificate.fingerprint])
    let security = try keys.security(one, trusted: trusted)
    try await loop.submit { nodes.value.replace([security]) }.get()
    try await loop.flatSubmit {
      nodes.value.wait { nodes in
        nodes.disconnections.contains { if case .distrusted = $0 { true } else { false } }
          && nodes.refusals.contains { "\($0)".contains("has been withdrawn") }
      }
    }.get()
    let connectedCount = try await loop.submit { nodes.value.connectedCount }.get()
    #expect(connectedCount == 0)
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test func clientWithoutCertificateIsRefused() async throws {
    let keys = try TestKeys()
    let nodes = try await ControlNodes.start(
      hellos(), securities: [keys.security(one), nil], on: loop)
    let target = try await loop.submit { try #require(nodes.value.nodes[0].listeningAddress) }.get()
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .none
    let context = try NIOSSLContext(configuration: configuration)
    let client = try await ClientBootstrap(group: loop)
      .bind(to: SocketAddress(ipAddress: "127.0.0.2", port: 0))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: context, serverHostname: nil))
        }
      }.connect(to: target).get()
    try await loop.flatSubmit {
      nodes.value.wait {
        $0.refusals.contains(.notAuthenticated("it shows no certificate"))
      }
    }.get()
    try await client.closeFuture.get()
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test func silentStrangerIsRefusedInTime() async throws {
    let timing = ControlTiming(handshakeTimeout: .milliseconds(100))
    try await expectRefusal(.handshakeTimeout, of: 1, timing: timing)
  }

  @Test func strangersOfOneAddressAreFew() async throws {
    let timing = ControlTiming(handshakeTimeout: .hours(1))
    try await expectRefusal(
      .tooManyStrangers, of: ControlChannels.maximumStrangerCountPerSource + 1, timing: timing)
  }

  /// So many connections from the address of a node say nothing.
  private func expectRefusal(
    _ refusal: ControlRefusal, of strangerCount: Int, timing: ControlTiming
  ) async throws {
    let nodes = try await ControlNodes.start(
      [makeHello(1), makeHello(9)], securities: [TestKeys().security(one), nil], timing: timing,
      on: loop)
    let target = try await loop.submit { try #require(nodes.value.nodes[0].listeningAddress) }.get()
    var strangers: [any Channel] = []
    for _ in 0..<strangerCount {
      strangers.append(
        try await ClientBootstrap(group: loop)
          .bind(to: SocketAddress(ipAddress: "127.0.0.9", port: 0)).connect(to: target).get())
    }
    try await loop.flatSubmit {
      nodes.value.wait { $0.refusals.contains(refusal) }
    }.get()
    try await loop.flatSubmit { nodes.value.stop() }.get()
    for stranger in strangers { stranger.close(promise: nil) }
  }

  @Test func strangerIsNotReadBeyondAHandshake() throws {
    let strangerGuard = StrangerGuard(byteLimit: 10)
    let reads = ReadCounter()
    let channel = EmbeddedChannel(handlers: [reads, strangerGuard])
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.2", port: 1)).wait()
    channel.read()
    try channel.writeInbound(ByteBuffer(repeating: 0, count: 9))
    channel.read()
    let before = reads.count
    try channel.writeInbound(ByteBuffer(repeating: 0, count: 1))
    channel.read()
    #expect(reads.count == before)
    strangerGuard.open()
    #expect(reads.count == before + 1)
    channel.read()
    #expect(reads.count == before + 2)
  }
}

private final class ReadCounter: ChannelOutboundHandler {
  typealias OutboundIn = ByteBuffer
  var count = 0

  func read(context: ChannelHandlerContext) {
    count += 1
    context.read()
  }
}
