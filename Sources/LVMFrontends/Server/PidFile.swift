import Glibc

/// A file with the process id of the daemon, locked as long as the daemon lives.
///
/// lvm looks whether `/run/lvmlockd.pid` exists before it connects at all (lvmlockd-socket 1). The
/// lock is the one that lvmlockd takes, so that the two keep each other out.
struct PidFile: ~Copyable {
  private let path: String
  private let descriptor: Int32
  private static let attemptCountMax = 3

  init(creating path: String) throws(SocketFileError) {
    self.path = path
    for _ in 0..<Self.attemptCountMax {
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
      guard descriptor >= 0 else { throw .failed("open", path: path, errno: errno) }
      do throws(SocketFileError) {
        try Self.lock(descriptor, path)
        if Self.isStill(path, descriptor) {
          try Self.writeProcessID(descriptor, path)
          self.descriptor = descriptor
          return
        }
      } catch {
        Glibc.close(descriptor)
        throw error
      }
      // Another daemon removed the file between the opening and the locking.
      Glibc.close(descriptor)
    }
    throw .failed("it does not stay", path: path, errno: EAGAIN)
  }

  /// Removes the file: from now on commands say at once that the daemon is not running.
  consuming func remove() { unlink(path) }

  deinit { Glibc.close(descriptor) }

  private static func lock(_ descriptor: Int32, _ path: String) throws(SocketFileError) {
    var lock = flock()
    lock.l_type = Int16(F_WRLCK)
    lock.l_whence = Int16(SEEK_SET)
    guard fcntl(descriptor, F_SETLK, &lock) != 0 else { return }
    let reason = errno
    guard reason == EAGAIN || reason == EACCES else {
      throw .failed("fcntl", path: path, errno: reason)
    }
    _ = fcntl(descriptor, F_GETLK, &lock)
    throw .daemonRunning(pidFile: path, processID: lock.l_pid)
  }

  private static func isStill(_ path: String, _ descriptor: Int32) -> Bool {
    var named = stat()
    var opened = stat()
    return lstat(path, &named) == 0 && fstat(descriptor, &opened) == 0
      && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino
  }

  private static func writeProcessID(
    _ descriptor: Int32, _ path: String
  ) throws(SocketFileError) {
    let text = Array("\(getpid())\n".utf8)
    guard ftruncate(descriptor, 0) == 0, write(descriptor, text, text.count) == text.count else {
      throw .failed("write", path: path, errno: errno)
    }
  }
}
