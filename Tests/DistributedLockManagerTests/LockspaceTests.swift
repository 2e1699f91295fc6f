import DistributedLockManager
import LockProtocol
import Testing

@testable import LockExample

@Suite struct LockspaceTests {
  @Test func whatOneHoldsAnotherWaitsFor() async throws {
    try await TwoNodes.with(0) { cluster in
      let lock = try await cluster.here.lock("r", mode: .ex, owner: "a")
      await #expect(throws: ClusterLockError.self) {
        _ = try await cluster.there.lock("r", mode: .ex, wait: .no, owner: "b")
      }
      async let waiting = cluster.there.lock("r", mode: .ex, owner: "b")
      for await mode in lock.blockingRequests {
        #expect(mode == .ex)
        break
      }
      await lock.release()
      let other = try await waiting
      #expect(await other.mode == .ex)
      await other.release()
    }
  }

  @Test func valueBlockHasTheLengthOfTheLockspace() async throws {
    try await TwoNodes.with(1, valueBlockLength: 64) { cluster in
      let block = (0..<64).map { UInt8($0) }
      let keeper = try await cluster.here.lock("r", mode: .nl, owner: "keeper")
      let writer = try await cluster.here.lock("r", mode: .ex, owner: "a")
      await #expect(throws: ClusterLockError.self) { try await writer.release(writing: [1]) }
      try await writer.release(writing: block)
      let reader = try await cluster.there.lock("r", mode: .pr, owner: "b")
      #expect(await reader.valueBlock == block)
      await reader.release()
      await keeper.release()
    }
  }

  @Test func cancelledTaskTakesItsRequestBack() async throws {
    try await TwoNodes.with(2) { cluster in
      let lock = try await cluster.here.lock("r", mode: .ex, owner: "a")
      let waiting = Task { try await cluster.there.lock("r", mode: .ex, owner: "b") }
      for await _ in lock.blockingRequests { break }
      waiting.cancel()
      await #expect(throws: ClusterLockError.cancelled) { _ = try await waiting.value }
      // Nobody is left in the queue, at the latest when the master has heard of it.
      try await lock.convert(to: .nl)
      let next = try await cluster.there.lock("r", mode: .ex, owner: "c")
      await next.release()
      await lock.release()
    }
  }

  @Test func requestsWaitWhileTheLockspaceIsStopped() async throws {
    try await TwoNodes.with(3) { cluster in
      let kept = try await cluster.here.lock("kept", mode: .ex, owner: "a")
      for lockspace in cluster.lockspaces { try await lockspace.stop() }
      await #expect(throws: ClusterLockError.self) {
        _ = try await cluster.here.lock("r", mode: .ex, wait: .no, owner: "a")
      }
      async let waiting = cluster.here.lock("r", mode: .ex, owner: "a")
      try await TwoNodes.start(cluster.lockspaces)
      await (try waiting).release()
      await #expect(throws: ClusterLockError.self) {
        _ = try await cluster.there.lock("kept", mode: .pr, wait: .no, owner: "b")
      }
      await kept.release()
    }
  }

  @Test func ownersAreListedWithTheirLocks() async throws {
    try await TwoNodes.with(4) { cluster in
      let lock = try await cluster.here.lock("r", mode: .pw, owner: "backup")
      let mine = await cluster.here.locks
      #expect(mine.map(\.owner) == ["backup"])
      #expect(mine.map(\.lock.granted) == [.pw])
      await lock.release()
    }
  }

  @Test func exampleCounts() async throws {
    let total = try await LockExample.count(
      to: 20, addresses: ["127.0.0.1", "127.0.0.2"], port: TwoNodes.port(5))
    #expect(total == 20)
  }

  @Test func impossibleConfigurationsAreRefused() async throws {
    await #expect(throws: LockNodeError.nodeID(0)) {
      _ = try await LockNode.start(.init(node: 0, address: "127.0.0.1", peers: [:], port: 1))
    }
    await #expect(throws: LockNodeError.address("nowhere")) {
      _ = try await LockNode.start(.init(node: 1, address: "nowhere", peers: [:], port: 1))
    }
    try await TwoNodes.with(6) { cluster in
      #expect(throws: LockNodeError.valueBlockLength(30)) {
        _ = try cluster.nodes[0].open("other", valueBlockLength: 30)
      }
      await #expect(throws: LockNodeError.resourceName) {
        _ = try await cluster.here.lock("", mode: .ex, owner: "a")
      }
    }
  }
}
