import ClusterMembership
import Corosync
import NIOCore
import NIOPosix

/// Speaks with corosync on a thread of its own and hands what it says to the event loop.
final class CorosyncReader: Sendable {
  private let group: CorosyncGroup
  private let thread = NIOThreadPool(numberOfThreads: 1)

  init(_ group: CorosyncGroup) { self.group = group }

  /// Joins the group. `deliver` runs on `loop`.
  func start(on loop: any EventLoop, deliver: @escaping @Sendable (GroupEvent) -> Void) {
    thread.start()
    thread.submit { [group] _ in
      group.run { event in loop.execute { deliver(event) } }
    }
  }

  func multicast(_ bytes: [UInt8]) { group.multicast(bytes) }
  func leave() { group.leave() }

  func stop() {
    group.stop()
    thread.shutdownGracefully { _ in }
  }
}
