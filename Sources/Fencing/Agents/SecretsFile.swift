import Glibc

/// A file of `key=value` lines that nobody but root can read; `#` begins a comment line.
public enum SecretsFile {
  static let maximumBytes = 16 << 10

  /// Reads it anew for every run, so that a changed password needs no restart. Errors never contain
  /// what is in it.
  public static func read(_ path: String) throws(FenceInputError) -> [FenceParameter] {
    // Not through a link: whoever owns the link's folder could point it elsewhere.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw FenceInputError(
        description: "its secrets in \(path) cannot be read: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw FenceInputError(description: "its secrets in \(path) are no ordinary file")
    }
    guard status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
      throw FenceInputError(
        description: "its secrets in \(path) can be read by others than root: chown root, "
          + "chmod 600")
    }
    var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress?.advanced(by: count), $0.count - count)
      }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else {
        throw FenceInputError(
          description: "its secrets in \(path) cannot be read: \(String(cString: strerror(errno)))")
      }
      if got == 0 { break }
      count += got
    }
    return try parse(bytes[..<count], path: path)
  }

  static func parse(
    _ bytes: some Collection<UInt8>, path: String
  ) throws(FenceInputError) -> [FenceParameter] {
    guard bytes.count <= maximumBytes else {
      throw FenceInputError(
        description: "its secrets in \(path) have more than \(maximumBytes) bytes")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw FenceInputError(description: "its secrets in \(path) are no UTF-8 text")
    }
    var parameters: [FenceParameter] = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      if line.isEmpty || line.hasPrefix("#") { continue }
      let place = "line \(index + 1) of its secrets in \(path)"
      guard let equals = line.firstIndex(of: "=") else {
        throw FenceInputError(description: "\(place) is not of the form key=value")
      }
      let parameter = FenceParameter(
        String(line[..<equals]), String(line[line.index(after: equals)...]))
      if let problem = parameter.problem {
        throw FenceInputError(description: "\(place): \(problem)")
      }
      parameters.append(parameter)
    }
    return parameters
  }
}
