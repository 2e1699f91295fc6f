import Glibc
import LVMMetadata

/// Debian's lvm on loop devices that hold a recording's devices: own configuration and locks, no
/// device-mapper, and no other device in sight.
final class LVMOracle {
  /// Nil when the tools can be used.
  static let obstacle: String? = {
    guard getuid() == 0 else { return "loop devices need root" }
    for tool in ["/usr/sbin/lvm", "/usr/sbin/losetup"] where access(tool, X_OK) != 0 {
      return "\(tool) is not installed"
    }
    guard access("/dev/loop-control", W_OK) == 0 else { return "there are no loop devices" }
    return nil
  }()

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  struct Output {
    var status: Int32
    var text: String
  }

  private let folder: String
  private(set) var paths: [String] = []

  /// - Parameter devices: what is to be on the loop devices.
  init(_ devices: [MemoryDevice]) throws {
    var template = Array("/tmp/volume-reports-tests-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(description: "mkdtemp") }
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for (index, device) in devices.enumerated() {
      let image = "\(folder)/pv\(index).img"
      try Self.write(device, to: image)
      let attached = try run("/usr/sbin/losetup", ["--find", "--show", image])
      guard attached.status == 0 else { throw Failure(description: "losetup \(image)") }
      paths.append(String(attached.text.filter { $0 != "\n" }))
    }
    let accepted = paths.map { "\"a|^\($0)$|\"" }.joined(separator: ", ")
    try Self.write(
      Array(
        """
        devices {
          use_devicesfile = 0
          global_filter = [\(accepted), "r|.*|"]
          scan_lvs = 0
          obtain_device_list_from_udev = 0
          external_device_info_source = "none"
          hints = "none"
        }
        global {
          activation = 0
          locking_dir = "\(folder)/locks"
          use_lvmpolld = 0
          system_id_source = "none"
        }
        activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }
        """.utf8), to: "\(folder)/lvm.conf")
  }

  deinit {
    for path in paths { _ = try? run("/usr/sbin/losetup", ["--detach", path]) }
    _ = try? run("/bin/rm", ["-rf", folder])
  }

  private static func write(_ device: MemoryDevice, to path: String) throws {
    let descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    guard descriptor >= 0 else { throw Failure(description: "opening \(path)") }
    defer { close(descriptor) }
    guard ftruncate(descriptor, off_t(device.sizeBytes)) == 0 else {
      throw Failure(description: "sizing \(path)")
    }
    for page in device.writtenPages {
      guard pwrite(descriptor, page.bytes, page.bytes.count, off_t(page.offset)) == page.bytes.count
      else { throw Failure(description: "writing \(path)") }
    }
  }

  private static func write(_ bytes: [UInt8], to path: String) throws {
    let descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    guard descriptor >= 0 else { throw Failure(description: "opening \(path)") }
    defer { close(descriptor) }
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      throw Failure(description: "writing \(path)")
    }
  }

  /// Runs an lvm command; its standard error output is left away.
  func lvm(_ arguments: [String]) throws -> Output { try run("/usr/sbin/lvm", arguments) }

  private func run(_ program: String, _ arguments: [String]) throws -> Output {
    let outputPath = "\(folder)/output"
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    let environment = [
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DM_DISABLE_UDEV=1",
      "LVM_SYSTEM_DIR=\(folder)", "LVM_SUPPRESS_FD_WARNINGS=1", "TZ=UTC",
    ]
    var child = pid_t()
    let failure = withCStrings([program] + arguments) { argv in
      withCStrings(environment) { envp in
        posix_spawn(&child, program, &actions, nil, argv, envp)
      }
    }
    guard failure == 0 else { throw Failure(description: "starting \(program)") }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    return Output(
      status: status & 0x7F == 0 ? status >> 8 & 0xFF : -1, text: try Self.text(of: outputPath))
  }

  private static func text(of path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw Failure(description: "reading \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
  ) -> Result {
    let pointers = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
  }
}
