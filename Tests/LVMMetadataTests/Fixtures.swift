import ByteCoding
import ConfigText
import Glibc
import LVMMetadata
import Testing

/// Recordings made with LVM 2.03.16, found next to the sources.
enum Fixture {
  static let root = packageRoot + "/Fixtures"

  private static let packageRoot: String = {
    var parts = #filePath.split(separator: "/").dropLast()
    while let last = parts.last, last != "Tests" { parts.removeLast() }
    return "/" + parts.dropLast().joined(separator: "/")
  }()

  static func bytes(_ path: String) throws -> [UInt8] {
    guard let file = fopen("\(root)/\(path)", "r") else { throw FixtureError.missing(path) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { return bytes }
      bytes += buffer[..<count]
    }
  }

  /// Names in a folder, sorted.
  static func names(in folder: String) throws -> [String] {
    guard let directory = opendir("\(root)/\(folder)") else { throw FixtureError.missing(folder) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }

  /// The devices of a stage ("wrap-small/00-wrapped"), called pv0, pv1 … after their files.
  ///
  /// A file holds the device's size and then runs of sectors that are not all zero: offset, count
  /// and bytes.
  static func devices(_ stage: String) throws -> [MemoryDevice] {
    try names(in: "lvm2/images/\(stage)").map { name in
      var reader = ByteReader(try bytes("lvm2/images/\(stage)/\(name)"))
      let device = MemoryDevice(
        name: String(name.prefix { $0 != "." }), sizeBytes: try reader.read())
      while !reader.isAtEnd {
        let offset = try reader.read(UInt64.self)
        let count = Int(try reader.read(UInt32.self))
        device.store(Array(try reader.readBytes(count)), at: offset)
      }
      return device
    }
  }
}

enum FixtureError: Error {
  case missing(String)
}
