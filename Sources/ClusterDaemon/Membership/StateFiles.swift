import ClusterMembership
import Glibc
import Synchronization

/// What this node must not forget, in two files that are written in turn, each with a number and a
/// checksum: a write that is torn by a power cut leaves the other file whole.
///
/// Writes block; they come from one thread, one at a time.
final class StateFiles: Sendable {
  private let paths: [String]
  /// Of the newest write that is on disk.
  private let number: Mutex<UInt64>

  /// What was found: nil when the node has no memory.
  let found: PersistentState?
  /// A file is there that cannot be read: the node once had a memory.
  let isDamaged: Bool

  /// Opens the files in `directory`, which exists and is on a local disk.
  init(directory: String) throws(DaemonError) {
    paths = ["state.0", "state.1"].map { "\(directory)/\($0)" }
    var contents: [[UInt8]] = []
    for path in paths where access(path, F_OK) == 0 {
      contents.append(try readFile(path, limit: 2 * PersistentSlots.maximumBytes))
    }
    let newest = PersistentSlots.newest(contents.first ?? [], contents.last ?? [])
    found = newest?.state
    number = Mutex(newest?.number ?? 0)
    isDamaged = newest == nil && !contents.isEmpty
  }

  /// Returns when the state is on disk. After an error it is not known what the file holds; the other
  /// one still has the state before, and the next write goes to the same file.
  func write(_ state: PersistentState) throws(DaemonError) {
    let next = number.withLock { $0 + 1 }
    let path = paths[Int(next % 2)]
    let isNew = access(path, F_OK) != 0
    try Self.replace(path, with: PersistentSlots.encode(state, number: next))
    if isNew { try Self.sync(directoryOf: path) }
    number.withLock { $0 = next }
  }

  private static func replace(_ path: String, with bytes: [UInt8]) throws(DaemonError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure("open", path) }
    defer { close(descriptor) }
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress, $0.count, off_t(done))
      }
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        throw failure("write", path)
      }
    }
    guard fsync(descriptor) == 0 else { throw failure("sync", path) }
  }

  private static func sync(directoryOf path: String) throws(DaemonError) {
    let directory = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
    let descriptor = open(String(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("open", String(directory)) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure("sync", String(directory)) }
  }

  private static func failure(_ what: String, _ path: String) -> DaemonError {
    DaemonError("cannot \(what) \(path): \(String(cString: strerror(errno)))")
  }
}
