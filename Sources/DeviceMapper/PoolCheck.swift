import Glibc
import LVMSystemDirectory
import VolumeActivation

/// The programs of thin-provisioning-tools that look at a pool's metadata before the kernel gets
/// it, run as LVM runs them (dm-activation, section 5).
enum PoolCheck {
  private static let folder = "/usr/sbin"
  private static let nodeFolder = "\(DeviceDirectory.path)/mapper"
  /// The status of a child that found no program to run.
  private static let statusNotFound: Int32 = 127

  /// - Throws: an error when the metadata is damaged. Without the program nothing is checked.
  static func run(_ kind: MetadataCheck.Kind, on device: MappedDevice) throws(DeviceMapperError) {
    let program = "\(folder)/\(kind.rawValue)_check"
    guard access(program, X_OK) == 0 else { return }
    let node = "\(nodeFolder)/\(device.name)"
    let status = try spawn([program, "-q", "--clear-needs-check-flag", node], for: device)
    guard status != 0, status != statusNotFound else { return }
    throw DeviceMapperError(
      operation: .check, device: device.name, code: 0,
      detail: "\(program) ended with status \(status): repair the pool with lvconvert --repair")
  }

  /// Runs a program with its output dropped, and waits for it.
  private static func spawn(
    _ words: [String], for device: MappedDevice
  ) throws(DeviceMapperError) -> Int32 {
    func failure(_ code: Int32) -> DeviceMapperError {
      DeviceMapperError(
        operation: .check, device: device.name, code: code,
        detail: "\(words[0]): \(String(cString: strerror(code)))")
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
      posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, words[0], &actions, nil, arguments, environ)
    guard code == 0 else { throw failure(code) }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { throw failure(errno) }
    }
    // A signal's number, or the status in the high byte.
    let signal = status & 0x7f
    return signal == 0 ? (status >> 8) & 0xff : 128 + signal
  }
}
