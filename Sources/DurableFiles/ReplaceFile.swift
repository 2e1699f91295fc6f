import Glibc

/// A file could not be replaced.
public struct FileReplacementError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was tried: "create", "write", "replace" or "open".
  public let operation: String
  public let path: String
  /// The system's error number.
  public let code: Int32

  public var description: String {
    "cannot \(operation) \(path): \(String(cString: strerror(code)))"
  }
}

/// Replaces a file in one step: after a crash or a power cut there is the old content or the new, and
/// once this has returned, the new. A file called `path` with `.new` at its end is overwritten.
///
/// - Parameter permissions: of the new file, from the moment it exists.
public func replaceFile(
  _ path: String, with content: [UInt8], permissions: mode_t
) throws(FileReplacementError) {
  let temporary = path + ".new"
  // What an earlier attempt left may have other permissions.
  unlink(temporary)
  let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions)
  guard descriptor >= 0 else { throw failure("create", temporary) }
  defer { close(descriptor) }
  var written = 0
  while written < content.count {
    let count = content[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    if count < 0 {
      guard errno == EINTR else { throw failure("write", temporary) }
      continue
    }
    written += count
  }
  guard fsync(descriptor) == 0 else { throw failure("write", temporary) }
  guard rename(temporary, path) == 0 else { throw failure("replace", path) }
  try synchronizeDirectory(of: path)
}

/// The same for a file that an administrator keeps: its permissions and its owner stay, and if `path` is
/// a link it goes on leading to the file.
public func replaceContent(
  of path: String, with content: [UInt8]
) throws(FileReplacementError) {
  guard let resolved = realpath(path, nil) else { throw failure("open", path) }
  let place = String(cString: resolved)
  free(resolved)
  var status = stat()
  guard stat(place, &status) == 0 else { throw failure("open", place) }
  try replaceFile(place, with: content, permissions: status.st_mode & 0o700)
  guard chown(place, status.st_uid, status.st_gid) == 0, chmod(place, status.st_mode & 0o7777) == 0
  else { throw failure("write", place) }
}

/// Makes the names in the directory of `path` durable.
private func synchronizeDirectory(of path: String) throws(FileReplacementError) {
  let slash = path.lastIndex(of: "/")
  let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
  let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw failure("open", directory) }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 else { throw failure("write", directory) }
}

/// Must be called right behind the failure, before anything else can change `errno`.
private func failure(_ operation: String, _ path: String) -> FileReplacementError {
  FileReplacementError(operation: operation, path: path, code: errno)
}
