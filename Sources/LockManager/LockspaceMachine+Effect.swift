import ClusterTypes
import LockProtocol

/// How a request or conversion ended.
public struct LockOutcome: Hashable, Sendable {
  public enum Result: Hashable, Sendable {
    case granted
    /// `.noQueue` was given and others are in the way.
    case wouldBlock
    /// The conversion would deadlock with another; the lock keeps its mode.
    case deadlock
    case cancelled
    /// The master refused with a result that no correct operation gets.
    case failed(LockResult)
  }

  public var result: Result
  /// The mode now held; nil when the lock is gone and its handle free again.
  public var mode: LockMode?
  /// The lock's value block, if the operation asked for it (`.valueBlock`).
  public var valueBlock: [UInt8]?
  /// `.valueNotValid`: a holder died with the value block in its hands; `.demoted`: the old mode
  /// was given up meanwhile; `.alternateMode`: `mode` is the alternate one.
  public var flags: LockStatusFlags

  public init(
    result: Result, mode: LockMode?, valueBlock: [UInt8]? = nil, flags: LockStatusFlags = []
  ) {
    self.result = result
    self.mode = mode
    self.valueBlock = valueBlock
    self.flags = flags
  }
}

/// Why a call had no effect at all. A refused `.lock` leaves its handle free; any other refused
/// call leaves the lock as it was.
public enum CallRefusal: Hashable, Sendable {
  case unknownHandle
  case handleInUse
  /// Another operation on the lock is under way, or it is not granted (dlm-wire 12).
  case busy
  /// A combination of mode and flags that dlm-wire 8.3 forbids.
  case invalidArguments(String)
  /// The value block has not the lockspace's length.
  case valueBlockLength(expected: Int)
  /// More locks than lock ids.
  case tooManyLocks
  /// Adoption: nobody left an orphan on the resource that could be adopted.
  case noOrphan
  /// Adoption: all orphans on the resource are in other modes.
  case orphanInOtherMode
}

extension CallRefusal: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownHandle: "no lock with that handle"
    case .handleInUse: "the handle already names a lock"
    case .busy: "another operation on the lock is under way"
    case .invalidArguments(let reason): reason
    case .valueBlockLength(let expected):
      "the lock value block must have \(expected) bytes in this lockspace"
    case .tooManyLocks: "the lockspace has no free lock id"
    case .noOrphan: "no orphan on the resource"
    case .orphanInOtherMode: "the resource has an orphan, but in another mode"
    }
  }
}

/// Why a recovery ended without enabling locking. Only a stop and a new start help.
public enum RecoveryFailure: Error, Hashable, Sendable {
  /// The members' lockspaces are configured differently.
  case configurationMismatch(
    NodeID, theirs: LockspaceConfiguration, ours: LockspaceConfiguration)
  /// The control plane started a lockspace that does not have this node as a member.
  case notMember
  /// The control plane started a lockspace that was running.
  case notStopped
  /// A member reported a resource whose directory node is another: the members' weights or member
  /// lists differ.
  case foreignName(NodeID, ResourceName)
  /// The directory node refused to name a new master.
  case lookupRefused(NodeID, result: Int32)
}

extension RecoveryFailure: CustomStringConvertible {
  public var description: String {
    switch self {
    case .configurationMismatch(let node, let theirs, let ours):
      "node \(node) has the lockspace with value blocks of \(theirs.lvbLength) bytes and flags"
        + " \(theirs.flags), this node with \(ours.lvbLength) and \(ours.flags):"
        + " create it alike on all nodes"
    case .notMember: "this node is not among the members of the lockspace"
    case .notStopped: "the lockspace was started while it was running: stop it first"
    case .foreignName(let node, let name):
      "node \(node) sent the name \(name) to the wrong directory node:"
        + " members or weights differ between the nodes"
    case .lookupRefused(let node, let result):
      "node \(node) named no new master (result \(result)):"
        + " members or weights differ between the nodes"
    }
  }
}

extension LockspaceMachine {
  /// What the shell has to do, in this order.
  public enum Effect: Hashable, Sendable {
    case send(Packet, to: NodeID)
    /// A request or conversion ended.
    case completed(LockHandle, LockOutcome)
    /// The lock is gone and its handle free: the answer to `.unlock`. It also ends whatever was
    /// under way on the lock.
    case released(LockHandle)
    /// The lock is in the way of another that wants `mode`. A hint, given once for each stronger
    /// mode.
    case blocking(LockHandle, LockMode)
    case refused(LockHandle, CallRefusal)
    /// A member is gone: the reliability layer forgets it (dlm-wire 5.4).
    case memberRemoved(NodeID)
    /// A member is new: the reliability layer opens a connection to it (dlm-wire 5.4).
    case memberAdded(NodeID)
    /// Locking is enabled again. `slots` is empty if the members contradict each other about them.
    case recovered(generation: UInt32, slots: [LockspaceSlot])
    case recoveryFailed(RecoveryFailure)
    /// Hand in `.timer` at that moment. Replaces the earlier wish.
    case wake(at: Timestamp)
  }
}
