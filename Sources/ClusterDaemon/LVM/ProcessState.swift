import Glibc

/// How far the life of a process of this machine is, by /proc/PID/stat (proc_pid_stat(5)).
enum ProcessState: Equatable {
  case running
  /// It runs no program any more: the kernel takes it apart, or its parent has not asked for its status.
  case ending
  case gone
  /// It cannot be looked at, or has no number here, as a process of another PID namespace.
  case unknown

  /// PF_EXITING of the kernel's include/linux/sched.h. It is set before the kernel closes the files of a
  /// process that ends: whoever sees a connection end finds it. To wait until the process is gone would be
  /// in vain where the kernel, on its behalf, waits for a device that is suspended.
  private static let exitingFlag: UInt64 = 0x4

  init(of process: Int32) {
    guard process > 0 else {
      self = .unknown
      return
    }
    do {
      self = Self(stat: try readFile("/proc/\(process)/stat", limit: 4096))
    } catch {
      self = kill(process, 0) != 0 && errno == ESRCH ? .gone : .unknown
    }
  }

  /// The second field, in parentheses, may contain anything; state and flags are the third and the ninth.
  init(stat text: [UInt8]) {
    guard let end = text.lastIndex(of: UInt8(ascii: ")")) else {
      self = .unknown
      return
    }
    let fields = text[(end + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count > 6, let flags = UInt64(String(decoding: fields[6], as: UTF8.self)) else {
      self = .unknown
      return
    }
    let isDead = fields[0].first.map { Array("ZXx".utf8).contains($0) } ?? false
    self = isDead || flags & Self.exitingFlag != 0 ? .ending : .running
  }

  /// It does nothing any more.
  var isOver: Bool { self == .ending || self == .gone }
}
