import CLinux
import Glibc
import VolumeActivation

/// The names under /dev of the machine's block devices, symbolic links included.
public struct DeviceNodes: Sendable {
  private var names: [DeviceNumber: [String]] = [:]

  /// Folders that hold no device nodes but may hold many files.
  private static let skippedFolders: Set<String> = ["fd", "hugepages", "mqueue", "pts", "shm"]
  private static let depthLimit = 6

  public init(_ names: [DeviceNumber: [String]]) { self.names = names }

  /// Collects the nodes below `directory`. Folders that cannot be read are left out, as their
  /// devices could not be opened either.
  public init(below directory: String) {
    collect(directory, depth: 0)
    names = names.mapValues { $0.sorted() }
  }

  private mutating func collect(_ directory: String, depth: Int) {
    guard depth < Self.depthLimit else { return }
    for entry in Directory.entries(of: directory) {
      let path = "\(directory)/\(entry)"
      var attributes = stat()
      guard lstat(path, &attributes) == 0 else { continue }
      if attributes.st_mode & S_IFMT == S_IFDIR {
        if depth > 0 || !Self.skippedFolders.contains(entry) { collect(path, depth: depth + 1) }
      } else if let number = Self.number(ofBlockDevice: path) {
        names[number, default: []].append(path)
      }
    }
  }

  /// The number of the block device that `path` leads to; nil when it leads to none.
  public static func number(ofBlockDevice path: String) -> DeviceNumber? {
    var attributes = stat()
    guard stat(path, &attributes) == 0, attributes.st_mode & S_IFMT == S_IFBLK else { return nil }
    return DeviceNumber(
      major: clinux_device_major(attributes.st_rdev),
      minor: clinux_device_minor(attributes.st_rdev))
  }

  /// All names of a device.
  public func names(of device: DeviceNumber) -> [String] { names[device] ?? [] }
}

/// Reading folders and the small files of sysfs.
enum Directory {
  /// The entries of a folder, sorted, without "." and ".."; empty when it cannot be read.
  static func entries(of path: String) -> [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var entries: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
        field.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: field.pointee))
        { String(cString: $0) }
      }
      if name != "." && name != ".." { entries.append(name) }
    }
    return entries.sorted()
  }

  /// The first line of a small file without its newline; nil when it cannot be read.
  static func firstLine(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      guard count >= 0 else { return nil }
      return String(decoding: buffer[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
  }
}
