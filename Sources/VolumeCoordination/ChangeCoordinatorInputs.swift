import ClusterTypes

// What each input of `ChangeCoordinator` changes; `advance` then decides about the next step.

extension ChangeCoordinator {
  mutating func receive(
    _ message: CoordinationMessage, from sender: NodeInstance
  ) -> [Effect] {
    guard participants.contains(sender) else { return [] }
    switch message {
    case .prepared(let id):
      if id == change.id, case .preparing(let missing) = phase {
        phase = .preparing(missing.subtracting([sender]))
      }
    case .suspended(let id):
      if id == change.id, case .suspending(let missing) = phase {
        phase = .suspending(missing.subtracting([sender]))
      }
    case .resumed(let id, let milliseconds):
      if id == change.id, case .resuming(let missing) = phase {
        suspendedMilliseconds[sender] = milliseconds
        phase = .resuming(missing.subtracting([sender]))
      }
    case .abandoned(let id, let milliseconds):
      if id == change.id, case .abandoning(let missing, let failure, let reverting) = phase {
        suspendedMilliseconds[sender] = milliseconds
        phase = .abandoning(missing.subtracting([sender]), failure, reverting: reverting)
      }
    case .stranded(let id, let reason):
      if id == change.id { return strand(reason, sender) }
    case .refused(let id, let reason):
      if id == change.id { return refuse(reason, by: sender) }
    case .delayed(let id, let reason):
      if id == change.id { return delay(reason, by: sender) }
    case .prepare, .suspend, .resume, .abandon, .reload, .reloaded, .reloadFailed: break
    }
    return []
  }

  mutating func refuse(_ reason: String, by sender: NodeInstance) -> [Effect] {
    switch phase {
    case .preparing, .suspending:
      noteFailure(ChangeFailure(node: sender.node, reason: reason))
      return []
    case .resuming(let missing), .abandoning(let missing, _, _):
      // A step past the decision cannot be refused; the lock stays until the node has answered.
      return missing.contains(sender)
        ? [.report("\(change): node \(sender.node) does not follow: \(reason)")] : []
    case .new, .begun, .precommitting, .precommitted, .deciding, .committing, .commitUncertain,
      .closing, .finished:
      return []
    }
  }

  /// The node gave up following: its volumes fail all I/O, so that the change may end without them.
  mutating func strand(_ reason: String, _ sender: NodeInstance) -> [Effect] {
    guard case .resuming(let missing) = phase, missing.contains(sender) else { return [] }
    let text = "\(change): node \(sender.node) could not follow, its volumes fail I/O: \(reason)"
    stranded[sender] = reason
    warnings.append(text)
    phase = .resuming(missing.subtracting([sender]))
    return [.report(text)]
  }

  mutating func delay(_ reason: String, by sender: NodeInstance) -> [Effect] {
    switch phase {
    case .resuming(let missing), .abandoning(let missing, _, _):
      guard missing.contains(sender) else { return [] }
      let text = "\(change): node \(sender.node) could not resume and tries again: \(reason)"
      if !warnings.contains(text) { warnings.append(text) }
      return [.report(text)]
    case .new, .begun, .precommitting, .precommitted, .preparing, .suspending, .deciding,
      .committing, .commitUncertain, .closing, .finished:
      return []
    }
  }

  mutating func finish(
    _ job: VolumeJob, _ result: VolumeJobResult, at now: Timestamp
  ) -> [Effect] {
    switch job {
    case .writePrecommitted(change):
      guard case .precommitting = phase else { return [] }
      if case .failed(let reason) = result {
        noteFailure(ChangeFailure(node: change.id.origin.node, reason: reason))
      }
      enter(.precommitted, at: now)
      return []
    case .commit(change): return finishCommit(result, at: now)
    case .revert(change):
      guard case .abandoning(let missing, let failure, reverting: true) = phase else { return [] }
      phase = .abandoning(missing, failure, reverting: false)
      guard case .failed(let reason) = result else { return [] }
      let text = "\(change): precommitted metadata could not be cleared, it is harmless: \(reason)"
      warnings.append(text)
      return [.report(text)]
    case .writePrecommitted, .commit, .revert, .prepare, .suspend, .resume, .abandon, .isolate,
      .recover, .refresh:
      return []
    }
  }

  mutating func finishCommit(
    _ result: VolumeJobResult, at now: Timestamp
  ) -> [Effect] {
    guard case .committing = phase else { return [] }
    switch result {
    case .committed(let staleAreas):
      guard !staleAreas.isEmpty else { return resume(at: now) }
      let text =
        "\(change): committed, but not in the metadata areas on "
        + staleAreas.joined(separator: ", ") + "."
      warnings.append(text)
      return [.report(text)] + resume(at: now)
    case .failed(let reason):
      // Back to "all are ready", from where `advance` abandons as soon as there is quorum.
      noteFailure(ChangeFailure(node: change.id.origin.node, reason: reason))
      enter(.suspending([]), at: now)
      return []
    case .commitUncertain(let reason):
      enter(.commitUncertain(retryAt: now + timing.retryInterval), at: now)
      return [.report("\(change) waits, the commit is tried again: \(reason)")]
    case .done, .recovered, .refreshed:
      preconditionFailure("a commit job ended in \(result)")
    }
  }

  mutating func remove(_ node: NodeInstance) -> [Effect] {
    guard participants.contains(node), removed.insert(node).inserted else { return [] }
    switch phase {
    case .new, .begun, .precommitting, .precommitted, .preparing, .suspending:
      return notePartingBeforeCommit(of: node)
    case .deciding where mayTurnBack: return notePartingBeforeCommit(of: node)
    case .deciding, .committing, .commitUncertain, .resuming, .abandoning:
      return [.report("\(change): node \(node.node) left the cluster and must be fenced.")]
    case .closing, .finished: return []
    }
  }

  private mutating func notePartingBeforeCommit(of node: NodeInstance) -> [Effect] {
    noteFailure(
      ChangeFailure(node: node.node, reason: "The node left the cluster before the commit."))
    return []
  }

  /// A dead node does nothing any more, and nothing is expected of it. Before the commit the change
  /// is given up all the same: if only the daemon died, its devices still run on the old mapping.
  /// After the commit they are suspended, and the daemon's next life follows the disk.
  mutating func forget(_ node: NodeInstance, because reason: String) -> [Effect] {
    guard participants.contains(node) else { return [] }
    let effects = remove(node)
    participants.remove(node)
    removed.remove(node)
    switch phase {
    case .preparing(let missing): phase = .preparing(missing.subtracting([node]))
    case .suspending(let missing): phase = .suspending(missing.subtracting([node]))
    case .resuming(let missing): phase = .resuming(missing.subtracting([node]))
    case .abandoning(let missing, let failure, let reverting):
      phase = .abandoning(missing.subtracting([node]), failure, reverting: reverting)
    case .new, .begun, .precommitting, .precommitted, .deciding, .committing, .commitUncertain,
      .closing, .finished:
      break
    }
    return effects + [.report("\(change) goes on without node \(node.node), which \(reason).")]
  }

  mutating func changeQuorum(to quorate: Bool) -> [Effect] {
    guard quorate != hasQuorum else { return [] }
    hasQuorum = quorate
    guard !quorate else { return [.report("\(change) goes on: there is quorum again.")] }
    switch phase {
    case .suspending:
      noteFailure(ChangeFailure(node: nil, reason: Self.quorumLost))
      return []
    case .deciding where mayTurnBack:
      noteFailure(ChangeFailure(node: nil, reason: Self.quorumLost))
      return []
    case .committing, .commitUncertain, .resuming:
      return [.report("\(change) stays as it is on this node: quorum is lost.")]
    case .new, .begun, .precommitting, .precommitted, .preparing, .deciding, .abandoning, .closing,
      .finished:
      return [.report("\(change) waits: quorum is lost.")]
    }
  }

  private static let quorumLost =
    "This node lost its quorum before the commit: what it held goes on as before."

  /// The record has taken what it was asked for.
  mutating func noteRecord(of step: RecordedStep, at now: Timestamp) -> [Effect] {
    if step == .begun { (awaitsRecord, isInRecord) = (false, true) }
    guard step == .committing || step == .committed, case .deciding = phase,
      failure == nil || !mayTurnBack
    else { return [] }
    return decide(at: now)
  }

  /// The record will not take it. Of what is decided anyway it only tells.
  mutating func noteNoRecord(of step: RecordedStep, _ reason: String) -> [Effect] {
    let failed = ChangeFailure(node: nil, reason: "The cluster's record refuses it: \(reason).")
    if step == .begun {
      awaitsRecord = false
      noteFailure(failed)
    } else if case .deciding = phase, step == .committing || step == .committed {
      noteFailure(failed)
      phase = .suspending([])
    }
    return []
  }

  mutating func wake(at now: Timestamp) -> [Effect] {
    var effects: [Effect] = []
    if now >= reportAt {
      reportAt = now + timing.reportInterval
      if let waitingFor {
        let seconds = (now - phaseBegan).wholeMilliseconds / 1000
        effects.append(.report("\(waitingFor) (\(seconds) s)"))
      }
    }
    switch phase {
    case .new, .begun, .precommitting, .precommitted, .committing, .closing, .finished: break
    case .deciding:
      guard mayTurnBack, now >= deadline else { break }
      noteFailure(
        ChangeFailure(node: nil, reason: "The cluster's record did not take the commit in time."))
    case .commitUncertain(let retryAt):
      // The job is idempotent; as long as its end is unknown nobody may resume on either mapping.
      guard now >= retryAt, hasQuorum else { break }
      phase = .committing
      effects.append(.runJob(.commit(change)))
    case .preparing(let missing):
      effects += resend(.prepare(change), to: missing, at: now)
      noteLateness(of: missing, step: "prepare", at: now)
    case .suspending(let missing):
      effects += resend(.suspend(change.id), to: missing, at: now)
      noteLateness(of: missing, step: "suspend", at: now)
    case .resuming(let missing): effects += resend(.resume(change.id), to: missing, at: now)
    case .abandoning(let missing, _, _):
      effects += resend(.abandon(change), to: missing, at: now)
    }
    return effects
  }

  mutating func resend(
    _ message: CoordinationMessage, to missing: Set<NodeInstance>, at now: Timestamp
  ) -> [Effect] {
    guard now >= resendAt else { return [] }
    resendAt = now + timing.resendInterval
    return send(message, to: missing)
  }

  mutating func noteLateness(
    of missing: Set<NodeInstance>, step: String, at now: Timestamp
  ) {
    guard now >= deadline, let node = missing.min() else { return }
    let seconds = (now - phaseBegan).wholeMilliseconds / 1000
    noteFailure(
      ChangeFailure(node: node.node, reason: "The node did not \(step) within \(seconds) s."))
  }
}
