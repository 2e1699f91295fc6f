import DistributedLockManager
import Glibc

/// The measurements of locks against the echo, which take turns, so that whatever else the machine
/// does hits them alike.
struct Rounds {
  let count: Int
  let operations: Int
  let inFlight: Int
  let only: Set<Measurement>

  func measure(_ locks: LockPair, _ echo: Echo, _ messages: Echo) async throws -> Results {
    var results = Results(inFlight: inFlight)
    for round in 0...count {
      for measurement in Measurement.allCases where only.isEmpty || only.contains(measurement) {
        let start = Self.processorTime()
        let (time, count) = try await self.time(measurement, locks, echo, messages, round: round)
        let processor = (Self.processorTime() - start) / count
        // The first round warms up.
        if round > 0 { results.add(time, processor: processor, to: measurement) }
      }
    }
    return results
  }

  private static func processorTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  /// Of one operation, and how many messages or locks there were in all.
  private func time(
    _ measurement: Measurement, _ locks: LockPair, _ echo: Echo, _ messages: Echo, round: Int
  ) async throws -> (Duration, count: Int) {
    let many = operations * 4
    return switch measurement {
    case .echo: (try await echo.exchange(operations, inFlight: 1).median, operations)
    // A cycle is two operations, and so is a turn.
    case .lockRemote:
      (try await locks.cycle(.remote, operations, inFlight: 1).median, operations * 2)
    case .unlockRemote:
      (
        try await locks.cycle(.remote, operations, inFlight: 1, timesUnlock: true).median,
        operations * 2
      )
    case .lockNew:
      (
        try await locks.lockNew(LockPair.newNames(operations, round: round)).median,
        operations * 2
      )
    case .convertUp: (try await locks.convert(operations, timesDown: false).median, operations * 2)
    case .convertDown: (try await locks.convert(operations, timesDown: true).median, operations * 2)
    case .handOver: (try await locks.contend(operations).median / 2, operations * 2)
    case .lockLocal:
      (try await locks.cycle(.local, operations, inFlight: 1).median, operations * 2)
    case .echoInFlight: (try await echo.exchange(many, inFlight: inFlight).total / many, many)
    case .messagesInFlight:
      (try await messages.exchange(many, inFlight: inFlight).total / many, many)
    case .remoteInFlight:
      (try await locks.cycle(.remote, many / 2, inFlight: inFlight).total / many, many)
    case .localInFlight:
      (try await locks.cycle(.local, many / 2, inFlight: inFlight).total / many, many)
    }
  }
}
