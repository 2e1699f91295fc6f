import Glibc
import LVMMetadata

/// Debian's lvm on loop devices in a private world: own configuration, locks and backups, no
/// device-mapper, and no other device in sight.
public final class RealLVM {
  /// Nil when LVM can be asked.
  public static let obstacle: String? = {
    guard getuid() == 0 else { return "loop devices need root" }
    for tool in [lvm, losetup] where access(tool, X_OK) != 0 { return "\(tool) is not installed" }
    guard access("/dev/loop-control", W_OK) == 0 else { return "there are no loop devices" }
    return nil
  }()

  public struct Failure: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
  }

  /// What a program did.
  public struct Output: Sendable {
    /// −1 when a signal ended it.
    public var status: Int32
    public var output: String
    public var errors: String

    public init(status: Int32, output: String, errors: String) {
      self.status = status
      self.output = output
      self.errors = errors
    }
  }

  static let lvm = "/usr/sbin/lvm"
  private static let losetup = "/usr/sbin/losetup"

  /// `LVM_SYSTEM_DIR`: gone with the object.
  public let folder: String
  /// Files behind the loop devices.
  public private(set) var images: [String] = []
  /// The loop devices.
  public private(set) var paths: [String] = []

  /// - Parameters:
  ///   - sizes: of empty disks, in bytes.
  ///   - settings: text behind the rest of lvm.conf.
  public convenience init(sizes: [Int], settings: String = "") throws {
    let disks = sizes.map { MemoryDevice(name: "empty", sizeBytes: UInt64($0)) }
    try self.init(disks, settings: settings)
  }

  /// - Parameter disks: what is to be on the loop devices.
  public init(_ disks: [MemoryDevice], settings: String = "") throws {
    var template = Array("/tmp/real-lvm-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure("mkdtemp") }
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for (index, disk) in disks.enumerated() {
      let image = "\(folder)/disk\(index)"
      try Self.write(disk, to: image)
      images.append(image)
      let attached = try run(Self.losetup, ["--find", "--show", image])
      guard attached.status == 0 else { throw Failure("losetup: \(attached.errors)") }
      paths.append(String(attached.output.filter { $0 != "\n" }))
    }
    try write(configuration(settings), to: "lvm.conf")
  }

  deinit {
    for path in paths { _ = try? run(Self.losetup, ["--detach", path]) }
    _ = try? run("/bin/rm", ["-rf", folder])
  }

  private func configuration(_ settings: String) -> String {
    let accepted = paths.map { "\"a|^\($0)$|\"" }.joined(separator: ", ")
    return """
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
      \(settings)
      """
  }

  private static func write(_ disk: MemoryDevice, to path: String) throws {
    let descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    guard descriptor >= 0 else { throw Failure("opening \(path)") }
    defer { close(descriptor) }
    guard ftruncate(descriptor, off_t(disk.sizeBytes)) == 0 else { throw Failure("sizing \(path)") }
    for page in disk.writtenPages {
      guard pwrite(descriptor, page.bytes, page.bytes.count, off_t(page.offset)) == page.bytes.count
      else { throw Failure("writing \(path)") }
    }
  }

  /// Writes a file into the folder.
  public func write(_ text: String, to name: String) throws {
    guard let file = fopen("\(folder)/\(name)", "w") else { throw Failure("writing \(name)") }
    defer { fclose(file) }
    fputs(text, file)
  }

  /// The content of a file in the folder.
  public func bytes(of name: String) throws -> [UInt8] {
    guard let file = fopen("\(folder)/\(name)", "r") else { throw Failure("reading \(name)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
      bytes += buffer[..<count]
    }
    return bytes
  }

  /// Runs an lvm command.
  public func callAsFunction(_ arguments: [String]) throws -> Output {
    try run(Self.lvm, arguments)
  }

  /// Runs an lvm command that must succeed; gives what it printed on standard output.
  @discardableResult
  public func succeed(_ arguments: [String]) throws -> String {
    let result = try self(arguments)
    guard result.status == 0 else {
      throw Failure("\(arguments.joined(separator: " ")): \(result.output)\(result.errors)")
    }
    return result.output
  }

  public func run(_ program: String, _ arguments: [String]) throws -> Output {
    let running = try RunningProgram(program, arguments, environment: environment, in: folder)
    return try running.finish(answer: "")
  }

  /// Starts an lvm command that will ask for something.
  public func start(_ arguments: [String]) throws -> RunningProgram {
    try RunningProgram(Self.lvm, arguments, environment: environment, in: folder)
  }

  private var environment: [String] {
    [
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DM_DISABLE_UDEV=1",
      "LVM_SYSTEM_DIR=\(folder)", "LVM_SUPPRESS_FD_WARNINGS=1", "TZ=UTC",
    ]
  }
}
