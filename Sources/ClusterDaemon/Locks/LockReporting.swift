import ClusterTypes
import DistributedLockManager
import Glibc
import LockManager
import LockProtocol

/// What this node knows about locks, for others and for administrators.
extension InHouseLockspaces {
  /// - Parameter onlyWaiting: only resources that somebody waits for, as far as this node knows.
  func report(onlyWaiting: Bool) -> LockReport {
    var report = LockReport()
    var blockerCount = 0
    for (name, machine) in machines {
      let locks = machine.lockDescriptions(at: .now)
      let wanted = onlyWaiting ? Self.resourcesWithWaiters(locks) : nil
      var places: [LockIdentity: Int] = [:]
      for lock in locks where wanted?.contains(lock.resource) ?? true {
        guard report.locks.count < LockReport.maximumLockCount else {
          report.omittedCount += 1
          continue
        }
        places[lock.identity] = report.locks.count
        report.locks.append(described(lock, in: name, generation: machine.generation))
      }
      for wait in machine.waitDescriptions(at: .now) {
        guard let waiter = places[wait.waiter.identity],
          report.waits.count < LockReport.maximumWaitCount
        else { continue }
        let blockers = wait.blockers.compactMap { places[$0.identity] }
          .prefix(LockReport.maximumBlockerCount - blockerCount)
        blockerCount += blockers.count
        report.waits.append(
          LockReport.Wait(
            waiter: waiter, blockers: Array(blockers),
            predecessor: wait.predecessor.flatMap { places[$0.identity] }))
      }
    }
    return report
  }

  private static func resourcesWithWaiters(_ locks: [LockDescription]) -> Set<ResourceName> {
    var resources: Set<ResourceName> = []
    for lock in locks where lock.queue != .granted { resources.insert(lock.resource) }
    return resources
  }

  private func described(
    _ lock: LockDescription, in lockspace: LockspaceName, generation: UInt32
  ) -> LockReport.Lock {
    let request = lock.handle.flatMap { notes(of: $0) }
    return LockReport.Lock(
      lockspace: lockspace, generation: generation, resource: lock.resource, master: lock.master,
      identity: lock.identity, queue: lock.queue, granted: lock.granted,
      requested: lock.requested ?? .iv, processID: lock.processID, since: lock.since,
      age: lock.age, owner: request?.owner,
      command: request == nil ? nil : Self.command(of: lock.processID),
      transaction: request?.transaction, mayBeVictim: request?.mayBeVictim ?? false)
  }

  /// What the process is called; nil when it is gone or there is none.
  private static func command(of processID: UInt32) -> String? {
    guard processID != 0, let name = try? readFile("/proc/\(processID)/comm", limit: 256) else {
      return nil
    }
    return String(decoding: name.prefix(while: { $0 != 0x0A }), as: UTF8.self)
  }

  /// Whether a lock of this node waits for longer than `age`.
  func hasWaiter(longerThan age: Duration) -> Bool {
    machines.contains { _, machine in
      machine.lockDescriptions(at: .now).contains {
        $0.queue != .granted && $0.handle != nil && $0.age > age
      }
    }
  }

  /// Gives up the request of a lock of this node, if it waits.
  func giveUp(_ key: LockKey) {
    for (name, machine) in machines where LockspaceID(name: name) == key.lockspace {
      let waiting = machine.lockDescriptions(at: .now).first {
        $0.identity == key.identity && $0.queue != .granted
      }
      if let handle = waiting?.handle { giveUp(handle) }
    }
  }
}
