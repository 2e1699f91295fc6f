import Glibc
import VolumeActivation

/// Why a device cannot be removed for now (dm-activation, section 10).
public enum DeviceUse: Sendable {
  /// Other devices lie on it.
  case holders
  case mounted

  /// How often, and after which pauses, whoever has a device open only for a moment is waited for.
  public static let attemptCount = 25
  public static let pauseMicroseconds: UInt32 = 200_000

  /// What will not end by itself; nil when it may be a process that only looks at the device.
  public static func lasting(of number: DeviceNumber) -> DeviceUse? {
    if hasEntries("/sys/dev/block/\(number)/holders") { return .holders }
    return isMounted(number) ? .mounted : nil
  }

  private static func hasEntries(_ path: String) -> Bool {
    guard let directory = opendir(path) else { return false }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let isHidden = withUnsafePointer(to: entry.pointee.d_name) { name in
        name.withMemoryRebound(to: CChar.self, capacity: 1) { $0[0] == CChar(UInt8(ascii: ".")) }
      }
      if !isHidden { return true }
    }
    return false
  }

  /// The third word of a line is the number of the device.
  private static func isMounted(_ number: DeviceNumber) -> Bool {
    guard let file = fopen("/proc/self/mountinfo", "re") else { return false }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, file) > 0 {
      guard let line else { break }
      let words = String(cString: line).split(separator: " ", maxSplits: 3)
      if words.count > 2, words[2] == number.description { return true }
    }
    return false
  }
}
