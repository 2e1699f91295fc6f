import Glibc

/// The few file operations of which the control plane consists. `HostKernelFiles` does them; a test
/// puts a model of configfs in its place and sees what was written, and in which order.
public protocol KernelFiles: Sendable {
  /// Fails with EEXIST when it exists.
  func makeDirectory(_ path: String) throws(KernelControlError)
  func removeDirectory(_ path: String) throws(KernelControlError)
  /// One write(2) of all bytes to a file that exists: the kernel reads an attribute from one write.
  func write(_ bytes: [UInt8], to path: String) throws(KernelControlError)
  /// At most `KernelFilesLimit.fileBytes` bytes.
  func read(_ path: String) throws(KernelControlError) -> [UInt8]
  /// Names in a directory, sorted, without `.` and `..`.
  func entries(of directory: String) throws(KernelControlError) -> [String]
  func exists(_ path: String) -> Bool
}

public enum KernelFilesLimit {
  /// More than any file read here can be: /proc/net/unix with many thousand sockets.
  public static let fileBytes = 4 << 20
}

extension KernelFiles {
  func write(_ text: String, to path: String) throws(KernelControlError) {
    try write(Array(text.utf8), to: path)
  }

  /// The text without the newline that the kernel puts behind every value.
  func readText(_ path: String) throws(KernelControlError) -> String {
    var text = String(decoding: try read(path), as: UTF8.self)
    while let last = text.last, last.isNewline { text.removeLast() }
    return text
  }

  /// True when the directory was made, false when it was there.
  @discardableResult
  func ensureDirectory(_ path: String) throws(KernelControlError) -> Bool {
    do {
      try makeDirectory(path)
      return true
    } catch {
      guard error.errno == EEXIST else { throw error }
      return false
    }
  }

  /// True when the directory was removed, false when it was not there.
  @discardableResult
  func ensureNoDirectory(_ path: String) throws(KernelControlError) -> Bool {
    do {
      try removeDirectory(path)
      return true
    } catch {
      guard error.errno == ENOENT else { throw error }
      return false
    }
  }

  /// The entries, or none when the directory does not exist.
  public func entriesIfPresent(of directory: String) throws(KernelControlError) -> [String] {
    do {
      return try entries(of: directory)
    } catch {
      guard error.errno == ENOENT else { throw error }
      return []
    }
  }
}

/// The operations on the real file system.
public struct HostKernelFiles: KernelFiles {
  public init() {}

  public func makeDirectory(_ path: String) throws(KernelControlError) {
    guard mkdir(path, 0o755) == 0 else {
      throw .fileOperation(.makeDirectory, path: path, errno: errno)
    }
  }

  public func removeDirectory(_ path: String) throws(KernelControlError) {
    guard rmdir(path) == 0 else {
      throw .fileOperation(.removeDirectory, path: path, errno: errno)
    }
  }

  public func write(_ bytes: [UInt8], to path: String) throws(KernelControlError) {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .fileOperation(.open, path: path, errno: errno) }
    defer { close(descriptor) }
    var written: Int
    repeat {
      written = Glibc.write(descriptor, bytes, bytes.count)
    } while written < 0 && errno == EINTR
    guard written >= 0 else { throw .fileOperation(.write, path: path, errno: errno) }
    guard written == bytes.count else {
      throw .shortWrite(path: path, written: written, of: bytes.count)
    }
  }

  public func read(_ path: String) throws(KernelControlError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .fileOperation(.open, path: path, errno: errno) }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while content.count < KernelFilesLimit.fileBytes {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw .fileOperation(.read, path: path, errno: errno) }
      if count == 0 { break }
      content += chunk[..<count]
    }
    return content
  }

  public func entries(of directory: String) throws(KernelControlError) -> [String] {
    guard let stream = opendir(directory) else {
      throw .fileOperation(.list, path: directory, errno: errno)
    }
    defer { closedir(stream) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
        field.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
      errno = 0
    }
    guard errno == 0 else { throw .fileOperation(.list, path: directory, errno: errno) }
    return names.sorted()
  }

  public func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
