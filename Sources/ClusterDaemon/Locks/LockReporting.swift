import ClusterTypes
import DistributedLockManager
import Glibc
import LockManager
import LockProtocol

/// What this node knows about locks, for others and for administrators.
extension InHouseLockspaces {
  /// - Parameter onlyWaiting: leaves out what certainly has to do with no waiting lock. Whether
  ///   somebody waits for a lock knows the master of its resource; the owner's node tells all it has
  ///   elsewhere.
  func report(onlyWaiting: Bool) -> LockReport {
    var report = LockReport()
    var places: [LockKey: Int] = [:]
    let machines = machines.map { name, machine in
      (name, machine, locks: machine.lockDescriptions(at: .now))
    }
    // What others wait for, or may have to do with a deadlock, must not fall behind the limit.
    let urgent = machines.map { urgentResources($0.locks) }
    for isUrgent in [true, false] {
      for (index, (name, machine, locks)) in machines.enumerated() {
        for lock in locks where urgent[index].contains(lock.resource) == isUrgent {
          guard isUrgent || !onlyWaiting || lock.handle != nil && lock.master != localNode else {
            continue
          }
          guard report.locks.count < LockReport.maximumLockCount else {
            report.omittedCount += 1
            continue
          }
          let told = described(lock, in: name, generation: machine.generation)
          places[told.key] = report.locks.count
          report.locks.append(told)
        }
      }
    }
    for (name, machine, _) in machines { addWaits(of: machine, in: name, places, to: &report) }
    return report
  }

  /// Only what is known of one resource, without who waits for whom.
  func report(of resource: ResourceName, in lockspace: LockspaceName) -> LockReport {
    var report = LockReport()
    for (name, machine) in machines where name == lockspace {
      report.locks = machine.lockDescriptions(at: .now).filter { $0.resource == resource }
        .prefix(LockReport.maximumLockCount)
        .map { described($0, in: name, generation: machine.generation) }
    }
    return report
  }

  /// Resources with a waiting lock, or with one that belongs to a transaction.
  private func urgentResources(_ locks: [LockDescription]) -> Set<ResourceName> {
    var resources: Set<ResourceName> = []
    for lock in locks {
      let transaction = lock.handle.flatMap { notes(of: $0)?.transaction }
      if lock.queue != .granted || transaction != nil { resources.insert(lock.resource) }
    }
    return resources
  }

  private func addWaits(
    of machine: LockspaceMachine, in name: LockspaceName, _ places: [LockKey: Int],
    to report: inout LockReport
  ) {
    let lockspace = LockspaceID(name: name)
    func place(_ lock: LockDescription) -> Int? {
      places[LockKey(lockspace: lockspace, identity: lock.identity)]
    }
    var blockerCount = report.waits.reduce(0) { $0 + $1.blockers.count }
    for wait in machine.waitDescriptions(at: .now) {
      guard let waiter = place(wait.waiter), report.waits.count < LockReport.maximumWaitCount
      else { continue }
      let blockers = wait.blockers.compactMap(place)
        .prefix(LockReport.maximumBlockerCount - blockerCount)
      blockerCount += blockers.count
      report.waits.append(
        LockReport.Wait(
          waiter: waiter, blockers: Array(blockers), predecessor: wait.predecessor.flatMap(place)))
    }
  }

  private func described(
    _ lock: LockDescription, in lockspace: LockspaceName, generation: UInt32
  ) -> LockReport.Lock {
    let request = lock.handle.flatMap { notes(of: $0) }
    let processID = request?.processID ?? lock.processID
    return LockReport.Lock(
      lockspace: lockspace, generation: generation, resource: lock.resource, master: lock.master,
      identity: lock.identity, queue: lock.queue, granted: lock.granted,
      requested: lock.requested ?? .iv, processID: processID, since: lock.since,
      age: lock.age, owner: request?.owner,
      command: request == nil ? nil : Self.command(of: processID),
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
