import ClusterMembership
import Glibc
import KernelLockspaces

/// What can be said of the machine that a watchdog is to reset.
enum MachineFacts {
  private static let sleepTargets = ["sleep.target", "suspend.target", "hibernate.target"]

  /// A paused guest's watchdog is paused with it, so its silence proves nothing.
  static func isVirtual(cpuInformation: String) -> Bool {
    cpuInformation.split(separator: "\n").contains { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { return false }
      switch parts[0].filter({ !$0.isWhitespace }) {
      case "flags", "Features":
        return parts[1].split(separator: " ").contains("hypervisor")
      case "vendor_id": return parts[1].contains("User Mode Linux")
      default: return false
      }
    }
  }

  static func isVirtual() -> Bool {
    isVirtual(cpuInformation: text(of: "/proc/cpuinfo"))
  }

  /// Drivers stop the device before a machine sleeps. Either the kernel knows no sleep, or the targets
  /// by which systemd would begin it are masked.
  static func cannotSleep(
    states: String, maskedTargets: Set<String>
  ) -> Bool {
    states.allSatisfy(\.isWhitespace) || maskedTargets.isSuperset(of: sleepTargets)
  }

  static func cannotSleep() -> Bool {
    let masked = sleepTargets.filter { target in
      var link = [CChar](repeating: 0, count: 256)
      let count = readlink("/etc/systemd/system/\(target)", &link, link.count - 1)
      return count > 0
        && String(decoding: link[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
          == "/dev/null"
    }
    return cannotSleep(states: text(of: "/sys/power/state"), maskedTargets: Set(masked))
  }

  /// What the driver calls itself, as the kernel's drivers do.
  static func kind(identity: String, isVirtual: Bool) -> Capabilities.Watchdog {
    if identity == "Software Watchdog" { return .softdog }
    return isVirtual ? .hypervisor : .hardware
  }

  /// Empty when the file is not there.
  private static func text(of path: String) -> String {
    do {
      return String(decoding: try HostKernelFiles().read(path), as: UTF8.self)
    } catch {
      return ""
    }
  }
}
