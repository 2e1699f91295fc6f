import Glibc

/// Keeps a second daemon from running on the same machine.
struct InstanceLock {
  private let descriptor: Int32

  init(path: String) throws(DaemonError) {
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw DaemonError("cannot open \(path): \(String(cString: strerror(errno)))")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw DaemonError(
        "another clvmd is running on this node (\(path) is locked)", isAlreadyRunning: true)
    }
  }

  func release() { close(descriptor) }
}
