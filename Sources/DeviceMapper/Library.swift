import CDeviceMapperShim
import Synchronization
import VolumeActivation

/// libdevmapper as a whole: it keeps its state in global variables and is not safe for threads, so
/// every call goes through here.
enum Library {
  private static let lock = Mutex<Bool>(false)

  /// Runs `body` while no other thread is in the library. Not to be nested.
  static func exclusively<Result: Sendable>(
    _ body: () throws(DeviceMapperError) -> Result
  ) throws(DeviceMapperError) -> Result {
    try lock.withLock { isSetUp throws(DeviceMapperError) in
      if !isSetUp {
        device_mapper_set_log_sink { level, message in LibraryLog.append(level, message) }
        isSetUp = true
      }
      return try body()
    }
  }
}

/// The warnings and errors that the library has logged since the last operation began.
enum LibraryLog {
  private static let lines = Mutex<[String]>([])
  private static let lineLimit = 16
  /// syslog's LOG_WARNING.
  private static let leastImportantLevel: Int32 = 4

  static func append(_ level: Int32, _ message: UnsafePointer<CChar>?) {
    guard level <= leastImportantLevel, let message else { return }
    let line = String(cString: message)
    lines.withLock { lines in
      if lines.count < lineLimit { lines.append(line) }
    }
  }

  /// Returns what was logged and forgets it.
  static func take() -> [String] {
    lines.withLock { lines in
      defer { lines = [] }
      return lines
    }
  }
}
