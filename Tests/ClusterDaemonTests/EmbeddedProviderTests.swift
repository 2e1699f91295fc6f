import AdminProtocol
import ClusterDaemon
import ClusterTypes
import DistributedLockManager
import Testing

extension ClusterTests {
  /// Whole daemons with the embedded provider, on 127.0.0.1.
  @Suite struct EmbeddedProviderTests {
    private func withLockspace(
      _ body: (TestCluster, [LoopbackNode]) async throws -> Void
    ) async throws {
      try await TestCluster.with(provider: .embedded) { cluster in
        let nodes = try await cluster.startAll()
        for node in nodes { try await Pending { try await node.locks.join(Name.space) }.value }
        try await body(cluster, nodes)
      }
    }

    private func lock(_ node: LoopbackNode) async throws {
      let lock = Pending {
        try await node.locks.lock(Name.resource, in: Name.space, mode: .ex, owner: "test")
      }
      await (try await lock.value).release()
    }

    @Test func `three daemons form one view and lock`() async throws {
      try await withLockspace { _, nodes in
        for node in nodes { try await lock(node) }
        var statuses: [ClusterStatus] = []
        for node in nodes { statuses.append(try await node.status()) }
        #expect(Set(statuses.map(\.viewID)).count == 1)
        #expect(statuses.allSatisfy { $0.waitingFor.isEmpty && $0.isQuorate })
      }
    }

    @Test func `a lockspace waits for the fence of a vanished node, and says so`() async throws {
      try await withLockspace { cluster, nodes in
        let victim = try await nodes[2].command("the resource", .exclusive)
        #expect(try await victim.nextReply() == .lockGranted)
        let waiter = Pending {
          try await nodes[0].locks.lock(Name.resource, in: Name.space, mode: .ex, owner: "waiter")
        }
        try await cluster.kill(Name.three)
        try await eventually("node 3 is removed") {
          try await nodes[0].status().state(of: Name.three) == .unfenced
        }
        #expect(try await waiter.isWaiting(after: .milliseconds(500)))
        let status = try await nodes[1].status()
        #expect(status.waitingFor.contains { $0.contains("clvm node fenced 3") })
        #expect(
          status.lockspace(Name.space)?.waitingFor.contains {
            $0.contains("lockspace work waits for the fence of node node3 (3)")
          } == true)
        #expect(try await nodes[1].ask(.nodeFenced(Name.three)) == .done)
        #expect(try await waiter.value.mode == .ex)
      }
    }

    @Test func `a vanished node that boots again is proven dead by that`() async throws {
      try await withLockspace { cluster, nodes in
        try await cluster.kill(Name.three)
        try await eventually("node 3 is removed") {
          try await nodes[0].status().state(of: Name.three) == .unfenced
        }
        let back = try await cluster.start(Name.three, bootID: "second")
        try await cluster.awaitView(cluster.loopback.nodes, on: back)
        try await lock(nodes[0])
        #expect(try await nodes[0].status().waitingFor.isEmpty)
      }
    }

    @Test func `a daemon that is started again at once goes on as the same member`() async throws {
      try await withLockspace { cluster, nodes in
        let before = try await nodes[0].status()
        let held = try await nodes[2].command("the resource", .exclusive)
        #expect(try await held.nextReply() == .lockGranted)
        try await cluster.kill(Name.three)
        let reborn = try await cluster.start(Name.three)
        try await cluster.awaitView(cluster.loopback.nodes, on: reborn)
        // What the old daemon held ended with it, and everybody knows.
        try await lock(nodes[0])
        try await Pending { try await reborn.locks.join(Name.space) }.value
        try await lock(reborn)
        try await lock(nodes[1])
        let after = try await nodes[0].status()
        #expect(after.viewID == before.viewID, "nobody was removed")
        #expect(after.nodes.map(\.incarnation) == before.nodes.map(\.incarnation))
      }
    }

    @Test func `a daemon that is stopped in order leaves nothing to prove`() async throws {
      try await withLockspace { cluster, nodes in
        try await cluster.stop(Name.three)
        try await eventually("node 1 knows that node 3 has left") {
          try await nodes[0].status().state(of: Name.three) == .absent
        }
        #expect(try await nodes[0].status().waitingFor.isEmpty)
        try await lock(nodes[1])
      }
    }

    @Test func `a majority that is lost holds new locks until it is back`() async throws {
      try await withLockspace { cluster, nodes in
        try await cluster.kill(Name.two)
        try await cluster.kill(Name.three)
        try await eventually("node 1 has no quorum") { try await !nodes[0].status().isQuorate }
        let status = try await nodes[0].status()
        #expect(status.waitingFor.contains { $0.contains("majority") })
        try await cluster.start(Name.two, bootID: "second")
        try await cluster.start(Name.three, bootID: "second")
        try await lock(nodes[0])
      }
    }

    @Test func `a cluster that was stopped comes back with what it had decided`() async throws {
      try await TestCluster.with(provider: .embedded) { cluster in
        let nodes = try await cluster.startAll()
        let before = try await nodes[0].status().viewID
        for node in cluster.loopback.nodes { try await cluster.kill(node) }
        let later = try await cluster.startAll()
        #expect(try await later[0].status().viewID > before)
        try await eventually("nothing of the old life is waited for") {
          try await later[0].status().waitingFor.isEmpty
        }
      }
    }

    @Test func `of two nodes with a witness one goes on alone`() async throws {
      try await TestCluster.with(provider: .embedded, witnesses: [Name.three]) { cluster in
        let nodes = try await cluster.startAll()
        #expect(try await nodes[2].status().waitingFor.contains { $0.contains("witness") })
        try await Pending { try await nodes[0].locks.join(Name.space) }.value
        try await cluster.kill(Name.two)
        try await cluster.awaitView([Name.one], on: nodes[0])
        try await lock(nodes[0])
      }
    }

    @Test func `of two nodes with a quorum disk one goes on alone`() async throws {
      try await TestCluster.with(nodeCount: 2, provider: .embedded, quorumDisk: true) { cluster in
        let nodes = try await cluster.startAll()
        try await Pending { try await nodes[1].locks.join(Name.space) }.value
        try await cluster.kill(Name.one)
        try await cluster.awaitView([Name.two], on: nodes[1])
        try await lock(nodes[1])
      }
    }
  }
}
