import ClusterTypes
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

/// A lock that is held until `release`, or until nobody refers to this value any more.
public final class ClusterLock: Sendable {
  public let resource: ResourceName
  public let lockspace: LockspaceName
  /// The modes that others want and this lock excludes; ends when the lock is gone.
  public let blockingRequests: AsyncStream<LockMode>

  private static let rememberedBlockingRequests = 8

  private let loop: any EventLoop
  private let holder: NIOLoopBound<LockHolder>
  /// Then nothing is left to release, and the event loop may be gone too.
  private let isGone = Atomic(false)

  fileprivate init(_ holder: LockHolder, _ loop: any EventLoop) {
    resource = holder.resource
    lockspace = holder.lockspace
    self.loop = loop
    self.holder = NIOLoopBound(holder, eventLoop: loop)
    let (stream, continuation) = AsyncStream.makeStream(
      of: LockMode.self, bufferingPolicy: .bufferingNewest(Self.rememberedBlockingRequests))
    blockingRequests = stream
    holder.blocking = { continuation.yield($0) }
    holder.ended = { [weak self] in
      self?.isGone.store(true, ordering: .relaxed)
      continuation.finish()
    }
  }

  deinit {
    guard !isGone.load(ordering: .relaxed) else { return }
    loop.execute { [holder] in holder.value.release() }
  }

  /// The mode that is held; nil once the lock is gone.
  public var mode: LockMode? {
    get async { await look { $0.isHeld ? $0.mode : nil } }
  }

  /// The resource's value block of 32 bytes as of the last grant; nil when a holder died that may
  /// have changed it. The lock manager keeps it as long as anybody has a lock on the resource, NL
  /// included; then it is zeros again.
  public var valueBlock: [UInt8]? {
    get async { await look(\.valueBlock) }
  }

  /// Changes the mode. On an error the lock keeps the mode it had. Cancelling the task takes the
  /// conversion back.
  ///
  /// - Parameter writing: the new value block, of 32 bytes; for a lock held in PW or EX only, and
  ///   for a conversion down or to the same mode.
  public func convert(
    to mode: LockMode, wait: LockWait = .forever, writing: [UInt8]? = nil
  ) async throws(ClusterLockError) {
    // A conversion has no beginning at which a cancellation that came before would show.
    if Task.isCancelled { throw .cancelled }
    try await operate { $0.convert(to: mode, wait: wait, writing: writing, completion: $1) }
  }

  /// Gives the lock up; returns when it is gone.
  public func release() async {
    await withCheckedContinuation { continuation in
      loop.execute { [holder] in holder.value.release { continuation.resume() } }
    }
  }

  /// Writes the value block, of 32 bytes, and gives the lock up, which must be held in PW or EX.
  public func release(writing valueBlock: [UInt8]) async throws(ClusterLockError) {
    try await operate { holder, completion in
      guard holder.isHeld else {
        return completion(.unusable(holder.resource, holder.lockspace))
      }
      if let refusal = holder.refusal(writing: valueBlock) { return completion(refusal) }
      holder.release(writing: valueBlock) { completion(nil) }
    }
  }

  fileprivate func operate(
    _ operation: @escaping @Sendable (LockHolder, @escaping LockHolder.Completion) -> Void
  ) async throws(ClusterLockError) {
    let failure: ClusterLockError? = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        loop.execute { [holder] in
          operation(holder.value) { continuation.resume(returning: $0) }
        }
      }
    } onCancel: {
      loop.execute { [holder] in holder.value.cancel() }
    }
    if let failure { throw failure }
  }

  private func look<Value: Sendable>(
    _ body: @escaping @Sendable (LockHolder) -> Value
  ) async -> Value {
    await withCheckedContinuation { continuation in
      loop.execute { [holder] in continuation.resume(returning: body(holder.value)) }
    }
  }
}
