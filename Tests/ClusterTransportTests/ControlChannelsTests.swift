import ClusterTypes
import NIOCore
import NIOPosix
import Testing

@testable import ClusterTransport

/// Control channels of several nodes on one machine, over real sockets.
@Suite(.timeLimit(.minutes(5)))
struct ControlChannelsTests {
  @Test(arguments: [false, true])
  func everyPairHasOneChannelThatCarriesFramesInOrder(isSecure: Bool) async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let keys = isSecure ? try TestKeys() : nil
    let nodes = try await ControlNodes.start(
      [1, 2, 3].map { try makeHello($0) }, keys: keys, on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.connectedCount == 6 } }.get()
    try await loop.submit { nodes.value.sendToAll(frameCount: 100) }.get()
    try await loop.flatSubmit { nodes.value.wait { $0.frames.count == 600 } }.get()
    let inOrder = try await loop.submit { nodes.value.framesAreInOrder }.get()
    #expect(inOrder)
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test(arguments: [false, true])
  func brokenChannelIsReportedAndMadeAgain(isSecure: Bool) async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let keys = isSecure ? try TestKeys() : nil
    let nodes = try await ControlNodes.start(
      [1, 2].map { try makeHello($0) }, keys: keys, on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.connectedCount == 2 } }.get()
    try await loop.submit { nodes.value.disconnectFirst() }.get()
    try await loop.flatSubmit {
      nodes.value.wait { $0.disconnections.count == 2 && $0.connectedCount == 2 }
    }.get()
    let reasons = try await loop.submit { nodes.value.disconnections }.get()
    // The other end sees an end, or a reset where it had sent what was not read any more.
    #expect(reasons.contains(.requested("test")))
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test func foreignClusterIsRefusedOnBothSides() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let hellos = [try makeHello(1), try makeHello(2, cluster: "other")]
    let nodes = try await ControlNodes.start(hellos, keys: nil, on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.refusals.count >= 2 } }.get()
    let refusals = try await loop.submit { nodes.value.refusals }.get()
    #expect(refusals.contains(.wrongCluster(theirs: "other", ours: "test")))
    let connectedCount = try await loop.submit { nodes.value.connectedCount }.get()
    #expect(connectedCount == 0)
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }

  @Test func nodeThatIsNotConfiguredAnyMoreLosesItsChannel() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let nodes = try await ControlNodes.start(
      [1, 2].map { try makeHello($0) }, keys: nil, on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.connectedCount == 2 } }.get()
    try await loop.submit { try nodes.value.forgetPeersOfFirst() }.get()
    try await loop.flatSubmit {
      nodes.value.wait { $0.disconnections.contains(.unconfigured) && !$0.refusals.isEmpty }
    }.get()
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }
}
