import ClusterTypes

// What a participant does when a job has ended, a node has gone, or something is to be retried.

extension ChangeParticipant {
  mutating func finish(
    _ job: VolumeJob, _ result: VolumeJobResult, at now: Timestamp
  ) -> [Effect] {
    switch job {
    case .writePrecommitted, .commit, .revert: return []  // The coordinator's jobs.
    case .refresh(let request): return finishReload(request, result)
    case .prepare(let change), .suspend(let change), .resume(let change), .abandon(let change),
      .isolate(let change):
      guard let open = openChange(change.volumeGroupID), open.change == change else { return [] }
      return finish(open, change, result, at: now)
    case .recover(_, let volumeGroupID, let change):
      guard let open = openChange(volumeGroupID), open.change == change,
        case .running(.recover, _) = open.state
      else { return [] }
      return finishRecovery(of: open, result, at: now)
    }
  }

  private mutating func finish(
    _ open: OpenChange, _ change: VolumeChange, _ result: VolumeJobResult, at now: Timestamp
  ) -> [Effect] {
    guard case .running(let step, let turn) = open.state else { return [] }
    let failure: String?
    switch result {
    case .done: failure = nil
    case .recovered where step == .isolate: return follow(open, change, at: now)
    case .failed(let reason): failure = reason
    case .committed, .commitUncertain, .recovered, .refreshed:
      preconditionFailure("the job \(step) ended in \(result)")
    }
    switch step {
    case .prepare, .suspend:
      return finishReversible(step, turn, open, change, failure: failure)
    case .resume:
      if let failure { return retry(step, open, failure, at: now) }
      return follow(open, change, at: now)
    case .abandon:
      if let failure { return retry(step, open, failure, at: now) }
      let milliseconds = open.suspendedMilliseconds(at: now)
      return close(open, .abandoned(milliseconds: milliseconds))
        + [.send(.abandoned(change.id, suspendedMilliseconds: milliseconds), to: change.id.origin)]
    case .isolate:
      if let failure { return retry(step, open, failure, at: now) }
      let reason = open.failure ?? "The reason is not known."
      stranded[open.volumeGroupID] = "\(open.name): \(reason)"
      return close(open, .stranded(reason: reason))
        + [.send(.stranded(change.id, reason: reason), to: change.id.origin)]
    case .recover: return []
    }
  }

  /// This node runs on the new mapping.
  private mutating func follow(
    _ open: OpenChange, _ change: VolumeChange, at now: Timestamp
  ) -> [Effect] {
    let milliseconds = open.suspendedMilliseconds(at: now)
    stranded[open.volumeGroupID] = nil
    return close(open, .resumed(milliseconds: milliseconds))
      + [.send(.resumed(change.id, suspendedMilliseconds: milliseconds), to: change.id.origin)]
  }

  /// The end of `prepare` or `suspend`: either can still be undone.
  private mutating func finishReversible(
    _ step: OpenChange.Step, _ turn: OpenChange.Turn, _ open: OpenChange, _ change: VolumeChange,
    failure: String?
  ) -> [Effect] {
    var open = open
    defer { activities[open.volumeGroupID] = .change(open) }
    switch turn {
    case .abandon:
      open.state = .running(.abandon, then: .none)
      return [.runJob(.abandon(change))]
    case .recover:
      open.state = .running(.recover, then: .none)
      return [recovery(of: open)]
    case .none: break
    }
    if let failure {
      open.state = .refused(reason: failure)
      return refuse(change.id, failure)
    }
    let answer: CoordinationMessage
    if step == .prepare {
      open.state = .prepared
      answer = .prepared(change.id)
    } else {
      open.state = .suspended
      answer = .suspended(change.id)
    }
    return [.send(answer, to: change.id.origin)]
  }

  private mutating func finishRecovery(
    of open: OpenChange, _ result: VolumeJobResult, at now: Timestamp
  ) -> [Effect] {
    switch result {
    case .recovered(let seqno):
      stranded[open.volumeGroupID] = nil
      return [.report("\(open.name): followed the disk, which has seqno \(seqno).")]
        + close(open, .recovered)
    case .failed(let reason): return retry(.recover, open, reason, at: now)
    case .done, .committed, .commitUncertain, .refreshed:
      preconditionFailure("the job recover ended in \(result)")
    }
  }

  private mutating func retry(
    _ step: OpenChange.Step, _ open: OpenChange, _ reason: String, at now: Timestamp
  ) -> [Effect] {
    var open = open
    if step == .resume {
      open.failure = reason
      if let change = open.change, let began = open.resumedAt, now >= began + timing.followLimit {
        open.state = .running(.isolate, then: .none)
        activities[open.volumeGroupID] = .change(open)
        return [
          .report("\(open.name) cannot be followed, its volumes fail I/O from now on: \(reason)"),
          .runJob(.isolate(change)),
        ]
      }
    }
    open.state = .retrying(step, at: now + timing.retryInterval, reason: reason)
    activities[open.volumeGroupID] = .change(open)
    var effects: [Effect] = [.report("\(open.name): \(step) failed and is tried again: \(reason)")]
    if step != .recover, let id = open.change?.id {
      effects.append(.send(.delayed(id, reason: reason), to: id.origin))
    }
    return effects
  }

  private mutating func recovery(of open: OpenChange) -> Effect {
    owedRecoveries[open.volumeGroupID] = nil
    return .runJob(
      .recover(
        volumeGroup: open.volumeGroup, volumeGroupID: open.volumeGroupID, change: open.change))
  }

  /// Has an idle volume group follow the disk.
  mutating func beginRecovery(of volumeGroup: String, _ volumeGroupID: String) -> Effect {
    let open = OpenChange(recoveryOf: volumeGroup, id: volumeGroupID)
    activities[volumeGroupID] = .change(open)
    return recovery(of: open)
  }

  mutating func wake(at now: Timestamp) -> [Effect] {
    var effects: [Effect] = []
    for (volumeGroupID, activity) in activities.sorted(by: { $0.key < $1.key }) {
      guard case .change(var open) = activity, case .retrying(let step, let moment, _) = open.state,
        now >= moment
      else { continue }
      open.state = .running(step, then: .none)
      activities[volumeGroupID] = .change(open)
      switch (step, open.change) {
      case (.resume, let change?): effects.append(.runJob(.resume(change)))
      case (.abandon, let change?): effects.append(.runJob(.abandon(change)))
      case (.isolate, let change?): effects.append(.runJob(.isolate(change)))
      case (.recover, _): effects.append(recovery(of: open))
      case (.prepare, _), (.suspend, _), (.resume, nil), (.abandon, nil), (.isolate, nil):
        preconditionFailure("\(step) of \(open.name) is never retried")
      }
    }
    return effects
  }

  mutating func remove(_ instance: NodeInstance) -> [Effect] {
    removed.insert(instance)
    return changes(of: instance).map { open in
      .report(
        "\(open.name) stays as it is, \(open.stateText), until node \(instance.node) is fenced.")
    }
  }

  /// The instance is dead: what it committed is on the disks, and nothing will be added.
  mutating func forget(_ instance: NodeInstance) -> [Effect] {
    ended[instance.node] = max(ended[instance.node] ?? instance.incarnation, instance.incarnation)
    renewed[instance] = nil
    return settle(instance)
  }

  /// The instance lives, and nothing will be added to what its daemon had begun before.
  mutating func renew(_ instance: NodeInstance) -> [Effect] {
    renewed[instance] = lastNumber(of: instance)
    return settle(instance)
  }

  /// The newest request of the instance that this node knows.
  private func lastNumber(of instance: NodeInstance) -> UInt64? {
    var numbers = changes(of: instance).compactMap { $0.change?.id.number }
    numbers += closed.values.compactMap { $0[instance]?.number }
    let requests = heldReloads.values.map(\.id) + answeredReloads.values.map(\.id)
    numbers += requests.filter { $0.origin == instance }.map(\.number)
    for case .reload(let request) in activities.values where request.id.origin == instance {
      numbers.append(request.id.number)
    }
    if let before = renewed[instance] { numbers.append(before) }
    return numbers.max()
  }

  /// What the instance has begun follows the disk, and nobody asks any more how it went.
  private mutating func settle(_ instance: NodeInstance) -> [Effect] {
    removed.remove(instance)
    for volumeGroupID in closed.keys {
      closed[volumeGroupID]?[instance] = nil
      if closed[volumeGroupID]?.isEmpty == true { closed[volumeGroupID] = nil }
    }
    answeredReloads = answeredReloads.filter { $0.value.id.origin != instance }
    let waiting = oweReloads(of: instance)

    var effects: [Effect] = []
    for var open in changes(of: instance) {
      switch open.state {
      case .prepared, .suspended, .refused:
        open.state = .running(.recover, then: .none)
        effects.append(.report("\(open.name): its coordinator is dead; following the disk."))
        effects.append(recovery(of: open))
      case .running(let step, then: .none) where step == .prepare || step == .suspend:
        open.state = .running(step, then: .recover)
      case .running, .retrying: break  // The coordinator had decided; that stands.
      }
      activities[open.volumeGroupID] = .change(open)
    }
    return effects + waiting.flatMap { beginWhatWaits(for: $0) }
  }

  private func changes(of coordinator: NodeInstance) -> [OpenChange] {
    activities.values.compactMap { activity -> OpenChange? in
      if case .change(let open) = activity, open.change?.id.origin == coordinator { return open }
      return nil
    }.sorted { $0.volumeGroupID < $1.volumeGroupID }
  }

  mutating func changeQuorum(to quorate: Bool) -> [Effect] {
    guard quorate != hasQuorum else { return [] }
    hasQuorum = quorate
    guard !quorate else { return [] }
    return openChanges.map { .report("Quorum is lost. \($0)") }
  }

  /// Remembers how the change ended and lets a reload that waited for it begin.
  mutating func close(_ open: OpenChange, _ ending: Ending) -> [Effect] {
    activities[open.volumeGroupID] = nil
    if let change = open.change { remember(change, ending) }
    return beginWhatWaits(for: open.volumeGroupID)
  }

  func isNewest(_ change: VolumeChange) -> Bool {
    guard let past = closed[change.volumeGroupID]?[change.id.origin] else { return true }
    return change.id.number > past.number
  }

  mutating func remember(_ change: VolumeChange, _ ending: Ending) {
    guard !isOrphan(change.id), isNewest(change) else { return }
    closed[change.volumeGroupID, default: [:]][change.id.origin] = Closed(
      number: change.id.number, ending: ending)
  }
}
