import Glibc
import VolumeReports

/// Standard output, collected and written at once, and standard error.
enum Output {
  /// Only the main thread prints; the one that waits for a child process only ends the process.
  private nonisolated(unsafe) static var pending: [UInt8] = []

  static func line(_ text: String) {
    pending += text.utf8
    pending.append(UInt8(ascii: "\n"))
  }

  /// Whole lines.
  static func bytes(_ bytes: [UInt8]) {
    if pending.isEmpty { pending = bytes } else { pending += bytes }
  }

  static func lines(_ lines: [String]) { for text in lines { line(text) } }

  static func json(_ value: JSONValue) { line(value.text) }

  static func flush() {
    write(pending, to: STDOUT_FILENO)
    pending = []
  }

  /// One line on standard error.
  static func error(_ text: String) { write(Array((text + "\n").utf8), to: STDERR_FILENO) }

  static func exit(_ status: ExitStatus) -> Never { Glibc.exit(status.code) }

  /// What cannot be written because nobody reads it is dropped.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 && errno != EINTR { return }
      written += max(count, 0)
    }
  }
}
