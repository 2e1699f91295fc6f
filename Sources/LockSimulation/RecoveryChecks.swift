import ClusterTypes
import LockManager
import LockProtocol

/// What must hold when a recovery is over and nobody has done anything since.
extension LockSimulation {
  /// The first node that runs again shows that all others have rebuilt everything and wait for it:
  /// at that moment a new master has exactly the locks that their owners have.
  ///
  /// Only new masters are looked at: what an old one has not been told yet waits in its queue. And
  /// not what concerns `first` itself, which has gone on already.
  mutating func checkRebuilt(beforeRunningOn first: NodeID) {
    guard let epoch = views[first]?.epoch, epoch == oracle.epoch, !oracle.isChanging else { return }
    let members = oracle.members.sorted().filter { $0 != first && world.life(of: $0) != nil }
    guard members.allSatisfy({ views[$0]?.epoch == epoch && views[$0]?.isRunning == false }) else {
      return
    }
    for index in 0..<scenario.resourceCount {
      for master in members where views[master]?.mastered.contains(index) == false {
        guard let resource = inspect(Names.resources[index], on: master), !resource.isIdle,
          resource.master == master
        else { continue }
        for owner in members where owner != master { check(owner, against: resource, of: master) }
      }
    }
  }

  private func inspect(_ name: ResourceName, on node: NodeID) -> ResourceInspection? {
    world.withStack(of: node) { $0.machine?.inspect(name) } ?? nil
  }

  private mutating func check(
    _ owner: NodeID, against resource: ResourceInspection, of master: NodeID
  ) {
    let own = (inspect(resource.name, on: owner)?.locks ?? []).filter { $0.handle != nil }
    for lock in own {
      let copy = resource.locks.first { $0.owner == owner && $0.remoteID == lock.id }
      let isSame = copy.map { $0.queue == lock.queue && $0.granted == lock.granted } ?? false
      if !isSame, !isMiddle(lock) {
        violate(
          .rebuilt,
          "new master \(master) has lock \(lock.id) of node \(owner) on \(resource.name) as"
            + " \(copy.map { "\($0.granted) \($0.queue)" } ?? "nothing"), its owner as"
            + " \(lock.granted) \(lock.queue)")
      }
    }
    for copy in resource.locks where copy.owner == owner {
      if !own.contains(where: { $0.id == copy.remoteID }) {
        violate(
          .rebuilt,
          "new master \(master) has lock \(copy.id) on \(resource.name), which node \(owner) has not"
        )
      }
    }
  }

  /// Between PR and CW the granted mode is found by a rule (dlm-wire 15.6).
  private func isMiddle(_ lock: LockInspection) -> Bool {
    (lock.granted == .pr && lock.requested == .cw) || (lock.granted == .cw && lock.requested == .pr)
  }
}
