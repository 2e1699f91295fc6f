import Glibc

/// What an earlier life of the daemon may have left on this boot.
enum EarlierLife {
  /// Programs that write LVM metadata under a lock of the daemon. lvmpolld is none: it starts
  /// commands, and runs where it has nothing to do, too.
  private static let writers: Set<String> = ["lvm"]

  /// Waits until no command is running that may hold a lock of an earlier life; false when one
  /// still runs after `seconds`.
  static func waitForWriters(seconds: Int) -> Bool {
    for _ in 0..<(seconds * 4) {
      if runningWriters().isEmpty { return true }
      usleep(250_000)
    }
    return runningWriters().isEmpty
  }

  /// Process ids of running LVM commands.
  static func runningWriters() -> [Int32] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var found: [Int32] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard let process = Int32(name) else { continue }
      var target = [CChar](repeating: 0, count: Int(PATH_MAX))
      let length = readlink("/proc/\(name)/exe", &target, target.count - 1)
      guard length > 0 else { continue }
      let path = String(
        decoding: target[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
      if let program = path.split(separator: "/").last, writers.contains(String(program)) {
        found.append(process)
      }
    }
    return found
  }
}
