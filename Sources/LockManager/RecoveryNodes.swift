import ClusterTypes
import LockProtocol

/// Phase NODES: everybody has the new members, and gets its slot (dlm-wire 15.2, steps 6 and 7).
/// The low node decides the slots; a slot must not change while its node is a member.
extension LockspaceMachine {
  mutating func collectNodes() {
    recovery.status.insert(.nodes)
    recovery.pollCount = 0
    if isLowNode {
      recovery.collectedSlots = []
      collectSlots(next: 0)
    } else {
      recovery.phase = .awaitingSlots
      continueRecovery()
    }
  }

  // MARK: The low node

  mutating func collectSlots(next: Int) {
    recovery.phase = .collectingSlots(next: next)
    guard next < recovery.others.count else {
      assignSlots()
      recovery.status.insert(.allNodes)
      return beginDirectory()
    }
    ask(recovery.others[next], .status(needsSlots: false))
  }

  mutating func slotAnswered(next: Int, status: RecoveryStatus, reply: StatusReply) {
    guard status.contains(.nodes) else { return pauseRecovery() }
    recovery.pollCount = 0
    recovery.collectedSlots.append(
      (recovery.others[next], reply.ourSlot, reply.generation))
    collectSlots(next: next + 1)
  }

  /// Existing numbers stay; new members get the lowest free ones, by node id.
  private mutating func assignSlots() {
    recovery.collectedSlots.append((localNode, recovery.ownSlot, recovery.generation))
    let isContradicted = recovery.collectedSlots.contains { member in
      guard let earlier = recovery.earlierSlots[member.node], earlier != 0 else { return false }
      return member.slot != 0 && member.slot != earlier
    }
    guard !isContradicted else {
      // No table then; but a node of generation 0 would not keep messages at the next stop.
      recovery.generation = max(recovery.generation, 1)
      return
    }
    var taken = Set(recovery.collectedSlots.map(\.slot))
    var slots: [LockspaceSlot] = []
    for member in recovery.collectedSlots.sorted(by: { $0.node < $1.node }) {
      var slot = member.slot
      if slot == 0 {
        slot = 1
        while taken.contains(slot) { slot += 1 }
        taken.insert(slot)
      }
      slots.append(LockspaceSlot(node: member.node, slot: slot))
    }
    recovery.generation = (recovery.collectedSlots.map(\.generation).max() ?? 0) &+ 1
    takeSlots(slots)
  }

  // MARK: The others

  mutating func slotTableAnswered(status: RecoveryStatus, reply: StatusReply) {
    guard status.contains(.allNodes) else { return pauseRecovery() }
    recovery.generation = reply.generation
    takeSlots(reply.slots)
    beginDirectory()
  }

  private mutating func takeSlots(_ slots: [LockspaceSlot]) {
    recovery.slots = slots
    for slot in slots where recovery.isMember(slot.node) {
      recovery.earlierSlots[slot.node] = slot.slot
      if slot.node == localNode, recovery.ownSlot == 0 { recovery.ownSlot = slot.slot }
    }
  }
}
