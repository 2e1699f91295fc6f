import NIOPosix

/// Threads for blocking work. Two pools, because work on disks may hang behind a suspended device,
/// and the kernel's lockspaces must still be stopped then.
struct WorkerPools: Sendable {
  let kernel = NIOThreadPool(numberOfThreads: 8)
  let volumes = NIOThreadPool(numberOfThreads: 8)

  init() {
    kernel.start()
    volumes.start()
  }

  func stop() async throws {
    try await kernel.shutdownGracefully()
    try await volumes.shutdownGracefully()
  }

  func stopAndWait() throws {
    try kernel.syncShutdownGracefully()
    try volumes.syncShutdownGracefully()
  }
}
