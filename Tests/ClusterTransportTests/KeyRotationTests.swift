import ClusterCredentials
import ClusterTypes
import NIOCore
import NIOPosix
import Testing

@testable import ClusterTransport

/// All keys are replaced while frames flow.
@Suite(.timeLimit(.minutes(5)))
struct KeyRotationTests {
  @Test func channelsOutliveARotationUntilTheOldAuthorityIsDropped() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let ids = try [1, 2, 3].map { try #require(NodeID($0)) }
    let old = try TestKeys()
    let new = try TestKeys(cluster: old.authority.certificate.cluster)
    let credentials = try ids.map { try old.credential($0) }
    let newCredentials = try ids.map { try new.credential($0) }
    let securities = try credentials.map { try LinkSecurity($0, trusted: old.trusted) }
    let nodes = try await ControlNodes.start(
      ids.map { try makeHello($0.rawValue) }, securities: securities, on: loop)
    try await loop.flatSubmit { nodes.value.wait { $0.connectedCount == 6 } }.get()
    try await loop.submit { nodes.value.keepSending() }.get()

    // One after the other believes both authorities, then gets its new key: nobody is cut off.
    let both = try old.trusted.adding(new.authority.certificate)
    for step in 0..<6 {
      let current = step < 3 ? credentials : newCredentials
      let number = step % 3
      let security = try LinkSecurity(current[number], trusted: both)
      try await loop.submit { nodes.value.nodes[number].replaceSecurity(security) }.get()
      try await loop.flatSubmit { nodes.value.waitForFrames(600) }.get()
    }
    let disconnections = try await loop.submit { nodes.value.disconnections }.get()
    #expect(disconnections == [])
    // New connections are made with new and old certificates alike.
    try await loop.submit { nodes.value.disconnectFirst() }.get()
    try await loop.flatSubmit {
      nodes.value.wait { $0.disconnections.count == 2 && $0.connectedCount == 6 }
    }.get()

    // The old authority goes: what it has signed loses its channels, and all are made again.
    let finished = try both.finishingRotation()
    let last = try newCredentials.map { try LinkSecurity($0, trusted: finished) }
    try await loop.submit { nodes.value.replace(last) }.get()
    try await loop.flatSubmit {
      nodes.value.wait { nodes in
        nodes.connectedCount == 6
          && nodes.disconnections.contains { if case .distrusted = $0 { true } else { false } }
      }
    }.get()
    try await loop.flatSubmit { nodes.value.waitForFrames(600) }.get()
    let refusals = try await loop.submit { nodes.value.refusals }.get()
    #expect(refusals == [])
    try await loop.flatSubmit { nodes.value.stop() }.get()
  }
}
