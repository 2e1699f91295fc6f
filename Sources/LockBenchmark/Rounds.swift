import DistributedLockManager

/// The measurements of locks against the echo, which take turns, so that whatever else the machine
/// does hits them alike.
struct Rounds {
  let count: Int
  let operations: Int
  let inFlight: Int
  let only: Set<Measurement>

  func measure(_ locks: LockPair, _ echo: Echo) async throws -> Results {
    var results = Results(inFlight: inFlight)
    for round in 0...count {
      for measurement in Measurement.allCases where only.isEmpty || only.contains(measurement) {
        let time = try await self.time(measurement, locks, echo, round: round)
        // The first round warms up.
        if round > 0 { results.add(time, to: measurement) }
      }
    }
    return results
  }

  /// Of one operation.
  private func time(
    _ measurement: Measurement, _ locks: LockPair, _ echo: Echo, round: Int
  ) async throws -> Duration {
    switch measurement {
    case .echo: try await echo.exchange(operations, inFlight: 1).median
    case .lockRemote: try await locks.cycle(.remote, operations, inFlight: 1).median
    case .unlockRemote:
      try await locks.cycle(.remote, operations, inFlight: 1, timesUnlock: true).median
    case .lockNew:
      try await locks.lockNew(LockPair.newNames(operations, round: round)).median
    case .convertUp: try await locks.convert(operations, timesDown: false).median
    case .convertDown: try await locks.convert(operations, timesDown: true).median
    // A turn is two hand-overs.
    case .handOver: try await locks.contend(operations).median / 2
    case .lockLocal: try await locks.cycle(.local, operations, inFlight: 1).median
    case .echoInFlight:
      try await echo.exchange(operations * 4, inFlight: inFlight).total / (operations * 4)
    // A cycle is two operations.
    case .remoteInFlight:
      try await locks.cycle(.remote, operations * 2, inFlight: inFlight).total / (operations * 4)
    case .localInFlight:
      try await locks.cycle(.local, operations * 2, inFlight: inFlight).total / (operations * 4)
    }
  }
}
