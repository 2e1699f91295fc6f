import Glibc
import LVMMetadata

/// The lvm command on loop devices in a private world: own configuration, locks and backups, no
/// device-mapper, and no other device in sight.
final class RealTools {
  /// Nil when the tools can be used.
  static let obstacle: String? = {
    guard getuid() == 0 else { return "loop devices need root" }
    for tool in ["/usr/sbin/lvm", "/usr/sbin/losetup"] where access(tool, X_OK) != 0 {
      return "\(tool) is not installed"
    }
    guard access("/dev/loop-control", W_OK) == 0 else { return "there are no loop devices" }
    return nil
  }()

  struct Output {
    var status: Int32
    /// Standard output and standard error in the order written.
    var text: String
  }

  private let folder: String
  private(set) var devicePaths: [String] = []

  init(deviceCount: Int, sizeBytes: Int) throws {
    var template = Array("/tmp/lvm-metadata-tests-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ToolError.failed("mkdtemp") }
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for index in 0..<deviceCount {
      let image = "\(folder)/pv\(index).img"
      let descriptor = open(image, O_CREAT | O_RDWR, 0o600)
      guard descriptor >= 0, ftruncate(descriptor, sizeBytes) == 0 else {
        throw ToolError.failed("creating \(image)")
      }
      close(descriptor)
      let attached = try run("/usr/sbin/losetup", ["--find", "--show", image])
      guard attached.status == 0 else { throw ToolError.failed(attached.text) }
      devicePaths.append(String(attached.text.filter { $0 != "\n" }))
    }
    try writeConfiguration()
  }

  deinit {
    for path in devicePaths { _ = try? run("/usr/sbin/losetup", ["--detach", path]) }
    _ = try? run("/bin/rm", ["-rf", folder])
  }

  private func writeConfiguration() throws {
    let accepted = devicePaths.map { "\"a|^\($0)$|\"" }.joined(separator: ", ")
    let text = """
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
      """
    try write(text, to: "\(folder)/lvm.conf")
  }

  private func write(_ text: String, to path: String) throws {
    let descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    guard descriptor >= 0 else { throw ToolError.failed("opening \(path)") }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      throw ToolError.failed("writing \(path)")
    }
  }

  func devices() throws -> [FileDevice] { try devicePaths.map { try FileDevice(path: $0) } }

  /// Runs an lvm command that must succeed and say nothing, except that it has no device-mapper.
  func silentLVM(_ arguments: String...) throws {
    let text = try workingLVM(arguments: arguments)
    let lines = text.split(separator: "\n").filter { !$0.contains("Activation disabled") }
    guard lines.isEmpty else { throw ToolError.failed("\(arguments): \(text)") }
  }

  /// Runs an lvm command that must succeed.
  @discardableResult
  func workingLVM(_ arguments: String...) throws -> String {
    try workingLVM(arguments: arguments)
  }

  @discardableResult
  func workingLVM(arguments: [String]) throws -> String {
    let output = try run("/usr/sbin/lvm", arguments)
    guard output.status == 0 else {
      throw ToolError.failed("\(arguments.joined(separator: " ")): \(output.text)")
    }
    return output.text
  }

  /// The text vgcfgbackup makes of a group.
  func backup(_ group: String) throws -> [UInt8] {
    let path = "\(folder)/backup.txt"
    try workingLVM("vgcfgbackup", "-f", path, group)
    return try bytes(of: path)
  }

  private func bytes(of path: String) throws -> [UInt8] {
    guard let file = fopen(path, "r") else { throw ToolError.failed("reading \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
      bytes += buffer[..<count]
    }
    return bytes
  }

  private func run(_ program: String, _ arguments: [String]) throws -> Output {
    let outputPath = "\(folder)/output"
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
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
    guard failure == 0 else { throw ToolError.failed("starting \(program)") }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    let text = String(decoding: try bytes(of: outputPath), as: UTF8.self)
    return Output(status: status & 0x7F == 0 ? status >> 8 & 0xFF : -1, text: text)
  }

  private func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
  ) -> Result {
    let pointers = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
  }
}

enum ToolError: Error {
  case failed(String)
}

/// A block device through plain system calls.
final class FileDevice: MetadataDevice {
  let name: String
  let sizeBytes: UInt64
  let logicalSectorSize = 512
  private let descriptor: Int32

  init(path: String) throws {
    name = path
    descriptor = open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw ToolError.failed("opening \(path)") }
    sizeBytes = UInt64(max(lseek(descriptor, 0, SEEK_END), 0))
  }

  deinit { close(descriptor) }

  func read(at offset: UInt64, count: Int) throws(MetadataDeviceError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard pread(descriptor, &bytes, count, Int(offset)) == count else { throw failure(.read) }
    return bytes
  }

  func write(_ bytes: [UInt8], at offset: UInt64) throws(MetadataDeviceError) {
    guard pwrite(descriptor, bytes, bytes.count, Int(offset)) == bytes.count else {
      throw failure(.write)
    }
  }

  func flush() throws(MetadataDeviceError) {
    guard fdatasync(descriptor) == 0 else { throw failure(.flush) }
  }

  private func failure(_ operation: MetadataDeviceError.Operation) -> MetadataDeviceError {
    MetadataDeviceError(
      device: name, operation: operation, reason: String(cString: strerror(errno)))
  }
}
