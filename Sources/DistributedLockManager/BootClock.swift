import ClusterTypes
import Glibc

extension Timestamp {
  /// The boot-time clock of this machine: it goes on while the machine sleeps, and nobody sets it.
  package static var now: Timestamp {
    var time = timespec()
    let result = clock_gettime(CLOCK_BOOTTIME, &time)
    precondition(result == 0, "the boot-time clock cannot be read, errno \(errno)")
    return Timestamp(
      nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }
}
