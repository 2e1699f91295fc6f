import ClusterTypes

@testable import VolumeCoordination

// What the jobs do to the simulated disk and devices, and what troubles do to nodes.

extension SimulatedCluster {
  mutating func applyJob(_ job: VolumeJob, on id: NodeID, area: Int?) {
    guard var node = nodes[id] else { return }
    defer { nodes[id] = node }
    switch job {
    case .writePrecommitted(let change):
      for index in disk.areas.indices { disk.areas[index].precommitted = change.newSeqno }
    case .prepare(let change):
      let source =
        change.kind.changesMetadata ? disk.areas.compactMap(\.precommitted).max() : disk.committed
      if source == change.newSeqno, disk.committed == change.oldSeqno {
        node.inactive = change.newSeqno
      }
    case .suspend: node.isSuspended = true
    case .commit(let change):
      if let area {
        disk.areas[area] = .init(committed: change.newSeqno)
      }
    case .resume(let change):
      if !node.isSuspended, change.kind.leavesOldMappingFirst {
        violate("node \(id) resumes \(change) without being suspended")
      }
      node.live = node.inactive ?? node.live
      node.inactive = nil
      node.isSuspended = false
      if node.live != disk.committed {
        violate("node \(id) resumed on \(node.live), the disk has \(disk.committed)")
      }
    case .abandon:
      node.inactive = nil
      node.isSuspended = false
    case .revert:
      for index in disk.areas.indices { disk.areas[index].precommitted = nil }
    case .recover, .refresh, .isolate:
      node.live = disk.committed
      node.inactive = nil
      node.isSuspended = false
    }
  }

  func endJob(
    _ job: VolumeJob, _ id: NodeID, _ fails: [Bool], _ isUncertain: Bool
  ) -> VolumeJobResult {
    let failure = VolumeJobResult.failed("The disk is in a bad mood.")
    switch job {
    case .commit(let change):
      if isUncertain { return .commitUncertain("The answer was lost.") }
      let stale = disk.areas.indices.filter { disk.areas[$0].committed < change.newSeqno }
      return stale.count == disk.areas.count
        ? failure : .committed(staleAreas: stale.map { "/dev/sd\($0)" })
    case .prepare(let change):
      return nodes[id]?.inactive == change.newSeqno ? .done : failure
    case .recover: return fails[0] ? failure : .recovered(seqno: disk.committed)
    case .refresh: return fails[0] ? failure : .refreshed([])
    case .isolate: return fails[0] ? failure : .recovered(seqno: disk.committed)
    case .writePrecommitted, .suspend, .resume, .abandon, .revert:
      return fails[0] ? failure : .done
    }
  }

  mutating func strike(_ trouble: Trouble, _ id: NodeID) {
    guard let node = nodes[id], node.isRunning, !node.isIsolated else { return }
    note("trouble: node \(id) \(trouble)")
    switch trouble {
    case .machineDies:
      nodes[id]?.hasPower = false
      nodes[id]?.isRunning = false
      announceDeath(of: node.instance)
    case .daemonDies:
      // The kernel's devices stay, and the daemon's next life proves the end of this one.
      nodes[id]?.isRunning = false
      announceDeath(of: node.instance)
    case .isIsolated:
      nodes[id]?.isIsolated = true
      schedule(.powerOff(node.instance), after: 3000...3000)
      schedule(.input(.quorum(false), node.instance), after: 500...1000)
      announceDeath(of: node.instance)
    case .losesQuorumForAWhile:
      schedule(.input(.quorum(false), node.instance), after: 0...0)
      schedule(.input(.quorum(true), node.instance), after: 100...15000)
    }
  }

  /// Every other node learns first that the node left, and after the fence that it is dead.
  private mutating func announceDeath(of instance: NodeInstance) {
    for other in nodes.values where other.instance != instance {
      if random.chance(90) {
        schedule(.input(.nodeRemoved(instance), other.instance), after: 1000...1500)
      }
      schedule(.input(.nodeFenced(instance), other.instance), after: 3001...4000)
    }
    schedule(.restart(instance.node), after: 8000...12000)
  }

  /// The node's next life begins. It looks at its devices under the volume group's lock, so not
  /// while a change is going on.
  mutating func restart(_ id: NodeID) {
    guard let old = nodes[id], !old.isRunning else { return }
    let isChanging: Bool
    if let coordinator, isRunning(coordinator.change.id.origin) {
      isChanging = result == nil
    } else {
      isChanging = nodes.values.contains {
        $0.isRunning && $0.participant.isBusy(volumeGroupID: Self.volumeGroupID)
      }
    }
    guard !isChanging else { return schedule(.restart(id), after: 1000...2000) }
    fenced.insert(old.instance)
    let instance = NodeInstance(id, Incarnation(old.instance.incarnation.rawValue + 1))
    var node = SimulatedNode(
      instance: instance, participant: ChangeParticipant(node: instance), live: disk.committed)
    if old.hasPower {
      (node.live, node.inactive, node.isSuspended) = (old.live, old.inactive, old.isSuspended)
    }
    nodes[id] = node
    schedule(.tick(instance), after: 300...700)
    guard node.isSuspended || node.inactive != nil else { return }
    let effects =
      nodes[id]?.participant.recoverLeftovers(
        volumeGroup: "vg", volumeGroupID: Self.volumeGroupID) ?? []
    for case .runJob(let job) in effects {
      schedule(.jobEffect(job, instance, area: nil, fails: false), after: 1...30)
      schedule(.jobDone(job, instance, fails: [false], isUncertain: false), after: 31...60)
    }
  }

  // MARK: Invariants

  /// No two devices run un-suspended on different mappings, unless these do not contradict each
  /// other and the change is not over.
  mutating func checkMappings() {
    let running = nodes.values.filter { $0.hasPower && !$0.isSuspended }
    let mayDiffer = coordinator?.change.kind.leavesOldMappingFirst == false && !isQuiet
    if !mayDiffer, let first = running.first, running.contains(where: { $0.live != first.live }) {
      violate(
        "un-suspended on "
          + running.map { "\($0.instance.node): \($0.live)" }.joined(separator: ", "))
    }
    for node in nodes.values where node.hasPower && node.isRunning && node.isSuspended {
      if !node.participant.isBusy(volumeGroupID: Self.volumeGroupID) {
        violate("node \(node.instance.node) is suspended and nobody is responsible")
      }
    }
  }

  /// The lock is released now: every node that acts has the committed mapping.
  mutating func checkRelease(_ result: ChangeResult) {
    let expected =
      result.outcome == .committed ? result.change.newSeqno : result.change.oldSeqno
    if disk.committed != expected {
      violate("\(result.outcome), but the disk has \(disk.committed)")
    }
    for node in nodes.values where node.hasPower && node.isRunning {
      if node.isSuspended || node.live != expected {
        violate("released while node \(node.instance.node) is not on seqno \(expected)")
      }
    }
  }
}
