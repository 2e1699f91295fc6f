/// A moment on one machine's boot-time clock, in nanoseconds.
///
/// The cores never read a clock: the shell passes the moment in. Moments of two machines
/// are never compared.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let nanoseconds: UInt64

  public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
  public init(milliseconds: UInt64) { self.nanoseconds = milliseconds * 1_000_000 }

  public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

  /// `delay` must not be negative.
  public static func + (moment: Self, delay: Duration) -> Self {
    Timestamp(nanoseconds: moment.nanoseconds + delay.wholeNanoseconds)
  }

  /// Time from `earlier` to `later`; zero when `later` is in fact the earlier one.
  public static func - (later: Self, earlier: Self) -> Duration {
    later > earlier ? .nanoseconds(Int64(later.nanoseconds - earlier.nanoseconds)) : .zero
  }

  public var description: String { "\(nanoseconds / 1_000_000) ms" }
}

extension Duration {
  /// Nanoseconds, rounded down; zero for negative durations.
  public var wholeNanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }

  /// Milliseconds, rounded down; zero for negative durations.
  public var wholeMilliseconds: UInt64 { wholeNanoseconds / 1_000_000 }
}
