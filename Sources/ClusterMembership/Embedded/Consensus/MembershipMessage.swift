import ClusterTypes

/// What the nodes say to each other (membership design, section 5). Every one goes with a header that
/// names cluster, sender, its incarnation and its promised term.
public struct MembershipMessage: Hashable, Sendable {
  public var clusterID: UInt64
  public var sender: NodeSlot
  public var incarnation: Incarnation
  public var term: UInt64
  public var body: Body

  public enum Body: Hashable, Sendable {
    case ping(Ping)
    case pong(Pong)
    case handOver
    case preVote(Candidacy)
    case preVoteReply(term: UInt64, isGranted: Bool, isBlank: Bool)
    case vote(Candidacy)
    case voteReply(term: UInt64, isGranted: Bool, isBlank: Bool)
    case accept(Acceptance)
    case accepted(term: UInt64, index: UInt64, isBlank: Bool)
    case submit(life: UInt32, sequence: UInt64, Request)
    case join(Join)
    case joinReply(JoinReply)
    case evict(viewID: UInt64, Incarnation)
  }

  /// Sent to everybody with every heartbeat.
  public struct Ping: Hashable, Sendable {
    /// The sender's clock; comes back in the pong.
    public var sentAt: UInt64
    public var life: UInt32
    /// The sender leads its term.
    public var isLeader: Bool
    /// Whom the sender has heard within the silence time.
    public var hears: NodeSet
    public var viewID: UInt64
    public var acceptedTerm: UInt64
    public var acceptedIndex: UInt64
    public var appliedIndex: UInt64
    /// Generations of stopping lockspaces for which the sender has stopped.
    public var stopped: [UInt64]
    /// Generations of started lockspaces that the sender runs, as long as they are new.
    public var running: [UInt64]
    /// Milliseconds since this boot.
    public var uptime: UInt64
    /// The sender's amnesia, see `PersistentState`.
    public var amnesia: UInt64
  }

  public enum Standing: UInt8, Hashable, Sendable {
    case unknown = 0
    case member, out, evicted
  }

  public struct Pong: Hashable, Sendable {
    public var sentAt: UInt64
    /// The leader that the sender follows.
    public var leader: NodeSlot?
    /// Of the sender's term; zero unless it is the leader and has decided in its term.
    public var committedIndex: UInt64
    /// Nanoseconds; from the leader only, else zero.
    public var lease: UInt64
    /// Of the incarnation that pinged, by the applied record; authoritative only from a leader that
    /// has decided in its own term.
    public var standing: Standing
    public var viewID: UInt64
    /// From the leader only: how far the fences are that everybody waits for.
    public var fences: [FenceProgress]
  }

  /// What only a leader knows of the fence of a removed node, for whoever asks another node.
  public struct FenceProgress: Hashable, Sendable {
    public var victim: NodeSlot
    /// Runs that have failed since the removal.
    public var failures: UInt32
    /// Milliseconds until the next run; zero while one is under way.
    public var pause: UInt32
  }

  public struct Candidacy: Hashable, Sendable {
    public var term: UInt64
    public var lastTerm: UInt64
    public var lastIndex: UInt64
    public var isTransfer: Bool
    public var isBlank: Bool
  }

  public struct Acceptance: Hashable, Sendable {
    public var decision: Decision
    /// The batches before the decision's, from the receiver's applied index on.
    public var history: [HistoryEntry]
    /// Of the sender's term.
    public var committedIndex: UInt64
    /// The sender cannot supply all batches: the receiver takes the record instead.
    public var isReset: Bool
    /// The receiver's amnesia as a committed decision of this term names it, zero without one: the
    /// cluster has taken that voter back.
    public var restoredAmnesia: UInt64
  }

  public struct Join: Hashable, Sendable {
    public var life: UInt32
    public var bootID: BootID
    /// Milliseconds since this boot.
    public var uptime: UInt64
    public var capabilities: Capabilities
    /// Incarnations of this boot that never carried out a start.
    public var neverStarted: [Incarnation]
    /// The view that the sender last read in a pong.
    public var viewID: UInt64
    public var timers: MembershipTimers
  }

  public enum JoinReply: Hashable, Sendable {
    case wait(reason: String)
    case refused(reason: String)
    /// The node's counter was lost: it takes one above this.
    case outdated(Incarnation)
  }
}

/// What a node asks the leader to decide.
public enum Request: Hashable, Sendable {
  case joinSpace(LockspaceName, kind: UInt8)
  case leaveSpace(LockspaceName)
  /// Stop and start on all; nothing is lost. `waitsFor` is whom the kernel's recovery waits for.
  case restartSpace(LockspaceName, waitsFor: NodeSlot?)
  /// The node holds nothing any more that could write.
  case clean
  /// The node goes; it is clean.
  case leave
  case message([UInt8])
  case fenceResult(attempt: UInt64, FenceOutcome)
  /// The attempt has taken its victim's keys off these disks (`Capabilities.reservedDevices`), and has
  /// read that they are gone and that the disks are reserved.
  case excluded(attempt: UInt64, devices: UInt64)
  /// What the attempt had taken away is back on a disk, or the disk is not reserved any more.
  case withdrawExclusion(attempt: UInt64)
  /// Somebody vouches that a removed incarnation is dead.
  case prove(NodeSlot, Incarnation, Evidence, by: String)
  case changeConfiguration(ClusterConfiguration)
  case beginOperation(VolumeOperation)
  case advanceOperation(VolumeOperation.ID, VolumeOperation.Step)
  case endOperation(VolumeOperation.ID)
  case capabilities(Capabilities)
}

public enum FenceOutcome: UInt8, Hashable, Sendable {
  case succeeded = 1
  case failed
  /// The executor's daemon was restarted: nobody knows what the agent did.
  case lost
}
