import ClusterTypes

/// How many requests of processes may be taken from the kernel a second, as dlm_controld's
/// `plock_rate_limit`: a program that locks in a loop then keeps no other waiting.
public struct PosixLockRate: Sendable {
  private static let interval = Duration.seconds(1)

  /// Zero for no limit.
  private let limit: UInt32
  private var begin = Timestamp(nanoseconds: 0)
  private var taken: UInt32 = 0

  public init(limit: UInt32) { self.limit = limit }

  /// Whether one more may be taken now; otherwise how long to wait.
  public mutating func take(at now: Timestamp) -> Duration? {
    guard limit > 0 else { return nil }
    let age = now - begin
    if age >= Self.interval {
      begin = now
      taken = 0
    }
    guard taken >= limit else {
      taken += 1
      return nil
    }
    return Self.interval - age
  }

  /// There was none to be taken.
  public mutating func giveBack() { if taken > 0 { taken -= 1 } }
}
