import ClusterTypes

/// One lock on this node: who holds it here, who waits, and which mode the cluster granted us.
///
/// Clients of one node share a single lock of the cluster's lock manager. Conflicts between them are
/// settled here, first come first served and without limit; conflicts with other nodes wait in the
/// lock manager's queue. At most one operation of the cluster lock is under way.
///
/// Invariant: while no operation is under way, the cluster lock is at least as strong as every hold.
struct LockResource {
  /// What is going on outside; nothing else may begin until it has ended.
  enum Activity: Equatable {
    case none
    /// Raising the cluster lock for the head of the queue.
    case acquiring(ClusterLockMode, isCancelled: Bool)
    /// Raising the cluster lock from sh to ex for an owner; nil when the owner died meanwhile.
    case upgrading(LockRequest?)
    /// Bringing the cluster lock down; nil when it is given up altogether.
    case lowering(to: ClusterLockMode?)
    /// The cluster lock could not be brought down; it is tried again at that moment.
    case loweringAgain(at: Timestamp)
    /// What a command that ended with the lock has left of its change on this node is settled, before the
    /// request may go on.
    case settling(LockRequest)
    /// The other nodes load what was changed under this lock, before the request may lower it.
    case reloading(LockRequest)
  }

  enum Action: Equatable {
    case answer(
      LockRequest, LockDaemonResult, LockDaemonFlags, holder: NodeID?, undo: PersistentLockUndo?)
    case cluster(ClusterOperation)
    /// The persistent lock to survive a restart of the daemon is now this.
    ///
    /// - Parameter by: the command that asked for it; 0 for the daemon itself.
    case record(LockMode?, by: Int32)
    /// Settle what the command of that process has left, if it has ended; `settled` must follow.
    case settle(processID: Int32)
    /// Have the other nodes reload; `reloaded` must follow.
    case reload
    /// The request waits for long: somebody should hear for whom.
    case explainWait(LockRequest)
    case log(LockDaemonLogLevel, String)
  }

  enum ClusterOperation: Equatable {
    case lock(ClusterLockMode, isQueued: Bool)
    case convert(ClusterLockMode, isQueued: Bool, writing: VersionBlock?)
    case cancel
    case unlock
  }

  /// What the surroundings allow at this moment.
  struct Conditions {
    var now: Timestamp
    /// The lockspace is joined.
    var isJoined: Bool
    /// There is a cluster with quorum.
    var isAvailable: Bool
    /// How long a request waits for another node.
    var waitLimit: Duration
  }

  let name: ResourceName
  /// Names the lock towards the cluster.
  let token: LockToken
  var transients: [ClientID: LockMode] = [:]
  var persistent: LockMode?
  /// Which LV the persistent lock keeps active, and who asked for it.
  var persistentUse = ""
  /// The command that asked for it; 0 for the daemon itself.
  var persistentProcess: Int32 = 0
  var queue: [LockRequest] = []
  /// Answered as soon as the cluster lock has come down.
  var releases: [LockRequest] = []
  var activity: Activity = .none
  /// Nil when the node has no lock on the resource in the cluster.
  var clusterMode: ClusterLockMode?
  /// The last version known, for GL a counter, for VG the metadata's seqno.
  var version: UInt32 = 0
  /// What goes out with the next lowering: it is kept until one has succeeded.
  var unpublished: VersionBlock?
  /// How often in a row the cluster lock could not be brought down.
  var loweringFailures = 0
  /// The seqno of metadata that the exclusive holder has written.
  var writtenVersion: UInt32?
  /// What the record of persistent locks says.
  var recordedMode: LockMode?
  private(set) var persistentChangeCount: UInt64 = 0

  init(name: ResourceName, token: LockToken) {
    self.name = name
    self.token = token
  }

  /// The strongest mode held on this node.
  var heldMode: LockMode? { (transients.values + [persistent].compactMap { $0 }).max() }

  /// Nothing is held, wanted or known here: the value can be dropped.
  var isUnused: Bool {
    activity == .none && clusterMode == nil && heldMode == nil && queue.isEmpty && releases.isEmpty
  }

  /// A lock is held on this node, or is being taken up again after a restart.
  var isHeldOrAdopted: Bool { heldMode != nil || queue.contains { $0.owner == .daemon } }

  mutating func setPersistent(_ mode: LockMode?) {
    persistent = mode
    persistentChangeCount += 1
  }

  /// The decision table (lvmlockd-socket 8), checked from top to bottom.
  func decision(on request: LockRequest) -> LockDecision {
    let own: LockMode? =
      switch request.owner {
      case .client(let client): transients[client]
      case .daemon, .change: nil
      }
    switch request.purpose {
    case .unlock where request.isPersistent:
      if persistent != nil { return .release }
      return queue.contains { $0.owner == .daemon } ? .abandonAdoption : .answer(.notFound)
    case .unlock: return own != nil ? .release : .answer(.notFound)
    case .free:
      return persistent != nil || transients.count > (own == nil ? 0 : 1)
        ? .answer(.busy) : .release
    case .lock(let mode):
      return request.isPersistent
        ? decisionOnPersistent(mode, own: own) : decisionOnTransient(mode, own: own)
    }
  }

  private func decisionOnTransient(_ mode: LockMode, own: LockMode?) -> LockDecision {
    if own == mode { return .answer(.alreadyHeld) }
    switch (persistent, mode) {
    // The node's persistent lock covers the request; nothing is recorded for the client.
    case (.exclusive, _), (.shared, .shared): return .answer(.success)
    case (.shared, .exclusive): return .answer(.exists, .sharedLockExists)
    case (nil, _): return own == nil ? .wait : .convert(to: mode)
    }
  }

  private func decisionOnPersistent(_ mode: LockMode, own: LockMode?) -> LockDecision {
    if persistent == mode { return .answer(.alreadyHeld) }
    if let own { return own == mode ? .makePersistent(mode) : .answer(.exists) }
    return persistent == nil ? .wait : .convert(to: mode)
  }

  /// Whether locks of other owners on this node let `request` have `mode`.
  func isCompatible(_ mode: LockMode, for request: LockRequest) -> Bool {
    var others = transients
    if case .client(let client) = request.owner, !request.isPersistent { others[client] = nil }
    let othersPersistent = request.isPersistent ? nil : persistent
    let strongest = (others.values + [othersPersistent].compactMap { $0 }).max()
    return strongest == nil || (strongest == .shared && mode == .shared)
  }
}
