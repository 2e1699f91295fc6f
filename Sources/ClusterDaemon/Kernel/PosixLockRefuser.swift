import KernelLockspaces
import Logging
import NIOPosix
import Synchronization

/// The thread on which POSIX lock requests of cluster filesystems are refused.
final class PosixLockRefuser: Sendable {
  private static let pollMilliseconds: Int32 = 500

  private let refusal: PosixLockRefusal
  private let thread = NIOThreadPool(numberOfThreads: 1)
  private let isStopped = Atomic(false)

  init() throws { refusal = try PosixLockRefusal() }

  func start(_ logger: Logger) {
    thread.start()
    thread.submit { [self] _ in
      var hasTold = false
      while !isStopped.load(ordering: .acquiring) {
        do {
          let count = try refusal.refuseRequests(timeoutMilliseconds: Self.pollMilliseconds)
          guard count > 0, !hasTold else { continue }
          hasTold = true
          logger.warning(
            "a program asked for a POSIX lock on a cluster filesystem; these are not supported")
        } catch {
          logger.critical("requests for POSIX locks cannot be answered any more: \(error)")
          return
        }
      }
    }
  }

  func stop() {
    isStopped.store(true, ordering: .releasing)
    thread.shutdownGracefully { _ in }
  }
}
