import ClusterTypes

// Fence attempts (membership design, section 11): each is decided before it runs, only its executor
// runs it, once; while it is open nothing of the victim is admitted.

extension EmbeddedMembership {
  mutating func attemptStep(_ record: Record) -> Record? {
    var next = record
    closeAbandoned(&next)
    for removed in record.removed where removed.awaitsEvidence {
      openAttempt(against: removed, &next)
    }
    return next == record ? nil : next
  }

  /// An attempt whose executor was removed may still act until the executor's lease and its agent are
  /// over, counted from the executor's proof of death or from the election. One that has succeeded acts
  /// no more, and one by reservation hits nothing later.
  private mutating func closeAbandoned(_ record: inout Record) {
    var gone: [UInt64: Nanoseconds] = [:]
    for attempt in record.attempts
    where !attempt.hasSucceeded && !record.isMember(attempt.executor, attempt.executorIncarnation) {
      if attempt.isByReservation {
        record.attempts.removeAll { $0.id == attempt.id }
        continue
      }
      let isProven = !record.removed.contains {
        $0.member.slot == attempt.executor && $0.member.isDirty
          && $0.member.incarnation == attempt.executorIncarnation
      }
      guard isProven else { continue }
      let since = leader?.executorGoneSince[attempt.id] ?? now
      gone[attempt.id] = since
      let wait = timers.stretched(
        timers.lease.milliseconds + timers.agentTimeout.milliseconds)
      if now >= since + wait {
        record.attempts.removeAll { $0.id == attempt.id }
      } else {
        leaderLooksAgain(at: since + wait)
      }
    }
    leader?.executorGoneSince = gone
  }

  private mutating func openAttempt(against removed: RemovedMember, _ record: inout Record) {
    let victim = removed.member.slot
    guard let node = record.node(victim), node.fenceLevels > 0,
      record.attempts.count < RecordLimits.attempts,
      !record.attempts.contains(where: { $0.victim == victim }),
      record[member: victim] == nil, !isComingBack(removed), !race.hasWon(against: removed)
    else { return }
    // The newest incarnation: its proof is one for all older ones.
    guard
      !record.removed.contains(where: {
        $0.member.slot == victim && $0.member.incarnation > removed.member.incarnation
      })
    else { return }
    let retry = leader?.retries.first {
      $0.slot == victim && $0.incarnation == removed.member.incarnation
    }
    if let retry, now < retry.nextAt { return leaderLooksAgain(at: retry.nextAt) }
    let failures = retry?.failures ?? 0
    let executors = record.members.filter {
      $0.slot != victim && ($0.slot == me || !isSilent($0.slot))
    }
    guard !executors.isEmpty else { return }
    let executor = executors[failures % executors.count]
    let level = UInt8(failures / executors.count % Int(node.fenceLevels) + 1)
    record.lastAttempt += 1
    record.attempts.append(
      FenceAttempt(
        id: record.lastAttempt, victim: victim, incarnation: removed.member.incarnation,
        executor: executor.slot, executorIncarnation: executor.incarnation,
        executorLife: executor.slot == me ? life : peers[executor.slot.number].life,
        level: level, isByReservation: node.isByReservation(level: level)))
  }

  /// A newer incarnation of the victim is heard: its return is the proof.
  private func isComingBack(_ removed: RemovedMember) -> Bool {
    let peer = peers[removed.member.slot.number]
    return peer.incarnation > removed.member.incarnation && heard.contains(removed.member.slot)
  }

  /// From a failed attempt to the next one.
  static func fencePause(after failures: Int) -> Nanoseconds {
    min(30, 1 << UInt64(min(failures - 1, 5))) * 1_000_000_000
  }

  /// The outcome of an attempt, as its executor tells it. A success stays in the record until the drain
  /// time is over: neither a new leader nor a restarted executor loses it.
  mutating func close(
    _ id: UInt64, _ outcome: FenceOutcome, by slot: NodeSlot, _ change: inout Change
  ) {
    guard let index = change.record.attempts.firstIndex(where: { $0.id == id }),
      change.record.attempts[index].executor == slot, !change.record.attempts[index].hasSucceeded
    else { return }
    let attempt = change.record.attempts[index]
    switch outcome {
    case .succeeded where !attempt.isByReservation:
      change.record.attempts[index].hasSucceeded = true
      if defects.contains(.noDrainAfterFence) { settle(attempt, &change) }
    case .succeeded, .failed, .lost:
      change.record.attempts.remove(at: index)
      retryLater(attempt)
    }
  }

  mutating func retryLater(_ attempt: FenceAttempt) {
    let old = leader?.retries.first {
      $0.slot == attempt.victim && $0.incarnation == attempt.incarnation
    }
    let failures = (old?.failures ?? 0) + 1
    leader?.retries.removeAll { $0.slot == attempt.victim }
    leader?.retries.append(
      LeaderState.Retry(
        slot: attempt.victim, incarnation: attempt.incarnation, failures: failures,
        nextAt: now + Self.fencePause(after: failures)))
  }

  // MARK: - Power off: the drain time

  mutating func noteDraining() {
    let succeeded = applied.attempts.filter(\.hasSucceeded).map(\.id)
    for id in succeeded where drainingSince[id] == nil { drainingSince[id] = now }
    drainingSince = drainingSince.filter { succeeded.contains($0.key) }
  }

  /// Decides the deaths of those whose last I/O has landed.
  mutating func drainStep(_ record: Record) -> Change? {
    var change = Change(record: record)
    for attempt in record.attempts where attempt.hasSucceeded {
      guard let since = drainingSince[attempt.id] else { continue }
      let end = since + timers.stretchedDrain
      if now >= end { settle(attempt, &change) } else { leaderLooksAgain(at: end) }
    }
    return change.record == record ? nil : change
  }

  /// The attempt's victim is dead, in that life and all before it.
  private mutating func settle(_ attempt: FenceAttempt, _ change: inout Change) {
    let limit = defects.contains(.successByNode) ? Incarnation(.max) : attempt.incarnation
    for removed in change.record.removed
    where removed.member.slot == attempt.victim && removed.member.isDirty
      && removed.member.incarnation <= limit && change.batch.count < Decision.maximumBatch
    {
      change.batch.append(
        proof(
          of: removed.member, .fenceAgent,
          by: "\(nodeName(attempt.executor)), level \(attempt.level)"))
    }
    change.record.attempts.removeAll { $0.id == attempt.id }
    change.record.settle(attempt.victim, through: limit)
    leader?.retries.removeAll { $0.slot == attempt.victim }
  }
}
