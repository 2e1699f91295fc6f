import BlockDevices
import Glibc
import LVMMetadata
import LVMSystemDirectory
import OfflineCommands
import VolumeActivation
import VolumeCommands

/// The same commands on two sets of equal disks: LVM's on loop devices, ours on image files. Both
/// print PVs as pv0, pv1 ….
final class ComparedDisks {
  /// Nil when LVM can be asked.
  static let obstacle: String? = {
    guard getuid() == 0 else { return "loop devices need root" }
    for tool in ["/usr/sbin/lvm", "/usr/sbin/losetup"] where access(tool, X_OK) != 0 {
      return "\(tool) is not installed"
    }
    guard access("/dev/loop-control", W_OK) == 0 else { return "there are no loop devices" }
    return nil
  }()

  /// What a command did, without the two blanks before lines.
  struct Result: Equatable {
    var status: Int32
    var output: [String]
    var errors: [String]
    /// The group's text without ids, times and hints; empty when there is no group.
    var text: [String] = []
  }

  private let folder: String
  private var loops: [String] = []
  private let count: Int

  init(sizes: [Int], allocation: String = "") throws {
    var template = Array("/tmp/offline-commands-tests-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ToolError.failed("mkdtemp") }
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    count = sizes.count
    for (index, size) in sizes.enumerated() {
      for side in ["lvm", "ours"] {
        let descriptor = open("\(folder)/\(side)\(index)", O_CREAT | O_RDWR, 0o600)
        guard descriptor >= 0, ftruncate(descriptor, size << 20) == 0 else {
          throw ToolError.failed("creating a disk")
        }
        close(descriptor)
      }
      let attached = try spawn("/usr/sbin/losetup", ["--find", "--show", "\(folder)/lvm\(index)"])
      guard attached.status == 0, let loop = attached.output.first else {
        throw ToolError.failed("losetup: \(attached.errors)")
      }
      loops.append(loop)
    }
    try writeConfiguration(allocation)
  }

  deinit {
    for loop in loops { _ = try? spawn("/usr/sbin/losetup", ["--detach", loop]) }
    _ = try? spawn("/bin/rm", ["-rf", folder])
  }

  private func writeConfiguration(_ allocation: String) throws {
    let accepted = loops.map { "\"a|^\($0)$|\"" }.joined(separator: ", ")
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
      allocation { \(allocation) }
      """
    guard let file = fopen("\(folder)/lvm.conf", "w") else { throw ToolError.failed("lvm.conf") }
    defer { fclose(file) }
    fputs(text, file)
  }

  /// LVM's side.
  func lvm(_ words: [String]) throws -> Result {
    var result = try spawn("/usr/sbin/lvm", words.map(withLoops))
    result.text = try text("lvm")
    return result
  }

  /// Our side.
  func ours(_ words: [String]) throws -> Result {
    var result = Result(status: 0, output: [], errors: [])
    guard let name = words.first, let command = OfflineCommand.named(name) else {
      throw ToolError.failed("\(words): no such command")
    }
    do {
      let arguments = try CommandArguments(
        Array(words.dropFirst()), options: command.options, command: name)
      let work = try command.prepare(arguments)
      let answersYes = arguments.has("yes")
      let session = try OfflineSession(
        disks: try disks("ours"),
        configuration: try LVMConfiguration(systemDirectory: folder),
        commandLine: words.joined(separator: " "), isTest: arguments.has("test"),
        writesBackups: false, mapper: nil,
        print: { message in
          switch message.stream {
          case .output: result.output.append(message.text)
          case .error: result.errors.append(message.text)
          }
        },
        ask: { question in
          if !answersYes { result.errors.append("\(question)[n]") }
          return answersYes
        })
      result.status = work(session)
    } catch let error as CommandLineError {
      result.status = 3
      result.errors = error.messages
    }
    result.text = try text("ours")
    return result
  }

  /// A session on the loop devices, which are real block devices, with a device-mapper.
  func session(_ mapper: any DeviceMapping, answer: Bool = true) throws -> (OfflineSession, Lines) {
    let lines = Lines()
    let disks = try loops.enumerated().map { index, path in
      OfflineSession.Disk(
        device: try BlockDevice(path: path, name: "pv\(index)", access: .readWrite), path: path)
    }
    let session = try OfflineSession(
      disks: disks, configuration: try LVMConfiguration(systemDirectory: folder),
      commandLine: "test", isTest: false, writesBackups: false, mapper: mapper,
      print: { lines.texts.append($0.text) }, ask: { _ in answer })
    return (session, lines)
  }

  /// Sizes in sectors of the loop devices.
  func blockDevices() throws -> [DeviceNumber: UInt64] {
    var sizes: [DeviceNumber: UInt64] = [:]
    for path in loops {
      let device = try BlockDevice(path: path, access: .readOnly)
      if let number = device.number { sizes[number] = device.sizeBytes / 512 }
    }
    return sizes
  }

  final class Lines {
    var texts: [String] = []
  }

  /// Lets our disks be what LVM's are, or the other way round.
  func copy(from side: String) throws {
    let other = side == "lvm" ? "ours" : "lvm"
    for index in 0..<count {
      let copied = try spawn(
        "/bin/cp", ["\(folder)/\(side)\(index)", "\(folder)/\(other)\(index)"])
      guard copied.status == 0 else { throw ToolError.failed("cp: \(copied.errors)") }
    }
  }

  private func disks(_ side: String) throws -> [OfflineSession.Disk] {
    try (0..<count).map { index in
      let path = "\(folder)/\(side)\(index)"
      return OfflineSession.Disk(
        device: try BlockDevice(path: path, name: "pv\(index)", access: .readWrite), path: path)
    }
  }

  private func text(_ side: String) throws -> [String] {
    let groups = MetadataScanner.scan(try disks(side).map(\.device)).groups
    return groups.sorted { $0.volumeGroup.name < $1.volumeGroup.name }.flatMap { group in
      String(decoding: group.volumeGroup.sectionBytes(form: .disk), as: UTF8.self)
        .split(separator: "\n").map(String.init).filter { line in
          !["id = ", "creation_", "device = "].contains { line.hasPrefix($0) }
        }
    }
  }

  private func withLoops(_ word: String) -> String {
    for (index, loop) in loops.enumerated()
    where word == "pv\(index)" || word.hasPrefix("pv\(index):") {
      return loop + word.dropFirst("pv\(index)".count)
    }
    return word
  }

  private func withNames(_ line: Substring) -> String {
    var text = String(line.drop { $0 == " " })
    for (index, loop) in loops.enumerated().reversed() {
      var parts: [Substring] = []
      var rest = text[...]
      while let range = rest.firstRange(of: loop) {
        parts.append(rest[..<range.lowerBound])
        rest = rest[range.upperBound...]
      }
      parts.append(rest)
      text = parts.joined(separator: "pv\(index)")
    }
    return text
  }

  private func spawn(_ program: String, _ arguments: [String]) throws -> Result {
    let paths = ["\(folder)/output", "\(folder)/errors"]
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    for (index, path) in paths.enumerated() {
      posix_spawn_file_actions_addopen(
        &actions, Int32(index + 1), path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    }
    let environment = [
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DM_DISABLE_UDEV=1",
      "LVM_SYSTEM_DIR=\(folder)", "LVM_SUPPRESS_FD_WARNINGS=1", "TZ=UTC",
    ]
    let argv = ([program] + arguments).map { strdup($0) }
    let envp = environment.map { strdup($0) }
    defer { for pointer in argv + envp { free(pointer) } }
    var child = pid_t()
    guard posix_spawn(&child, program, &actions, nil, argv + [nil], envp + [nil]) == 0 else {
      throw ToolError.failed("starting \(program)")
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    let lines = paths.map(lines(of:))
    return Result(
      status: status & 0x7F == 0 ? status >> 8 & 0xFF : -1, output: lines[0], errors: lines[1])
  }

  /// Lines that say something; LVM's word on having no device-mapper says nothing here.
  private func lines(of path: String) -> [String] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(withNames).filter {
      !$0.isEmpty && !$0.contains("Activation disabled") && !$0.contains("Skipping zeroing")
    }
  }
}

enum ToolError: Error {
  case failed(String)
}
