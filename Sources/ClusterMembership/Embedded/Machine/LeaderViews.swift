import ClusterTypes

// Who is in (membership design, section 7): the leader compares what everybody hears with the decided
// view, waits until simultaneous faults have shown themselves, and proposes the next view.

extension EmbeddedMembership {
  // MARK: - Joins

  mutating func joinAsked(
    _ join: MembershipMessage.Join, by slot: NodeSlot, _ incarnation: Incarnation,
    _ effects: inout [EmbeddedEffect]
  ) {
    guard consensus.isEstablished else { return }
    func reply(_ reply: MembershipMessage.JoinReply) {
      send(.joinReply(reply), to: slot, &effects)
    }
    if let difference = join.timers.differences(from: timers).first {
      return reply(
        .refused(
          reason: "\(difference.name) is \(difference.here) ms on this node and "
            + "\(difference.there) ms in the cluster"))
    }
    let own = capabilities
    guard join.capabilities.oldestVersion <= own.newestVersion,
      join.capabilities.newestVersion >= own.oldestVersion
    else {
      return reply(
        .refused(
          reason: "it speaks versions \(join.capabilities.oldestVersion) to "
            + "\(join.capabilities.newestVersion) of the protocol, the cluster "
            + "\(own.oldestVersion) to \(own.newestVersion)"))
    }
    if let admission = applied.admission(slot), incarnation < admission.incarnation {
      return reply(.outdated(admission.incarnation))
    }
    noteJoin(join, by: slot)
    if !applied.isMember(slot, incarnation), let reason = obstacle(to: slot, applied) {
      reply(.wait(reason: reason))
    }
  }

  mutating func noteJoin(_ join: MembershipMessage.Join, by slot: NodeSlot) {
    peers[slot.number].join = join
    peers[slot.number].joinedAt = now
    if slot == me { peers[slot.number].incarnation = incarnation }
    leader?.isDue = true
  }

  /// Why the newest incarnation of a node may not be a member yet; nil if it may.
  private func obstacle(to slot: NodeSlot, _ record: Record) -> String? {
    let peer = peers[slot.number]
    guard let join = peer.join, now < peer.joinedAt + timers.silence.milliseconds else {
      return "it does not ask"
    }
    guard let node = record.newestConfiguration[slot], !node.isWitness else {
      return "it is not configured as a member"
    }
    let old = record.removed.filter { $0.member.slot == slot }
    if let admission = record.admission(slot), peer.incarnation <= admission.incarnation,
      !(defects.contains(.evictedMayReturn) && peer.incarnation == admission.incarnation)
    {
      return "this incarnation was in the cluster before"
    }
    if !defects.contains(.admitDuringAttempt) {
      if let attempt = record.attempts.first(where: { $0.victim == slot && !$0.isByReservation }) {
        return "\(nodeName(attempt.executor)) may still be fencing it"
      }
      if raceMayBeOpen(against: slot) { return "\(nodeName(me)) may still be fencing it" }
    }
    // One removed incarnation of it is allowed, and the one that a new view replaces makes two.
    if old.filter({ $0.member.isDirty }).count + (record[member: slot]?.isDirty == true ? 1 : 0) > 1
    {
      return "two earlier incarnations of it are not known to be dead"
    }
    if let excluded = record.removed.first(where: { $0.member.isDirty && $0.exclusion != 0 }),
      join.capabilities.reservedDevices != excluded.member.capabilities.reservedDevices
    {
      return
        "\(nodeName(excluded.member.slot)) is kept from the disks by reservations, which this node "
        + "has not, or on other disks, and could not read before a start"
    }
    guard hasGoodLinks(slot, record) else { return "not all members hear it, or it not them" }
    if let admission = record.admission(slot), admission.bootID == join.bootID, slot != me {
      let hold = timers.rejoinHold.milliseconds << UInt64(min(admission.holdLevel, 5))
      let limit = min(hold, 30 * timers.rejoinHold.milliseconds)
      guard peer.goodSince > 0, now >= peer.goodSince + limit else {
        return "it was removed lately: its links must be good for a while"
      }
    }
    return nil
  }

  /// Between the newest incarnation of a node and all members.
  private func hasGoodLinks(_ slot: NodeSlot, _ record: Record) -> Bool {
    for member in record.memberSet where member != slot {
      guard isGood(member, slot) || isSilent(member) else { return false }
    }
    return true
  }

  // MARK: - Links

  func isSilent(_ slot: NodeSlot) -> Bool { slot != me && !heard.contains(slot) }

  private func hears(_ listener: NodeSlot, _ speaker: NodeSlot) -> Bool {
    listener == me ? heard.contains(speaker) : peers[listener.number].hears.contains(speaker)
  }

  private func isGood(_ one: NodeSlot, _ other: NodeSlot) -> Bool {
    hears(one, other) && hears(other, one) && !isSilent(one) && !isSilent(other)
  }

  /// The daemon is gone and its machine answers: its links count as good for a while.
  func isHeld(_ slot: NodeSlot) -> Bool {
    let peer = peers[slot.number]
    guard !defects.contains(.noRestartHold), peer.refusedAt > 0, slot != me else { return false }
    // A daemon that listens again is not refused any more, and its first pings hear nobody: silence
    // counts from the last refusal, or the last time that it listened and had no channel yet, whatever
    // was heard since.
    return now < peer.refusedAt + timers.silence.milliseconds
      && now < peer.heardAt + timers.restartHold.milliseconds
  }

  // MARK: - The next view

  mutating func viewStep(_ record: Record, _ effects: inout [EmbeddedEffect]) -> Record? {
    updateLinks(record)
    let joiners = admissible(record)
    let reasons = removalReasons(record)
    guard !reasons.isEmpty || !joiners.isEmpty else {
      leader?.viewDueSince = nil
      return nil
    }
    let since = leader?.viewDueSince ?? now
    leader?.viewDueSince = since
    guard hasSettled(since, record) else { return nil }
    let members = nextMembers(record, joiners: joiners, removed: reasons)
    if handsOver(members, record, joiners, &effects) { return nil }
    guard let next = view(of: members, after: record, joiners: joiners) else { return nil }
    leader?.viewDueSince = nil
    leader?.viewChangedAt[next.viewID] = now
    return next
  }

  /// Keeps since when each pair is bad, and each joiner good.
  private mutating func updateLinks(_ record: Record) {
    let set = record.memberSet
    for one in set {
      for other in set where other > one {
        let key = UInt16(one.index) << 8 | UInt16(other.index)
        let isBad = !isGood(one, other) && !isHeld(one) && !isHeld(other)
        if !isBad {
          leader?.badSince[key] = nil
        } else if leader?.badSince[key] == nil {
          leader?.badSince[key] = now
        }
      }
    }
    for slot in record.configured where slot != me && peers[slot.number].join != nil {
      if hasGoodLinks(slot, record), heard.contains(slot) {
        if peers[slot.number].goodSince == 0 { peers[slot.number].goodSince = now }
      } else {
        peers[slot.number].goodSince = 0
      }
    }
  }

  private func admissible(_ record: Record) -> NodeSet {
    var set: NodeSet = []
    for slot in record.configured where peers[slot.number].join != nil {
      guard !record.isMember(slot, peers[slot.number].incarnation) else { continue }
      if slot != me, isSilent(slot) { continue }
      if obstacle(to: slot, record) == nil { set.insert(slot) }
    }
    return set
  }

  /// Members that cannot stay, or may not be able to.
  private mutating func removalReasons(_ record: Record) -> NodeSet {
    var set: NodeSet = []
    let grace = 2 * timers.silence.milliseconds
    condemnLate(record)
    for member in record.members {
      let slot = member.slot
      let key = NodeInstanceSlot(slot: slot, incarnation: member.incarnation)
      if leader?.condemned.contains(key) == true {
        set.insert(slot)
      } else if slot == me {
        if member.incarnation != incarnation { set.insert(slot) }
      } else if peers[slot.number].incarnation > member.incarnation {
        set.insert(slot)
      } else if isSilent(slot), !isHeld(slot) {
        set.insert(slot)
      }
    }
    for (key, since) in leader?.badSince ?? [:] {
      let one = NodeSlot(bit: Int(key >> 8))
      let other = NodeSlot(bit: Int(key & 0xFF))
      guard record.memberSet.contains(one), record.memberSet.contains(other) else {
        leader?.badSince[key] = nil
        continue
      }
      if now >= since + grace {
        set.insert(one)
        set.insert(other)
      } else {
        leaderLooksAgain(at: since + grace)
      }
    }
    return set
  }

  /// A member that answers and has not stopped a lockspace in time is removed, by incarnation.
  private mutating func condemnLate(_ record: Record) {
    var known: [UInt64: Nanoseconds] = [:]
    for space in record.spaces where space.phase == .stopping {
      let since = leader?.stoppingSince[space.generation] ?? now
      known[space.generation] = since
      let deadline = since + timers.stopLimit.milliseconds
      guard now >= deadline else {
        leaderLooksAgain(at: deadline)
        continue
      }
      for slot in space.members.union(space.leaving) {
        guard let member = record[member: slot], !hasStopped(slot, space.generation, record) else {
          continue
        }
        leader?.condemned.insert(
          NodeInstanceSlot(slot: slot, incarnation: member.incarnation))
      }
    }
    leader?.stoppingSince = known
  }

  /// Simultaneous faults go into one view: wait for the reports of one heartbeat after the last change
  /// of any link, and while a member's link is silent for longer than two heartbeats without being
  /// bad yet; at most twice the silence time.
  private mutating func hasSettled(_ since: Nanoseconds, _ record: Record) -> Bool {
    let heartbeat = timers.heartbeat.milliseconds
    let limit = since + 2 * timers.silence.milliseconds
    guard now < limit else { return true }
    let quiet = max(linksChangedAt, since - min(since, heartbeat)) + heartbeat
    var due = quiet
    for slot in record.memberSet where slot != me && heard.contains(slot) {
      let silence = now - min(now, peers[slot.number].heardAt)
      if silence > 2 * heartbeat {
        due = max(due, min(limit, peers[slot.number].heardAt + timers.silence.milliseconds))
      }
    }
    if now >= due { return true }
    leaderLooksAgain(at: due)
    return false
  }

  private func computation(
    _ record: Record, joiners: NodeSet, removed: NodeSet
  ) -> ViewComputation {
    var candidates = joiners
    for member in record.members {
      let slot = member.slot
      let key = NodeInstanceSlot(slot: slot, incarnation: member.incarnation)
      let isCurrent =
        slot == me
        ? member.incarnation == incarnation
        : peers[slot.number].incarnation == member.incarnation && (!isSilent(slot) || isHeld(slot))
      if isCurrent, leader?.condemned.contains(key) != true { candidates.insert(slot) }
    }
    var all = candidates
    all.insert(me)
    var links: [NodeSlot: NodeSet] = [:]
    for one in all {
      for other in all where other > one && isLinked(one, other, record) {
        links[one, default: []].insert(other)
        links[other, default: []].insert(one)
      }
    }
    let configuration = record.configuration
    return ViewComputation(
      links: links, candidates: candidates, current: record.memberSet
    ) { configuration.weight($0, disk: false) }
  }

  /// A short disturbance between members is not held against them.
  private func isLinked(_ one: NodeSlot, _ other: NodeSlot, _ record: Record) -> Bool {
    if isGood(one, other) || isHeld(one) || isHeld(other) { return true }
    guard record.memberSet.contains(one), record.memberSet.contains(other),
      !isSilent(one), !isSilent(other)
    else { return false }
    let key = UInt16(min(one, other).index) << 8 | UInt16(max(one, other).index)
    guard let since = leader?.badSince[key] else { return true }
    return now < since + timers.silence.milliseconds
  }

  private func nextMembers(
    _ record: Record, joiners: NodeSet, removed: NodeSet
  ) -> NodeSet {
    let computation = computation(record, joiners: joiners, removed: removed)
    return computation.best(
      containing: computation.candidates.contains(me) ? [me] : [], hearing: me)
  }

  /// A leader outside a set with strictly more votes gives the lead to it, not too often.
  private mutating func handsOver(
    _ members: NodeSet, _ record: Record, _ joiners: NodeSet, _ effects: inout [EmbeddedEffect]
  ) -> Bool {
    guard now >= lastHandOver + 4 * timers.silence.milliseconds || lastHandOver == 0 else {
      return false
    }
    let computation = computation(record, joiners: joiners, removed: [])
    let other = computation.best(containing: [], hearing: nil)
    let votes = computation.votes
    guard votes(other) > votes(members), !other.contains(me) else { return false }
    let voters = other.intersection(record.configuration.voters).intersection(heard)
    let best = voters.max {
      (computation.links[$0]?.count ?? 0) < (computation.links[$1]?.count ?? 0)
    }
    guard let best else { return false }
    lastHandOver = now
    effects.append(.report("\(nodeName(best)) is better connected: this node hands over to it"))
    send(.handOver, to: best, &effects)
    return true
  }

  /// The record with these members; nil if nothing changes.
  private func view(
    of members: NodeSet, after record: Record, joiners: NodeSet
  ) -> Record? {
    var next = record
    let gone = record.members.filter { member in
      !members.contains(member.slot) || joiners.contains(member.slot)
    }
    let new = members.intersection(joiners)
    guard !gone.isEmpty || !new.isEmpty else { return nil }
    next.viewID += 1
    for member in gone {
      next.remove(member)
      if defects.contains(.operationsDieWithCoordinator) {
        next.operations.removeAll { $0.id.slot == member.slot }
      }
    }
    let lease = record.configurations.map(\.timers.lease).max() ?? timers.lease
    for slot in new {
      guard let join = slot == me ? ownJoin : peers[slot.number].join else { continue }
      next.admit(
        ViewMember(
          slot: slot, incarnation: slot == me ? incarnation : peers[slot.number].incarnation,
          bootID: join.bootID, capabilities: join.capabilities, isDirty: false,
          longestLease: lease, life: join.life))
    }
    return next
  }
}

extension Record {
  /// Takes a member out of the view: its lockspaces stop, and it is kept until its death is proven.
  mutating func remove(_ member: ViewMember) {
    members.removeAll { $0.slot == member.slot }
    removed.append(
      RemovedMember(member: member, sinceView: viewID, sinceGeneration: lastGeneration))
    for index in admissions.indices where admissions[index].slot == member.slot {
      admissions[index].holdLevel = min(admissions[index].holdLevel + 1, 5)
    }
    for index in spaces.indices
    where spaces[index].members.contains(member.slot)
      || spaces[index].leaving.contains(member.slot)
    {
      spaces[index].members.remove(member.slot)
      spaces[index].leaving.remove(member.slot)
      stop(index)
    }
    withdrawFromOperations(member.slot)
  }

  mutating func admit(_ member: ViewMember) {
    let index = members.firstIndex { $0.slot > member.slot } ?? members.count
    members.insert(member, at: index)
    removed.removeAll { $0.member.slot == member.slot && !$0.member.isDirty }
    requests.removeAll { $0.slot == member.slot }
    if let index = admissions.firstIndex(where: { $0.slot == member.slot }) {
      if admissions[index].bootID != member.bootID { admissions[index].holdLevel = 0 }
      admissions[index].bootID = member.bootID
      admissions[index].incarnation = member.incarnation
    } else {
      admissions.append(
        Admission(
          slot: member.slot, incarnation: member.incarnation, bootID: member.bootID,
          holdLevel: 0))
    }
  }
}
