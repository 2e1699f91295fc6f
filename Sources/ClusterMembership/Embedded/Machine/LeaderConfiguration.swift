import ClusterTypes

// Changing who votes and by which times (membership design, section 17): first both configurations
// together, then the new one alone. And taking back voters whose memory was lost (section 14).

extension EmbeddedMembership {
  func beginConfiguration(
    _ new: ClusterConfiguration, _ record: inout Record
  ) -> String? {
    let problems = new.problems
    if let problem = problems.first { return problem }
    if record.configurations.count > 1 { return "a change of the configuration is under way" }
    let old = record.configuration
    if heard.contains(where: { isBlank($0, old) }) {
      return "a voter has lost its memory and is not taken back yet"
    }
    var reachable = heard
    reachable.insert(me)
    guard new.isQuorum(reachable, disk: old.hasDisk && new.hasDisk) else {
      return "the leader does not hear a quorum of the new configuration"
    }
    for member in record.members + record.removed.filter(\.member.isDirty).map(\.member) {
      guard let node = new[member.slot], node.id == old[member.slot]?.id, !node.isWitness else {
        return "\(nodeName(member.slot)) must leave before it is removed from the configuration"
      }
    }
    for node in new.nodes {
      if let known = old[node.slot], known.id != node.id {
        return "slot \(node.slot) belongs to node \(known.id)"
      }
    }
    var merged = new
    for node in old.nodes { merged.setAmnesia(node.amnesia, of: node.slot) }
    record.configurationVersion += 1
    record.configurations =
      defects.contains(.oneStepConfiguration) ? [merged] : [old, merged]
    for index in record.members.indices {
      record.members[index].longestLease = max(
        record.members[index].longestLease, old.timers.lease, new.timers.lease)
    }
    return nil
  }

  /// What is proposed here is committed by both; the next is the new one alone.
  func configurationStep(_ record: Record) -> Record? {
    guard record.configurations.count == 2 else { return nil }
    var next = record
    next.configurations.removeFirst()
    return next
  }

  private func isBlank(_ slot: NodeSlot, _ configuration: ClusterConfiguration) -> Bool {
    guard let node = configuration[slot], node.votes > 0 else { return false }
    let amnesia = slot == me ? state.amnesia : peers[slot.number].amnesia
    return amnesia != node.amnesia
  }

  /// Voters without memory are taken back by this decision, in which they have no vote. At the very
  /// first formation, when nobody has one, all of them at once.
  func amnesiaStep(_ record: Record) -> Record? {
    var next = record
    var known = NodeSet(heard.filter { peers[$0.number].uptime > 0 })  // it has pinged
    known.insert(me)
    if consensus.isBlank, !record.configuration.voters.isSubset(of: known) { return nil }
    for slot in record.configured where known.contains(slot) {
      let amnesia = slot == me ? state.amnesia : peers[slot.number].amnesia
      for index in next.configurations.indices
      where next.configurations[index][slot].map({ $0.amnesia != amnesia }) == true {
        next.configurations[index].setAmnesia(amnesia, of: slot)
      }
    }
    return next == record ? nil : next
  }
}
