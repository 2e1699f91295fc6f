import ClusterTypes

/// Names one lock of this node towards the cluster's lock manager.
public struct LockToken: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64

  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}

/// Names a question of the machine to the cluster; its answer repeats it.
public struct ClusterQuestionID: Hashable, Comparable, Sendable {
  public let rawValue: UInt64

  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

public enum LockDaemonLogLevel: String, Sendable {
  case debug
  case info
  case warning
  case error
}

/// A lock that protects an active LV and outlives the command, and the daemon, that took it.
public struct PersistentLock: Hashable, Sendable {
  public var vg: String
  public var vgUUID: String?
  /// The VG's lock arguments, such as `1.0.0:cluster`.
  public var lockArguments: String?
  /// In the dashed form of 38 characters.
  public var lvUUID: String
  public var mode: LockMode
  /// The command that took it, and may have yet to make the device; 0 for the daemon itself.
  public var processID: Int32

  public init(
    vg: String, vgUUID: String?, lockArguments: String?, lvUUID: String, mode: LockMode,
    processID: Int32 = 0
  ) {
    self.processID = processID
    self.vg = vg
    self.vgUUID = vgUUID
    self.lockArguments = lockArguments
    self.lvUUID = lvUUID
    self.mode = mode
  }
}

/// Who uses a lock of this node, as others are told.
public struct LockUse: Equatable, Sendable {
  /// In words, such as `lvextend` or `lvchange[817] for active volume lv1`.
  public var owner: String
  /// Of the command; 0 when the lock belongs to no process.
  public var processID: Int32

  public init(owner: String, processID: Int32) {
    self.owner = owner
    self.processID = processID
  }
}

/// Who holds a lock somewhere in the cluster.
public struct ResourceHolder: Equatable, Sendable {
  public var node: NodeID
  /// See `LockUse`; nil where the node did not tell.
  public var use: LockUse?
  public var mode: ClusterLockMode
  /// How long it has been held.
  public var age: Duration

  public init(node: NodeID, use: LockUse?, mode: ClusterLockMode, age: Duration) {
    self.node = node
    self.use = use
    self.mode = mode
    self.age = age
  }

  /// "node 2, lvextend[817], ex for 12 s".
  var described: String {
    let user = use.map { use in
      use.processID == 0 ? ", \(use.owner)" : ", \(use.owner)[\(use.processID)]"
    }
    let mode = mode == .exclusive ? "ex" : "sh"
    return "node \(node)\(user ?? ""), \(mode) for \(age.components.seconds) s"
  }
}

/// Why the cluster's lock manager did not grant.
public enum ClusterLockRefusal: Error, Equatable, Sendable {
  /// An incompatible lock is held by another node, and the request was not to wait.
  case heldElsewhere(by: NodeID?)
  case cancelled
  case failed(String)

  var result: LockDaemonResult {
    switch self {
    case .heldElsewhere, .cancelled: .heldElsewhere
    case .failed: .failed
    }
  }

  var holder: NodeID? {
    switch self {
    case .heldElsewhere(let node): node
    case .cancelled, .failed: nil
    }
  }
}

extension LockDaemonMachine {
  /// What happens to the machine.
  public enum Input: Sendable {
    case clientConnected(ClientID, processID: Int32)
    /// One whole message, without its terminator.
    case received(ClientID, [UInt8])
    /// The connection is gone. If a reply was still on its way, `replyUndelivered` comes first.
    case clientClosed(ClientID)
    /// The last reply to this client could not be written.
    case replyUndelivered(ClientID)

    /// Whether there is a cluster at all, and whether it has quorum.
    case clusterChanged(isRunning: Bool, isQuorate: Bool)
    case joined(LockspaceName)
    case joinFailed(LockspaceName, reason: String)
    case left(LockspaceName)
    /// The other nodes in the lockspace.
    case members(ClusterQuestionID, others: [NodeID])

    /// The operation on the lock succeeded. The value block is nil when there is none, or when a
    /// recovery of the lock manager lost it.
    case lockGranted(LockToken, valueBlock: [UInt8]?)
    /// The operation failed; the lock is as before it.
    case lockRefused(LockToken, ClusterLockRefusal)
    /// What the command left is settled; or nothing was done, because it has not ended.
    case settled(ClusterQuestionID, hasEnded: Bool)
    /// The nodes that failed to load what was changed, with their reasons; empty when all did.
    case reloaded(ClusterQuestionID, failures: [NodeID: String])

    /// Who holds the lock that was asked for; empty when nobody does any more.
    case holders(ClusterQuestionID, [ResourceHolder])
    /// Why the LV must not be active on several nodes; nil when it may.
    case sharingChecked(ClusterQuestionID, refusal: String?)

    /// The node itself wants an LV's lock changed. Answered by `volumeLockEnded`.
    case changeVolumeLock(VolumeLockID, VolumeLockRequest)
    /// Locks that protect active LVs after a restart of the daemon; before the first client.
    case adopt([PersistentLock])
    case timePassed
  }

  /// What the shell has to do, in this order.
  public enum Effect: Equatable, Sendable {
    /// The text of the reply without terminator. When it cannot be written: `replyUndelivered`.
    case reply(ClientID, [UInt8])
    /// After the reply: datagrams to lvmlockctl (lvmlockd-socket 14).
    case sendDump([UInt8])
    /// The client broke the protocol.
    case closeClient(ClientID)

    /// Answered by `joined` or `joinFailed`.
    case join(LockspaceName)
    /// Gives up all locks in the lockspace, also when it is still being joined. Answered by `left`;
    /// answers about these locks may come no more.
    case leave(LockspaceName)
    /// Answered by `members`.
    case countMembers(ClusterQuestionID, LockspaceName)

    /// A new lock. Every operation on a lock is answered by `lockGranted` or `lockRefused`, and the
    /// next one begins only after that.
    case lock(
      LockToken, LockspaceName, resource: [UInt8], ClusterLockMode, isQueued: Bool,
      usesValueBlock: Bool)
    /// Changes the mode. `writing` replaces the value block, when the mode was exclusive. A queued
    /// conversion to a stronger mode takes its turn behind those who wait already.
    case convert(LockToken, ClusterLockMode, isQueued: Bool, writing: [UInt8]?)
    /// Ends the waiting of the operation under way; its one answer says how it ended.
    case cancel(LockToken)
    case unlock(LockToken)

    /// Who uses the lock from now on: for whoever asks who holds it.
    case describe(LockToken, LockUse)
    /// Who holds the lock in the cluster, this node included? Answered by `holders`.
    case findHolders(ClusterQuestionID, LockspaceName, resource: [UInt8])
    /// May the LV be active on several nodes, as the committed metadata says? Answered by
    /// `sharingChecked`.
    case checkSharing(ClusterQuestionID, vg: String, lvUUID: String)

    /// A client went away with the VG's exclusive lock. If its process has ended, brings the VG's devices on
    /// this node onto the committed metadata: none may stay suspended. Nobody gets the lock before that.
    /// Answered by `settled`.
    ///
    /// - Parameter processID: 0 when it is not known.
    case settle(ClusterQuestionID, vg: String, processID: Int32)
    /// Every other node that has a changed LV of the VG active loads the committed metadata.
    /// Answered by `reloaded` when each has, has failed, or has been fenced.
    case reload(ClusterQuestionID, vg: String)

    /// To be on disk before the effects that follow.
    case persist(PersistentLock)
    case forget(PersistentLock)
    /// An active LV has lost its protection; somebody has to look after it.
    case adoptionFailed(PersistentLock, reason: String)

    /// The answer to `changeVolumeLock`.
    case volumeLockEnded(VolumeLockID, VolumeLockAnswer)

    /// `quit` was accepted: no lockspace is left.
    case quit
    case log(LockDaemonLogLevel, String)
  }
}
