import Glibc

/// `/dev/dlm_plock`: requests of processes that called fcntl(2) on a cluster filesystem, and their answers
/// (kernel-dlm-control 16). If nobody reads it, each of them waits for ever, most of them unkillably.
public final class PosixLockDevice: Sendable {
  /// Of a request and of an answer.
  public static let recordByteCount = 64

  private let descriptor: Int32
  private let path: String

  /// Opens the device under its own name, or under `misc/` where udev has moved it.
  public convenience init(
    paths: KernelControlPaths = KernelControlPaths()
  ) throws(KernelControlError) {
    let candidates = ["\(paths.devices)/dlm_plock", "\(paths.miscDeviceNodes)/dlm_plock"]
    var failure = KernelControlError.lockManagerMissing(path: candidates[0])
    for candidate in candidates {
      let opened = open(candidate, O_RDWR | O_NONBLOCK | O_CLOEXEC)
      if opened >= 0 {
        self.init(descriptor: opened, path: candidate)
        return
      }
      failure = .fileOperation(.open, path: candidate, errno: errno)
    }
    throw failure
  }

  /// Takes over `descriptor`, which does not block and keeps records apart.
  public init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { close(descriptor) }

  /// False after `timeoutMilliseconds` without a request. For a thread of its own.
  public func waitUntilReadable(timeoutMilliseconds: Int32) throws(KernelControlError) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let ready = poll(&request, 1, timeoutMilliseconds)
    guard ready >= 0 || errno == EINTR else {
      throw .fileOperation(.read, path: path, errno: errno)
    }
    return ready > 0
  }

  /// The next request, without waiting; nil when there is none.
  public func next() throws(KernelControlError) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: Self.recordByteCount)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count == buffer.count { return buffer }
      if count < 0 {
        if errno == EINTR { continue }
        if errno == EAGAIN { return nil }
        throw .fileOperation(.read, path: path, errno: errno)
      }
      throw .malformedValue(path: path, text: "a record of \(count) bytes")
    }
  }

  /// One that nobody waits for is ignored by the kernel.
  public func answer(_ record: [UInt8]) throws(KernelControlError) {
    while write(descriptor, record, record.count) != record.count {
      guard errno == EINTR else { throw .fileOperation(.write, path: path, errno: errno) }
    }
  }
}
