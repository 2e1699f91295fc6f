import KernelLockspaces
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Waits for processes' requests on a thread of its own. They are read and noted on the event loop, in one
/// go, so that no end of the daemon comes in between; and no more than the loop has taken.
final class PosixLockReader: Sendable {
  private static let pollMilliseconds: Int32 = 500
  private static let pauseMicroseconds: UInt32 = 1_000_000

  private let device: PosixLockDevice
  private let thread = NIOThreadPool(numberOfThreads: 1)
  private let isStopped = Atomic(false)

  init(_ device: PosixLockDevice) { self.device = device }

  /// - Parameter take: runs on `loop`, reads what is there, and returns how long to wait before more is
  ///   read; nil for not at all.
  func start(
    on loop: any EventLoop, logger: Logger, take: @escaping @Sendable () throws -> Duration?
  ) {
    thread.start()
    thread.submit { [self] _ in
      while !isStopped.load(ordering: .acquiring) {
        do {
          guard try device.waitUntilReadable(timeoutMilliseconds: Self.pollMilliseconds) else {
            continue
          }
          if let pause = try loop.submit(take).wait() {
            usleep(UInt32(clamping: pause.wholeMicroseconds))
          }
        } catch {
          guard !isStopped.load(ordering: .acquiring) else { return }
          // Without this thread programs would hang: go on, not too fast.
          logger.critical("requests for POSIX locks cannot be read: \(error)")
          usleep(Self.pauseMicroseconds)
        }
      }
    }
  }

  func stop() {
    isStopped.store(true, ordering: .releasing)
    thread.shutdownGracefully { _ in }
  }
}

extension Duration {
  fileprivate var wholeMicroseconds: UInt64 {
    let (seconds, attoseconds) = components
    return UInt64(clamping: seconds) * 1_000_000 + UInt64(clamping: attoseconds / 1_000_000_000_000)
  }
}
