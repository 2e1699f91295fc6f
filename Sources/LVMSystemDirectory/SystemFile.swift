import Glibc

/// A file of LVM's system directory could not be read or written.
public struct SystemFileError: Error, Sendable, Equatable, CustomStringConvertible {
  public var path: String
  /// What was tried: "open", "write" …
  public var operation: String
  /// The system's error number.
  public var code: Int32

  public var description: String {
    "\(path): \(operation) failed: \(String(cString: strerror(code)))"
  }
}

/// Reading and replacing whole files.
enum SystemFile {
  /// More than any text that is read here.
  static let sizeMax = 64 << 20

  /// The whole content.
  static func read(_ path: String) throws(SystemFileError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw error(path, "open") }
    defer { close(descriptor) }
    var attributes = stat()
    guard fstat(descriptor, &attributes) == 0 else { throw error(path, "stat") }
    guard attributes.st_size <= sizeMax else { throw error(path, "read", EFBIG) }
    var content: [UInt8] = []
    content.reserveCapacity(Int(attributes.st_size))
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count == 0 { return content }
      if count > 0 {
        guard content.count + count <= sizeMax else { throw error(path, "read", EFBIG) }
        content += buffer[..<count]
      } else if errno != EINTR {
        throw error(path, "read")
      }
    }
  }

  /// Writes a new file that only its owner may read.
  ///
  /// - Parameter durable: returns only when the content has reached the disk.
  static func create(
    _ path: String, _ content: [UInt8], durable: Bool
  ) throws(SystemFileError) {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
    let descriptor = open(path, flags, 0o600)
    guard descriptor >= 0 else { throw error(path, "create") }
    defer { close(descriptor) }
    do throws(SystemFileError) {
      try write(content, to: descriptor, of: path)
      // Some file systems cannot say when something is durable; LVM goes on there, too.
      guard !durable || fsync(descriptor) == 0 || errno == EROFS || errno == EINVAL else {
        throw error(path, "fsync")
      }
    } catch {
      unlink(path)
      throw error
    }
  }

  /// Writes to something that is there and is no file.
  static func write(_ content: [UInt8], to path: String) throws(SystemFileError) {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw error(path, "open") }
    defer { close(descriptor) }
    try write(content, to: descriptor, of: path)
  }

  private static func write(
    _ content: [UInt8], to descriptor: Int32, of path: String
  ) throws(SystemFileError) {
    var written = 0
    while written < content.count {
      let count = content[written...].withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      if count >= 0 {
        written += count
      } else if errno != EINTR {
        throw error(path, "write")
      }
    }
  }

  /// Puts `source` in the place of whatever is called `target`, and makes that durable.
  static func rename(_ source: String, to target: String) throws(SystemFileError) {
    guard Glibc.rename(source, target) == 0 else {
      let code = errno
      unlink(source)
      throw error(target, "rename", code)
    }
    synchronizeFolder(of: target)
  }

  /// Makes the names in the folder of `path` durable, where the file system can.
  static func synchronizeFolder(of path: String) {
    let descriptor = open(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  /// Makes a folder and those above it, for its owner only.
  static func createFolder(_ path: String) throws(SystemFileError) {
    guard access(path, F_OK) != 0 else { return }
    let above = folder(of: path)
    if above != path, above != ".", above != "/" { try createFolder(above) }
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw error(path, "mkdir") }
  }

  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The names in a folder, without order.
  static func names(in folder: String) throws(SystemFileError) -> [String] {
    guard let stream = opendir(folder) else { throw error(folder, "opendir") }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
        field.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: field.pointee))
        { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Must be called right behind the failure, before anything else can change `errno`.
  static func error(_ path: String, _ operation: String, _ code: Int32 = errno) -> SystemFileError {
    SystemFileError(path: path, operation: operation, code: code)
  }
}
