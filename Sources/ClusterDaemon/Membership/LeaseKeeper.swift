import ClusterMembership
import ClusterTypes

/// What outlives the daemon on one boot of the machine, and resets the machine when it must not go on
/// writing (membership design, sections 8 and 9).
///
/// Its methods are called on the cluster's event loop and must not block.
protocol LeaseKeeper: Sendable {
  /// What this node can promise to the others; goes with its request to join.
  var capabilities: Capabilities { get }

  /// What the keeper found when the daemon started. `isAlive` is false when something of an earlier
  /// life on this boot may still write and nobody holds it: the machine must be reset then.
  var findings: KeeperFindings { get }

  /// The watchdog may be petted until this moment of the boot-time clock, and never after, unless a
  /// later call comes first. Zero: the lease is given up.
  func setLease(until: Timestamp)

  /// Before the first start of a lockspace with this incarnation: from now on petting goes by lease.
  func becomeDirty()

  /// Nothing that may write is left: petting goes on whatever the lease.
  func becomeClean()

  /// Resets the machine now, without syncing or unmounting anything.
  func selfFence(reason: String)
}

struct KeeperFindings: Sendable {
  var isAlive: Bool
  /// Lockspaces that the kernel still has for the life before; empty without one.
  var spaces: [AdoptedSpace]
  /// The members with which the kernel was started on them last.
  var started: [LockspaceName: [NodeInstance]] = [:]
}
