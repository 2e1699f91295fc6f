import ClusterTypes
import LVMMetadata
import VolumeActivation
import VolumeCoordination

// Noticing where a run has been.

extension VolumeWorld {
  func noteDeath(of node: SimulatedNode) {
    if let command = commands.first(where: { $0.origin == node.instance && !$0.isOver }),
      command.coordinator != nil, command.change?.kind.changesMetadata == true
    {
      hit(isCommitted ? .coordinatorDiedAfterCommit : .coordinatorDiedBeforeCommit)
      if isPartlyCommitted { hit(.coordinatorDiedWithinCommit) }
    } else if !node.kernel.suspendedDevices.isEmpty {
      hit(.participantDiedSuspended)
    } else if node.participant.isBusy(volumeGroupID: committed.id.dashed) {
      hit(.participantDiedPrepared)
    }
  }

  /// One area holds the new text as committed, another the old.
  private var isPartlyCommitted: Bool {
    let seqnos = MetadataScanner.scan(disks, texts: &texts).physicalVolumes.flatMap(\.areas)
      .compactMap {
        area -> UInt32? in
        if case .text(_, let text, _) = area.state { text.volumeGroup.seqno } else { nil }
      }
    return Set(seqnos).count > 1
  }

  func noteLeftovers(on node: SimulatedNode) {
    var kernel = node.kernel
    let states = ((try? kernel.devices()) ?? []).compactMap { try? kernel.state(of: $0.uuid) }
    if states.contains(where: \.isSuspended) { hit(.daemonRestartedSuspended) }
    if states.contains(where: \.hasInactiveTable) { hit(.daemonRestartedLoaded) }
  }

  func noteOutcome(of job: VolumeJob, _ result: VolumeJobResult, on node: SimulatedNode) {
    noteFollowing(job, result, on: node)
    switch (job, result) {
    case (.commit, .committed(let stale)) where !stale.isEmpty: hit(.partlyCommitted)
    case (.recover(_, _, let change?), .recovered(let seqno)):
      hit(seqno >= change.newSeqno ? .recoveredForward : .recoveredBack)
    default: break
    }
  }
}
