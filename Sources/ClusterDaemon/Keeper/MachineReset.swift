import CLinux
import Glibc
import Logging

/// The last resort of a node that must not write any more.
enum MachineReset {
  /// Resets the machine without syncing or unmounting: whatever is written from here on, others do not
  /// expect. Returns only if that is not possible.
  static func now(_ logger: Logger) {
    clinux_reset_machine()
    logger.critical(
      "the machine cannot be reset (\(String(cString: strerror(errno)))): switch it off by hand")
  }
}
