import AdminProtocol
import ClusterTypes
import PosixLocks

/// What this node knows about POSIX locks, for administrators: its table is that of all nodes.
extension PosixLockService {
  static let reportLimit = 100_000

  /// Nil when this node has not mounted a filesystem with that lockspace.
  ///
  /// - Parameter lockspace: nil for all.
  /// - Returns: at most `reportLimit` locks, and sentences about what is missing or waited for.
  func report(
    lockspace: LockspaceName?, onlyWaiting: Bool
  ) -> (locks: [PosixLockStatus], notes: [String])? {
    if let lockspace, machines[lockspace] == nil { return nil }
    var locks: [PosixLockStatus] = []
    var notes: [String] = []
    for (name, machine) in machines.sorted(by: { $0.key < $1.key })
    where lockspace == nil || name == lockspace {
      notes += machine.waits.map { "Lockspace \(name): \($0)." }
      for lock in machine.locks where !onlyWaiting || lock.isWaiting {
        guard locks.count < Self.reportLimit else {
          notes.append("More than \(Self.reportLimit) locks; the rest is not shown.")
          return (locks, notes)
        }
        locks.append(
          PosixLockStatus(
            lockspace: name, inode: lock.inode, start: lock.lock.start, end: lock.lock.end,
            isExclusive: lock.lock.isExclusive, isWaiting: lock.isWaiting,
            node: lock.lock.holder.node.node, pid: lock.lock.processID,
            owner: lock.lock.holder.owner))
      }
    }
    return (locks, notes)
  }
}
