import ClusterTypes

/// Follows the changes and reloads of all volume groups on one node.
///
/// For each volume group at most one change is open. It ends by the coordinator's word, `resume`
/// or `abandon`, or, when the coordinator is fenced, by what the disk says. Until then the
/// participant keeps what it has, suspended devices included: a coordinator that only cannot be
/// reached may still commit; unless the cluster's record says that it never will, or that it has
/// (`orphaned`). `resume`, `abandon` and `recover` are tried again until they succeed.
///
/// What was ended stays known, so that a message that comes late or twice is answered and never
/// carried out again.
public struct ChangeParticipant: Sendable {
  public enum Effect: Equatable, Sendable {
    case runJob(VolumeJob)
    case send(CoordinationMessage, to: NodeInstance)
    case report(String)
  }

  enum Activity: Equatable, Sendable {
    case change(OpenChange)
    case reload(ReloadRequest)

    var volumeGroup: String {
      switch self {
      case .change(let open): open.volumeGroup
      case .reload(let request): request.volumeGroup
      }
    }
  }

  /// How the newest change of one coordinator in one volume group ended.
  enum Ending: Equatable, Sendable {
    case resumed(milliseconds: UInt64)
    case abandoned(milliseconds: UInt64)
    case stranded(reason: String)
    case recovered
  }

  struct Closed: Equatable, Sendable {
    let number: UInt64
    let ending: Ending
  }

  let node: NodeInstance
  let timing: CoordinationTiming
  /// By volume group UUID.
  var activities: [String: Activity] = [:]
  /// Reloads that came while a change was open: one per volume group, the newest.
  var heldReloads: [String: ReloadRequest] = [:]
  /// Names by UUID: volume groups that follow the disk as soon as nothing else is under way, because
  /// who asked for a reload died. Entries go when a recovery begins.
  var owedRecoveries: [String: String] = [:]
  /// By volume group UUID, then by coordinator; entries of fenced coordinators are dropped.
  var closed: [String: [NodeInstance: Closed]] = [:]
  /// The newest answered reload of each volume group.
  var answeredReloads: [String: (id: VolumeRequestID, answer: CoordinationMessage)] = [:]
  /// Nodes that left the view and are not fenced: they may open nothing.
  var removed: Set<NodeInstance> = []
  /// The newest life of each node that is known to have ended.
  var ended: [NodeID: Incarnation] = [:]
  /// Of instances that go on in a new life of their daemon: the last request known of the one before.
  var renewed: [NodeInstance: UInt64] = [:]
  /// What this node could not follow, by volume group UUID: volumes there fail I/O until a later
  /// change, reload or recovery succeeds.
  var stranded: [String: String] = [:]
  var hasQuorum = true

  public init(node: NodeInstance, timing: CoordinationTiming = CoordinationTiming()) {
    self.node = node
    self.timing = timing
  }

  /// Whether a change or a reload of the volume group is under way on this node.
  public func isBusy(volumeGroupID: String) -> Bool { activities[volumeGroupID] != nil }

  /// Whether volumes of the group fail I/O on this node, because it could not follow a change.
  public func isStranded(volumeGroupID: String) -> Bool { stranded[volumeGroupID] != nil }

  /// Whether a change or reload whose coordinator is dead, or a leftover of an earlier life, is still
  /// being settled on this node: until then nobody may get the volume group's lock.
  ///
  /// - Parameter volumeGroup: its name, as whoever changed it called it.
  public func isRecovering(volumeGroup: String) -> Bool {
    if owedRecoveries.values.contains(volumeGroup) { return true }
    return activities.values.contains { isRecovery($0) && $0.volumeGroup == volumeGroup }
  }

  /// The same by UUID: a name may change.
  public func isRecovering(volumeGroupID: String) -> Bool {
    owedRecoveries[volumeGroupID] != nil
      || activities[volumeGroupID].map { isRecovery($0) } ?? false
  }

  private func isRecovery(_ activity: Activity) -> Bool {
    guard case .change(let open) = activity else { return false }
    return open.change.map { isOrphan($0.id) } ?? true
  }

  /// One sentence for each change that is open or could not be followed, sorted.
  public var openChanges: [String] {
    activities.values.compactMap { activity in
      switch activity {
      case .change(let open): "On this node \(open.name) is open: \(open.stateText)."
      case .reload: nil
      }
    }.sorted()
      + stranded.values.sorted().map {
        "On this node volumes fail I/O, because it could not follow \($0) Repair that, then "
          + "lvchange --refresh them here."
      }
  }

  /// When `.wake` is due next; nil when nothing has to be tried again.
  public var nextWake: Timestamp? {
    activities.values.compactMap { activity in
      if case .change(let open) = activity, case .retrying(_, let moment, _) = open.state {
        return moment
      }
      return nil
    }.min()
  }

  /// Something may have been left undone on this node: the daemon has started, or a member has died
  /// that may have committed a change and told nobody. The caller holds the volume group's lock in
  /// PR at least, or nobody can have it: it is not being changed.
  public mutating func recoverLeftovers(
    volumeGroup: String, volumeGroupID: String
  ) -> [Effect] {
    guard activities[volumeGroupID] == nil else {
      return [.report("\(volumeGroup) is busy on this node; nothing is left over.")]
    }
    let report = "\(volumeGroup): making sure that this node runs on what the disk says."
    return [.report(report), beginRecovery(of: volumeGroup, volumeGroupID)]
  }

  public mutating func handle(_ input: CoordinationInput, at now: Timestamp) -> [Effect] {
    switch input {
    case .message(let message, let sender): receive(message, from: sender, at: now)
    case .jobFinished(let job, let result): finish(job, result, at: now)
    case .nodeRemoved(let node): remove(node)
    case .nodeFenced(let node): forget(node)
    case .nodeRenewed(let node): renew(node)
    case .orphaned(let id, let step): outlive(id, at: step, now)
    case .recorded, .unrecorded: []  // A coordinator's concern.
    case .quorum(let quorate): changeQuorum(to: quorate)
    case .wake: wake(at: now)
    }
  }

  func isDead(_ instance: NodeInstance) -> Bool {
    ended[instance.node].map { instance.incarnation <= $0 } ?? false
  }

  /// Whether nobody lives who could go on with the request.
  func isOrphan(_ id: VolumeRequestID) -> Bool {
    isDead(id.origin) || renewed[id.origin].map { id.number <= $0 } ?? false
  }

  func openChange(_ volumeGroupID: String) -> OpenChange? {
    if case .change(let open) = activities[volumeGroupID] { return open }
    return nil
  }

  func openChange(withID id: VolumeRequestID) -> OpenChange? {
    for case .change(let open) in activities.values where open.change?.id == id { return open }
    return nil
  }
}
