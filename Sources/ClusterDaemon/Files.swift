import DurableFiles
import Glibc

/// The whole content of a file of at most `limit` bytes.
func readFile(_ path: String, limit: Int = 1 << 20) throws(DaemonError) -> [UInt8] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw fileError("open", path) }
  defer { close(descriptor) }
  var content: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 64 << 10)
  while true {
    let count = read(descriptor, &buffer, buffer.count)
    if count < 0 {
      if errno == EINTR { continue }
      throw fileError("read", path)
    }
    if count == 0 { return content }
    content += buffer[..<count]
    guard content.count <= limit else {
      throw DaemonError("\(path) is larger than \(limit) bytes")
    }
  }
}

/// Replaces a file in one step, readable by its owner only.
func replaceFile(_ path: String, with content: [UInt8]) throws(DaemonError) {
  do throws(FileReplacementError) {
    try replaceFile(path, with: content, permissions: 0o600)
  } catch {
    throw DaemonError("\(error)")
  }
}

/// Makes a directory for root alone, unless it is there.
func ensurePrivateDirectory(_ path: String) throws(DaemonError) {
  guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw fileError("make directory", path) }
}

func fileError(_ what: String, _ path: String) -> DaemonError {
  let reason = String(cString: strerror(errno))
  return DaemonError("cannot \(what) \(path): \(reason)")
}
