import CLinux
import Glibc
import LVMFrontends
import LVMSystemDirectory

/// `global/lvmlockctl_kill_command` of lvm.conf: the administrator's program that takes a volume group
/// whose locks are lost out of use. Called with the volume group's name.
struct KillSetting {
  let path: String

  /// Nil when there is none.
  static func command() throws -> KillSetting? {
    let configuration = try LVMConfiguration()
    guard let path = configuration.string("global/lvmlockctl_kill_command"), !path.isEmpty else {
      return nil
    }
    guard path.hasPrefix("/"), !path.contains(" ") else {
      throw LVMConfigurationError(
        source: "global/lvmlockctl_kill_command", problem: "'\(path)' is no full path of a program")
    }
    return KillSetting(path: path)
  }

  /// Waits for its end; its exit status.
  func run(vg: String) throws -> Int32 {
    let status = clinux_run(path, vg)
    guard status >= 0 else {
      throw LVMConfigurationError(
        source: path, problem: "cannot be started: \(String(cString: strerror(errno)))")
    }
    return status
  }
}
