import ClusterTypes
import LockProtocol

/// START, from the control plane: the new members, and what an idle node may forget
/// (dlm-wire 15.2, steps 1 to 4).
extension LockspaceMachine {
  mutating func start(members: [Member], departed: Set<NodeID>) {
    switch recovery.phase {
    case .running: return effects.append(.recoveryFailed(.notStopped))
    // A start that is not finished is replaced.
    case .pinging, .collectingSlots, .awaitingSlots, .readingNames, .waiting, .findingMasters,
      .sendingLocks, .failed:
      stop()
    case .neverStarted, .stopped: break
    }
    recovery.sequence &+= 1
    statistics.recoveries += 1
    guard members.contains(where: { $0.node == localNode }) else { return fail(.notMember) }
    forgetIdleResources()
    setMembers(members, departed: departed)
    takeSnapshot()
    ping(next: 0)
  }

  private mutating func forgetIdleResources() {
    for id in resources.ids where resources[id].idleSince != nil { resources.remove(id) }
    nextScan = nil
  }

  private mutating func setMembers(_ members: [Member], departed: Set<NodeID>) {
    let old = Set(recovery.members.map(\.node))
    let new = Set(members.map(\.node))
    let gone = old.subtracting(new).union(departed.intersection(old))
    for node in gone.sorted() { effects.append(.memberRemoved(node)) }
    for node in new.sorted() where node != localNode {
      if gone.contains(node) || !old.contains(node) { effects.append(.memberAdded(node)) }
    }
    recovery.departed.formUnion(gone)
    recovery.joined.formUnion(new.subtracting(old.subtracting(gone)).subtracting([localNode]))
    recovery.members = members.sorted { $0.node < $1.node }
    recovery.others = recovery.members.map(\.node).filter { $0 != localNode }
    directory = DirectoryMap(
      weights: Dictionary(members.map { ($0.node, $0.weight) }, uniquingKeysWith: { $1 }))
    for node in gone { recovery.earlierSlots[node] = nil }
  }

  private mutating func takeSnapshot() {
    recovery.snapshot = resources.ids
    for id in recovery.snapshot {
      resources[id].isInRecovery = true
      resources[id].directory = directoryNode(forHash: resources[id].hash)
      resources[id].isMasterUnconfirmed =
        resources[id].directory == localNode && resources[id].master != nil
    }
    recovery.masteredNames = recovery.snapshot.filter { isMaster(of: $0) }
      .map { resources[$0].name }.sorted()
  }

  // MARK: Ping (15.2, step 5)

  mutating func ping(next: Int) {
    recovery.phase = .pinging(next: next)
    guard next < recovery.others.count else { return collectNodes() }
    ask(recovery.others[next], .status(needsSlots: false))
  }
}
