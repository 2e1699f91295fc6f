import ClusterTypes
import Glibc
import PosixLocks

/// The files in which the next life of the daemon finds its kernel's POSIX locks, one for each lockspace,
/// in a directory that a reboot empties.
///
/// Nothing is synced: a file survives the process that wrote it, and nothing of it matters after a reboot.
final class PosixLockJournals {
  private static let sizeLimit = 1 << 30
  /// Appended before a file is made anew, if it is not longer itself.
  private static let growth = 1 << 20

  private struct File {
    var descriptor: Int32
    /// Noted, and not written yet.
    var buffer: [UInt8] = []
    var imageSize: Int
    var appended = 0
  }

  private let directory: String
  private var files: [LockspaceName: File] = [:]

  init(directory: String) throws(DaemonError) {
    self.directory = directory
    try ensurePrivateDirectory(directory)
  }

  deinit { for file in files.values { close(file.descriptor) } }

  private func path(_ name: LockspaceName) -> String { "\(directory)/\(name.text)" }

  /// Nil when there is no file.
  func load(_ name: LockspaceName) throws(DaemonError) -> [PosixLockJournalEntry]? {
    guard access(path(name), F_OK) == 0 else { return nil }
    return PosixLockJournalEntry.entries(in: try readFile(path(name), limit: Self.sizeLimit))
  }

  /// Removes the files of all lockspaces but these.
  func keepOnly(_ names: Set<LockspaceName>) throws(DaemonError) {
    guard let stream = opendir(directory) else { throw fileError("read directory", directory) }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let text = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard text != ".", text != "..", !names.contains(where: { $0.text == text }) else { continue }
      guard unlink("\(directory)/\(text)") == 0 else {
        throw fileError("remove", "\(directory)/\(text)")
      }
    }
  }

  /// Notes an entry; `flush` writes it.
  func note(_ entry: PosixLockJournalEntry, _ name: LockspaceName) throws(DaemonError) {
    guard case .image = entry else {
      files[name]?.buffer += entry.encoded
      return
    }
    let bytes = entry.encoded
    try replaceFile(path(name), with: bytes)
    let descriptor = open(path(name), O_WRONLY | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else { throw fileError("open", path(name)) }
    if let old = files.updateValue(
      File(descriptor: descriptor, imageSize: bytes.count), forKey: name)
    {
      close(old.descriptor)
    }
  }

  func flush(_ name: LockspaceName) throws(DaemonError) {
    guard let file = files[name], !file.buffer.isEmpty else { return }
    files[name]?.buffer.removeAll(keepingCapacity: true)
    files[name]?.appended += file.buffer.count
    let count = write(file.descriptor, file.buffer, file.buffer.count)
    guard count == file.buffer.count else { throw fileError("write", path(name)) }
  }

  /// Whether the file is so long that a new image is shorter.
  func isLong(_ name: LockspaceName) -> Bool {
    files[name].map { $0.appended > max(Self.growth, 2 * $0.imageSize) } ?? false
  }

  func remove(_ name: LockspaceName) throws(DaemonError) {
    if let file = files.removeValue(forKey: name) { close(file.descriptor) }
    guard unlink(path(name)) == 0 || errno == ENOENT else { throw fileError("remove", path(name)) }
  }
}
