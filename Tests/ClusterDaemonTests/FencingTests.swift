import AdminProtocol
import ClusterDaemon
import ClusterTypes
import DistributedLockManager
import LockProtocol
import Testing

extension ClusterTests {
  @Suite struct FencingTests {
    private static let pause = Duration.milliseconds(150)

    private func withLockspace(
      _ body: (TestCluster, [LoopbackNode]) async throws -> Void
    ) async throws {
      try await TestCluster.with { cluster in
        let nodes = try await cluster.startAll()
        for node in nodes { try await Pending { try await node.locks.join(Name.space) }.value }
        try await body(cluster, nodes)
      }
    }

    private func awaitRemoval(of node: NodeID, on witness: LoopbackNode) async throws {
      try await eventually("node \(node) is removed") {
        try await witness.status().state(of: node) != .member
      }
    }

    @Test func `what a vanished node held is granted only after it is called dead`() async throws {
      try await withLockspace { cluster, nodes in
        let anchor = try await nodes[0].locks.lock(
          Name.resource, in: Name.space, mode: .nl, owner: "keeps the value block")
        let writer = try await nodes[1].locks.lock(
          Name.resource, in: Name.space, mode: .ex, owner: "writes once")
        try await writer.release(writing: Array(1...32))
        let victim = try await nodes[2].command("the resource", .exclusive)
        #expect(try await victim.nextReply() == .lockGranted)
        let waiter = Pending {
          try await nodes[0].locks.lock(Name.resource, in: Name.space, mode: .ex, owner: "waiter")
        }
        #expect(try await waiter.isWaiting(after: Self.pause))
        try await cluster.kill(Name.three)
        try await awaitRemoval(of: Name.three, on: nodes[0])

        #expect(try await waiter.isWaiting(after: .milliseconds(500)))
        let status = try await nodes[0].status()
        #expect(status.state(of: Name.three) == .unfenced)
        #expect(status.waitingFor.contains { $0.contains("clvm node fenced 3") })
        #expect(status.lockspace(Name.space)?.state == .stopped)
        #expect(status.lockspace(Name.space)?.waitingFor.isEmpty == false)

        #expect(try await nodes[1].ask(.nodeFenced(Name.three)) == .done)
        let granted = try await waiter.value
        #expect(await granted.mode == .ex)
        #expect(await granted.valueBlock == nil, "the victim may have been about to write it")
        #expect(try await nodes[0].status().state(of: Name.three) == .absent)
        await granted.release()
        #expect(await anchor.mode == .nl)
        try await anchor.convert(to: .pr)
        #expect(await anchor.valueBlock == nil, "nobody has written it since")
      }
    }

    @Test func `who would not wait is told that the lockspace is stopped`() async throws {
      try await withLockspace { cluster, nodes in
        try await cluster.kill(Name.three)
        try await eventually("the lockspace is stopped") {
          try await nodes[0].status().lockspace(Name.space)?.state == .stopped
        }
        await #expect(throws: ClusterLockError.lockspaceStopped(Name.space)) {
          try await Pending {
            _ = try await nodes[0].locks.lock(
              Name.resource, in: Name.space, mode: .pr, wait: .no, owner: "test")
          }.value
        }
        let impatient = try await nodes[0].command("x", .exclusive, isNonBlocking: true)
        guard case .failed(let failure) = try await impatient.nextReply() else {
          Issue.record("granted in a stopped lockspace")
          return
        }
        #expect(failure.reason == .wouldBlock)
        let limited = try await nodes[0].command("x", .exclusive, timeoutMilliseconds: 200)
        guard case .failed(let timeout) = try await limited.nextReply() else {
          Issue.record("granted in a stopped lockspace")
          return
        }
        #expect(timeout.reason == .timedOut)
        let cancelled = Pending {
          try await nodes[0].locks.lock(Name.resource, in: Name.space, mode: .pr, owner: "test")
        }
        #expect(try await cancelled.isWaiting(after: Self.pause))
        cancelled.cancel()
        await #expect(throws: ClusterLockError.cancelled) { _ = try await cancelled.value }
      }
    }

    @Test func `nobody is called dead who is heard, or who was never missed`() async throws {
      try await TestCluster.with { cluster in
        let nodes = [try await cluster.start(Name.one), try await cluster.start(Name.two)]
        for node in nodes { try await cluster.awaitView([Name.one, Name.two], on: node) }
        guard case .failed(let alive) = try await nodes[0].ask(.nodeFenced(Name.two)) else {
          Issue.record("a living node was called dead")
          return
        }
        #expect(alive.reason == .refused)
        guard case .failed(let itself) = try await nodes[0].ask(.nodeFenced(Name.one)) else {
          Issue.record("a node called itself dead")
          return
        }
        #expect(itself.reason == .refused)
        guard case .failed(let absent) = try await nodes[0].ask(.nodeFenced(Name.three)) else {
          Issue.record("nothing waits for node 3")
          return
        }
        #expect(absent.reason == .notFound)
      }
    }

    @Test func `a daemon that is stopped in order stops nobody for long`() async throws {
      try await withLockspace { cluster, nodes in
        let leaver = try await nodes[2].command("the resource", .exclusive)
        #expect(try await leaver.nextReply() == .lockGranted)
        let waiter = Pending {
          try await nodes[0].locks.lock(Name.resource, in: Name.space, mode: .ex, owner: "waiter")
        }
        #expect(try await waiter.isWaiting(after: Self.pause))
        try await cluster.stop(Name.three)
        #expect(try await waiter.value.mode == .ex)
        try await awaitRemoval(of: Name.three, on: nodes[0])
        let status = try await nodes[0].status()
        #expect(status.state(of: Name.three) == .absent)
        #expect(status.waitingFor.isEmpty)
        try await eventually("two go on") {
          let space = try await nodes[1].status().lockspace(Name.space)
          return space?.state == .running && space?.members == [Name.one, Name.two]
        }
      }
    }

    @Test func `a new boot of the vanished node is proof enough`() async throws {
      try await withLockspace { cluster, nodes in
        try await cluster.kill(Name.three)
        try await eventually("node 3 is missed") {
          try await nodes[0].status().state(of: Name.three) == .unfenced
        }
        try await cluster.start(Name.three, life: 2, bootID: "second", isClean: false)
        try await eventually("the lockspace runs again") {
          try await nodes[0].status().lockspace(Name.space)?.state == .running
        }
      }
    }

    @Test func `a majority that is lost stops the rest, and coming back lets it go on`()
      async throws
    {
      try await withLockspace { cluster, nodes in
        try await cluster.kill(Name.two)
        try await cluster.kill(Name.three)
        try await eventually("node 1 has no quorum") { try await !nodes[0].status().isQuorate }
        guard case .failed(let failure) = try await nodes[0].ask(.nodeFenced(Name.three)) else {
          Issue.record("a minority called a node dead")
          return
        }
        #expect(failure.reason == .noQuorum)
        try await cluster.start(Name.two, life: 2, bootID: "second")
        try await eventually("two nodes are a majority") {
          try await nodes[0].status().members == [Name.one, Name.two]
        }
        #expect(try await nodes[0].ask(.nodeFenced(Name.three)) == .done)
        let lock = Pending {
          try await nodes[0].locks.lock(Name.resource, in: Name.space, mode: .ex, owner: "test")
        }
        #expect(try await lock.value.mode == .ex)
      }
    }
  }
}
