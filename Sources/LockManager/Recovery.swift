import ClusterTypes
import LockProtocol

/// Recovery: after every change of the members the lockspace is stopped everywhere, then rebuilt in
/// phases (dlm-wire 15). A phase ends with a barrier: nobody begins the next before all have ended
/// the last. The member with the lowest node id collects the barriers.
///
/// A stop may come at any time. It aborts, and undoes nothing: what was found out so far is marked
/// on the resources, and the next recovery takes it from there.
struct Recovery: Sendable {
  enum Barrier: Sendable {
    case directory, locks, done

    /// Set by a member that has ended the phase.
    var reached: RecoveryStatus {
      switch self {
      case .directory: .directory
      case .locks: .locks
      case .done: .done
      }
    }

    /// Set by the low node when all have.
    var passed: RecoveryStatus {
      switch self {
      case .directory: .allDirectory
      case .locks: .allLocks
      case .done: .allDone
      }
    }
  }

  /// `next` counts through `others`.
  enum Phase: Sendable {
    case neverStarted
    case stopped
    /// Is everybody there, and configured alike?
    case pinging(next: Int)
    /// The low node asks everybody for its slot.
    case collectingSlots(next: Int)
    /// The others wait for the low node's table.
    case awaitingSlots
    case readingNames(next: Int, after: ResourceName?)
    /// `next` counts on the low node only: the others ask the low node.
    case waiting(Barrier, next: Int)
    case findingMasters
    case sendingLocks
    case running
    case failed(RecoveryFailure)

    var state: LockspaceMachine.State {
      switch self {
      case .neverStarted: .neverStarted
      case .stopped: .stopped
      case .running: .running
      case .failed(let failure): .failed(failure)
      case .pinging, .collectingSlots, .awaitingSlots, .readingNames, .waiting, .findingMasters,
        .sendingLocks:
        .recovering
      }
    }
  }

  /// A status or names question on its way: one at a time.
  struct Question: Sendable {
    let id: UInt64
    let node: NodeID
    let body: RecoveryMessage.Body
    /// When it is asked again, under a new id.
    let deadline: Timestamp
  }

  var phase = Phase.neverStarted
  /// Counts stops and starts; answers to questions of an earlier count are stale (14.1).
  var sequence: UInt64 = 0
  var status: RecoveryStatus = []
  /// Ascending.
  var members: [Member] = []
  var others: [NodeID] = []
  /// Everyone who left since the last completed recovery, even if back (15.2).
  var departed: Set<NodeID> = []
  /// Everyone who became a member since this node has last finished with its request queue: what they
  /// said before is about an earlier stay in the lockspace.
  var joined: Set<NodeID> = []

  var ownSlot: UInt16 = 0
  var generation: UInt32 = 0
  /// As far as known; forgotten at stop.
  var slots: [LockspaceSlot] = []
  /// What the low node has collected in this recovery.
  var collectedSlots: [(node: NodeID, slot: UInt16, generation: UInt32)] = []
  /// Numbers seen before: a member must not change its own.
  var earlierSlots: [NodeID: UInt16] = [:]

  /// The resources that were active at the start.
  var snapshot: [ResourceID] = []
  /// The names in it that this node masters, ascending.
  var masteredNames: [ResourceName] = []

  var question: Question?
  var nextQuestionID: UInt64
  /// When the phase asks again because a member was not ready; nil unless it pauses.
  var pollAt: Timestamp?
  var pollCount = 0

  /// How many lookups of new masters, or locks, are under way at a time: many, so that nobody waits
  /// for the other, but no more than the reliability layer keeps for a slow node.
  static let window = 4096

  /// Resources whose new master is still to be asked for.
  var toLookUp: ArraySlice<ResourceID> = []
  var lastLookupID: UInt64 = 0
  /// Unanswered lookups of new masters, by id.
  var lookups: [UInt64: ResourceID] = [:]
  /// Locks that are still to be sent to new masters.
  var toSend: ArraySlice<LockID> = []
  /// Locks that were sent to new masters and not answered yet.
  var unansweredLocks: Set<LockID> = []
  /// How many of these are on each resource.
  var unansweredLockCounts: [ResourceID: Int] = [:]

  init(seed: UInt64) { nextQuestionID = seed }

  var deadline: Timestamp? { question?.deadline ?? pollAt }

  func isMember(_ node: NodeID) -> Bool { members.contains { $0.node == node } }

  /// Forgets what an aborted recovery was waiting for.
  mutating func giveUpWaiting() {
    question = nil
    pollAt = nil
    pollCount = 0
    toLookUp = []
    lookups = [:]
    toSend = []
    unansweredLocks = []
    unansweredLockCounts = [:]
  }
}

extension LockspaceMachine {
  /// True when locking is enabled.
  var isRunning: Bool {
    if case .running = recovery.phase { return true }
    return false
  }

  /// The member that collects the barriers.
  var lowNode: NodeID { recovery.members.first?.node ?? localNode }
  var isLowNode: Bool { lowNode == localNode }

  /// dlm-wire 15.1.
  mutating func stop() {
    recovery.sequence &+= 1
    recovery.status = []
    recovery.slots = []
    recovery.giveUpWaiting()
    releaseSnapshot()
    recovery.phase = .stopped
  }

  mutating func fail(_ failure: RecoveryFailure) {
    recovery.giveUpWaiting()
    recovery.phase = .failed(failure)
    effects.append(.recoveryFailed(failure))
  }

  /// Resources of the snapshot may become idle again.
  mutating func releaseSnapshot() {
    for id in recovery.snapshot {
      resources[id].isInRecovery = false
      becomeIdleIfUnused(id)
    }
    recovery.snapshot = []
    recovery.masteredNames = []
  }

  /// The phase asks what it has to ask next; also after a pause.
  mutating func continueRecovery() {
    switch recovery.phase {
    case .pinging(let next): ping(next: next)
    case .collectingSlots(let next): collectSlots(next: next)
    case .awaitingSlots: ask(lowNode, .status(needsSlots: true))
    case .readingNames(let next, let after): readNames(next: next, after: after)
    case .waiting(let barrier, let next): wait(for: barrier, next: next)
    case .neverStarted, .stopped, .findingMasters, .sendingLocks, .running, .failed: break
    }
  }

  mutating func recoveryTimerFired() {
    if let question = recovery.question, question.deadline <= now {
      ask(question.node, question.body)
    } else if let pollAt = recovery.pollAt, pollAt <= now {
      recovery.pollAt = nil
      continueRecovery()
    }
  }

  // MARK: Barriers (15.3)

  mutating func reach(_ barrier: Recovery.Barrier) {
    recovery.status.insert(barrier.reached)
    recovery.pollCount = 0
    wait(for: barrier, next: 0)
  }

  mutating func wait(for barrier: Recovery.Barrier, next: Int) {
    recovery.phase = .waiting(barrier, next: next)
    if !isLowNode {
      ask(lowNode, .status(needsSlots: false))
    } else if next < recovery.others.count {
      ask(recovery.others[next], .status(needsSlots: false))
    } else {
      recovery.status.insert(barrier.passed)
      pass(barrier)
    }
  }

  /// At a barrier, the one asked has answered.
  mutating func barrierAnswered(_ barrier: Recovery.Barrier, next: Int, status: RecoveryStatus) {
    if isLowNode {
      guard status.contains(barrier.reached) else { return pauseRecovery() }
      recovery.pollCount = 0
      wait(for: barrier, next: next + 1)
    } else {
      guard status.contains(barrier.passed) else { return pauseRecovery() }
      pass(barrier)
    }
  }

  /// Whether this recovery looks for new masters, and sends them locks.
  private var isRemastering: Bool { !recovery.departed.isEmpty || !configuration.usesDirectory }

  private mutating func pass(_ barrier: Recovery.Barrier) {
    switch barrier {
    case .directory:
      recoverOperations()
      guard isRemastering else { return reach(.locks) }
      purgeDeparted()
      findMasters()
    case .locks:
      if isRemastering { finishResources() }
      dropStaleRequests()
      reach(.done)
    case .done: enableLocking()
    }
  }

  /// Somebody is not ready: ask again after 20, 40, 60 … ms, at most 1 s (15.9).
  mutating func pauseRecovery() {
    recovery.pollCount += 1
    recovery.pollAt = now + .milliseconds(min(20 * recovery.pollCount, 1000))
  }
}
