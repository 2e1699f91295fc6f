import ClusterTypes

// Decisions: one in flight at a time. It is committed when a quorum - in every configuration that it
// names - has it on disk, and only decisions of the leader's own term count.

extension Consensus {
  /// Proposes the next decision; only when `canPropose`.
  mutating func propose(
    _ record: Record, batch: [ControlMessage], _ effects: inout [ConsensusEffect]
  ) {
    guard canPropose else { return }
    submit(record: record, batch: batch, &effects)
  }

  mutating func submit(
    record: Record, batch: [ControlMessage], _ effects: inout [ConsensusEffect]
  ) {
    guard case .leader(var leadership) = role else { return }
    let decision = Decision(
      term: term, index: accepted.index + 1, record: record, batch: batch)
    setAccepted(decision)
    remember(decision)
    leadership.acknowledged = []
    leadership.blank = []
    leadership.disk = false
    leadership.isInFlight = true
    role = .leader(leadership)
    for slot in configured where slot != me { sendAccept(to: slot, &effects) }
    if record.usesDisk { effects.append(.writeDisk(decision)) }
    whenDurable(.ownAcceptance(term: decision.term, index: decision.index), &effects)
  }

  private mutating func remember(_ decision: Decision) {
    history.append(HistoryEntry(index: decision.index, batch: decision.batch))
    if history.count > Self.historyLimit {
      history.removeFirst(history.count - Self.historyLimit)
    }
  }

  /// Sends the accepted decision with the batches that the receiver lacks, or says that they cannot
  /// be had.
  func sendAccept(to slot: NodeSlot, _ effects: inout [ConsensusEffect]) {
    guard isLeader else { return }
    let applied = appliedIndexes[slot] ?? 0
    let missing = history.filter { $0.index > applied && $0.index < accepted.index }
    let needed = accepted.index > applied + 1 ? accepted.index - applied - 1 : 0
    let size = missing.reduce(0) { $0 + $1.batch.reduce(16) { $0 + $1.size } }
    let isReset = UInt64(missing.count) < needed || size > Self.historyBytes
    effects.append(
      .send(
        slot,
        .accept(
          MembershipMessage.Acceptance(
            decision: accepted, history: isReset ? [] : missing,
            committedIndex: committed.term == term ? committed.index : 0, isReset: isReset,
            restoredAmnesia: committed.term == term
              ? committed.record.node(slot)?.amnesia ?? 0 : 0))))
  }

  /// Sends what is in flight, or was decided last, to a node that has not acknowledged it.
  mutating func repeatAccept(to slot: NodeSlot, _ effects: inout [ConsensusEffect]) {
    guard case .leader(let leadership) = role,
      !leadership.acknowledged.contains(slot) || leadership.blank.contains(slot)
    else { return }
    sendAccept(to: slot, &effects)
  }

  mutating func acceptAsked(
    _ message: MembershipMessage.Acceptance, by slot: NodeSlot,
    _ effects: inout [ConsensusEffect]
  ) {
    let decision = message.decision
    guard decision.term >= term else { return }
    follow(decision.term, leader: slot, &effects)
    if case .leader = role { return }
    role = .follower
    if isBlank, message.restoredAmnesia != 0, message.restoredAmnesia == state.amnesia {
      // It need not have seen that very decision.
      stable.change { $0.isBlank = false }
    }
    learn(committedIndex: message.committedIndex, term: decision.term, &effects)
    if !decision.isAtMost(accepted.term, accepted.index) {
      guard adopt(message, &effects) else { return }
    }
    guard accepted.term == decision.term, accepted.index == decision.index else { return }
    whenDurable(
      .send(
        slot,
        .accepted(term: decision.term, index: decision.index, isBlank: isBlank)), &effects)
    learn(committedIndex: message.committedIndex, term: decision.term, &effects)
  }

  /// Takes over the decision with its history; false if batches would be missing.
  private mutating func adopt(
    _ message: MembershipMessage.Acceptance, _ effects: inout [ConsensusEffect]
  ) -> Bool {
    let decision = message.decision
    if message.isReset {
      history = []
    } else {
      // Everything after what is applied is replaced: an index of a dead leader may be used again.
      history.removeAll { $0.index > committed.index }
      var next = committed.index + 1
      for entry in message.history where entry.index == next {
        history.append(entry)
        next += 1
      }
      guard next >= decision.index else { return false }
    }
    setAccepted(decision)
    remember(decision)
    flush(&effects)
    return true
  }

  mutating func acceptedBy(
    _ slot: NodeSlot, term: UInt64, index: UInt64, isBlank: Bool,
    _ effects: inout [ConsensusEffect]
  ) {
    guard case .leader(var leadership) = role, term == self.term, index == accepted.index else {
      return
    }
    leadership.acknowledged.insert(slot)
    if isBlank { leadership.blank.insert(slot) } else { leadership.blank.remove(slot) }
    role = .leader(leadership)
    countAcceptances(&effects)
  }

  mutating func diskAccepted(term: UInt64, index: UInt64, _ effects: inout [ConsensusEffect]) {
    guard case .leader(var leadership) = role, term == self.term, index == accepted.index else {
      return
    }
    leadership.disk = true
    role = .leader(leadership)
    countAcceptances(&effects)
  }

  private mutating func countAcceptances(_ effects: inout [ConsensusEffect]) {
    guard case .leader(var leadership) = role, leadership.isInFlight else { return }
    let counted = leadership.acknowledged.subtracting(leadership.blank)
    guard
      isDecisive(
        counted, blank: leadership.blank, disk: leadership.disk, in: accepted.record)
    else { return }
    leadership.isInFlight = false
    leadership.hasCommitted = true
    role = .leader(leadership)
    commit(accepted, &effects)
  }

  /// The leader of `term` has committed up to `index`.
  mutating func learn(
    committedIndex index: UInt64, term: UInt64, _ effects: inout [ConsensusEffect]
  ) {
    guard term == accepted.term, accepted.index <= index, accepted.index > committed.index else {
      return
    }
    commit(accepted, &effects)
  }

  private mutating func commit(_ decision: Decision, _ effects: inout [ConsensusEffect]) {
    committed = decision
    // Committed without this node's vote, by a leader elected without it: the voters that took part
    // meet every election that the lost memory had to do with (membership design, section 14).
    if isBlank, decision.record.node(me)?.amnesia == state.amnesia {
      stable.change { $0.isBlank = false }
    }
    if decision.record.isFenceRace, decision.record.memberSet == [me], !state.isAlone {
      stable.change { $0.isAlone = true }
    }
    effects.append(.committed)
  }
}
