import Glibc
import KernelLockspaces
import NIOCore
import NIOPosix
import Synchronization

/// Waits for the kernel's events on a thread of its own and hands them to the event loop.
final class UeventReader: Sendable {
  private static let pollMilliseconds: Int32 = 500
  private static let pauseMicroseconds: UInt32 = 1_000_000

  private let socket: UeventSocket
  private let thread = NIOThreadPool(numberOfThreads: 1)
  private let isStopped = Atomic(false)

  init(_ socket: UeventSocket) { self.socket = socket }

  /// `deliver` runs on `loop`.
  func start(
    on loop: any EventLoop,
    deliver: @escaping @Sendable (Result<UeventSocket.Reading, any Error>) -> Void
  ) {
    thread.start()
    thread.submit { [self] _ in
      while !isStopped.load(ordering: .acquiring) {
        do {
          guard try socket.waitUntilReadable(timeoutMilliseconds: Self.pollMilliseconds) else {
            continue
          }
          let reading = try socket.readAvailable()
          loop.execute { deliver(.success(reading)) }
        } catch {
          // Without this thread every later mount would hang: go on, not too fast.
          loop.execute { deliver(.failure(error)) }
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
