import BlockDevices
import LVMMetadata
import LVMSystemDirectory
import OfflineCommands
import RealLVM
import Testing
import VolumeActivation
import VolumeCommands

/// The same commands on two sets of equal disks: LVM's on loop devices, ours on image files. Both
/// print PVs as pv0, pv1 ….
final class ComparedDisks {
  static let obstacle = RealLVM.obstacle

  /// What a command did, without the two blanks before lines.
  struct Result: Equatable {
    var status: Int32
    var output: [String]
    var errors: [String]
    /// The group's text without ids, times and hints; empty when there is no group.
    var text: [String] = []
  }

  private let real: RealLVM
  /// Of our disks, which are image files.
  private let images: [String]

  init(sizes: [Int], allocation: String = "") throws {
    real = try RealLVM(
      sizes: sizes.map { $0 << 20 }, settings: "allocation { \(allocation) }")
    images = sizes.indices.map { [folder = real.folder] in "\(folder)/ours\($0)" }
    try copy(from: "lvm")
  }

  /// LVM's side.
  func lvm(_ words: [String]) throws -> Result {
    var result = shown(try real(words.map(withLoops)))
    result.text = try text("lvm")
    return result
  }

  /// Our side.
  func ours(_ words: [String]) throws -> Result {
    var result = Result(status: 0, output: [], errors: [])
    guard let name = words.first, let command = OfflineCommand.named(name) else {
      throw RealLVM.Failure("\(words): no such command")
    }
    do {
      let arguments = try CommandArguments(
        Array(words.dropFirst()), options: command.options, command: name)
      let work = try command.prepare(arguments)
      let answersYes = arguments.has("yes")
      let configuration = try LVMConfiguration(
        systemDirectory: real.folder, override: arguments.value("config"))
      let session = try OfflineSession(
        disks: try disks("ours"), configuration: configuration,
        locks: try HostLocks(configuration), commandLine: words.joined(separator: " "),
        isTest: arguments.has("test"),
        writesBackups: try arguments.bool("autobackup") ?? true, mapper: nil,
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
      result.status = error.status
      result.errors = error.messages
      if let usage = error.usage { result.output = [usage] }
    }
    result.text = try text("ours")
    return result
  }

  /// Runs a command on both sides and records what differs; our disks are LVM's then, for what comes next.
  ///
  /// - Parameter comparable: what of a result is compared.
  func compare(
    _ line: String, _ note: String = "", _ comparable: (Result) -> Result = { $0 },
    at location: SourceLocation = #_sourceLocation
  ) throws {
    let words = line.split(separator: " ").map(String.init)
    let theirs = comparable(try lvm(words))
    let ours = comparable(try ours(words))
    guard ours != theirs else { return }
    Issue.record(
      """
      \(line) \(note)
      status \(ours.status), LVM's \(theirs.status)
      output \(ours.output), LVM's \(theirs.output)
      errors \(ours.errors), LVM's \(theirs.errors)
      text \(ours.text.difference(from: theirs.text))
      """, sourceLocation: location)
    try copy(from: "lvm")
  }

  /// Lets a disk of LVM's, or of ours, be no PV any more.
  func wipeLabel(on index: Int, ofOurs: Bool) throws {
    let device = try disks(ofOurs ? "ours" : "lvm")[index].device
    try device.write([UInt8](repeating: 0, count: 4096), at: 0)
    try device.flush()
  }

  /// Puts a profile where both sides look for it.
  func addProfile(_ name: String, _ text: String) throws {
    _ = try real.run("/bin/mkdir", ["-p", "\(real.folder)/profile"])
    try real.write(text, to: "profile/\(name).profile")
  }

  /// A session on the loop devices, which are real block devices, with a device-mapper.
  func session(_ mapper: any DeviceMapping, answer: Bool = true) throws -> (OfflineSession, Lines) {
    let lines = Lines()
    let disks = try real.paths.enumerated().map { index, path in
      OfflineSession.Disk(
        device: try BlockDevice(path: path, name: "pv\(index)", access: .readWrite), path: path)
    }
    let configuration = try LVMConfiguration(systemDirectory: real.folder)
    let session = try OfflineSession(
      disks: disks, configuration: configuration, locks: try HostLocks(configuration),
      commandLine: "test", isTest: false, writesBackups: false, mapper: mapper,
      print: { lines.texts.append($0.text) }, ask: { _ in answer })
    return (session, lines)
  }

  /// Sizes in sectors of the loop devices.
  func blockDevices() throws -> [DeviceNumber: UInt64] {
    var sizes: [DeviceNumber: UInt64] = [:]
    for path in real.paths {
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
    for (theirs, ours) in zip(real.images, images) {
      let paths = side == "lvm" ? ["--sparse=always", theirs, ours] : [ours, theirs]
      let copied = try real.run("/bin/cp", paths)
      guard copied.status == 0 else { throw RealLVM.Failure("cp: \(copied.errors)") }
    }
  }

  /// Puts bytes on LVM's disk and on ours.
  func write(_ bytes: [UInt8], at offset: UInt64, on index: Int) throws {
    for side in ["lvm", "ours"] {
      let device = try disks(side)[index].device
      let first = offset / 512 * 512
      let end = (offset + UInt64(bytes.count) + 511) / 512 * 512
      var sectors = try device.read(at: first, count: Int(end - first))
      sectors.replaceSubrange(Int(offset - first)..<Int(offset - first) + bytes.count, with: bytes)
      try device.write(sectors, at: first)
      try device.flush()
    }
  }

  /// Bytes of our disk.
  func ourBytes(at offset: UInt64, count: Int, on index: Int) throws -> [UInt8] {
    try disks("ours")[index].device.read(at: offset, count: count)
  }

  private func disks(_ side: String) throws -> [OfflineSession.Disk] {
    try (side == "lvm" ? real.images : images).enumerated().map { index, path in
      OfflineSession.Disk(
        device: try BlockDevice(path: path, name: "pv\(index)", access: .readWrite), path: path)
    }
  }

  /// LVM's command, which waits for an answer with its locks held.
  func startLVM(_ words: [String]) throws -> RunningProgram {
    try real.start(words.map(withLoops))
  }

  /// The locks of this world.
  func locks() throws -> HostLocks {
    try HostLocks(try LVMConfiguration(systemDirectory: real.folder))
  }

  /// How many metadata areas are in use, and how many there are.
  func areaCounts() throws -> (ours: [Int], lvm: [Int]) {
    func counts(_ side: String) throws -> [Int] {
      let areas = MetadataScanner.scan(try disks(side).map(\.device)).physicalVolumes
        .flatMap(\.areas)
      return [areas.count { $0.header?.isIgnored == false }, areas.count]
    }
    return (try counts("ours"), try counts("lvm"))
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
    for (index, loop) in real.paths.enumerated()
    where word == "pv\(index)" || word.hasPrefix("pv\(index):") {
      return loop + word.dropFirst("pv\(index)".count)
    }
    return word
  }

  private func withNames(_ line: Substring) -> String {
    var text = String(line.drop { $0 == " " })
    // The longest first: /dev/loop1 is the beginning of /dev/loop10.
    let loops = real.paths.enumerated().sorted { $0.element.utf8.count > $1.element.utf8.count }
    for (index, loop) in loops {
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

  private func shown(_ result: RealLVM.Output) -> Result {
    var output = lines(of: result.output)
    let errors = lines(of: result.errors)
    // Behind the usage LVM says what the command is good for.
    if errors.last?.hasSuffix("syntax is:") == true || errors.last?.hasSuffix("has syntax:") == true
    {
      output.removeSubrange(min(output.count, 1)...)
    }
    return Result(status: result.status, output: output, errors: errors)
  }

  /// Lines that say something; LVM's word on having no device-mapper says nothing here.
  private func lines(of text: String) -> [String] {
    text.split(separator: "\n").map(withNames).filter {
      !$0.isEmpty && !$0.contains("Activation disabled") && !$0.contains("Skipping zeroing")
    }
  }
}
