import ClusterTypes
import LockProtocol
import NIOCore

extension ClusterLocks {
  /// For benchmarks: locks in EX and unlocks, `count` times in all, side by side on all `resources`,
  /// without leaving the event loop in between. Returns the time it took.
  package func repeatCycles(
    _ resources: [ResourceName], in lockspace: LockspaceName, count: Int
  ) async throws -> Duration {
    try await withLockspaces { locks, loop in
      let promise = loop.makePromise(of: Duration.self)
      let cycles = LockCycles(lockspace, count: count, locks: locks, loop: loop, promise: promise)
      for resource in resources { cycles.next(on: resource) }
      return promise.futureResult
    }
  }
}

/// Confined to the cluster's event loop.
private final class LockCycles {
  private let lockspace: LockspaceName
  private let locks: InHouseLockspaces
  private let loop: any EventLoop
  private let promise: EventLoopPromise<Duration>
  private let start = ContinuousClock.now
  private var toBegin: Int
  private var toEnd: Int

  init(
    _ lockspace: LockspaceName, count: Int, locks: InHouseLockspaces, loop: any EventLoop,
    promise: EventLoopPromise<Duration>
  ) {
    self.lockspace = lockspace
    self.locks = locks
    self.loop = loop
    self.promise = promise
    toBegin = count
    toEnd = count
  }

  func next(on resource: ResourceName) {
    guard toBegin > 0 else { return }
    toBegin -= 1
    let holder = LockHolder(resource, in: lockspace, locks: locks, loop: loop, owner: "benchmark")
    holder.request(.ex, wait: .forever) { [self] error in
      if let error { return promise.fail(error) }
      holder.release { [self] in
        toEnd -= 1
        if toEnd == 0 { promise.succeed(ContinuousClock.now - start) }
        next(on: resource)
      }
    }
  }
}
