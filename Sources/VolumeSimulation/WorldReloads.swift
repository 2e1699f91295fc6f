import ClusterTypes
import LVMMetadata
import VolumeActivation
import VolumeCoordination
import VolumeJobs

// LVM's own lvextend over lvmlockd's socket: it writes and changes over on its own node, and the daemon
// there releases its lock when the other nodes have loaded what is on the disks.
//
// There is no record of that. What LVM has committed the disks say, and they say it to whoever outlives
// the command's node: until its fence the group's lock is held, and its lockspace does not go on before
// everybody has followed the disks.

extension VolumeWorld {
  /// Everything that the command does by itself, in one go; it ends with its daemon here.
  func runLVM(
    _ command: VolumeCommand, _ change: VolumeChange, _ text: MetadataText, on node: SimulatedNode
  ) {
    let life = node.life
    var lvm = VolumeGroupJobs(
      mapper: SimulatedMapper(node, self), disks: SimulatedDisks(node: node, world: self),
      volumeGroupID: committed.id.dashed)
    for job in [
      VolumeJob.writePrecommitted(change), .prepare(change), .commit(change), .resume(change),
    ] {
      let result = lvm.run(job, text: text)
      note("LVM on node \(node.id) ends \(job.name): \(result)")
      guard node.isRunning, node.life == life else { return }
      guard !result.isSuccess else { continue }
      // It goes back as far as it can, and tells that it has failed.
      let undo = lvm.run(.abandon(change))
      guard node.isRunning, node.life == life else { return }
      if isCommitted || !undo.isSuccess { node.lags = true } else { _ = lvm.run(.revert(change)) }
      guard node.isRunning, node.life == life else { return }
      node.isLeftByLVM = !undo.isSuccess
      break
    }
    reload(command, change, on: node)
  }

  private func reload(_ command: VolumeCommand, _ change: VolumeChange, on node: SimulatedNode) {
    let others = nodes.values.filter { $0.isRunning && $0.id != node.id }.map(\.instance)
    guard mutation != .skipsReload,
      let request = try? ReloadRequest(
        id: change.id, volumeGroup: change.volumeGroup, volumeGroupID: change.volumeGroupID)
    else { return end(command) }
    var collector = ReloadCollector(request: request, nodes: Set(others))
    let effects = collector.start(at: now)
    command.collector = collector
    carryOut(effects, of: command)
  }

  func carryOut(_ effects: [ReloadCollector.Effect], of command: VolumeCommand) {
    guard let node = nodes[command.origin.node] else { return }
    for effect in effects {
      guard node.isRunning, node.instance == command.origin, !command.isOver else { return }
      switch effect {
      case .send(let message, let receiver): send(message, from: node, to: receiver)
      case .report(let text): note("command \(command.index): \(text)")
      case .finished(let result):
        hit(.reloaded)
        // LVM tells which they are; what they serve is the beginning of the new mapping.
        for (instance, outcome) in result.nodes where outcome.isFailure {
          if let node = nodes[instance.node], node.instance == instance { node.lags = true }
        }
        end(command)
      }
    }
  }

  private func end(_ command: VolumeCommand) {
    note("command \(command.index) of LVM ends")
    command.answer = .ended
    lock.release(command.claim)
  }

  /// Whoever has followed the disks is behind nobody.
  func noteFollowing(_ job: VolumeJob, _ result: VolumeJobResult, on node: SimulatedNode) {
    switch (job, result) {
    case (.recover, .recovered): (node.lags, node.isLeftByLVM) = (false, false)
    case (.refresh, .refreshed(let volumes, _)):
      if !NodeReload.finished(volumes).isFailure { node.lags = false }
    default: break
    }
  }
}

extension VolumeJobResult {
  fileprivate var isSuccess: Bool {
    switch self {
    case .done, .committed, .recovered, .refreshed: true
    case .failed, .commitUncertain: false
    }
  }
}

extension NodeReload {
  fileprivate var isFailure: Bool {
    switch self {
    case .fenced: false
    case .failed: true
    case .finished(let volumes):
      volumes.contains { if case .failed = $0.outcome { true } else { false } }
    }
  }
}
