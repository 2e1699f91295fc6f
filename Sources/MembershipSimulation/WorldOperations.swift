import ClusterMembership
import ClusterSimulation
import ClusterTypes

// Changes of volume groups in the record: nodes begin them, take them from step to step, end them or
// die meanwhile, and whoever is left ends what the dead left (membership design, section 16).

extension MembershipWorld {
  /// One node does the next thing about the operations that it knows of.
  func pursueOperations(_ slot: NodeSlot) {
    let machine = machines[slot.index.asInt]
    guard plan.hasOperations, let daemon = machine.daemon, daemon.isMember,
      machine.frozenUntil <= now, daemon.undecidedRequests == 0
    else { return }
    let record = daemon.record
    for orphan in record.operations where record.isOrphan(orphan) && chance.chance(50) {
      askForEnd(of: orphan, slot)
    }
    let own = record.operations.first {
      $0.id.slot == slot && $0.id.incarnation == daemon.incarnation && $0.id.life == daemon.life
    }
    guard let own else {
      // In the calm at the end everything comes to its end.
      if !isCalm, chance.chance(60) { beginOperation(slot, record) }
      return
    }
    let next = VolumeOperation.Step(rawValue: own.step.rawValue + 1)
    if let next, !isCalm, chance.chance(70) {
      operationSteps[own.id] = max(operationSteps[own.id] ?? .prepare, next)
      request(.advanceOperation(own.id, next), slot)
    } else {
      askForEnd(of: own, slot)
    }
  }

  /// A node changes a group of its own, so that nobody else can have its lock.
  private func beginOperation(_ slot: NodeSlot, _ record: Record) {
    operationCount += 1
    var participants = record.memberSet
    for other in record.memberSet where other != slot && chance.chance(30) {
      participants.remove(other)
    }
    request(
      .beginOperation(
        VolumeOperation(
          number: operationCount, volumeGroup: "group-\(slot.index)",
          groupName: "vg\(slot.index)", title: "lvextend vg\(slot.index)/lv",
          oldSequence: UInt32(operationCount), newSequence: UInt32(operationCount) + 1,
          coordinator: slot, participants: participants)), slot)
  }

  private func askForEnd(of operation: VolumeOperation, _ slot: NodeSlot) {
    endsAsked[operation.id, default: []].insert(slot)
    request(.endOperation(operation.id), slot)
  }

  /// S10: an operation begins once, goes forward as its coordinator asked, and is there until somebody
  /// who may has asked for its end. That all nodes have the same ones is S1.
  func noteOperations(_ record: Record, _ old: Record, _ decision: Decision) {
    for operation in record.operations {
      if let before = old.operations.first(where: { $0.id == operation.id }) {
        noteStep(of: operation, before, decision)
      } else if !operationsSeen.insert(operation.id).inserted {
        violate("S10: \(described(operation)) is there again after its end")
      } else if operation.step != .prepare || record.isOrphan(operation) && old.isOrphan(operation)
      {
        violate("S10: \(described(operation)) begins at step \(operation.step)")
      } else {
        operationTerms[operation.id] = decision.term
      }
    }
    for operation in old.operations
    where !record.operations.contains(where: { $0.id == operation.id }) {
      noteEnd(of: operation, record, old)
    }
  }

  private func noteStep(
    of operation: VolumeOperation, _ before: VolumeOperation, _ decision: Decision
  ) {
    if operation.step < before.step {
      violate("S10: \(described(operation)) goes back from \(before.step) to \(operation.step)")
    }
    if operation.step > operationSteps[operation.id] ?? .prepare {
      violate("S10: \(described(operation)) is at \(operation.step), which nobody asked for")
    }
    if operation.step > before.step, operationTerms[operation.id] != decision.term {
      situations.insert(.operationOutlivedLeader)
    }
    if !operation.participants.isSubset(of: decision.record.memberSet) {
      violate("S10: \(described(operation)) waits for a node that is no member")
    }
  }

  private func noteEnd(of operation: VolumeOperation, _ record: Record, _ old: Record) {
    let asked = endsAsked[operation.id] ?? []
    let isReplaced = record.operations.contains { $0.volumeGroup == operation.volumeGroup }
    if isReplaced { return }
    if asked.contains(operation.id.slot), !old.isOrphan(operation) { return }
    // Nobody was left whom it concerned.
    if operation.participants.isEmpty { return }
    guard old.isOrphan(operation) || record.isOrphan(operation), !asked.isEmpty else {
      return violate("S10: \(described(operation)) is lost")
    }
    situations.insert(.operationOutlivedCoordinator)
  }

  /// Long after the last fault nobody's change is left.
  func checkOperationsEnded() {
    for machine in machines {
      guard let daemon = machine.daemon, daemon.isMember else { continue }
      for operation in daemon.record.operations {
        violate("L5: n\(machine.slot.index) still knows \(described(operation))")
      }
    }
  }

  private func described(_ operation: VolumeOperation) -> String {
    "operation \(operation.number) of n\(operation.id.slot.index)"
  }
}
