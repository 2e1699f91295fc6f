import ClusterMembership
import ClusterTypes
import Glibc
import Logging

/// A node without a keeper: nothing resets it when its lease ends, so its time without a lease proves
/// nothing to the others, and no lockspace of the kernel survives its daemon.
struct UnwatchedNode: LeaseKeeper {
  let findings: KeeperFindings
  private let logger: Logger

  /// - Parameter holdsNothing: whether nothing of an earlier life of the daemon on this boot may still
  ///   write: no lockspace in the kernel, no command that held one of its locks.
  init(holdsNothing: Bool, logger: Logger) {
    findings = KeeperFindings(isAlive: holdsNothing, spaces: [])
    self.logger = logger
  }

  var capabilities: Capabilities { Capabilities(watchdog: .none) }
  func setLease(until: Timestamp) {}
  func becomeDirty() {}
  func becomeClean() {}

  func selfFence(reason: String) {
    logger.critical("this machine is reset now: \(reason)")
    // Neither syncing nor unmounting: whatever is written from here on, others do not expect.
    let descriptor = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC)
    let isReset = descriptor >= 0 && write(descriptor, "b", 1) == 1
    if descriptor >= 0 { close(descriptor) }
    if !isReset {
      logger.critical(
        "the machine cannot be reset (\(String(cString: strerror(errno)))): switch it off by hand")
    }
  }
}
