import AdminProtocol
import ClusterCredentials
import ClusterTypes
import Testing

@testable import ClusterDaemon

extension ClusterTests {
  /// Whom the nodes believe changes while whole daemons run.
  @Suite struct KeyServiceTests {
    private func states(_ node: LoopbackNode) async throws -> [NodeKeyState] {
      guard case .keyStates(let states, _) = try await node.ask(.keys(.states)) else { return [] }
      return states
    }

    private func lines(_ list: TrustList) throws -> [String] {
      try list.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// A list in which the key that the node has now is withdrawn.
    private func withdrawal(of node: NodeID, in cluster: TestCluster) throws -> TrustList {
      let key = try cluster.loopback.keyDirectory(of: node).credential().certificate.fingerprint
      let list = try cluster.loopback.keyDirectory(of: Name.one).trustList()
      return try list.followed(
        by: list.keys.revoking([key]), signedBy: cluster.loopback.authority)
    }

    @Test func `a withdrawn key ends its node's connections, and the others go on`() async throws {
      try await TestCluster.with(provider: .embedded) { cluster in
        let nodes = try await cluster.startAll()
        #expect(try await states(nodes[0]).map(\.listNumber) == [1, 1, 1])
        let list = try withdrawal(of: Name.three, in: cluster)
        guard
          case .keyStates(let after, let silent) = try await nodes[0].ask(
            .keys(.adopt(list: lines(list))))
        else { throw TimedOut(description: "the list is not taken up") }
        #expect(after.first { $0.node == Name.one }?.listNumber == 2)
        #expect(silent == [Name.three])
        try await cluster.awaitView([Name.one, Name.two], on: nodes[0])
        try await eventually("node 3 knows that nobody talks to it") {
          try await !nodes[2].status().isQuorate
        }
        #expect(
          try cluster.loopback.keyDirectory(of: Name.three).trustList() == list,
          "the node was told before its connections were closed")
      }
    }

    @Test func `a node that was off learns with its first connection whom to believe`() async throws
    {
      try await TestCluster.with(provider: .embedded) { cluster in
        let nodes = try await cluster.startAll()
        try await cluster.kill(Name.two)
        let list = try withdrawal(of: Name.three, in: cluster)
        _ = try await nodes[0].ask(.keys(.adopt(list: lines(list))))
        #expect(try cluster.loopback.keyDirectory(of: Name.two).trustList().number == 1)
        try await cluster.start(Name.two, bootID: "second")
        try await eventually("node 2 has the list that it missed") {
          try cluster.loopback.keyDirectory(of: Name.two).trustList() == list
        }
      }
    }

    @Test func `nobody but the authority changes whom the nodes believe`() async throws {
      try await TestCluster.with(provider: .embedded) { cluster in
        let nodes = try await cluster.startAll()
        let keys = try cluster.loopback.keyDirectory(of: Name.one).trustedKeys()
        let intruder = try ClusterAuthority(cluster: keys.cluster, clusterName: "loopback")
        let forged = try TrustList(
          signing: keys.adding(intruder.certificate), number: 7, by: intruder)
        guard
          case .failed(let failure) = try await nodes[0].ask(.keys(.adopt(list: lines(forged))))
        else { throw TimedOut(description: "a forged list is taken up") }
        #expect(failure.message.contains("signed by no authority"))
        #expect(try await states(nodes[0]).map(\.listNumber) == [1, 1, 1])
      }
    }
  }
}
