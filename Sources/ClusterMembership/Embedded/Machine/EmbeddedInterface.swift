import ClusterTypes

// What goes into the embedded membership machine and what comes out (membership design, section 4).
// The shell's loop: feed an input with the boot-time clock, carry out the effects in order, feed what
// comes back. Equal inputs give equal outputs: the machine has no clock, and its chance comes from a
// seed that it is given.

public enum EmbeddedInput: Hashable, Sendable {
  /// At the latest at the moment of the last `wake`.
  case tick
  case received(MembershipMessage)
  /// The write `token` is synced, or failed.
  case persisted(token: UInt64)
  case persistFailed(token: UInt64)
  case diskRound(id: UInt64, DiskRoundResult)
  /// The agent of an attempt ended; nil if it was killed or could not be run. Only 0 is success.
  case fenceResult(attempt: UInt64, exit: Int32?)
  /// An attempt by reservation has read that its victim's keys are off these disks, and that what they
  /// had under way is aborted or has landed.
  case excluded(attempt: UInt64, devices: UInt64)
  case exclusionsRead(id: UInt64, ExclusionReading)
  /// The kernel's stop of the lockspace has returned.
  case spaceStopped(LockspaceName, generation: UInt64)
  case spaceStarted(LockspaceName, generation: UInt64)
  /// Recovery has waited for `slot` for a minute.
  case spaceStuck(LockspaceName, generation: UInt64, waitsFor: NodeSlot?)
  /// A node's machine answers, and no daemon does, on all links.
  case peerRefused(NodeSlot)
  /// A daemon that is not heard listens on a node's machine.
  case peerListens(NodeSlot)
  case request(Request)
  /// This node was frozen for a time that the machine's own ticks may not show.
  case timeGap
}

public enum EmbeddedEffect: Hashable, Sendable {
  case send(NodeSlot, MembershipMessage)
  /// Write and sync, then `persisted`; one at a time, in order.
  case persist(token: UInt64, PersistentState)
  case diskRound(DiskRound)
  case writeMail(DiskMail)
  /// The watchdog may be petted until this moment of the boot-time clock, never after.
  case setLease(until: Timestamp)
  case stopSpace(LockspaceName, kind: UInt8, generation: UInt64)
  /// A newer stop overrides.
  case startSpace(LockspaceName, kind: UInt8, generation: UInt64, members: [NodeInstanceSlot])
  /// This node is out of the lockspace.
  case leftSpace(LockspaceName, kind: UInt8)
  /// Every member delivers the same messages in the same order; a gap is preceded by `reset`.
  case deliver(ControlMessage, index: UInt64, viewID: UInt64)
  /// Messages were missed: reconcile from the record.
  case reset(Record)
  /// A decision was applied.
  case applied(Record, index: UInt64)
  /// Run the level's agents against the victim, once.
  case runFence(FenceAttempt, timeoutMilliseconds: UInt32)
  /// Read on all reserved disks whether these are still kept from them; answered by `exclusionsRead`.
  case readExclusions(id: UInt64, [Exclusion])
  /// Reset the machine at once: the cluster went on without what this node holds.
  case selfFence(reason: String)
  /// The node left with nothing that could write, and begins anew: discard all of the old one.
  case renewed(Incarnation)
  /// The node has left the cluster and may stop.
  case left
  case report(String)
  case wake(at: Timestamp)
}

/// A node in one of its incarnations, by slot.
public struct NodeInstanceSlot: Hashable, Sendable {
  public var slot: NodeSlot
  public var incarnation: Incarnation

  public init(slot: NodeSlot, incarnation: Incarnation) {
    self.slot = slot
    self.incarnation = incarnation
  }
}

/// A lockspace that the keeper found running in the kernel for an earlier life of the daemon.
public struct AdoptedSpace: Hashable, Sendable {
  public var name: LockspaceName
  public var kind: UInt8
  /// What was written to the kernel last.
  public var generation: UInt64
  public var isRunning: Bool

  public init(name: LockspaceName, kind: UInt8, generation: UInt64, isRunning: Bool) {
    self.name = name
    self.kind = kind
    self.generation = generation
    self.isRunning = isRunning
  }
}

/// What the machine starts from.
public struct EmbeddedStart: Sendable {
  /// What is on disk; for a node without memory a new state with a fresh amnesia.
  public var state: PersistentState
  public var bootID: BootID
  public var capabilities: Capabilities
  /// The keeper of this boot is alive and holds what the kernel has.
  public var keeperIsAlive: Bool
  public var spaces: [AdoptedSpace]
  /// Chance for jitter and incarnations.
  public var seed: UInt64

  public init(
    state: PersistentState, bootID: BootID, capabilities: Capabilities, keeperIsAlive: Bool,
    spaces: [AdoptedSpace], seed: UInt64
  ) {
    self.state = state
    self.bootID = bootID
    self.capabilities = capabilities
    self.keeperIsAlive = keeperIsAlive
    self.spaces = spaces
    self.seed = seed
  }
}

/// Deliberate defects, set only by the simulator to show that it finds them.
package struct MembershipDefects: OptionSet, Sendable, Hashable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }

  package static let startOnMajorityOfStops = Self(rawValue: 1 << 0)
  package static let startWithoutEvidence = Self(rawValue: 1 << 1)
  package static let acknowledgeAnyGeneration = Self(rawValue: 1 << 2)
  package static let acknowledgeBeforeStop = Self(rawValue: 1 << 3)
  package static let leaseFromReceipt = Self(rawValue: 1 << 4)
  package static let presumeWithoutLease = Self(rawValue: 1 << 5)
  package static let presumeFromPongOnly = Self(rawValue: 1 << 6)
  package static let anyBootIsEvidence = Self(rawValue: 1 << 7)
  package static let noDrainAfterReturn = Self(rawValue: 1 << 8)
  package static let noDrainAfterFence = Self(rawValue: 1 << 9)
  package static let anyExitIsSuccess = Self(rawValue: 1 << 10)
  package static let admitDuringAttempt = Self(rawValue: 1 << 11)
  package static let lostReportClosesAttempt = Self(rawValue: 1 << 12)
  package static let ignoreGap = Self(rawValue: 1 << 13)
  package static let noRequestNumbers = Self(rawValue: 1 << 14)
  package static let oneStepConfiguration = Self(rawValue: 1 << 15)
  package static let adoptFromMemory = Self(rawValue: 1 << 16)
  package static let noDiskSecondRead = Self(rawValue: 1 << 19)
  package static let untoldLife = Self(rawValue: 1 << 18)
  package static let noRestartHold = Self(rawValue: 1 << 20)
  package static let successByNode = Self(rawValue: 1 << 21)
  package static let evictedMayReturn = Self(rawValue: 1 << 22)
  package static let anyoneRaces = Self(rawValue: 1 << 23)
  package static let replyBeforeSync = Self(rawValue: 1 << 24)
  package static let startWithoutReading = Self(rawValue: 1 << 25)
  package static let anyDevicesExclude = Self(rawValue: 1 << 26)
  package static let withdrawalStopsNothing = Self(rawValue: 1 << 27)
  package static let operationsDieWithCoordinator = Self(rawValue: 1 << 28)
}
