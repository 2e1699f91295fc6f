import ClusterDaemon
import DistributedLockManager
import LockProtocol
import Testing

extension ClusterTests {
  @Suite struct ViewTests {
    @Test func `three daemons form one view and all are quorate`() async throws {
      try await TestCluster.with { cluster in
        let nodes = try await cluster.startAll()
        let statuses = [
          try await nodes[0].status(), try await nodes[1].status(), try await nodes[2].status(),
        ]
        #expect(Set(statuses.map(\.viewID)).count == 1)
        #expect(statuses.allSatisfy { $0.waitingFor.isEmpty })
        #expect(statuses.map(\.node) == cluster.loopback.nodes)
      }
    }

    @Test func `a node alone grants nothing and its status says why`() async throws {
      try await TestCluster.with { cluster in
        let node = try await cluster.start(Name.one)
        guard case .failed(let failure) = try await node.command("x", .exclusive).nextReply() else {
          Issue.record("a lock without quorum")
          return
        }
        #expect(failure.reason == .noQuorum)
        await #expect(throws: ClusterLockError.noQuorum) { try await node.locks.join(Name.space) }
        let status = try await node.status()
        #expect(!status.isQuorate)
        #expect(status.members.isEmpty)
        #expect(status.waitingFor.contains { $0.contains("majority of the 3") })
      }
    }

    @Test func `two of three nodes are enough to grant locks`() async throws {
      try await TestCluster.with { cluster in
        let nodes = [try await cluster.start(Name.one), try await cluster.start(Name.three)]
        try await cluster.awaitView([Name.one, Name.three], on: nodes[1])
        try await nodes[1].locks.join(Name.space)
        let lock = try await nodes[1].locks.lock(
          Name.resource, in: Name.space, mode: .ex, owner: "test")
        await lock.release()
        #expect(try await nodes[1].status().state(of: Name.two) == .absent)
      }
    }

    @Test func `a daemon that restarts at once locks with the others again`() async throws {
      try await TestCluster.with { cluster in
        let nodes = try await cluster.startAll()
        for node in nodes { try await node.locks.join(Name.space) }
        try await cluster.kill(Name.three)
        let reborn = try await cluster.start(Name.three, life: 2)
        try await eventually("the new life is a member") {
          let life = try await nodes[0].status().nodes.last
          return life?.state == .member && life?.incarnation?.rawValue == 2
        }
        try await cluster.awaitView(cluster.loopback.nodes, on: reborn)
        let join = Pending { try await reborn.locks.join(Name.space) }
        try await join.value
        let lock = try await nodes[0].locks.lock(
          Name.resource, in: Name.space, mode: .ex, owner: "test")
        let refused = Pending {
          try await reborn.locks.lock(
            Name.resource, in: Name.space, mode: .pr, wait: .no, owner: "test")
        }
        await #expect(throws: ClusterLockError.heldByOthers(Name.resource, Name.space)) {
          _ = try await refused.value
        }
        await lock.release()
        let granted = Pending {
          try await reborn.locks.lock(Name.resource, in: Name.space, mode: .pr, owner: "test")
        }
        #expect(try await granted.value.mode == .pr)
      }
    }
  }
}
