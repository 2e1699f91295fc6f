import ClusterDaemon
import DistributedLockManager
import LockProtocol
import Testing

extension ClusterTests {
  @Suite struct ClusterLocksTests {
    private static let pause = Duration.milliseconds(150)
    private static let block: [UInt8] = Array(1...32)

    /// Two members of a running lockspace, and a third node that is not in it.
    private func withTwo(
      _ body: (_ here: ClusterLocks, _ there: ClusterLocks) async throws -> Void
    ) async throws {
      try await TestCluster.with { cluster in
        let nodes = try await cluster.startAll()
        for node in nodes.prefix(2) {
          try await Pending { try await node.locks.join(Name.space) }.value
        }
        try await body(nodes[0].locks, nodes[1].locks)
      }
    }

    private func lock(
      _ locks: ClusterLocks, _ mode: LockMode, wait: LockWait = .forever
    ) -> Pending<ClusterLock> {
      Pending {
        try await locks.lock(Name.resource, in: Name.space, mode: mode, wait: wait, owner: "test")
      }
    }

    @Test func `EX keeps another node waiting until it is released`() async throws {
      try await withTwo { here, there in
        let first = try await lock(here, .ex).value
        let second = lock(there, .ex)
        #expect(try await second.isWaiting(after: Self.pause))
        await first.release()
        #expect(try await second.value.mode == .ex)
        #expect(await first.mode == nil)
      }
    }

    @Test func `PR is held by two nodes at once, and excludes EX`() async throws {
      try await withTwo { here, there in
        let first = try await lock(here, .pr).value
        let second = try await lock(there, .pr).value
        await #expect(throws: ClusterLockError.heldByOthers(Name.resource, Name.space)) {
          _ = try await lock(there, .ex, wait: .no).value
        }
        await first.release()
        await second.release()
        #expect(try await lock(there, .ex, wait: .no).value.mode == .ex)
      }
    }

    @Test func `what is written into the value block is read on the other node`() async throws {
      try await withTwo { here, there in
        let anchor = try await lock(there, .nl).value
        let writer = try await lock(here, .ex).value
        #expect(await writer.valueBlock == [UInt8](repeating: 0, count: 32))
        try await writer.release(writing: Self.block)
        try await anchor.convert(to: .pr)
        #expect(await anchor.valueBlock == Self.block)
      }
    }

    @Test func `a conversion down writes the value block and lets others in`() async throws {
      try await withTwo { here, there in
        let writer = try await lock(here, .ex).value
        let reader = lock(there, .pr)
        #expect(try await reader.isWaiting(after: Self.pause))
        try await Pending { try await writer.convert(to: .pr, writing: Self.block) }.value
        #expect(try await reader.value.valueBlock == Self.block)
        #expect(await writer.mode == .pr)
        await #expect(throws: ClusterLockError.heldByOthers(Name.resource, Name.space)) {
          try await Pending { try await writer.convert(to: .ex, wait: .no) }.value
        }
        #expect(await writer.mode == .pr)
      }
    }

    @Test func `a value block is refused under PR and in a wrong length`() async throws {
      try await withTwo { here, _ in
        let reader = try await lock(here, .pr).value
        await #expect(throws: ClusterLockError.self) {
          try await reader.release(writing: Self.block)
        }
        #expect(await reader.mode == .pr)
        try await reader.convert(to: .ex)
        await #expect(throws: ClusterLockError.self) { try await reader.release(writing: [1]) }
        try await reader.release(writing: Self.block)
        await #expect(throws: ClusterLockError.unusable(Name.resource, Name.space)) {
          try await reader.convert(to: .nl)
        }
      }
    }

    @Test func `a holder hears which mode others want`() async throws {
      try await withTwo { here, there in
        let holder = try await lock(here, .ex).value
        let heard = Pending { await holder.blockingRequests.first { _ in true } }
        let waiter = lock(there, .pr)
        #expect(try await heard.value == .pr)
        await holder.release()
        _ = try await waiter.value
      }
    }

    @Test func `a cancelled task's request is taken back and is in nobody's way`() async throws {
      try await withTwo { here, there in
        let holder = try await lock(here, .pr).value
        let cancelled = lock(there, .ex)
        #expect(try await cancelled.isWaiting(after: Self.pause))
        cancelled.cancel()
        await #expect(throws: ClusterLockError.cancelled) { _ = try await cancelled.value }
        // A waiting EX would keep a new PR out.
        #expect(try await lock(there, .pr).value.mode == .pr)
        await holder.release()
      }
    }

    @Test func `a cancelled conversion leaves the lock in its mode`() async throws {
      try await withTwo { here, there in
        let first = try await lock(here, .pr).value
        let second = try await lock(there, .pr).value
        let conversion = Pending { try await second.convert(to: .ex) }
        #expect(try await conversion.isWaiting(after: Self.pause))
        conversion.cancel()
        await #expect(throws: ClusterLockError.cancelled) { try await conversion.value }
        #expect(await second.mode == .pr)
        await first.release()
        try await Pending { try await second.convert(to: .ex) }.value
        #expect(await second.mode == .ex)
      }
    }

    @Test func `a request that waits too long ends`() async throws {
      try await withTwo { here, there in
        let holder = try await lock(here, .ex).value
        await #expect(throws: ClusterLockError.timedOut(Name.resource, Name.space)) {
          _ = try await lock(there, .ex, wait: .atMost(Self.pause)).value
        }
        await holder.release()
        #expect(try await lock(there, .ex).value.mode == .ex)
      }
    }

    @Test func `a lock that nobody refers to any more is released`() async throws {
      try await withTwo { here, there in
        do { _ = try await here.lock(Name.resource, in: Name.space, mode: .ex, owner: "lost") }
        #expect(try await lock(there, .ex).value.mode == .ex)
      }
    }

    @Test func `a lock ends with the body that holds it, also when that throws`() async throws {
      struct Failure: Error {}
      try await withTwo { here, there in
        await #expect(throws: Failure.self) {
          try await here.withLock(Name.resource, in: Name.space, mode: .ex, owner: "test") { lock in
            #expect(await lock.mode == .ex)
            throw Failure()
          }
        }
        let free = try await lock(there, .ex, wait: .no).value
        #expect(await free.mode == .ex)
      }
    }

    @Test func `a lockspace that was not joined grants nothing`() async throws {
      try await withTwo { here, _ in
        let other = Name.lockspace("other")
        await #expect(throws: ClusterLockError.notJoined(other)) {
          _ = try await here.lock(Name.resource, in: other, mode: .pr, owner: "test")
        }
      }
    }

    @Test func `a lockspace that is being left can be joined again at once`() async throws {
      try await withTwo { here, _ in
        let left = Pending { await here.leave(Name.space) }
        let joined = Pending {
          try await Task.sleep(for: .microseconds(200))
          try await here.join(Name.space)
        }
        try await left.value
        try await joined.value
        #expect(try await lock(here, .ex).value.mode == .ex)
      }
    }

    @Test func `leaving a lockspace ends the locks that are still held`() async throws {
      try await withTwo { here, there in
        let lost = try await lock(here, .ex).value
        let waiter = lock(there, .ex)
        #expect(try await waiter.isWaiting(after: Self.pause))
        try await Pending { await here.leave(Name.space) }.value
        #expect(await lost.mode == nil)
        #expect(try await waiter.value.mode == .ex)
      }
    }
  }
}
