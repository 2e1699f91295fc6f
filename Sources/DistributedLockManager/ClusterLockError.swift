import ClusterTypes
import LockManager
import LockProtocol

/// Why a lock was not granted, not converted or not waited for, in words for an administrator.
public enum ClusterLockError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The node hears fewer than a majority of the configured nodes, or is not a member yet.
  case noQuorum
  /// `join` has not been called, or the lockspace was left since.
  case notJoined(LockspaceName)
  case joinFailed(LockspaceName, reason: String)
  /// Others hold or want it, and the caller would not wait.
  case heldByOthers(ResourceName, LockspaceName)
  /// The lockspace grants nothing at present, and the caller would not wait.
  case lockspaceStopped(LockspaceName)
  case timedOut(ResourceName, LockspaceName)
  /// The task was cancelled, or the lock was released while it waited.
  case cancelled
  /// The request, or conversion, and others wait for each other; it has been given up, and a
  /// conversion leaves the mode as before.
  case deadlock(ResourceName, LockspaceName)
  /// An operation on the lock is under way, or it has been released.
  case unusable(ResourceName, LockspaceName)
  /// The lock manager does not accept the call or the master refused it.
  case refused(String)

  public var description: String {
    switch self {
    case .noQuorum: "This node has no quorum: no lock is granted."
    case .notJoined(let lockspace): "Lockspace \(lockspace) has not been joined on this node."
    case .joinFailed(let lockspace, let reason):
      "Lockspace \(lockspace) could not be joined: \(reason)."
    case .heldByOthers(let resource, let lockspace):
      "\(resource) in lockspace \(lockspace) is held by others."
    case .lockspaceStopped(let lockspace):
      "Lockspace \(lockspace) is stopped until its members have recovered; see clvm status."
    case .timedOut(let resource, let lockspace):
      "\(resource) in lockspace \(lockspace) was not granted in time; see clvm locks."
    case .cancelled: "The request was taken back."
    case .deadlock(let resource, let lockspace):
      "Waiting for \(resource) in lockspace \(lockspace) would never end: a deadlock."
    case .unusable(let resource, let lockspace):
      "\(resource) in lockspace \(lockspace) is not held, or an operation on it is under way."
    case .refused(let reason): "The lock manager refused: \(reason)."
    }
  }
}
