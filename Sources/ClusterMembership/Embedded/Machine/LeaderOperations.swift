import ClusterTypes

// Volume operations in the record (membership design, section 16).

extension EmbeddedMembership {
  func begin(
    _ operation: VolumeOperation, _ pending: LeaderState.Pending, _ slot: NodeSlot,
    _ record: inout Record
  ) -> String? {
    if let other = record.operations.first(where: { $0.volumeGroup == operation.volumeGroup }) {
      return busy(other)
    }
    if record.operations.count >= RecordLimits.operations, let other = record.operations.first {
      return busy(other)
    }
    guard !operation.participants.isEmpty,
      operation.participants.isSubset(of: record.memberSet)
    else { return "not all participants are in the cluster" }
    var operation = operation
    operation.id = VolumeOperation.ID(
      slot: slot, incarnation: pending.incarnation, life: pending.life,
      sequence: pending.sequence)
    operation.coordinator = slot
    operation.coordinatorIncarnation = pending.incarnation
    operation.step = .prepare
    operation.acknowledged = []
    operation.failed = []
    record.operations.append(operation)
    return nil
  }

  private func busy(_ operation: VolumeOperation) -> String {
    "busy: an operation of \(nodeName(operation.coordinator)) is in step \(operation.step)"
  }

  func advance(
    _ id: VolumeOperation.ID, _ step: VolumeOperation.Step, _ slot: NodeSlot,
    _ record: inout Record
  ) -> String? {
    guard let index = record.operations.firstIndex(where: { $0.id == id }) else {
      return "the operation is over"
    }
    let operation = record.operations[index]
    guard operation.coordinator == slot else { return "another node coordinates it now" }
    guard operation.step.mayBecome(step) else {
      return "step \(operation.step) is not followed by \(step)"
    }
    let isComplete = operation.participants.isSubset(of: operation.acknowledged)
    if step == .suspend || step == .committing, !isComplete || !operation.failed.isEmpty {
      return "not all participants have done step \(operation.step)"
    }
    record.operations[index].step = step
    record.operations[index].acknowledged = []
    record.operations[index].failed = []
    return nil
  }

  func acknowledge(
    _ id: VolumeOperation.ID, _ step: VolumeOperation.Step, _ isDone: Bool, _ slot: NodeSlot,
    _ record: inout Record
  ) {
    guard let index = record.operations.firstIndex(where: { $0.id == id }),
      record.operations[index].step == step, record.operations[index].participants.contains(slot)
    else { return }
    if isDone {
      record.operations[index].acknowledged.insert(slot)
    } else {
      record.operations[index].failed.insert(slot)
    }
  }
}
