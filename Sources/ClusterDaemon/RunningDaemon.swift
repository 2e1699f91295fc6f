import ClusterTypes
import NIOCore

/// A daemon that has been started on an event loop. Its parts are touched there only.
struct RunningDaemon: Sendable {
  let locks: ClusterLocks
  let eventLoop: any EventLoop
  private let daemon: NIOLoopBound<Daemon>

  /// Makes the daemon on the loop and opens its sockets.
  static func start(
    on loop: any EventLoop, _ make: @escaping @Sendable () throws -> Daemon
  ) -> EventLoopFuture<Self> {
    loop.flatSubmit {
      do {
        let daemon = try make()
        let running = Self(
          locks: daemon.clusterLocks, eventLoop: loop,
          daemon: NIOLoopBound(daemon, eventLoop: loop))
        return daemon.start().map { running }
      } catch {
        return loop.makeFailedFuture(error)
      }
    }
  }

  /// Why the daemon must not stop now; nil when it may.
  func stopObstacle() -> EventLoopFuture<String?> { eventLoop.submit { daemon.value.stopObstacle } }

  /// Ends when the cluster has quorum with this node in it, or after `limit`.
  func awaitQuorum(atMost limit: TimeAmount) -> EventLoopFuture<Void> {
    eventLoop.flatSubmit { daemon.value.awaitQuorum(atMost: limit) }
  }

  /// Why the process must not become the daemon anew now; nil when it may.
  func restartObstacle() -> EventLoopFuture<String?> {
    eventLoop.submit { daemon.value.restartObstacle }
  }

  /// Leaves every lockspace and parts from the other nodes.
  func stop() -> EventLoopFuture<Void> { eventLoop.flatSubmit { daemon.value.stop() } }

  /// For tests, which do not wait for the next look.
  func lookForDeadlocks() -> EventLoopFuture<Void> {
    eventLoop.submit { daemon.value.lookForDeadlocks() }
  }

  /// Closes every connection as the end of the process would, and says nothing to anybody.
  func cutOff() -> EventLoopFuture<Void> { eventLoop.flatSubmit { daemon.value.cutOff() } }
}
