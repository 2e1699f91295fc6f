import ClusterTypes

/// What only a leader keeps, and may lose with its office: everything that matters is in the record.
struct LeaderState: Sendable {
  struct Pending: Sendable {
    var incarnation: Incarnation
    var life: UInt32
    var sequence: UInt64
    var request: Request
  }

  struct Retry: Sendable {
    var slot: NodeSlot
    var incarnation: Incarnation
    var failures: Int
    var nextAt: Nanoseconds
  }

  var electedAt: Nanoseconds
  /// Something happened that may lead to a decision.
  var isDue = true
  /// Look again at this moment.
  var dueAt: Nanoseconds?
  /// Per slot: what it asked for, ascending by number.
  var pending: [NodeSlot: [Pending]] = [:]
  /// Since when a pair of nodes has not heard each other, by lower then higher slot.
  var badSince: [UInt16: Nanoseconds] = [:]
  /// A change of the view is called for since this moment.
  var viewDueSince: Nanoseconds?
  /// Since when each stopping generation is known to this leader.
  var stoppingSince: [UInt64: Nanoseconds] = [:]
  /// Incarnations that did not stop in time, or that everybody waits for.
  var condemned: Set<NodeInstanceSlot> = []
  var retries: [Retry] = []
  /// Since when the executor of an attempt is gone.
  var executorGoneSince: [UInt64: Nanoseconds] = [:]
  /// When each view that this leader decided was proposed.
  var viewChangedAt: [UInt64: Nanoseconds] = [:]
  var lastReport: [NodeInstanceSlot: Nanoseconds] = [:]
  /// Sentences that go out with the next decision.
  var reports: [String] = []

  init(electedAt: Nanoseconds) { self.electedAt = electedAt }
}

// What a leader decides, one thing after the other (membership design, section 7): who is in comes
// before everything, evidence before starts, and a start is a decision of its own.

extension EmbeddedMembership {
  mutating func elected(_ term: UInt64, _ effects: inout [EmbeddedEffect]) {
    leader = LeaderState(electedAt: now)
    for index in peers.indices { peers[index].leasedAt = 0 }
    nextHeartbeat = now  // leases descend from answers in this term
    effects.append(.report("this node leads, term \(term)"))
  }

  mutating func deposed(_ effects: inout [EmbeddedEffect]) {
    leader = nil
    electionDue = now + timers.silence.milliseconds + drawJitter()
    effects.append(.report("this node leads no more"))
  }

  mutating func leaderHeartbeat(_ effects: inout [EmbeddedEffect]) {
    for slot in consensus.configured
    where slot != me && heard.contains(slot) {
      consensus.repeatAccept(to: slot, &consensusEffects)
    }
    for removed in applied.removed {
      send(
        .evict(viewID: removed.sinceView, removed.member.incarnation), to: removed.member.slot,
        &effects)
      if consensus.isEstablished, applied.usesDisk {
        effects.append(
          .writeMail(
            DiskMail(
              victim: removed.member.slot, incarnation: removed.member.incarnation,
              viewID: removed.sinceView)))
      }
    }
    leader?.isDue = true
    reportWaits(&effects)
  }

  /// Proposes the next decision, if one is due.
  mutating func leaderStep(_ effects: inout [EmbeddedEffect]) {
    guard consensus.canPropose, !consensus.stable.hasFailed,
      leader?.isDue == true || leader?.dueAt.map({ now >= $0 }) == true
    else { return }
    guard
      consensus.committed.record.configuration.voters.contains(me)
        || consensus.committed.record.newestConfiguration.voters.contains(me)
    else {
      effects.append(.report("this node has no vote any more: it leads no more"))
      consensus.becomeFollower(&consensusEffects)
      return
    }
    leader?.isDue = false
    leader?.dueAt = nil
    let next = nextDecision(&effects)
    for text in leader?.reports ?? [] { effects.append(.report(text)) }
    leader?.reports = []
    if let change = next {
      consensus.propose(change.record, batch: change.batch, &consensusEffects)
    }
  }

  struct Change {
    var record: Record
    var batch: [ControlMessage] = []
  }

  /// The first of these that has something to decide.
  private mutating func nextDecision(_ effects: inout [EmbeddedEffect]) -> Change? {
    let record = consensus.committed.record
    if let next = configurationStep(record) { return Change(record: next) }
    if let next = amnesiaStep(record) { return Change(record: next) }
    // The first formation: nothing else before the voters have their votes.
    if consensus.isBlank { return nil }
    if let next = viewStep(record, &effects) { return Change(record: next) }
    if let next = livesStep(record) { return Change(record: next) }
    if let next = evidenceStep(record) { return next }
    if let next = drainStep(record) { return next }
    if let next = requestStep(record) { return next }
    if let next = attemptStep(record) { return Change(record: next) }
    if let next = startStep(record) { return Change(record: next) }
    if let next = operationStep(record) { return Change(record: next) }
    return nil
  }

  mutating func leaderLooksAgain(at moment: Nanoseconds) {
    let due = leader?.dueAt ?? moment
    leader?.dueAt = min(due, moment)
  }

  // MARK: - Starts

  /// A member whose daemon was started again runs none of the daemon's lockspaces any more, and must
  /// not be taken for one that has merely stopped: they stop in the decision that tells its new life,
  /// so that all who start the next generation know of it.
  private func livesStep(_ record: Record) -> Record? {
    guard !defects.contains(.untoldLife) else { return nil }
    var next = record
    for index in next.members.indices {
      let member = next.members[index]
      let isOwn = member.slot == me
      let known = isOwn ? incarnation : peers[member.slot.number].incarnation
      let life = isOwn ? self.life : peers[member.slot.number].life
      guard known == member.incarnation, life > member.life else { continue }
      next.members[index].life = life
      for space in next.spaces.indices
      where next.spaces[space].kind == Space.kindOfDaemon
        && (next.spaces[space].members.contains(member.slot)
          || next.spaces[space].leaving.contains(member.slot))
      {
        next.stop(space)
      }
    }
    return next == record ? nil : next
  }

  private mutating func startStep(_ record: Record) -> Record? {
    guard !record.awaitsEvidence || defects.contains(.startWithoutEvidence) else { return nil }
    var next = record
    var hasChanged = false
    for index in next.spaces.indices where next.spaces[index].phase == .stopping {
      let space = next.spaces[index]
      let needed = space.members.union(space.leaving).intersection(record.memberSet)
      let acknowledged = needed.filter { hasStopped($0, space.generation, record) }
      let isEnough =
        acknowledged.count == needed.count
        || (defects.contains(.startOnMajorityOfStops) && acknowledged.count * 2 > needed.count)
      guard isEnough else { continue }
      next.spaces[index].phase = .started
      next.spaces[index].leaving = []
      for slot in space.members {
        for member in next.members.indices where next.members[member].slot == slot {
          next.members[member].isDirty = true
        }
      }
      hasChanged = true
    }
    next.spaces.removeAll { $0.phase == .started && $0.members.isEmpty }
    return hasChanged || next.spaces.count != record.spaces.count ? next : nil
  }

  func hasStopped(_ slot: NodeSlot, _ generation: UInt64, _ record: Record) -> Bool {
    if slot == me { return spaceAcknowledgements.stopped.contains(generation) }
    return record.isMember(slot, peers[slot.number].incarnation)
      && peers[slot.number].stopped.contains(generation)
  }

  // MARK: - Operations

  /// An operation without a living participant concerns nobody.
  private func operationStep(_ record: Record) -> Record? {
    var next = record
    next.operations.removeAll(where: \.participants.isEmpty)
    return next.operations.count == record.operations.count ? nil : next
  }

  // MARK: - Reports

  /// Every ten seconds, in words, what keeps lockspaces from starting.
  private mutating func reportWaits(_ effects: inout [EmbeddedEffect]) {
    for removed in applied.removed where removed.awaitsEvidence {
      let key = NodeInstanceSlot(
        slot: removed.member.slot, incarnation: removed.member.incarnation)
      guard now >= (leader?.lastReport[key] ?? 0) + 10_000_000_000 else { continue }
      leader?.lastReport[key] = now
      effects.append(.report(waitSentence(for: removed)))
    }
  }

  func nodeName(_ slot: NodeSlot) -> String {
    applied.node(slot).map { "node \($0.id)" } ?? "the node in slot \(slot)"
  }

  private func waitSentence(for removed: RemovedMember) -> String {
    "\(nodeName(removed.member.slot)) was removed in view \(removed.sinceView) and is not known to be "
      + "dead: no lockspace starts before that; "
      + (fenceProgress(of: removed.member.slot) ?? "waiting for a proof")
  }

  /// How far the fence of a removed node is, as far as this node knows; nil when nobody runs a device
  /// for it.
  public func fenceProgress(of slot: NodeSlot) -> String? {
    let fences = consensus.isLeader ? fencesOfLeader : heardFences
    let fence = fences.first { $0.victim == slot }
    if let attempt = applied.attempts.first(where: { $0.victim == slot }) {
      if attempt.hasSucceeded {
        return
          "\(nodeName(attempt.executor)) has fenced it, level \(attempt.level); what it had under "
          + "way has \(timers.drain) ms to land"
      }
      let earlier = fence.map { ", after \($0.failures) that failed" } ?? ""
      return "\(nodeName(attempt.executor)) is fencing it, level \(attempt.level)\(earlier)"
    }
    guard let fence else { return raceProgress(of: slot) }
    let passed = consensus.isLeader ? 0 : UInt64(now - min(now, heardFencesAt)) / 1_000_000
    let seconds = (UInt64(fence.pause) - min(UInt64(fence.pause), passed) + 999) / 1000
    return "fencing failed \(fence.failures) times, next try in \(seconds) s"
  }

  var fencesOfLeader: [MembershipMessage.FenceProgress] {
    let awaited = (leader?.retries ?? []).filter { retry in
      applied.removed.contains {
        $0.member.slot == retry.slot && $0.member.incarnation == retry.incarnation
          && $0.awaitsEvidence
      }
    }
    return awaited.map { retry in
      let pause = (retry.nextAt - min(retry.nextAt, now)) / 1_000_000
      return MembershipMessage.FenceProgress(
        victim: retry.slot, failures: UInt32(clamping: retry.failures),
        pause: UInt32(clamping: pause))
    }
  }
}
