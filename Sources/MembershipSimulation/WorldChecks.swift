import ClusterMembership
import ClusterSimulation
import ClusterTypes

// The proof obligations of the membership design, section 13, watched from outside.

extension MembershipWorld {
  /// S2: terms and view ids of one life never go back.
  func checkAfter(_ slot: NodeSlot) {
    let index = slot.index.asInt
    guard let term = machines[index].daemon?.promisedTerm else { return }
    if term < machines[index].lastTerm {
      violate("S2: the term of n\(slot.index) went back to \(term)")
    }
    machines[index].lastTerm = term
  }

  func applied(_ record: Record, _ at: UInt64, _ slot: NodeSlot) {
    let index = slot.index.asInt
    if record.viewID < machines[index].lastViewID {
      violate("S2: n\(slot.index) went from view \(machines[index].lastViewID) to \(record.viewID)")
    }
    machines[index].lastViewID = record.viewID
    noteSettled(slot, record)
    if machines[index].readoptedView == record.viewID { situations.insert(.readopted) }
    machines[index].readoptedView = 0
    guard let decision = machines[index].daemon?.committedDecision else { return }
    if let known = decisions[at] {
      // S1
      if known.term != decision.term || known.batch != decision.batch
        || known.record != decision.record
      {
        violate("S1: decision \(at) differs at n\(slot.index)")
      }
      return
    }
    decisions[at] = decision
    deliveredBatches[at] = decision.batch
    noteDecision(decision, after: decisions[at - 1])
    onDecision?(decision, now)
    newestIndex = max(newestIndex, at)
    if at > 600 {
      decisions[at - 600] = nil
    }
  }

  private func noteSettled(_ slot: NodeSlot, _ record: Record) {
    let machine = machines[slot.index.asInt]
    guard let member = record[member: slot], machine.kernel.isEmpty, !member.isDirty else { return }
    if machine.daemon?.incarnation == member.incarnation {
      writers[NodeInstanceSlot(slot: slot, incarnation: member.incarnation)] = nil
    }
  }

  private func noteDecision(_ decision: Decision, after previous: Decision?) {
    let record = decision.record
    note(
      "decision \(decision.term):\(decision.index) view \(record.viewID) "
        + "members \(record.members.map { $0.slot.index }) removed "
        + "\(record.removed.map { "\($0.member.slot.index)\($0.member.isDirty ? "!" : "")" }) spaces "
        + "\(record.spaces.map { "\($0.name):\($0.generation)\($0.phase == .started ? "r" : "s")\($0.members.map { $0.index })" })"
        + " attempts \(record.attempts.map { "\($0.executor.index)>\($0.victim.index)" })")
    for message in decision.batch { noteMessage(message) }
    for space in record.spaces
    where space.phase == .started && startViews[space.generation] == nil {
      startViews[space.generation] = (
        decision.index,
        record.members.map { NodeInstanceSlot(slot: $0.slot, incarnation: $0.incarnation) }
      )
    }
    guard let old = previous?.record else {
      for member in record.members { noteAdmission(member, decision.index) }
      return
    }
    if record.viewID != old.viewID { noteView(record, old, decision.index) }
    noteStarts(record, old)
    noteWithdrawals(record, old)
    noteOperations(record, old, decision)
    for attempt in record.attempts where attemptsDecided[attempt.id] == nil {
      attemptsDecided[attempt.id] = decision.index
    }
    for attempt in record.attempts
    where !record.members.contains(where: {
      $0.slot == attempt.executor && $0.incarnation == attempt.executorIncarnation
    }) {
      situations.insert(.fenceExecutorRemoved)
    }
    if record.removed.filter(\.member.isDirty).count > 1 { situations.insert(.twoRemoved) }
    if old.configurations.count == 2, record.configurations.count == 1 {
      situations.insert(.configurationChanged)
    }
    for slot in record.configured {
      guard let before = old.configuration[slot], let after = record.configuration[slot] else {
        continue
      }
      if before.amnesia != after.amnesia, before.amnesia != 0 {
        situations.insert(.blankTakenBack)
      }
    }
  }

  private func noteMessage(_ message: ControlMessage) {
    if case .message(let bytes) = message.payload, !messagesSeen.insert(bytes).inserted {
      violate("S9: a message is decided twice")
    }
    guard case .proven(_, _, let evidence, _) = message.payload else { return }
    switch evidence {
    case .clean: situations.insert(.provenNeverStarted)
    case .fenceAgent: situations.insert(.provenByFence)
    case .watchdog: situations.insert(.provenByWatchdog)
    case .reboot: situations.insert(.provenByReboot)
    case .administrator: situations.insert(.provenByAdministrator)
    case .reservation: situations.insert(.provenByReservation)
    case .externalAuthority: break
    }
  }

  private func noteAdmission(_ member: ViewMember, _ index: UInt64) {
    let key = NodeInstanceSlot(slot: member.slot, incarnation: member.incarnation)
    // S8
    if everRemoved.contains(key) {
      violate("S8: \(key) is a member again after it was removed")
    }
    if admittedIn[key] == nil { admittedIn[key] = index }
  }

  private func noteView(_ record: Record, _ old: Record, _ index: UInt64) {
    views += 1
    for member in record.members { noteAdmission(member, index) }
    for member in old.members
    where !record.members.contains(where: {
      $0.slot == member.slot && $0.incarnation == member.incarnation
    }) {
      everRemoved.insert(NodeInstanceSlot(slot: member.slot, incarnation: member.incarnation))
      if old.awaitsEvidence { situations.insert(.secondFailure) }
      if plan.expectsNoRemoval, now > 20_000_000_000 {
        violate("L: n\(member.slot.index) was removed though its daemon came back in time")
      }
      let machine = machines[member.slot.index.asInt]
      if machine.isUp, machine.stopsAreSlowUntil > now, machine.frozenUntil < now,
        machine.daemon?.incarnation == member.incarnation
      {
        situations.insert(.stopTooLate)
      }
    }
    if record.members.count == 1, record.usesDiskVote { situations.insert(.diskLease) }
  }

  /// S5: nothing starts while a removed incarnation may write, by the record itself.
  private func noteStarts(_ record: Record, _ old: Record) {
    for space in record.spaces {
      guard let before = old.spaces.first(where: { $0.name == space.name }) else {
        if old.awaitsEvidence { situations.insert(.emptySpaceGated) }
        continue
      }
      if before.generation == space.generation, before.phase == .stopping,
        space.phase == .started, record.awaitsEvidence
      {
        violate("S5: \(space.name) starts without proof")
      }
      if before.phase == .stopping, space.generation > before.generation,
        space.members.count > before.members.count
      {
        situations.insert(.joinedDuringStop)
      }
      if before.phase == .started, space.phase == .stopping, before.members == space.members,
        space.leaving.isEmpty, record.viewID == old.viewID
      {
        situations.insert(.restartedSpace)
      }
    }
  }

  /// What started without a node stops in the decision that takes its exclusion back.
  private func noteWithdrawals(_ record: Record, _ old: Record) {
    for removed in record.removed where removed.awaitsEvidence {
      let before = old.removed.first {
        $0.member.slot == removed.member.slot && $0.member.incarnation == removed.member.incarnation
      }
      guard let before, before.exclusion != 0 else { continue }
      situations.insert(.exclusionWithdrawn)
      for space in record.spaces
      where space.phase == .started && space.generation > removed.sinceGeneration {
        violate(
          "S5: \(space.name) goes on though n\(removed.member.slot.index) is kept away no more")
      }
    }
  }

  /// S4 and S6, when a kernel really starts.
  func checkStart(
    _ slot: NodeSlot, _ name: LockspaceName, _ generation: UInt64, _ members: [NodeInstanceSlot]
  ) {
    note("n\(slot.index) starts \(name):\(generation) with \(members.map { $0.slot.index })")
    if let known = startedSets[generation], known != members {
      violate("S4: generation \(generation) of \(name) starts with two sets")
    }
    startedSets[generation] = members
    checkLives(slot, name, generation, members)
    for other in machines where other.isOn && other.slot != slot {
      guard let space = other.kernel[name], space.isRunning, space.generation != generation,
        !isExcluded(other.slot)
      else { continue }
      violate(
        "S4: n\(slot.index) starts \(name):\(generation) while n\(other.slot.index) runs "
          + "\(space.generation)")
    }
    guard let (index, inView) = startViews[generation] else {
      return violate("S4: generation \(generation) of \(name) starts undecided")
    }
    // Whoever was admitted later is not excluded: the start is of before.
    for (key, lastWrite) in writers
    where lastWrite > now && !inView.contains(key) && admittedIn[key] ?? 0 <= index {
      guard canWrite(key) else {
        situations.insert(.startedBesideExcluded)
        continue
      }
      violate(
        "S6: n\(slot.index) starts \(name):\(generation), decided without incarnation "
          + "\(key.incarnation) of n\(key.slot.index), which can still write")
    }
  }

  /// It lives, and what it runs can write to no disk any more.
  private func isExcluded(_ slot: NodeSlot) -> Bool {
    !writers.contains { $0.key.slot == slot && $0.value == .max && canWrite($0.key) }
  }

  /// Everybody who starts a daemon's lockspace knows who has forgotten what it had there.
  private func checkLives(
    _ slot: NodeSlot, _ name: LockspaceName, _ generation: UInt64, _ members: [NodeInstanceSlot]
  ) {
    guard Self.kind(of: name) == Space.kindOfDaemon,
      let daemon = machines[slot.index.asInt].daemon
    else { return }
    let lives = members.map { daemon.record[member: $0.slot]?.life ?? 0 }
    if let known = startedLives[generation], known != lives {
      violate("S4: generation \(generation) of \(name) starts with lives \(known) and \(lives)")
    }
    startedLives[generation] = lives
    if daemon.record[member: slot]?.life != daemon.life {
      violate("S4: n\(slot.index) starts \(name):\(generation) in a life that nobody was told of")
    }
  }

  /// S7, in true time: what a leader grants ends with its own lease.
  func noteLeaderLease(_ slot: NodeSlot) {
    let machine = machines[slot.index.asInt]
    guard let daemon = machine.daemon else { return }
    let end = machine.trueTime(daemon.quorumLeaseEnd)
    leaderLeaseEnds[daemon.promisedTerm] = max(leaderLeaseEnds[daemon.promisedTerm] ?? 0, end)
  }

  func checkLeaseNesting(_ slot: NodeSlot, _ until: Timestamp) {
    let machine = machines[slot.index.asInt]
    guard let daemon = machine.daemon, daemon.isMember, !daemon.isElected,
      let leader = leaderLeaseEnds[daemon.promisedTerm]
    else { return }
    let longest = UInt64(max(plan.timers.lease, 8000))
    let slack = longest * 2 * UInt64(plan.timers.clockError) * 1200
    if machine.trueTime(until.nanoseconds) > leader + slack {
      violate("S7: the lease of n\(slot.index) outlives its leader's")
    }
  }

  /// S9: one order, no duplicate, no gap but a reset.
  func checkDelivery(_ message: ControlMessage, _ at: UInt64, _ slot: NodeSlot) {
    let index = slot.index.asInt
    let last = machines[index].lastDelivered
    if at < last { violate("S9: n\(slot.index) delivers \(at) after \(last)") }
    if at > last + 1 {
      for missed in (last + 1)..<at where deliveredBatches[missed]?.isEmpty == false {
        violate("S9: n\(slot.index) missed the batch of \(missed)")
      }
    }
    machines[index].lastDelivered = at
    if let batch = deliveredBatches[at], !batch.contains(message) {
      violate("S9: n\(slot.index) delivers a message of \(at) that is not in it")
    }
  }

  // MARK: - Liveness

  /// Long after the last fault everybody is in, has a lease, and runs what is wanted.
  func checkLiveness() {
    checkOperationsEnded()
    for machine in machines {
      guard let daemon = machine.daemon else {
        violate("L: n\(machine.slot.index) does not run")
        continue
      }
      if plan.hasWitness, machine.slot.index.asInt == plan.nodeCount { continue }
      let local = Timestamp(nanoseconds: machine.local(now))
      if !daemon.isRunning(at: local) {
        violate("L4: n\(machine.slot.index) is not a member with a lease")
      }
      for name in machine.wanted.sorted() where machine.kernel[name]?.isRunning != true {
        violate("L1: \(name) does not run on n\(machine.slot.index)")
      }
    }
  }
}

extension Record {
  var usesDiskVote: Bool { configurations.contains(where: \.hasDisk) }
}
