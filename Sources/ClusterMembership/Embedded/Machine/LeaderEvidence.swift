import ClusterTypes

// Proof that a removed incarnation cannot write any more (membership design, section 8). Each proof is
// itself decided; nothing ever times out into a start.

extension EmbeddedMembership {
  /// Decides the proofs that are there; fence results and what other nodes vouch for come as requests.
  mutating func evidenceStep(_ record: Record) -> Change? {
    var change = Change(record: record)
    for removed in record.removed where removed.member.isDirty {
      guard let (kind, by) = evidence(for: removed, record) else { continue }
      change.record.settle(removed.member.slot, through: removed.member.incarnation)
      if change.batch.count < Decision.maximumBatch {
        change.batch.append(proof(of: removed.member, kind, by: by))
      }
    }
    return change.record == record ? nil : change
  }

  func proof(of member: ViewMember, _ kind: Evidence, by: String) -> ControlMessage {
    ControlMessage(
      origin: me, incarnation: incarnation,
      payload: .proven(member.slot, member.incarnation, kind, by: by))
  }

  private mutating func evidence(
    for removed: RemovedMember, _ record: Record
  ) -> (Evidence, String)? {
    let slot = removed.member.slot
    let old = removed.member.incarnation
    if let join = slot == me ? ownJoin : peers[slot.number].join {
      let new = slot == me ? incarnation : peers[slot.number].incarnation
      if join.neverStarted.contains(old) { return (.clean, "the node itself: it never started") }
      if hasRebooted(slot, join, new, since: removed) { return (.reboot, "its reboot") }
    }
    if isProvenByRace(removed) { return (.fenceAgent, "\(nodeName(me)), in the fence race") }
    if isPresumedDead(removed, record) { return (.watchdog, "its watchdog, by time") }
    return nil
  }

  /// Back with another boot id and a greater incarnation, having read of a view at least as new as the
  /// removal's, and up for longer than its old I/O may take.
  private func hasRebooted(
    _ slot: NodeSlot, _ join: MembershipMessage.Join, _ new: Incarnation,
    since removed: RemovedMember
  ) -> Bool {
    guard join.bootID != removed.member.bootID, new > removed.member.incarnation else {
      return false
    }
    if defects.contains(.anyBootIsEvidence) { return true }
    let viewID = slot == me ? applied.viewID : max(join.viewID, peers[slot.number].viewID)
    let uptime = slot == me ? now / 1_000_000 : max(join.uptime, peers[slot.number].uptime)
    guard viewID >= removed.sinceView else { return false }
    return defects.contains(.noDrainAfterReturn)
      || uptime * 1_000_000 >= timers.stretchedDrain
  }

  private mutating func isPresumedDead(_ removed: RemovedMember, _ record: Record) -> Bool {
    let configuration = record.configuration
    let capabilities = removed.member.capabilities
    let isTrusted =
      (configuration.trustsWatchdog && capabilities.watchdog == .hardware)
      || (configuration.trustsSoftdog && capabilities.watchdog == .softdog)
    guard isTrusted, configuration.leaseResets, capabilities.petsByLease,
      capabilities.inhibitsSleep, !capabilities.isVirtualMachine,
      let electedAt = leader?.electedAt
    else { return false }
    let slot = removed.member.slot.number
    var since = electedAt
    // A newer incarnation's leases say nothing about this one's.
    if peers[slot].incarnation == removed.member.incarnation {
      since = max(since, peers[slot].leasedAt)
    } else {
      since = max(since, peers[slot].leasedAt, leader?.viewChangedAt[removed.sinceView] ?? 0)
    }
    if defects.contains(.presumeFromPongOnly) { since = peers[slot].leasedAt }
    let wait = record.timers.presumedDead(
      lease: defects.contains(.presumeWithoutLease) ? 0 : removed.member.longestLease,
      watchdog: capabilities.watchdogTimeout)
    if now >= since + wait { return true }
    leaderLooksAgain(at: since + wait)
    return false
  }
}

extension Record {
  /// `incarnation` and all older ones of the node are proven dead.
  mutating func settle(_ slot: NodeSlot, through incarnation: Incarnation) {
    for index in removed.indices
    where removed[index].member.slot == slot && removed[index].member.incarnation <= incarnation {
      removed[index].member.isDirty = false
    }
    // One entry a node is enough to tell an evicted incarnation; older ones are forgotten.
    let newest = removed.last { $0.member.slot == slot }?.member.incarnation
    let isBack = self[member: slot] != nil
    removed.removeAll {
      $0.member.slot == slot && !$0.member.isDirty
        && ($0.member.incarnation != newest || isBack)
    }
  }
}
