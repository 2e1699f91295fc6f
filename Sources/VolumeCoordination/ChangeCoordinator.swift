import ClusterTypes

/// Carries one change through all nodes of a volume group's lockspace.
///
/// It runs on the node that got the request, which holds the volume group's cluster lock in EX
/// from before `start` until `finished`. Order of the steps: precommit, prepare everywhere,
/// suspend everywhere where the change needs it (`Kind.leavesOldMappingFirst`), commit, resume
/// everywhere. A step begins only when every participant has confirmed the one before, so no node
/// runs on a mapping that contradicts another's.
///
/// Before the commit anything that goes wrong leads to `abandon` everywhere. The commit is the
/// point of no return: afterwards the coordinator only waits, and names whom it waits for.
/// Without quorum it begins no step: another part of the cluster may have taken over. It gives up
/// at once, also without quorum, what holds I/O and is not being committed: whether that ever is, is
/// its own decision.
///
/// Where the cluster has a record, it says how far the change has come, for those who outlive this
/// coordinator. It begins beside the first exchange. What leaves the old mapping first is recorded as
/// `committing`, or as `committed` if it writes no metadata, before it happens: whoever outlives a
/// coordinator of which that is not recorded knows that it never will.
public struct ChangeCoordinator: Sendable {
  public enum Effect: Equatable, Sendable {
    case runJob(VolumeJob)
    /// To a participant; the node itself is one, and its messages are handed over locally.
    case send(CoordinationMessage, to: NodeInstance)
    /// Has the record tell of the change. What is asked for is decided in this order; `begun`,
    /// and the step that a commit waits for, are answered by `recorded` or `unrecorded`.
    case record(RecordedStep)
    /// A sentence for the log and for the client that waits.
    case report(String)
    case finished(ChangeResult)
  }

  enum Phase: Equatable {
    case new
    /// Nothing was written and nobody was asked yet.
    case begun
    case precommitting
    /// Written, or failed to be; for a refresh nothing had to be.
    case precommitted
    /// The sets hold the participants that have not answered.
    case preparing(Set<NodeInstance>)
    case suspending(Set<NodeInstance>)
    /// Everybody is ready, and the record is to say so.
    case deciding
    case committing
    /// The commit may have reached the disk or not; it is tried again, and everybody waits.
    case commitUncertain(retryAt: Timestamp)
    case resuming(Set<NodeInstance>)
    case abandoning(Set<NodeInstance>, ChangeFailure, reverting: Bool)
    /// It is over, but for the record's answer about its beginning: who holds the group's lock next
    /// must not begin before that.
    case closing(ChangeResult.Outcome)
    case finished
  }

  public let change: VolumeChange
  /// Everybody who has to take part and is not known to be dead.
  var participants: Set<NodeInstance>
  /// Participants that left the view and are not fenced yet.
  var removed: Set<NodeInstance> = []
  var hasQuorum: Bool
  let isRecorded: Bool
  /// The record tells of the change.
  var isInRecord = false
  /// The record is asked and has not answered whether the change has begun.
  var awaitsRecord = false
  /// The first thing that went wrong before the commit. Acted upon when there is quorum.
  var failure: ChangeFailure?
  var phase = Phase.new
  var suspendedMilliseconds: [NodeInstance: UInt64] = [:]
  var stranded: [NodeInstance: String] = [:]
  var warnings: [String] = []
  let timing: CoordinationTiming
  var phaseBegan = Timestamp(nanoseconds: 0)
  var resendAt = Timestamp(nanoseconds: 0)
  var reportAt = Timestamp(nanoseconds: 0)

  /// - Parameters:
  ///   - participants: the members of the volume group's lockspace, this node included.
  ///   - hasQuorum: whether there is quorum now. Without it nothing is written until it comes.
  ///   - isRecorded: whether the cluster has a record that is to tell of the change.
  public init(
    change: VolumeChange, participants: Set<NodeInstance>, hasQuorum: Bool = true,
    isRecorded: Bool = false, timing: CoordinationTiming = CoordinationTiming()
  ) {
    self.change = change
    self.participants = participants
    self.hasQuorum = hasQuorum
    self.isRecorded = isRecorded
    self.timing = timing
  }

  /// Begins. Call once.
  public mutating func start(at now: Timestamp) -> [Effect] {
    precondition(phase == .new, "a coordinator starts once")
    enter(.begun, at: now)
    awaitsRecord = isRecorded
    return (isRecorded ? [.record(.begun)] : []) + advance(at: now)
  }

  public mutating func handle(_ input: CoordinationInput, at now: Timestamp) -> [Effect] {
    guard phase != .new, phase != .finished else { return [] }
    var effects: [Effect] = []
    switch input {
    case .message(let message, let sender): effects += receive(message, from: sender)
    case .jobFinished(let job, let result): effects += finish(job, result, at: now)
    case .nodeRemoved(let node): effects += remove(node)
    case .nodeFenced(let node): effects += forget(node, because: "is fenced")
    case .nodeRenewed(let node): effects += forget(node, because: "has a new daemon")
    case .quorum(let quorate): effects += changeQuorum(to: quorate)
    case .recorded(change.id, let step): effects += noteRecord(of: step, at: now)
    case .unrecorded(change.id, let step, let reason): effects += noteNoRecord(of: step, reason)
    case .recorded, .unrecorded, .orphaned: break
    case .wake: effects += wake(at: now)
    }
    return effects + advance(at: now)
  }

  /// Gives the change up if it is not yet committed, for instance because the client went away.
  public mutating func cancel(reason: String, at now: Timestamp) -> [Effect] {
    noteFailure(ChangeFailure(node: nil, reason: reason))
    return phase == .new ? [] : advance(at: now)
  }

  /// When `.wake` is due next; nil when nothing is being waited for. Only moments at which there will
  /// be something to do count, so that a moment in the past is never returned twice.
  public var nextWake: Timestamp? {
    switch phase {
    case .new, .finished: nil
    case .begun, .precommitting, .precommitted, .committing, .closing: reportAt
    case .deciding: mayTurnBack && failure == nil ? min(reportAt, deadline) : reportAt
    case .commitUncertain(let retryAt): hasQuorum ? min(retryAt, reportAt) : reportAt
    case .preparing(let missing), .suspending(let missing):
      failure == nil && !missing.isEmpty
        ? min(nextResendOrReport(to: missing), deadline) : nextResendOrReport(to: missing)
    case .resuming(let missing), .abandoning(let missing, _, _): nextResendOrReport(to: missing)
    }
  }

  private func nextResendOrReport(to missing: Set<NodeInstance>) -> Timestamp {
    missing.isSubset(of: removed) ? reportAt : min(resendAt, reportAt)
  }

  /// Whom or what the change waits for, as one sentence; nil when it is over or not begun.
  public var waitingFor: String? {
    switch phase {
    case .new, .finished: return nil
    case .deciding, .closing: return "\(change) waits for the cluster's record."
    case .precommitting: return "\(change) writes precommitted metadata."
    case .begun, .precommitted: return "\(change) waits for quorum."
    case .preparing(let missing): return waiting("prepare", missing)
    case .suspending(let missing): return waiting("suspend", missing)
    case .committing: return "\(change) commits the metadata."
    case .commitUncertain:
      return "\(change) waits: it is unknown whether the commit reached the disks."
    case .resuming(let missing): return waiting("resume on the new mapping", missing)
    case .abandoning(let missing, _, let reverting):
      return missing.isEmpty && reverting
        ? "\(change) clears the precommitted metadata."
        : waiting("go back to the old mapping", missing)
    }
  }

  func waiting(_ step: String, _ missing: Set<NodeInstance>) -> String {
    guard !missing.isEmpty else {
      return "\(change) waits for \(hasQuorum ? "the cluster's record" : "quorum")."
    }
    let names = missing.sorted().map { node in
      removed.contains(node) ? "node \(node.node) to be fenced" : "node \(node.node) to \(step)"
    }
    return "\(change) waits for " + names.joined(separator: ", ") + "."
  }

  var deadline: Timestamp {
    switch phase {
    case .suspending, .deciding: phaseBegan + timing.suspendLimit
    default: phaseBegan + timing.prepareLimit
    }
  }

  /// Whether the change can be given up although the record may come to say that everybody is ready:
  /// the metadata will not be written then. Where the record itself decides, only its answer counts.
  var mayTurnBack: Bool { change.kind.changesMetadata }
}

extension ChangeCoordinator {
  mutating func enter(_ next: Phase, at now: Timestamp) {
    phase = next
    phaseBegan = now
    resendAt = now + timing.resendInterval
    reportAt = now + timing.reportInterval
  }

  func send(
    _ message: CoordinationMessage, to nodes: Set<NodeInstance>
  ) -> [Effect] {
    nodes.subtracting(removed).sorted().map { .send(message, to: $0) }
  }

  /// Takes the next step if the present one is complete.
  mutating func advance(at now: Timestamp) -> [Effect] {
    switch phase {
    case .new, .precommitting, .committing, .commitUncertain, .finished: return []
    case .closing(let outcome): return awaitsRecord ? [] : finish(outcome)
    case .begun:
      if let failure { return finish(.aborted(failure)) }
      guard hasQuorum else { return [] }
      guard change.kind.changesMetadata else {
        enter(.precommitted, at: now)
        return advance(at: now)
      }
      enter(.precommitting, at: now)
      return [.runJob(.writePrecommitted(change))]
    case .precommitted:
      guard hasQuorum else { return [] }
      if let failure { return abandon(failure, at: now) }
      enter(.preparing(participants), at: now)
      return send(.prepare(change), to: participants)
    case .preparing(let missing):
      guard hasQuorum else { return [] }
      if let failure { return abandon(failure, at: now) }
      guard missing.isEmpty, !awaitsRecord else { return [] }
      guard change.kind.leavesOldMappingFirst else { return decide(at: now) }
      enter(.suspending(participants), at: now)
      return send(.suspend(change.id), to: participants)
        + (isRecorded ? [.record(.suspending)] : [])
    case .suspending(let missing):
      if let failure { return abandon(failure, at: now) }
      guard hasQuorum, missing.isEmpty else { return [] }
      guard isRecorded else { return decide(at: now) }
      enter(.deciding, at: now)
      return [.record(change.kind.changesMetadata ? .committing : .committed)]
    case .deciding:
      guard mayTurnBack, let failure else { return [] }
      return abandon(failure, at: now)
    case .resuming(let missing):
      return missing.isEmpty ? finish(.committed) : []
    case .abandoning(let missing, let failure, let reverting):
      return missing.isEmpty && !reverting ? finish(.aborted(failure)) : []
    }
  }

  /// Everybody is ready for the new mapping.
  mutating func decide(at now: Timestamp) -> [Effect] {
    guard change.kind.changesMetadata else { return resume(at: now) }
    enter(.committing, at: now)
    return [.runJob(.commit(change))]
  }

  mutating func resume(at now: Timestamp) -> [Effect] {
    enter(.resuming(participants), at: now)
    let isNews = isRecorded && change.kind.changesMetadata
    return send(.resume(change.id), to: participants) + (isNews ? [.record(.committed)] : [])
      + advance(at: now)
  }

  /// Everybody goes back to the old mapping. Nobody has to wait for the disk: as this coordinator
  /// will not commit, the committed metadata stays the old one whatever becomes of slot 1.
  mutating func abandon(_ failure: ChangeFailure, at now: Timestamp) -> [Effect] {
    // Without quorum nothing is written; readers ignore what stays in slot 1.
    let writes = change.kind.changesMetadata && hasQuorum
    enter(.abandoning(participants, failure, reverting: writes), at: now)
    return [.report("\(change) is given up. \(failure)")]
      + send(.abandon(change), to: participants)
      + (writes ? [.runJob(.revert(change))] : []) + advance(at: now)
  }

  mutating func finish(_ outcome: ChangeResult.Outcome) -> [Effect] {
    guard !awaitsRecord else {
      phase = .closing(outcome)
      return []
    }
    phase = .finished
    return (isInRecord ? [.record(.over)] : []) + [
      .finished(
        ChangeResult(
          change: change, outcome: outcome, suspendedMilliseconds: suspendedMilliseconds,
          stranded: stranded, warnings: warnings))
    ]
  }

  mutating func noteFailure(_ new: ChangeFailure) {
    if failure == nil { failure = new }
  }
}
