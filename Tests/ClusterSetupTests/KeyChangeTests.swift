import AdminProtocol
import ClusterCredentials
import ClusterDaemon
import ClusterTypes
import Foundation
import Glibc
import Logging
import Testing

@testable import ClusterSetup

/// `clvm cluster rotate-keys` and `withdraw` against whole daemons of one process.
@Suite(.serialized, .timeLimit(.minutes(3))) struct KeyChangeTests {
  private static let logger = Logger(label: "clvmd") { _ in SwiftLogNoOpLogHandler() }

  private struct Interrupted: Error {}

  /// Three daemons, and the authority's key with the first one.
  private func withCluster(
    _ body: (LoopbackCluster, [LoopbackNode]) async throws -> Void
  ) async throws {
    var template = Array("/tmp/clvmd-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    let cluster = try LoopbackCluster(
      nodeCount: 3, folder: folder, provider: .embedded, logger: Self.logger)
    var nodes: [LoopbackNode] = []
    for node in cluster.nodes { nodes.append(try await cluster.start(node)) }
    let directory = cluster.keyDirectory(of: cluster.nodes[0])
    try directory.store(cluster.authority)
    do {
      try await Self.onItsOwnThread { [nodes] in try Self.awaitMembers(3, on: nodes[0]) }
      try await body(cluster, nodes)
    } catch {
      for node in nodes { try? await node.vanish() }
      cluster.removeFolder()
      throw error
    }
    for node in nodes { try await node.vanish() }
    cluster.removeFolder()
  }

  private static func ask(_ node: LoopbackNode, _ request: AdminRequest) throws -> AdminReply {
    var client = try AdminClient(socketPath: node.adminSocket)
    return try client.perform(request)
  }

  private static func status(_ node: LoopbackNode) throws -> ClusterStatus {
    guard case .status(let status) = try ask(node, .status) else { throw Interrupted() }
    return status
  }

  private static func awaitMembers(_ count: Int, on node: LoopbackNode) throws {
    for _ in 0..<300 {
      let status = try status(node)
      if status.isQuorate, status.nodes.count(where: { $0.state == .member }) == count { return }
      usleep(100_000)
    }
    Issue.record("there are not \(count) members after half a minute")
  }

  /// - Parameter interrupts: whether to fail instead of asking this.
  private static func change(
    _ cluster: LoopbackCluster, _ node: LoopbackNode,
    interrupts: @escaping (KeyRequest) -> Bool = { _ in false }
  ) -> KeyChange {
    KeyChange(
      directory: cluster.keyDirectory(of: node.node), clusterName: LoopbackCluster.name,
      localNode: node.node,
      nodes: cluster.nodes.map { .init(id: $0, name: "node\($0)") }
    ) {
      usleep(200_000)
    } ask: { request in
      if interrupts(request) { throw Interrupted() }
      return try ask(node, .keys(request))
    }
  }

  private static func onItsOwnThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
  }

  @Test func allKeysAreReplacedWhileTheClusterRuns() async throws {
    try await withCluster { cluster, nodes in
      let old = try cluster.nodes.map { try cluster.keyDirectory(of: $0).credential() }
      let view = try await Self.onItsOwnThread { try Self.status(nodes[0]).viewID }
      let two = cluster.nodes[1]
      // Interrupted in the middle: some nodes have new keys, some old ones, and all go on.
      await #expect(throws: (any Error).self) {
        try await Self.onItsOwnThread {
          try Self.change(cluster, nodes[0]) {
            if case .install(two, _) = $0 { true } else { false }
          }
          .rotate { _ in }
        }
      }
      #expect(try cluster.keyDirectory(of: two).trustedKeys().authorities.count == 2)
      #expect(try cluster.keyDirectory(of: two).credential().certificate == old[1].certificate)
      let authority = try await Self.onItsOwnThread {
        try Self.awaitMembers(3, on: nodes[2])
        return try Self.change(cluster, nodes[0]).rotate { _ in }
      }
      #expect(authority != cluster.authority.certificate.fingerprint)
      for (node, before) in zip(cluster.nodes, old) {
        let directory = cluster.keyDirectory(of: node)
        let trusted = try directory.trustedKeys()
        #expect(trusted.authorities.map(\.fingerprint) == [authority])
        let credential = try directory.credential()
        #expect(credential.certificate.fingerprint != before.certificate.fingerprint)
        try trusted.check(credential.certificate)
        #expect(throws: CredentialError.self) { try trusted.check(before.certificate) }
      }
      let after = try await Self.onItsOwnThread {
        try Self.awaitMembers(3, on: nodes[0])
        return try Self.status(nodes[0]).viewID
      }
      #expect(after == view, "nobody was removed")
      // Once more, without an interruption.
      let third = try await Self.onItsOwnThread {
        try Self.change(cluster, nodes[0]).rotate { _ in }
      }
      #expect(third != authority)
      for node in cluster.nodes {
        let directory = cluster.keyDirectory(of: node)
        #expect(try directory.trustedKeys().authorities.map(\.fingerprint) == [third])
        try directory.trustedKeys().check(directory.credential().certificate)
      }
      #expect(
        try cluster.keyDirectory(of: cluster.nodes[0]).authority().certificate.fingerprint == third)
    }
  }

  @Test func aNodeIsWithdrawnByItsNameAndTheAuthoritysNodeIsNot() async throws {
    try await withCluster { cluster, nodes in
      let three = try cluster.keyDirectory(of: cluster.nodes[2]).credential().certificate
      let withdrawal = try await Self.onItsOwnThread {
        let change = Self.change(cluster, nodes[0])
        let own = try #require(change.node("1"))
        #expect(throws: SetupError.self) { try change.withdraw(own) }
        let result = try change.withdraw(try #require(change.node("node3")))
        #expect(throws: SetupError.self) { try change.withdraw(try #require(change.node("node3"))) }
        try Self.awaitMembers(2, on: nodes[0])
        return result
      }
      #expect(withdrawal.withdrawn == [three.fingerprint])
      #expect(withdrawal.unaware == [])
      #expect(
        try cluster.keyDirectory(of: cluster.nodes[1]).trustedKeys().revoked == [three.fingerprint])
      await #expect(throws: SetupError.self, "not all nodes are there") {
        try await Self.onItsOwnThread { try Self.change(cluster, nodes[0]).rotate { _ in } }
      }
    }
  }
}
