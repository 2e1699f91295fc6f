import ClusterTypes
import VolumeCoordination

// Daemons that come back before their node is missed: the same member with another daemon, as the embedded
// provider's record tells. Its lockspaces stop and start once.

extension VolumeWorld {
  func renewDaemon(_ node: SimulatedNode) {
    noteDeath(of: node)
    node.isRunning = false
    node.life += 1
    node.stalledUntil = nil
    for command in commands where command.origin == node.instance && !command.isOver {
      command.isLost = true
    }
    openDeaths.insert(node.instance)
    agenda.schedule(.renew(node.id), after: .milliseconds(500))
  }

  func bringBack(_ node: SimulatedNode) {
    guard !node.isRunning, node.isPowered else { return }
    node.isRunning = true
    beginLife(of: node)
    let numbers = commands.filter { $0.origin == node.instance && $0.isOver }
      .compactMap { $0.change?.id.number }
    record.renew(node.instance, above: numbers.max() ?? 0)
    note("node \(node.id) goes on as \(node.instance) with another daemon")
    // It knows of what was told before it began.
    for instance in renewals.keys { renewals[instance]?.remove(node.instance) }
    let observers = nodes.values.filter(\.isRunning).map(\.instance)
    renewals[node.instance] = Set(observers)
    for observer in observers.sorted() {
      let delay = Duration.microseconds(UInt64.random(in: 300...40_000, using: &random))
      agenda.schedule(.renewed(node.instance, at: observer), after: delay)
    }
    updateQuorum()
  }

  /// As `VolumeService` hears it.
  func tellRenewal(of instance: NodeInstance, to node: SimulatedNode) {
    guard renewals[instance]?.contains(node.instance) == true else { return }
    if node.instance != instance {
      if !node.participant.openChanges.isEmpty { hit(.renewedUnderChange) }
      feed(.nodeRemoved(instance), to: node)
      outlive(instance, on: node)
      feed(.nodeRenewed(instance), to: node)
    }
    if mutation != .grantsBeforeRecovery { node.owesSettling = true }
    renewals[instance]?.remove(node.instance)
  }

  /// Not every node knows of the new daemon: it takes part in nothing yet.
  func isRenewing(_ instance: NodeInstance) -> Bool { renewals[instance] != nil }

  /// A renewal is told when every node that runs has heard of it.
  func closeRenewals() {
    for (instance, missing) in renewals where !told.contains(instance) {
      let isRunning = nodes[instance.node].map { $0.instance == instance && $0.isRunning } ?? false
      guard isRunning else {
        // It died once more: the survivors hear of that.
        renewals[instance] = nil
        continue
      }
      let left = missing.filter { observer in
        nodes[observer.node].map { $0.instance == observer && $0.isRunning && !$0.isRemoved }
          ?? false
      }
      if left.isEmpty { told.insert(instance) }
    }
  }
}
