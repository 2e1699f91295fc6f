import ClusterTypes
import DistributedLockManager
import LockManager

/// What a session needs of the lockspace that it drives: in the program the library's
/// (`ServedLockspace`), in tests a table.
protocol PeerLockspace: AnyObject {
  /// As this node knows it; nil between `leave` and `join`.
  var machine: LockspaceMachine? { get }
  /// The clock of the machine.
  var now: Timestamp { get }

  /// Makes the lockspace known to this node again, as to one that has never been there.
  func join()
  /// - Parameter renewed: members that died since the last start and are back.
  func start(_ members: [Member], renewed: Set<NodeID>)
  func stop()
  /// Loses the locks, and parts from the other members; `PeerSession.parted` follows.
  func leave()

  /// Calls about locks; refusals come before these return. The machine holds none back: they are
  /// made while it runs.
  var locks: any LockCalls { get }
  /// The process of the lock is gone, and whoever listens to it.
  func abandon(_ handle: LockHandle)
  func purge(_ node: NodeID, processID: UInt32)
  /// Runs `body` when everything that happens now has been told.
  func afterwards(_ body: @escaping () -> Void)
}
