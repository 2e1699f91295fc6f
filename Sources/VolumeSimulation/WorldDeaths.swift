import ClusterTypes
import VolumeActivation
import VolumeCoordination
import VolumeJobs

// Nodes that die, and what the others do until a death is over.

extension VolumeWorld {
  /// A life ends. The others notice after a while, and only its fence or a new life proves it.
  func announceDeath(of instance: NodeInstance, proofAfter delay: Duration) {
    openDeaths.insert(instance)
    for node in nodes.values.sorted(by: { $0.id < $1.id })
    where node.isRunning && node.id != instance.node {
      agenda.schedule(.removed(instance, at: node.instance), after: .milliseconds(1000))
    }
    agenda.schedule(.fenced(instance), after: delay)
    if mutation == .grantsBeforeFence { lock.forget(instance) }
  }

  func powerDown(_ node: SimulatedNode) {
    let wasRemoved = node.isRemoved
    noteDeath(of: node)
    node.isPowered = false
    node.isRunning = false
    node.life += 1
    node.stalledUntil = nil
    node.suspendedSince = [:]
    if !wasRemoved { announceDeath(of: node.instance, proofAfter: .milliseconds(3000)) }
    agenda.schedule(.restart(node.id), after: .milliseconds(10_000))
  }

  func killDaemon(_ node: SimulatedNode) {
    noteDeath(of: node)
    node.isRunning = false
    node.life += 1
    node.stalledUntil = nil
    announceDeath(of: node.instance, proofAfter: .milliseconds(2100))
    agenda.schedule(.restart(node.id), after: .milliseconds(2000))
  }

  func restart(_ node: SimulatedNode) {
    guard !node.isRunning else { return }
    lives += 1
    node.instance = NodeInstance(node.id, Incarnation(lives))
    if !node.isPowered { (node.kernel, node.lags) = (SampleDisks.kernel(), false) }
    for index in node.lostDisks { node.kernel.blockDevices[SampleDisks.numbers[index]] = nil }
    (node.isPowered, node.isRunning, node.isRemoved) = (true, true, false)
    beginLife(of: node)
    if node.owesRecovery { lock.request(.init(owner: node.instance, purpose: .recovery)) }
    note("node \(node.id) runs as \(node.instance)")
    updateQuorum()
  }

  /// A daemon that knows nothing of the one before it, over whatever the kernel has.
  func beginLife(of node: SimulatedNode) {
    node.participant = ChangeParticipant(node: node.instance)
    (node.queue, node.isWorking, node.wakeAt) = ([], false, nil)
    (node.owesSettling, node.isSettling, node.owesRecovery) = (false, false, false)
    startLife(of: node)
    guard node.kernel.hasDevices else { return }
    noteLeftovers(on: node)
    if mutation != .ignoresLeftovers { (node.owesSettling, node.owesRecovery) = (true, true) }
  }

  func tellDeath(of instance: NodeInstance) {
    // A fence needs a majority that decides on it; a new life is proof by itself.
    let isBack = nodes[instance.node].map { $0.instance != instance && $0.isRunning } ?? false
    guard isBack || hasQuorum else {
      return agenda.schedule(.fenced(instance), after: .seconds(1))
    }
    // Whoever is stalled hears of it later, and until then nothing goes on.
    guard nodes.values.allSatisfy({ !$0.isRunning || $0.stalledUntil == nil || $0.isRemoved })
    else {
      return agenda.schedule(.fenced(instance), after: .seconds(1))
    }
    note("\(instance) is known to be dead")
    for id in nodes.keys.sorted() {
      guard let node = nodes[id], node.isRunning else { continue }
      if node.stalledUntil != nil { continue }
      if !node.participant.openChanges.isEmpty { hit(.settledUnderChange) }
      feed(.nodeFenced(instance), to: node)
      if mutation != .grantsBeforeRecovery { node.owesSettling = true }
    }
    told.insert(instance)
  }

  /// As the daemon does before a lockspace goes on without a member.
  func advanceSettling(_ node: SimulatedNode) {
    if node.owesSettling, !node.participant.isRecovering(volumeGroupID: committed.id.dashed) {
      node.owesSettling = false
      node.isSettling = true
      carryOut(
        node.participant.recoverLeftovers(
          volumeGroup: committed.name, volumeGroupID: committed.id.dashed), on: node)
    }
    guard !node.participant.isRecovering(volumeGroupID: committed.id.dashed) else { return }
    node.isSettling = false
    let claim = GroupLockOracle.Claim(owner: node.instance, purpose: .recovery)
    if node.owesRecovery, lock.holders.contains(claim) {
      node.owesRecovery = false
      lock.release(claim)
    }
  }

  func recoverLeftovers(on node: SimulatedNode) {
    carryOut(
      node.participant.recoverLeftovers(
        volumeGroup: committed.name, volumeGroupID: committed.id.dashed), on: node)
  }

  /// A death is over when everybody who is left has been told and has settled.
  func closeDeaths() {
    guard !told.isEmpty, nodes.values.allSatisfy({ !$0.isRunning || $0.isSettled }) else { return }
    for instance in told.sorted() {
      openDeaths.remove(instance)
      lock.forget(instance)
      if renewals.removeValue(forKey: instance) != nil, let node = nodes[instance.node],
        node.owesRecovery, node.instance == instance
      {
        lock.request(.init(owner: instance, purpose: .recovery))
      }
    }
    told = []
  }

  // MARK: - Quorum

  var hasQuorum: Bool { nodes.values.count { $0.isRunning && !$0.isRemoved } >= 2 }

  func updateQuorum() {
    for id in nodes.keys.sorted() {
      guard let node = nodes[id], node.isRunning else { continue }
      feed(.quorum(hasQuorum && !node.isRemoved), to: node)
    }
  }
}
