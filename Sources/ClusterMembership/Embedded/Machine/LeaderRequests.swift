import ClusterTypes

// Requests of the members, decided in the order of their numbers, each exactly once.

extension EmbeddedMembership {
  mutating func take(
    _ request: Request, life: UInt32, sequence: UInt64, from slot: NodeSlot,
    _ incarnation: Incarnation
  ) {
    guard consensus.isEstablished, applied.isMember(slot, incarnation) else { return }
    var queue = leader?.pending[slot] ?? []
    queue.removeAll { $0.incarnation != incarnation || $0.life < life }
    guard queue.count < Self.window,
      !queue.contains(where: { $0.life == life && $0.sequence == sequence })
        || defects.contains(.noRequestNumbers)
    else { return }
    queue.append(
      LeaderState.Pending(
        incarnation: incarnation, life: life, sequence: sequence, request: request))
    queue.sort { ($0.life, $0.sequence) < ($1.life, $1.sequence) }
    leader?.pending[slot] = queue
    leader?.isDue = true
  }

  /// Decides what is next in number from every node; the rest waits for what is missing.
  mutating func requestStep(_ record: Record) -> Change? {
    let (incarnation, life) = (incarnation, life)
    let own = outbox.prefix(Self.window).map {
      LeaderState.Pending(
        incarnation: incarnation, life: life, sequence: $0.sequence, request: $0.request)
    }
    leader?.pending[me] = own
    var change = Change(record: record)
    for slot in record.memberSet {
      guard let member = record[member: slot], let queue = leader?.pending[slot] else { continue }
      for pending in queue where pending.incarnation == member.incarnation {
        guard canTake(change) else { break }
        let last = change.record.requests.first {
          $0.slot == slot && $0.incarnation == pending.incarnation
        }
        guard isNext(pending, after: last) else { continue }
        decide(pending, by: slot, &change)
        change.record.note(pending, of: slot)
      }
      leader?.pending[slot]?.removeAll { pending in
        let last = change.record.requests.first { $0.slot == slot }
        return pending.incarnation != member.incarnation
          || last.map { (pending.life, pending.sequence) <= ($0.life, $0.sequence) } == true
      }
      if change.record[member: slot] == nil { leader?.pending[slot] = nil }
    }
    return change.record == record && change.batch.isEmpty ? nil : change
  }

  private func canTake(_ change: Change) -> Bool {
    change.batch.count + 4 < Decision.maximumBatch
      && change.batch.reduce(0) { $0 + $1.size } + ControlMessage.maximumPayload
        < Decision.maximumBatchBytes
  }

  private func isNext(_ pending: LeaderState.Pending, after last: LastRequest?) -> Bool {
    if defects.contains(.noRequestNumbers) { return true }
    guard let last else { return pending.sequence == 1 }
    if pending.life == last.life { return pending.sequence == last.sequence + 1 }
    return pending.life > last.life && pending.sequence == 1
  }

  private mutating func decide(
    _ pending: LeaderState.Pending, by slot: NodeSlot, _ change: inout Change
  ) {
    let before = change
    var refusal: String?
    switch pending.request {
    case .joinSpace(let name, let kind): refusal = joinSpace(name, kind, slot, &change.record)
    case .leaveSpace(let name): leaveSpace(name, slot, &change.record)
    case .restartSpace(let name, let waitsFor):
      restartSpace(name, waitsFor, slot, &change.record)
    case .clean: refusal = clean(slot, &change.record)
    case .leave: refusal = leave(slot, &change.record)
    case .message(let bytes):
      change.batch.append(
        ControlMessage(
          origin: slot, incarnation: pending.incarnation, payload: .message(bytes)))
    case .fenceResult(let id, let outcome): close(id, outcome, by: slot, &change)
    case .excluded(let id, let devices): exclude(id, devices, by: slot, &change)
    case .withdrawExclusion(let id): withdrawExclusion(id, &change.record)
    case .prove(let victim, let victimIncarnation, let evidence, let by):
      refusal = prove(victim, victimIncarnation, evidence, by, &change)
    case .changeConfiguration(let configuration):
      refusal = beginConfiguration(configuration, &change.record)
    case .beginOperation(let operation):
      refusal = change.record.begin(operation, by: pending.name(of: slot))
    case .advanceOperation(let id, let step):
      refusal = change.record.advance(id, to: step, by: pending.name(of: slot))
    case .endOperation(let id): refusal = change.record.end(id, by: pending.name(of: slot))
    case .capabilities(let capabilities):
      for index in change.record.members.indices where change.record.members[index].slot == slot {
        change.record.members[index].capabilities = capabilities
      }
    }
    if refusal == nil, change.record != before.record,
      change.record.encoded.count + 64 > RecordLimits.bytes
    {
      refusal = "the cluster's record would exceed \(RecordLimits.bytes) bytes"
    }
    guard let refusal else { return }
    change = before
    change.batch.append(
      ControlMessage(
        origin: slot, incarnation: pending.incarnation,
        payload: .refused(
          sequence: pending.sequence, reason: String(refusal.prefix(200)))))
  }

  // MARK: - Lockspaces

  private func joinSpace(
    _ name: LockspaceName, _ kind: UInt8, _ slot: NodeSlot, _ record: inout Record
  ) -> String? {
    guard let index = record.spaces.firstIndex(where: { $0.name == name }) else {
      guard record.spaces.count < RecordLimits.spaces else {
        return "there are \(record.spaces.count) lockspaces already; leave one that is not needed"
      }
      let place = record.spaces.firstIndex { $0.name > name } ?? record.spaces.count
      record.spaces.insert(
        Space(
          name: name, kind: kind, generation: 0, phase: .stopping, members: [slot], leaving: [],
          stuckCount: 0), at: place)
      record.stop(place)
      return nil
    }
    guard record.spaces[index].kind == kind else {
      return "the cluster has a lockspace of that name of another kind; leave it first"
    }
    guard !record.spaces[index].leaving.contains(slot) else {
      return "this node is still leaving it"
    }
    guard !record.spaces[index].members.contains(slot) else { return nil }
    record.spaces[index].members.insert(slot)
    record.stop(index)
    return nil
  }

  private func leaveSpace(_ name: LockspaceName, _ slot: NodeSlot, _ record: inout Record) {
    guard let index = record.spaces.firstIndex(where: { $0.name == name }),
      record.spaces[index].members.contains(slot)
    else { return }
    record.spaces[index].members.remove(slot)
    record.spaces[index].leaving.insert(slot)
    record.stop(index)
  }

  private mutating func restartSpace(
    _ name: LockspaceName, _ waitsFor: NodeSlot?, _ slot: NodeSlot, _ record: inout Record
  ) {
    guard let index = record.spaces.firstIndex(where: { $0.name == name }),
      record.spaces[index].members.contains(slot), record.spaces[index].phase == .started
    else { return }
    if let waitsFor, let member = record[member: waitsFor] {
      record.spaces[index].stuckCount = min(record.spaces[index].stuckCount + 1, 200)
      if record.spaces[index].stuckCount > 2 {
        leader?.condemned.insert(
          NodeInstanceSlot(slot: waitsFor, incarnation: member.incarnation))
        record.spaces[index].stuckCount = 0
      }
    }
    record.stop(index)
  }

  // MARK: - Coming and going

  private func holdsSpace(_ slot: NodeSlot, _ record: Record) -> Bool {
    record.spaces.contains { $0.members.contains(slot) || $0.leaving.contains(slot) }
  }

  private func clean(_ slot: NodeSlot, _ record: inout Record) -> String? {
    guard !holdsSpace(slot, record) else { return "it is a member of a lockspace" }
    for index in record.members.indices where record.members[index].slot == slot {
      record.members[index].isDirty = false
    }
    return nil
  }

  private func leave(_ slot: NodeSlot, _ record: inout Record) -> String? {
    if let refusal = clean(slot, &record) { return refusal }
    record.viewID += 1
    record.members.removeAll { $0.slot == slot }
    record.withdrawFromOperations(slot)
    return nil
  }

  // MARK: - Proofs

  /// What somebody vouches for, about a removed incarnation only.
  private func prove(
    _ slot: NodeSlot, _ incarnation: Incarnation, _ evidence: Evidence, _ by: String,
    _ change: inout Change
  ) -> String? {
    guard
      let removed = change.record.removed.first(where: {
        $0.member.slot == slot && $0.member.incarnation == incarnation
      })
    else { return "\(nodeName(slot)) was not removed in that incarnation" }
    if evidence == .administrator, heard.contains(slot),
      peers[slot.number].incarnation == incarnation
    {
      return "\(nodeName(slot)) is heard: it is alive; switch it off first"
    }
    guard removed.member.isDirty else { return nil }
    change.batch.append(proof(of: removed.member, evidence, by: String(by.prefix(200))))
    change.record.settle(slot, through: incarnation)
    return nil
  }
}

extension LeaderState.Pending {
  fileprivate func name(of slot: NodeSlot) -> VolumeOperation.ID {
    VolumeOperation.ID(slot: slot, incarnation: incarnation, life: life, sequence: sequence)
  }
}

extension Record {
  fileprivate mutating func note(_ pending: LeaderState.Pending, of slot: NodeSlot) {
    guard self[member: slot] != nil else { return }
    let entry = LastRequest(
      slot: slot, incarnation: pending.incarnation, life: pending.life,
      sequence: pending.sequence)
    if let index = requests.firstIndex(where: { $0.slot == slot }) {
      requests[index] = entry
    } else {
      requests.append(entry)
    }
  }
}
