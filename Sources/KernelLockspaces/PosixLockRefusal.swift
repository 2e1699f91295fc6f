import ByteCoding
import Glibc

/// One record of `/dev/dlm_plock`: a process called fcntl(2) on a cluster filesystem
/// (kernel-dlm-control 16). Little-endian, 64 bytes in both directions.
public struct PosixLockRecord: Equatable, Sendable {
  public static let byteCount = 64
  private static let resultOffset = 24
  private static let flagsOffset = 15
  private static let closeFlag: UInt8 = 1

  private var bytes: [UInt8]

  /// Nil unless `bytes` is one whole record of a version that is understood (1.x).
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount, bytes[0] == 1, bytes[1...3].allSatisfy({ $0 == 0 }) else {
      return nil
    }
    self.bytes = bytes
  }

  /// The kernel releases what a closed file held, and waits for no answer.
  public var expectsAnswer: Bool { bytes[Self.flagsOffset] & Self.closeFlag == 0 }

  /// The record with its result: zero, or a negative error number.
  public func answered(_ result: Int32) -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: Self.byteCount)
    writer.write(bytes[..<Self.resultOffset])
    writer.write(result)
    writer.write(bytes[(Self.resultOffset + 4)...])
    return writer.bytes
  }
}

/// Answers every POSIX lock request with ENOSYS.
///
/// clvmd does not carry these locks between nodes yet. If nobody read the device, each fcntl(2)
/// on a cluster filesystem would wait for ever, most of them unkillably; so programs hear at once
/// that the filesystem has no such locks. Answers go back in the order of the requests.
public final class PosixLockRefusal: Sendable {
  private let descriptor: Int32
  private let path: String

  public init(paths: KernelControlPaths = KernelControlPaths()) throws(KernelControlError) {
    // Under its own name, or under `misc/` where udev has moved it.
    let candidates = ["\(paths.devices)/dlm_plock", "\(paths.miscDeviceNodes)/dlm_plock"]
    var failure = KernelControlError.lockManagerMissing(path: candidates[0])
    for candidate in candidates {
      let opened = open(candidate, O_RDWR | O_NONBLOCK | O_CLOEXEC)
      if opened >= 0 {
        descriptor = opened
        path = candidate
        return
      }
      failure = .fileOperation(.open, path: candidate, errno: errno)
    }
    throw failure
  }

  deinit { close(descriptor) }

  /// Waits up to `timeoutMilliseconds` for requests and refuses those that are there. Returns how
  /// many. For a thread of its own.
  public func refuseRequests(timeoutMilliseconds: Int32) throws(KernelControlError) -> Int {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let ready = poll(&request, 1, timeoutMilliseconds)
    guard ready >= 0 || errno == EINTR else {
      throw .fileOperation(.read, path: path, errno: errno)
    }
    guard ready > 0 else { return 0 }
    var count = 0
    var buffer = [UInt8](repeating: 0, count: PosixLockRecord.byteCount)
    while read(descriptor, &buffer, buffer.count) == buffer.count {
      guard let record = PosixLockRecord(buffer) else {
        throw .malformedValue(path: path, text: "a record of version \(buffer[0])")
      }
      count += 1
      guard record.expectsAnswer else { continue }
      let answer = record.answered(-ENOSYS)
      guard write(descriptor, answer, answer.count) == answer.count else {
        throw .fileOperation(.write, path: path, errno: errno)
      }
    }
    return count
  }
}
