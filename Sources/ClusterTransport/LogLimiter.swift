import NIOCore

/// Lets a repeated message into the log once a minute, so that a stranger who knocks all day
/// cannot fill the disk.
struct LogLimiter {
  static let interval: TimeAmount = .minutes(1)
  /// Different messages remembered; more than these in a minute are not logged.
  static let capacity = 256

  private var lastLogged: [String: NIODeadline] = [:]

  /// Whether a message about `subject` may be logged now.
  mutating func permits(_ subject: String, at now: NIODeadline) -> Bool {
    if let last = lastLogged[subject], now - last < Self.interval { return false }
    if lastLogged.count >= Self.capacity {
      lastLogged = lastLogged.filter { now - $0.value < Self.interval }
      guard lastLogged.count < Self.capacity else { return false }
    }
    lastLogged[subject] = now
    return true
  }
}
