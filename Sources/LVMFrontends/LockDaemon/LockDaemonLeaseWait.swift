import ClusterTypes

/// Between the daemon's start, or its admission, and its first lease it cannot grant anything yet. Whoever would
/// be told that no lock manager runs waits for that lease, for a bounded time.
extension LockDaemonMachine {
  /// The daemon has just started: it hears soon whether it is a member.
  mutating func beginFirstLeaseWait() {
    guard !hasStarted else { return }
    hasStarted = true
    leaseWait = now + configuration.leaseWaitLimit
  }

  /// A node that has become a member waits for its lease; one that has lost its lease does not: nobody
  /// knows when that comes back.
  mutating func leaseMayHaveChanged(wasRunning: Bool) {
    if isClusterRunning, !isQuorate {
      if !wasRunning { leaseWait = now + configuration.leaseWaitLimit }
    } else if isClusterRunning || wasRunning {
      endLeaseWait()
    }
  }

  mutating func endLeaseWaitIfDue() {
    if let leaseWait, now >= leaseWait { endLeaseWait() }
  }

  /// What waited is answered by what is true now.
  private mutating func endLeaseWait() {
    leaseWait = nil
    let clients = awaitingLease
    awaitingLease = []
    for client in clients {
      guard let request = self.clients[client]?.pending?.message.request else { continue }
      perform(request, of: client)
    }
  }
}

extension LockDaemonRequest {
  /// Without quorum it is refused for lack of a lock manager. Reports go on without, and do not wait.
  var needsCluster: Bool {
    switch self {
    case .runningLockManager, .initializeVolumeGroup, .startVolumeGroup, .askBusy, .freeVolumeGroup,
      .beginRename, .lockGlobal(.lock(.exclusive), lockType: _):
      true
    case .hello, .quit, .info, .dump, .lockGlobal, .lockVolumeGroup, .lockLogicalVolume,
      .updateVolumeGroup, .initializeLogicalVolume, .freeLogicalVolume, .queryLogicalVolume,
      .queryVolumeGroup, .refreshLogicalVolume, .startWait, .stopVolumeGroup, .stopAll, .kill,
      .drop, .adoptLock, .adoptLogicalVolume, .endRename, .describeVolumeGroup, .findFreeLock,
      .moveGlobalLock, .beginLockArguments, .endLockArguments, .unknown, .malformed:
      false
    }
  }
}
