import ClusterTypes

// Pings to everybody, answers, and what follows from them: who is heard, whether a leader is, and how
// long this node's lease lasts (membership design, sections 5 and 8).

extension EmbeddedMembership {
  // MARK: - Time

  /// Ticks further apart than four heartbeats: this node was frozen, and whatever it believed about
  /// its lease is void before anything that waits in its queues is looked at.
  mutating func noticeGap() {
    let gap = 4 * timers.heartbeat.milliseconds
    if now > lastTick + gap, !defects.contains(.ignoreGap) { openGap() }
    lastTick = now
  }

  mutating func openGap() {
    gapAt = now
    lease = 0
    leaderHeardAt = max(leaderHeardAt, now)  // whoever leads gets the time to be heard again
    electionDue = now + timers.silence.milliseconds + drawJitter()
    consensus.becomeFollower(&consensusEffects)
  }

  /// What is due by time alone.
  mutating func watchTime(_ effects: inout [EmbeddedEffect]) {
    if hadLease, now >= lease {
      hadLease = false
      effects.append(
        .report("the lease is over: this node grants no locks until it has one again"))
    }
    if consensus.stable.hasFailed, now >= persistRetryAt {
      persistRetryAt = now + timers.silence.milliseconds
      consensus.stable.tryAgain()
    }
    for request in delayedRequests where now >= request.dueAt { submit(request.request, &effects) }
    delayedRequests.removeAll { now >= $0.dueAt }
    watchExclusions(&effects)
    if now >= silentAt, listen() { nextHeartbeat = now }
    runDisk(&effects)
    runRace(&effects)
    if consensus.isLeader {
      if now >= leaderLease, now > (leader?.electedAt ?? 0) + timers.silence.milliseconds {
        effects.append(.report("the quorum does not answer: this node leads no more"))
        consensus.becomeFollower(&consensusEffects)
      }
    } else if now >= electionDue {
      standForElection(&effects)
    }
  }

  var nextWake: Nanoseconds {
    var moment = nextHeartbeat
    if !consensus.isLeader { moment = min(moment, max(electionDue, now + 1_000_000)) }
    if hadLease { moment = min(moment, max(lease, now + 1_000_000)) }
    if consensus.canPropose, let due = leader?.dueAt {
      moment = min(moment, max(due, now + 1_000_000))
    }
    if let due = disk.dueAt { moment = min(moment, max(due, now + 1_000_000)) }
    moment = min(moment, max(silentAt, now + 1_000_000))
    if let due = delayedRequests.map(\.dueAt).min() {
      moment = min(moment, max(due, now + 1_000_000))
    }
    return moment
  }

  // MARK: - Elections

  private mutating func standForElection(_ effects: inout [EmbeddedEffect]) {
    electionDue = now + 2 * timers.heartbeat.milliseconds + drawJitter()
    guard identityIsDurable, !consensus.stable.hasFailed, !hearsLeader else { return }
    let record = consensus.accepted.record
    var voters = heardVoters
    voters.insert(me)
    if record.isQuorum(voters, disk: false) || !record.usesDisk || consensus.isBlank {
      consensus.campaign(isTransfer: false, &consensusEffects)
      return
    }
    guard record.isQuorum(voters, disk: true) else { return }
    // Only the disk is missing: first see that nobody leads through it.
    let preferred = record.configuration.preferred ?? record.configuration.voters.first
    disk.considerStanding(
      at: now, delay: preferred == me ? 0 : timers.silence.milliseconds + drawJitter())
  }

  /// A leader of this node's term was heard within the silence time.
  var hearsLeader: Bool { hearsQuorum(at: Timestamp(nanoseconds: now)) }

  var heardVoters: NodeSet { heard }

  // MARK: - Pings

  /// Who is heard; whether that has changed. A silence that is over is told at once: the leader waits for
  /// everybody's report.
  private mutating func listen() -> Bool {
    let limit = timers.silence.milliseconds
    var heardNow: NodeSet = []
    silentAt = .max
    for slot in consensus.configured where slot != me {
      let at = peers[slot.number].heardAt
      guard at > 0, now < at + limit else { continue }
      heardNow.insert(slot)
      silentAt = min(silentAt, at + limit)
    }
    guard heardNow != heard else { return false }
    heard = heardNow
    linksChangedAt = now
    leader?.isDue = true
    return true
  }

  mutating func heartbeat(_ effects: inout [EmbeddedEffect]) {
    nextHeartbeat = now + timers.heartbeat.milliseconds
    _ = listen()
    let configured = consensus.configured
    let acknowledgements = spaceAcknowledgements
    let ping = MembershipMessage.Ping(
      sentAt: now, life: life, isLeader: consensus.isLeader, hears: heard,
      viewID: max(appliedIndex > 0 ? applied.viewID : 0, viewRead),
      acceptedTerm: consensus.accepted.term, acceptedIndex: consensus.accepted.index,
      appliedIndex: appliedIndex, stopped: acknowledgements.stopped,
      running: acknowledgements.running, uptime: now / 1_000_000, amnesia: state.amnesia)
    guard identityIsDurable else { return }
    for slot in configured where slot != me { send(.ping(ping), to: slot, &effects) }
    askToJoin(&effects)
    resubmit(&effects)
    runAttempts(&effects)
    startSpaces(&effects)
    if consensus.isLeader {
      extendOwnLease(&effects)
      leaderHeartbeat(&effects)
    }
  }

  mutating func received(_ message: MembershipMessage, _ effects: inout [EmbeddedEffect]) {
    let slot = message.sender
    guard slot != me, message.clusterID == applied.clusterID,
      consensus.configured.contains(slot)
    else { return }
    guard noteSender(message) else {
      // A node whose counter was lost, or a late message of an earlier incarnation. It asks the leader only
      // to be admitted, which may not have heard of as high an incarnation as this node has.
      switch message.body {
      case .join, .ping:
        send(.joinReply(.outdated(peers[slot.number].incarnation)), to: slot, &effects)
      default: break
      }
      return
    }
    // Whoever stands for election while a leader is heard must not depose it by its term alone.
    switch message.body {
    case .vote, .preVote: break
    default: consensus.follow(message.term, leader: nil, &consensusEffects)
    }
    switch message.body {
    case .ping(let ping): pinged(ping, by: slot, message, &effects)
    case .pong(let pong): ponged(pong, by: slot, message, &effects)
    case .handOver:
      if message.term == consensus.term, slot == consensus.leader, identityIsDurable {
        consensus.campaign(isTransfer: true, &consensusEffects)
      }
    case .preVote(let candidacy):
      consensus.preVoteAsked(
        candidacy, by: slot, hearsLeader: hearsLeader || isRacing(against: slot),
        &consensusEffects)
    case .preVoteReply(let term, let isGranted, let isBlank):
      consensus.preVoteAnswered(
        term: term, isGranted: isGranted, isBlank: blank(isBlank, slot), by: slot,
        &consensusEffects)
    case .vote(let candidacy):
      guard identityIsDurable else { return }
      consensus.voteAsked(
        candidacy, by: slot, hearsLeader: hearsLeader || isRacing(against: slot),
        &consensusEffects)
    case .voteReply(let term, let isGranted, let isBlank):
      consensus.voteAnswered(
        term: term, isGranted: isGranted, isBlank: blank(isBlank, slot), by: slot,
        &consensusEffects)
    case .accept(let acceptance):
      guard identityIsDurable else { return }
      if acceptance.decision.term >= consensus.term { hearLeader() }
      consensus.acceptAsked(acceptance, by: slot, &consensusEffects)
    case .accepted(let term, let index, let isBlank):
      consensus.acceptedBy(
        slot, term: term, index: index, isBlank: blank(isBlank, slot), &consensusEffects)
    case .submit(let life, let sequence, let request):
      take(request, life: life, sequence: sequence, from: slot, message.incarnation)
    case .join(let join): joinAsked(join, by: slot, message.incarnation, &effects)
    case .joinReply(let reply): joinAnswered(reply, by: slot, &effects)
    case .evict(let viewID, let incarnation): evictionTold(viewID, incarnation, &effects)
    }
  }

  private func blank(_ isBlank: Bool, _ slot: NodeSlot) -> Bool {
    isBlank || peers[slot.number].hasRegressed
  }

  /// False for what an earlier incarnation of the sender said.
  private mutating func noteSender(_ message: MembershipMessage) -> Bool {
    let index = message.sender.number
    guard message.incarnation >= peers[index].incarnation else { return false }
    if message.incarnation > peers[index].incarnation {
      let old = peers[index]
      peers[index] = Peer()
      peers[index].incarnation = message.incarnation
      peers[index].highestTerm = old.highestTerm
      peers[index].heardAt = old.heardAt
      peers[index].hears = old.hears
    }
    peers[index].heardAt = now
    // A voter whose machine was set back to an older snapshot has forgotten promises (A6).
    if message.term < peers[index].highestTerm, case .ping = message.body {
      peers[index].hasRegressed = true
    }
    return true
  }

  private mutating func pinged(
    _ ping: MembershipMessage.Ping, by slot: NodeSlot, _ message: MembershipMessage,
    _ effects: inout [EmbeddedEffect]
  ) {
    let index = slot.number
    // An earlier life of the daemon: what it had stopped, this one may not know of.
    guard ping.life >= peers[index].life else { return }
    if peers[index].hears != ping.hears {
      peers[index].hears = ping.hears
      linksChangedAt = now
    }
    peers[index].life = ping.life
    peers[index].viewID = max(peers[index].viewID, ping.viewID)
    peers[index].acceptedIndex = ping.acceptedIndex
    peers[index].appliedIndex = ping.appliedIndex
    peers[index].uptime = ping.uptime
    peers[index].amnesia = ping.amnesia
    peers[index].stopped = ping.stopped
    peers[index].running = ping.running
    if ping.isLeader, message.term == consensus.term {
      consensus.follow(message.term, leader: slot, &consensusEffects)
      hearLeader()
    }
    if consensus.isLeader {
      consensus.appliedIndexes[slot] = ping.appliedIndex
      if !ping.stopped.isEmpty { leader?.isDue = true }
    }
    answer(ping, by: slot, message.incarnation, &effects)
  }

  private mutating func hearLeader() {
    leaderHeardAt = now
    electionDue = now + timers.silence.milliseconds + drawJitter()
  }

  private mutating func answer(
    _ ping: MembershipMessage.Ping, by slot: NodeSlot, _ incarnation: Incarnation,
    _ effects: inout [EmbeddedEffect]
  ) {
    var pong = MembershipMessage.Pong(
      sentAt: ping.sentAt, leader: consensus.leader, committedIndex: 0, lease: 0,
      standing: standing(of: slot, incarnation), viewID: appliedIndex > 0 ? applied.viewID : 0,
      fences: fencesOfLeader)
    if consensus.isEstablished {
      pong.committedIndex = consensus.committed.index
      let end = leaderLease
      if pong.standing == .member, now < end {
        pong.lease = min(applied.timers.lease.milliseconds, end - now)
        peers[slot.number].leasedAt = now
      }
    }
    send(.pong(pong), to: slot, &effects)
  }

  /// Of another node's incarnation by the applied record. That it was evicted is true for ever and
  /// may be told by anybody who has applied it; everything else only counts from a leader.
  private func standing(
    of slot: NodeSlot, _ incarnation: Incarnation
  ) -> MembershipMessage.Standing {
    guard appliedIndex > 0 else { return .unknown }
    if applied.isMember(slot, incarnation) { return .member }
    if let admission = applied.admission(slot), incarnation <= admission.incarnation {
      return defects.contains(.evictedMayReturn) ? .out : .evicted
    }
    return .out
  }

  private mutating func ponged(
    _ pong: MembershipMessage.Pong, by slot: NodeSlot, _ message: MembershipMessage,
    _ effects: inout [EmbeddedEffect]
  ) {
    viewRead = max(viewRead, pong.viewID)
    if pong.standing == .evicted, pong.sentAt >= gapAt {
      evictionTold(pong.viewID, incarnation, &effects)
      return
    }
    guard message.term == consensus.term, pong.sentAt >= gapAt, pong.sentAt <= now else { return }
    if consensus.isLeader {
      let index = slot.number
      if peers[index].answeredTerm != consensus.term { peers[index].answeredPing = 0 }
      peers[index].answeredTerm = consensus.term
      peers[index].answeredPing = max(peers[index].answeredPing, pong.sentAt)
      extendOwnLease(&effects)
    }
    guard pong.leader == slot else { return }
    consensus.follow(message.term, leader: slot, &consensusEffects)
    hearLeader()
    heardFences = pong.fences
    heardFencesAt = now
    if pong.committedIndex > 0 {
      consensus.learn(
        committedIndex: pong.committedIndex, term: message.term, &consensusEffects)
    }
    guard pong.standing == .member, pong.lease > 0, stage == .member else { return }
    let start = defects.contains(.leaseFromReceipt) ? now : pong.sentAt
    extendLease(to: start + min(pong.lease, timers.lease.milliseconds), &effects)
  }

  mutating func extendLease(to end: Nanoseconds, _ effects: inout [EmbeddedEffect]) {
    guard end > lease, end > now else { return }
    lease = end
    effects.append(.setLease(until: Timestamp(nanoseconds: end)))
    if !hadLease {
      hadLease = true
      effects.append(.report("this node has a lease"))
      startSpaces(&effects)
      runAttempts(&effects)
    }
  }

  // MARK: - The leader's lease

  /// A leader that is a member lives by its own quorum lease.
  mutating func extendOwnLease(_ effects: inout [EmbeddedEffect]) {
    guard consensus.isEstablished, stage == .member,
      lease < now + timers.lease.milliseconds - timers.heartbeat.milliseconds / 2
    else { return }
    extendLease(to: leaderLease, &effects)
  }

  /// Until when a quorum has answered this leader: the latest moment such that voters who answered a
  /// ping sent since then decide, and the lease's length.
  var leaderLease: Nanoseconds {
    guard consensus.isLeader else { return 0 }
    let record = consensus.accepted.record
    var answers: [(at: Nanoseconds, slot: NodeSlot?)] = [(now, me)]
    for slot in record.configured where slot != me {
      let peer = peers[slot.number]
      if peer.answeredTerm == consensus.term, peer.answeredPing > 0, !peer.hasRegressed {
        answers.append((peer.answeredPing, slot))
      }
    }
    if record.usesDisk, let at = disk.leaseStart(term: consensus.term) { answers.append((at, nil)) }
    answers.sort { $0.at > $1.at }
    var set: NodeSet = []
    var hasDisk = false
    for answer in answers {
      if let slot = answer.slot { set.insert(slot) } else { hasDisk = true }
      if consensus.isDecisive(set, blank: [], disk: hasDisk, in: record) {
        return answer.at + record.timers.lease.milliseconds
      }
    }
    return 0
  }
}
