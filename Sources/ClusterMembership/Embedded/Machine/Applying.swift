import ClusterTypes

// From a decided record to what this node does. Everything is derived from the newest applied record
// and what the node has done, never from the difference of two records: a slow node may skip some.

extension EmbeddedMembership {
  mutating func apply(_ effects: inout [EmbeddedEffect]) {
    let decision = consensus.committed
    guard decision.index > appliedIndex || appliedIndex == 0 else { return }
    let previous = appliedIndex
    let before = applied
    applied = decision.record
    appliedIndex = decision.index
    tellFollowers(before)
    noteDraining()
    consensus.appliedIndexes[me] = appliedIndex
    deliver(since: previous, decision, &effects)
    confirmRequests()
    effects.append(.applied(applied, index: appliedIndex))
    settleOwnStanding(&effects)
    guard stage != .halted, stage != .left else { return }
    if consensus.isLeader { leader?.isDue = true }
    updateSpaces(&effects)
    runAttempts(&effects)
    forgetDirtIfClean()
  }

  /// Whoever waits for an answer, or has to do something, learns now, and not with its next heartbeat,
  /// that it is decided.
  private mutating func tellFollowers(_ before: Record) {
    guard consensus.isLeader else { return }
    let concernsAll =
      applied.viewID != before.viewID || applied.removed != before.removed
      || applied.attempts != before.attempts || applied.spaces != before.spaces
    for slot in applied.memberSet where slot != me {
      let isAsker = applied.requests.contains { $0.slot == slot && !before.requests.contains($0) }
      if concernsAll || isAsker { consensus.sendAccept(to: slot, &consensusEffects) }
    }
  }

  /// Delivers the batches since `previous`, or a reset where one is missing. A node that becomes a
  /// member begins with a reset.
  private func deliver(
    since previous: UInt64, _ decision: Decision, _ effects: inout [EmbeddedEffect]
  ) {
    guard applied.isMember(me, incarnation) else { return }
    let entries = consensus.history.filter { $0.index > previous && $0.index <= decision.index }
    let isWhole = UInt64(entries.count) == decision.index - previous
    guard stage == .member, isWhole, previous > 0 else {
      effects.append(.reset(applied))
      return
    }
    for entry in entries {
      for message in entry.batch {
        effects.append(.deliver(message, index: entry.index, viewID: applied.viewID))
      }
    }
  }

  /// Whether this node is in, was removed, or is to begin anew.
  private mutating func settleOwnStanding(_ effects: inout [EmbeddedEffect]) {
    if applied.isMember(me, incarnation) {
      if stage == .outside {
        stage = .member
        effects.append(.report("this node is a member of view \(applied.viewID)"))
      }
      return
    }
    guard let admission = applied.admission(me), incarnation <= admission.incarnation else {
      return
    }
    let isRemoved = applied.removed.contains {
      $0.member.slot == me && $0.member.incarnation == incarnation && $0.member.isDirty
    }
    if !hasAskedToLeave || isRemoved {
      evicted(viewID: applied.viewID, &effects)
    } else {
      stage = .left
      lease = 0
      effects.append(.setLease(until: Timestamp(nanoseconds: 0)))
      effects.append(.left)
    }
  }

  /// Somebody says that this incarnation was removed.
  mutating func evictionTold(
    _ viewID: UInt64, _ evicted: Incarnation, _ effects: inout [EmbeddedEffect]
  ) {
    // To others a node that has left looks the same; the record, which is on its way, tells which.
    guard evicted == incarnation, identityIsDurable, !hasAskedToLeave,
      !defects.contains(.evictedMayReturn)
    else { return }
    self.evicted(viewID: viewID, &effects)
  }

  /// Removed: a node that may have written resets; one that never carried out a start begins anew.
  private mutating func evicted(viewID: UInt64, _ effects: inout [EmbeddedEffect]) {
    if state.wasDirty || spaces.contains(where: { $0.isRunning || $0.isStarting }) {
      halt("the cluster went on without this node (view \(viewID))", &effects)
      return
    }
    let old = incarnation
    let known = applied.admission(me)?.incarnation ?? old
    var chance = random
    consensus.stable.change {
      $0.neverStarted.append(old)
      $0.neverStarted.removeFirst(
        max(0, $0.neverStarted.count - MembershipMessage.neverStartedLimit))
      Self.renew(&$0, above: known, random: &chance)
    }
    random = chance
    becomeNewIncarnation(&effects)
  }

  mutating func becomeNewIncarnation(_ effects: inout [EmbeddedEffect]) {
    stage = .outside
    lease = 0
    hadLease = false
    gapAt = now
    spaces = []
    outbox = []
    nextSequence = 1
    delayedRequests = []
    identityIsDurable = false
    effects.append(.setLease(until: Timestamp(nanoseconds: 0)))
    effects.append(.renewed(incarnation))
    consensus.whenDurable(.identity, &consensusEffects)
    consensus.becomeFollower(&consensusEffects)
  }

  private mutating func forgetDirtIfClean() {
    guard state.wasDirty, stage == .member, let member = applied[member: me], !member.isDirty,
      spaces.isEmpty,
      !applied.spaces.contains(where: { $0.members.contains(me) || $0.leaving.contains(me) })
    else { return }
    consensus.stable.change { $0.wasDirty = false }
  }

  // MARK: - Joining

  /// Asks the leader to be admitted; a witness never is. A member goes on telling about its boot while
  /// an earlier life of it awaits its proof: another leader may not have heard.
  mutating func askToJoin(_ effects: inout [EmbeddedEffect]) {
    let isAwaited = applied.removed.contains { $0.member.slot == me && $0.member.isDirty }
    guard stage == .outside || isAwaited, let node = consensus.accepted.record.node(me),
      !node.isWitness
    else {
      return
    }
    let join = ownJoin
    if consensus.isLeader {
      noteJoin(join, by: me)
    } else if let leader = consensus.leader {
      send(.join(join), to: leader, &effects)
    }
  }

  var ownJoin: MembershipMessage.Join {
    MembershipMessage.Join(
      life: life, bootID: bootID, uptime: now / 1_000_000, capabilities: capabilities,
      neverStarted: state.neverStarted,
      viewID: max(viewRead, appliedIndex > 0 ? applied.viewID : 0),
      timers: timers)
  }

  mutating func joinAnswered(
    _ reply: MembershipMessage.JoinReply, by slot: NodeSlot, _ effects: inout [EmbeddedEffect]
  ) {
    guard stage == .outside else { return }
    switch reply {
    case .wait(let reason), .refused(let reason):
      guard lastWaitReason != reason else { return }
      lastWaitReason = reason
      effects.append(.report("node in slot \(slot) does not admit this node: \(reason)"))
    case .outdated(let other):
      guard incarnation < other, !state.wasDirty else { return }
      var chance = random
      consensus.stable.change { Self.renew(&$0, above: other, random: &chance) }
      random = chance
      becomeNewIncarnation(&effects)
    }
  }
}
