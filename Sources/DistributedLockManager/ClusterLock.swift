import ClusterTypes
import LockProtocol
import NIOCore
import Synchronization

/// A lock that is held until `release`, or until nobody refers to this value any more.
public final class ClusterLock: Sendable {
  public let resource: ResourceName
  public let lockspace: LockspaceName
  /// The modes that others want and this lock excludes; ends when the lock is gone.
  public let blockingRequests: AsyncStream<LockMode>

  private static let rememberedBlockingRequests = 8

  private let loop: any EventLoop
  package let holder: NIOLoopBound<LockHolder>
  /// Then nothing is left to release, and the event loop may be gone too.
  private let isGone = Atomic(false)

  package init(_ holder: LockHolder, _ loop: any EventLoop) {
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

  package func operate(
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
