import ClusterTypes
import VolumeCoordination

// Deliberate defects at the boundary of the machines and the jobs.

extension VolumeWorld {
  func mutated(
    _ job: VolumeJob, _ run: (VolumeJob) -> VolumeJobResult
  ) -> VolumeJobResult {
    switch (mutation, job) {
    case (.pretendsToPrepare, .prepare), (.pretendsToResume, .resume),
      (.pretendsToAbandon, .abandon), (.pretendsToIsolate, .isolate):
      return .done
    case (.ignoresLeftovers, .recover(_, _, nil)): return .recovered(seqno: committed.seqno)
    case (.shrinksAnywhere, .prepare(let change)) where change.kind == .shrink:
      return run(.prepare(change.as(.convert)))
    case (.commitsAbandoned, .revert(let change)):
      _ = run(.commit(change))
      return .done
    case (.some(.deniesCommit), .commit):
      let result = run(job)
      if case .committed = result { return .failed("denied") }
      return result
    default: return run(job)
    }
  }

  /// What happens too early once a job is done.
  func hurry(after job: VolumeJob, _ result: VolumeJobResult, on node: SimulatedNode) {
    switch (mutation, job, result) {
    case (.resumesBeforeCommit, .prepare(let change), .done):
      agenda.schedule(
        .deliver(.resume(change.id), from: change.id.origin, to: node.instance, life: node.life),
        after: .milliseconds(1))
    case (.releasesAtCommit, .commit(let change), .committed):
      if let command = commands.first(where: { $0.change?.id == change.id }) {
        lock.release(command.claim)
      }
    default: break
    }
  }

  /// What a coordinator takes for said although nobody has said it.
  func assume(_ command: VolumeCommand) {
    guard let change = command.change, !command.isOver, !isAssuming else { return }
    isAssuming = true
    defer { isAssuming = false }
    let answer: CoordinationMessage
    switch (mutation, command.coordinator?.waitingFor) {
    case (.assumesPrepared, let text?) where text.contains(" to prepare"):
      answer = .prepared(change.id)
    case (.assumesSuspended, let text?) where text.contains(" to suspend"):
      answer = .suspended(change.id)
    case (.assumesResumed, let text?) where text.contains(" to resume"):
      answer = .resumed(change.id, suspendedMilliseconds: 0)
    default: return
    }
    for id in nodes.keys.sorted() {
      guard let instance = nodes[id]?.instance,
        let effects = command.coordinator?.handle(.message(answer, from: instance), at: now)
      else { continue }
      carryOut(effects, of: command)
    }
  }
}

extension VolumeChange {
  fileprivate func `as`(_ kind: Kind) -> VolumeChange {
    (try? VolumeChange(
      id: id, volumeGroup: volumeGroup, volumeGroupID: volumeGroupID,
      logicalVolumes: logicalVolumes, oldSeqno: oldSeqno, newSeqno: newSeqno, kind: kind)) ?? self
  }
}
