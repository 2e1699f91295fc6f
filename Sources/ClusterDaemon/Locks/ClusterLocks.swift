import ClusterTypes
import DistributedLockManager
import LockManager
import LockProtocol
import NIOCore
import Synchronization

/// The cluster's locks for Swift code in the daemon's process.
///
///     try await locks.join(lockspace)
///     try await locks.withLock(resource, in: lockspace, mode: .ex, owner: "backup") { lock in … }
///     await locks.leave(lockspace)
///
/// Calls may come from any task. What is decided, is decided on the cluster's event loop.
public struct ClusterLocks: Sendable {
  private struct Parts {
    let locks: InHouseLockspaces
    unowned let node: ClusterNode
  }

  private let loop: any EventLoop
  private let parts: NIOLoopBound<Parts>

  init(locks: InHouseLockspaces, node: ClusterNode, loop: any EventLoop) {
    self.loop = loop
    parts = NIOLoopBound(Parts(locks: locks, node: node), eventLoop: loop)
  }

  /// Makes this node a member of the lockspace, or notes one more user of it. Waits while a removed
  /// node has not been fenced. Each successful call must be matched by one of `leave`.
  public func join(_ lockspace: LockspaceName) async throws(ClusterLockError) {
    let failure: ClusterLockError? = await withCheckedContinuation { continuation in
      loop.execute { [parts] in
        let parts = parts.value
        guard parts.node.isOperational else { return continuation.resume(returning: .noQuorum) }
        parts.locks.join(lockspace) { error in
          continuation.resume(
            returning: error.map { .joinFailed(lockspace, reason: $0.description) })
        }
      }
    }
    if let failure { throw failure }
  }

  /// Gives one use of the lockspace up; with the last one this node leaves it, and locks that are
  /// still held are lost.
  public func leave(_ lockspace: LockspaceName) async {
    await withCheckedContinuation { continuation in
      loop.execute { [parts] in parts.value.locks.leave(lockspace) { continuation.resume() } }
    }
  }

  /// Takes a lock in a lockspace that has been joined. Cancelling the task takes the request back.
  ///
  /// - Parameters:
  ///   - mode: NL to EX.
  ///   - owner: for whom, in a few words: `clvm locks` shows it.
  public func lock(
    _ resource: ResourceName, in lockspace: LockspaceName, mode: LockMode,
    wait: LockWait = .forever, owner: String
  ) async throws(ClusterLockError) -> ClusterLock {
    let lock = await makeLock(resource, lockspace, owner)
    try await lock.operate { $0.request(mode, wait: wait, completion: $1) }
    return lock
  }

  /// Runs `body` under a lock and releases it, however `body` ends.
  public func withLock<Result>(
    _ resource: ResourceName, in lockspace: LockspaceName, mode: LockMode,
    wait: LockWait = .forever, owner: String, isolation: isolated (any Actor)? = #isolation,
    _ body: (ClusterLock) async throws -> Result
  ) async throws -> Result {
    let lock = try await lock(resource, in: lockspace, mode: mode, wait: wait, owner: owner)
    do {
      let result = try await body(lock)
      await lock.release()
      return result
    } catch {
      await lock.release()
      throw error
    }
  }

  /// Runs `body` on the cluster's event loop.
  func withLockspaces<Result: Sendable>(
    _ body: @escaping @Sendable (InHouseLockspaces, any EventLoop) -> EventLoopFuture<Result>
  ) async throws -> Result {
    try await loop.flatSubmit { [parts, loop] in body(parts.value.locks, loop) }.get()
  }

  private func makeLock(
    _ resource: ResourceName, _ lockspace: LockspaceName, _ owner: String
  ) async -> ClusterLock {
    await withCheckedContinuation { continuation in
      loop.execute { [parts, loop] in
        let holder = LockHolder(
          resource, in: lockspace, locks: parts.value.locks, loop: loop, owner: owner)
        continuation.resume(returning: ClusterLock(holder, loop))
      }
    }
  }
}
