/// The table of times that all nodes of a cluster agree on (membership design, section 2). It is part
/// of the record: a node with another table may not join. All values in milliseconds.
public struct MembershipTimers: Hashable, Sendable {
  /// Heartbeat to every configured node.
  public var heartbeat: UInt32
  /// Silence before a link is bad.
  public var silence: UInt32
  /// Upper bound of the random election delay.
  public var jitter: UInt32
  /// How long a lease lasts.
  public var lease: UInt32
  /// Watchdog timeout programmed into the device.
  public var watchdog: UInt32
  /// Interval between pets of the watchdog.
  public var pet: UInt32
  /// Drain of I/O in flight after a reset or a power-off.
  public var drain: UInt32
  /// Patience with a daemon that is gone while its machine lives.
  public var restartHold: UInt32
  /// Patience for the stop of a member that still answers.
  public var stopLimit: UInt32
  /// After this a fence agent is killed.
  public var agentTimeout: UInt32
  /// Good links needed before an evicted node is readmitted; doubles up to thirty times as much.
  public var rejoinHold: UInt32
  /// After this a round on the quorum disk counts as failed.
  public var diskTimeout: UInt32
  /// Allowed error of a clock's rate, in parts per thousand.
  public var clockError: UInt32
  /// Granularity of watchdogs.
  public var granularity: UInt32

  public static let standard = MembershipTimers(
    heartbeat: 500, silence: 3000, jitter: 1000, lease: 6000, watchdog: 6000, pet: 1000,
    drain: 5000, restartHold: 9000, stopLimit: 10_000, agentTimeout: 60_000, rejoinHold: 10_000,
    diskTimeout: 4000, clockError: 10, granularity: 1000)

  /// For a network without long pauses.
  public static let lan = MembershipTimers(
    heartbeat: 100, silence: 600, jitter: 200, lease: 2000, watchdog: 3000, pet: 500,
    drain: 2000, restartHold: 3800, stopLimit: 10_000, agentTimeout: 60_000, rejoinHold: 10_000,
    diskTimeout: 1500, clockError: 10, granularity: 1000)

  /// Name, value and value of the other table for every time that differs.
  public func differences(from other: Self) -> [(name: String, here: UInt32, there: UInt32)] {
    zip(Self.names, zip(values, other.values)).compactMap { name, pair in
      pair.0 == pair.1 ? nil : (name, pair.0, pair.1)
    }
  }

  /// Why this table would be unsafe, as sentences; empty when it may be used.
  public var problems: [String] {
    var problems: [String] = []
    func require(_ holds: Bool, _ sentence: String) { if !holds { problems.append(sentence) } }
    require(values.allSatisfy { $0 <= 86_400_000 }, "no time may exceed a day")
    require(heartbeat > 0 && pet > 0, "the heartbeat and the pet interval must not be zero")
    require(silence / 4 >= heartbeat, "silence must be at least 4 heartbeats")
    require(
      UInt64(lease) >= UInt64(silence) + UInt64(jitter) + 4 * UInt64(heartbeat),
      "the lease must be at least silence + jitter + 4 heartbeats")
    require(watchdog / 3 >= pet, "the watchdog's timeout must be at least 3 pet intervals")
    require(diskTimeout < lease, "the quorum disk's timeout must be below the lease")
    require(restartHold > silence, "restart_hold must exceed silence")
    require(clockError <= 100, "clock_error must be at most 100 (10 %)")
    return problems
  }

  /// The names of all times, in the order of `values`.
  public static let names = [
    "heartbeat", "silence", "jitter", "lease", "watchdog", "pet", "drain", "restart_hold",
    "stop_limit", "agent_timeout", "rejoin_hold", "disk_timeout", "clock_error", "granularity",
  ]

  private static let times: [WritableKeyPath<Self, UInt32> & Sendable] = [
    \.heartbeat, \.silence, \.jitter, \.lease, \.watchdog, \.pet, \.drain, \.restartHold,
    \.stopLimit,
    \.agentTimeout, \.rejoinHold, \.diskTimeout, \.clockError, \.granularity,
  ]

  var values: [UInt32] { Self.times.map { self[keyPath: $0] } }

  /// Sets the time of a name in `names`; nothing happens for another name.
  public mutating func set(_ name: String, to value: UInt32) {
    guard let index = Self.names.firstIndex(of: name) else { return }
    self[keyPath: Self.times[index]] = value
  }
}

/// Milliseconds as nanoseconds, the unit of moments and spans inside the machine.
typealias Nanoseconds = UInt64

extension UInt32 {
  var milliseconds: Nanoseconds { UInt64(self) * 1_000_000 }
}

extension MembershipTimers {
  /// `span` as it may look on the slowest clock, for waiting on the fastest.
  func stretched(_ span: Nanoseconds) -> Nanoseconds {
    span + span / 1000 * 2 * UInt64(clockError) * 1000 / (1000 - UInt64(min(clockError, 999)))
  }

  var stretchedDrain: Nanoseconds { stretched(drain.milliseconds) }

  /// Time after which a node without a lease has been reset by its watchdog and its I/O has landed
  /// (membership design, section 8): (L + 2 Tw)(1 + rho)/(1 - rho) + g + Td.
  ///
  /// Twice the watchdog's timeout, because the keeper may stall between reading the clock and the
  /// last pet.
  func presumedDead(lease: UInt32, watchdog: UInt32) -> Nanoseconds {
    stretched(lease.milliseconds + 2 * watchdog.milliseconds) + granularity.milliseconds
      + drain.milliseconds
  }
}
