import CDeviceMapper
import CDeviceMapperShim
import Glibc
import LVMSystemDirectory
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
        // The library itself does not look into the environment.
        guard dm_set_dev_dir(DeviceDirectory.path) != 0 else {
          throw DeviceMapperError(
            operation: .list, device: nil, code: EINVAL,
            detail: "DM_DEV_DIR=\(DeviceDirectory.path) cannot be used")
        }
        isSetUp = true
      }
      return try body()
    }
  }

  private static let isDriverFound = Mutex<Bool>(false)

  /// The error number of reaching the kernel's device-mapper; 0 when it is there.
  ///
  /// The library asks only once per process and never notices a module that is loaded later;
  /// therefore it is not used before its control device can be opened, which loads the module
  /// where the system can do that.
  static func driverError() -> Int32 {
    isDriverFound.withLock { isFound in
      if isFound { return 0 }
      let descriptor = open("\(DeviceDirectory.path)/mapper/control", O_RDWR | O_CLOEXEC)
      if descriptor >= 0 {
        close(descriptor)
        isFound = true
        return 0
      }
      let code = errno
      // Without the node the library makes it, if the kernel lists the driver.
      guard code == ENOENT else { return code }
      isFound = listsDriver()
      return isFound ? 0 : ENODEV
    }
  }

  private static func listsDriver() -> Bool {
    guard let file = fopen("/proc/misc", "re") else { return false }
    defer { fclose(file) }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { buffer in
      let count = fread(buffer.baseAddress, 1, buffer.count, file)
      return String(decoding: buffer[..<count], as: UTF8.self).contains("device-mapper\n")
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
