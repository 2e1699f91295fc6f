// When the watchdog is petted (membership design, section 8).
//
// One word is shared with the thread that talks to the daemon: the limit, a moment of the boot-time
// clock after which nothing may be petted. It is far away while nothing on this node may write, and
// the lease's end otherwise. A daemon that hangs or is gone does not move it, so the petting ends by
// itself, and the machine with it.

/// Decides what the petting thread does each time it wakes.
public struct Petting: Sendable {
  public enum Action: Hashable, Sendable {
    case pet
    /// The lease is over; it may still be renewed before the watchdog bites.
    case hold
    /// Reset the machine: the watchdog should have done it by now, or was petted too late.
    case reset(Reason)
  }

  public enum Reason: Hashable, Sendable {
    /// Between reading the clock and the end of the pet the lease ran out. The device may be on for
    /// another whole timeout that nobody granted.
    case pettedTooLate
    /// The lease was over for as long as the watchdog takes.
    case leaseOver
  }

  /// No limit.
  public static let unlimited = UInt64.max

  /// Timeout of the watchdog in nanoseconds; also without a device it is the patience with a lease
  /// that is over.
  public var timeoutNanoseconds: UInt64
  /// Since when nothing is petted.
  private var heldSince: UInt64?

  public init(timeoutNanoseconds: UInt64) { self.timeoutNanoseconds = timeoutNanoseconds }

  /// Before a pet. `limit` and `now` on the boot-time clock, in nanoseconds.
  public mutating func wake(at now: UInt64, limit: UInt64) -> Action {
    if now < limit {
      heldSince = nil
      return .pet
    }
    let since = heldSince ?? now
    heldSince = since
    return now - min(since, now) < timeoutNanoseconds ? .hold : .reset(.leaseOver)
  }

  /// After a pet, with the clock read again and the limit that was read *before* the pet: one that
  /// was moved meanwhile does not make a late pet an early one.
  public func petted(at now: UInt64, limit: UInt64) -> Action {
    now < limit ? .pet : .reset(.pettedTooLate)
  }
}
