/// How strongly a lock is held or wanted (dlm-wire 8.1); a stronger mode compares greater.
///
/// The raw value is the number on the wire: four bytes in lock messages, one in recovered locks.
public enum LockMode: Int8, Comparable, CaseIterable, Sendable {
  /// None: not granted yet, or nothing requested.
  case iv = -1
  /// Null: holds a place and nothing else.
  case nl = 0
  /// Concurrent read.
  case cr = 1
  /// Concurrent write.
  case cw = 2
  /// Protected read: "shared".
  case pr = 3
  /// Protected write.
  case pw = 4
  /// Exclusive.
  case ex = 5

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension LockMode: CustomStringConvertible {
  public var description: String {
    switch self {
    case .iv: "IV"
    case .nl: "NL"
    case .cr: "CR"
    case .cw: "CW"
    case .pr: "PR"
    case .pw: "PW"
    case .ex: "EX"
    }
  }
}

/// The queue of its resource on which a lock stands.
///
/// Informative in lock messages, decisive in a recovered lock, where `unqueued` would panic a
/// kernel (dlm-wire 7.1, 14.6).
public enum QueueStatus: Int8, Sendable {
  case unqueued = 0
  case waiting = 1
  case granted = 2
  case converting = 3
}
