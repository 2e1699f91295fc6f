import ClusterTypes

/// The machine has many deadlines and asks for one moment at a time.
extension LockspaceMachine {
  mutating func timerFired() {
    if let wake = requestedWake, wake <= now { requestedWake = nil }
    if isRunning {
      if let nextScan, nextScan <= now { scanIdleResources() }
      resumePausedRequests()
    } else {
      recoveryTimerFired()
    }
  }

  mutating func askForWake() {
    guard let deadline = nextDeadline, deadline != requestedWake else { return }
    requestedWake = deadline
    effects.append(.wake(at: deadline))
  }

  private var nextDeadline: Timestamp? {
    guard isRunning else { return recovery.deadline }
    guard let paused = pausedRequests.first?.until else { return nextScan }
    return min(paused, nextScan ?? paused)
  }
}
