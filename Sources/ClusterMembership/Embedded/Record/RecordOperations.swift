import ClusterTypes

// What requests make of the volume operations in the record (membership design, section 16). Each
// returns why it is refused, or nil. `asker` names the request; whoever begins an operation holds the
// volume group's lock, so that an earlier one of the group is over, whether its end was told or not.

extension Record {
  mutating func begin(_ operation: VolumeOperation, by asker: VolumeOperation.ID) -> String? {
    if let refusal = refusalOfOutlived(asker) { return refusal }
    guard !operation.participants.isEmpty, operation.participants.isSubset(of: memberSet) else {
      return "not all participants are in the cluster"
    }
    operations.removeAll { $0.volumeGroup == operation.volumeGroup }
    if operations.count >= RecordLimits.operations, let other = operations.first {
      return "busy: \(other.title) of \(name(other.id.slot)) and \(operations.count - 1) more "
        + "changes are under way; try again"
    }
    var operation = operation
    operation.id = asker
    operation.step = .prepare
    operations.append(operation)
    return nil
  }

  mutating func advance(
    _ id: VolumeOperation.ID, to step: VolumeOperation.Step, by asker: VolumeOperation.ID
  ) -> String? {
    if let refusal = refusalOfOutlived(asker) { return refusal }
    guard let index = operations.firstIndex(where: { $0.id == id }) else {
      return "the operation is over"
    }
    guard asker.isSameLife(as: id) else { return "\(name(id.slot)) coordinates the operation" }
    guard operations[index].step < step else {
      return "step \(operations[index].step) is not followed by \(step)"
    }
    operations[index].step = step
    return nil
  }

  /// By its coordinator, or by anybody once that is gone.
  mutating func end(_ id: VolumeOperation.ID, by asker: VolumeOperation.ID) -> String? {
    guard let operation = operations.first(where: { $0.id == id }) else { return nil }
    guard asker.isSameLife(as: id) || isOrphan(operation) else {
      return "\(name(id.slot)) still coordinates the operation"
    }
    operations.removeAll { $0.id == id }
    return nil
  }

  /// Nobody waits for a node that is no member any more, whether it was removed or has left.
  mutating func withdrawFromOperations(_ slot: NodeSlot) {
    for index in operations.indices { operations[index].participants.remove(slot) }
  }

  /// Whether the coordinator's life has ended: nothing is decided about the operation any more but
  /// its end.
  public func isOrphan(_ operation: VolumeOperation) -> Bool {
    guard let member = self[member: operation.id.slot] else { return true }
    return member.incarnation != operation.id.incarnation || member.life > operation.id.life
  }

  /// What an earlier life of a node asked for comes too late: others may have acted on its end.
  private func refusalOfOutlived(_ asker: VolumeOperation.ID) -> String? {
    guard let member = self[member: asker.slot], asker.life >= member.life else {
      return "it was asked for by an earlier life of the node"
    }
    return nil
  }

  private func name(_ slot: NodeSlot) -> String {
    node(slot).map { "node \($0.id)" } ?? "the node in slot \(slot)"
  }
}

extension VolumeOperation.ID {
  fileprivate func isSameLife(as other: Self) -> Bool {
    slot == other.slot && incarnation == other.incarnation && life == other.life
  }
}
