import Glibc
import Testing

@testable import BlockDevices

/// A folder for one test; removed with everything in it by `remove`.
struct TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/clvmd-blocks-XXXXXX".utf8CString)
    path = try template.withUnsafeMutableBufferPointer { buffer in
      let path = try #require(buffer.baseAddress.flatMap { mkdtemp($0) })
      return String(cString: path)
    }
  }

  /// Writes a file and the folders above it.
  @discardableResult
  func write(_ bytes: [UInt8], to name: String) throws -> String {
    let file = "\(path)/\(name)"
    var folder = path
    for part in name.split(separator: "/").dropLast() {
      folder += "/\(part)"
      try #require(mkdir(folder, 0o755) == 0 || errno == EEXIST)
    }
    let descriptor = open(file, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    try #require(count == bytes.count)
    return file
  }

  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    try write(Array(text.utf8), to: name)
  }

  func remove() { Self.remove(path) }

  private static func remove(_ path: String) {
    for entry in Directory.entries(of: path) { remove("\(path)/\(entry)") }
    _ = Glibc.remove(path)
  }
}
