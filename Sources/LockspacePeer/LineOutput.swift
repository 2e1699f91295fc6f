import Glibc
import NIOCore
import NIOPosix

/// Lines to a descriptor that may block: written at once and in order, by a thread of a pool, so
/// that a slow reader does not hold up the lock manager.
///
/// Confined to its event loop.
final class LineOutput {
  private let descriptor: Int32
  private let pool: NIOThreadPool
  private let eventLoop: any EventLoop
  private var pending: [UInt8] = []
  private var isWriting = false
  private var isBroken = false
  private var waiters: [EventLoopPromise<Void>] = []
  /// The reader has gone away.
  var onFailure: () -> Void = {}

  /// Bytes that may wait for the reader before input is held back.
  static let comfortable = 64 << 20

  init(descriptor: Int32, pool: NIOThreadPool, eventLoop: any EventLoop) {
    self.descriptor = descriptor
    self.pool = pool
    self.eventLoop = eventLoop
  }

  func write(_ bytes: [UInt8]) {
    guard !isBroken else { return }
    pending += bytes
    writePending()
  }

  /// Succeeds when everything has been written, or cannot be.
  func drained() -> EventLoopFuture<Void> {
    guard isWriting else { return eventLoop.makeSucceededVoidFuture() }
    let promise = eventLoop.makePromise(of: Void.self)
    waiters.append(promise)
    return promise.futureResult
  }

  /// Succeeds when there is room for more.
  func ready() -> EventLoopFuture<Void> {
    pending.count < Self.comfortable ? eventLoop.makeSucceededVoidFuture() : drained()
  }

  private func writePending() {
    guard !isWriting, !pending.isEmpty else { return }
    isWriting = true
    let batch = pending
    pending = []
    pool.runIfActive(eventLoop: eventLoop) { [descriptor] in
      Self.write(batch, to: descriptor)
    }.assumeIsolated().whenComplete { result in
      self.isWriting = false
      if case .success(true) = result { self.writePending() } else { self.fail() }
      guard !self.isWriting else { return }
      let waiters = self.waiters
      self.waiters = []
      for waiter in waiters { waiter.succeed() }
    }
  }

  private func fail() {
    isBroken = true
    pending = []
    onFailure()
  }

  /// False when the reader has gone away.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&state, 1, -1)
      } else if errno != EINTR {
        return false
      }
    }
    return true
  }
}
