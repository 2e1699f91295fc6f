import ClusterTypes

// What a participant does and answers when a coordinator speaks.

extension ChangeParticipant {
  mutating func receive(
    _ message: CoordinationMessage, from sender: NodeInstance, at now: Timestamp
  ) -> [Effect] {
    guard !isDead(sender) else { return [] }
    switch message {
    case .prepare(let change):
      guard change.id.origin == sender else { return foreign(change.id, sender) }
      return prepare(change)
    case .suspend(let id):
      guard id.origin == sender else { return foreign(id, sender) }
      return suspend(id, at: now)
    case .resume(let id):
      guard id.origin == sender else { return foreign(id, sender) }
      return resume(id, at: now)
    case .abandon(let change):
      guard change.id.origin == sender else { return foreign(change.id, sender) }
      return abandon(change)
    case .reload(let request):
      guard request.id.origin == sender else { return foreign(request.id, sender) }
      return reload(request)
    case .prepared, .suspended, .resumed, .abandoned, .refused, .delayed, .stranded, .reloaded,
      .reloadFailed:
      return []  // A coordinator's or collector's concern.
    }
  }

  private func foreign(_ id: VolumeRequestID, _ sender: NodeInstance) -> [Effect] {
    [.report("Node \(sender.node) spoke for request \(id), which is not its own. Ignored.")]
  }

  private mutating func prepare(_ change: VolumeChange) -> [Effect] {
    let coordinator = change.id.origin
    guard !removed.contains(coordinator), !isOrphan(change.id) else { return [] }
    guard isNewest(change) else { return refuse(change.id, "\(change) is over on this node.") }
    switch activities[change.volumeGroupID] {
    case .change(let open) where open.change?.id == change.id: return repeatAnswer(of: open)
    case .change(let open):
      return refuse(change.id, "\(open.name) is still open here: \(open.stateText).")
    case .reload(let request): return refuse(change.id, "\(request) is still running here.")
    case nil:
      activities[change.volumeGroupID] = .change(OpenChange(change))
      return [.runJob(.prepare(change))]
    }
  }

  private mutating func suspend(_ id: VolumeRequestID, at now: Timestamp) -> [Effect] {
    guard !removed.contains(id.origin) else { return [] }
    guard var open = openChange(withID: id), let change = open.change else {
      return refuse(id, "The change is not prepared on this node.")
    }
    guard case .prepared = open.state else { return repeatAnswer(of: open) }
    open.state = .running(.suspend, then: .none)
    open.suspendedAt = now
    activities[open.volumeGroupID] = .change(open)
    return [.runJob(.suspend(change))]
  }

  private mutating func resume(_ id: VolumeRequestID, at now: Timestamp) -> [Effect] {
    guard var open = openChange(withID: id), let change = open.change else {
      return answerClosed(id) ?? refuse(id, "The change is not known on this node.")
    }
    switch (open.state, change.kind.leavesOldMappingFirst) {
    case (.suspended, _), (.prepared, false):
      open.state = .running(.resume, then: .none)
      open.suspendedAt = open.suspendedAt ?? now
      open.resumedAt = now
      activities[open.volumeGroupID] = .change(open)
      return [.runJob(.resume(change))]
    case (.prepared, true), (.refused, _):
      return refuse(id, "The change is not suspended on this node.")
    case (.running, _), (.retrying, _): return repeatAnswer(of: open)
    }
  }

  private mutating func abandon(_ change: VolumeChange) -> [Effect] {
    let coordinator = change.id.origin
    guard var open = openChange(withID: change.id), let opened = open.change else {
      guard isNewest(change) else {
        return answerClosed(change.id) ?? refuse(change.id, "\(change) is over on this node.")
      }
      // Never begun here; remembering its end stops a `prepare` that is still under way.
      remember(change, .abandoned(milliseconds: 0))
      return [.send(.abandoned(change.id, suspendedMilliseconds: 0), to: coordinator)]
    }
    switch open.state {
    case .prepared, .suspended, .refused:
      open.state = .running(.abandon, then: .none)
      activities[open.volumeGroupID] = .change(open)
      return [.runJob(.abandon(opened))]
    case .running(let step, then: .none) where step == .prepare || step == .suspend:
      open.state = .running(step, then: .abandon)
      activities[open.volumeGroupID] = .change(open)
      return []
    case .running, .retrying: return repeatAnswer(of: open)
    }
  }

  func refuse(_ id: VolumeRequestID, _ reason: String) -> [Effect] {
    [.send(.refused(id, reason: reason), to: id.origin)]
  }

  /// The answer to a message that came twice; none while a job runs, its end will be the answer.
  private func repeatAnswer(of open: OpenChange) -> [Effect] {
    guard let id = open.change?.id else { return [] }
    switch open.state {
    case .running: return []
    case .prepared: return [.send(.prepared(id), to: id.origin)]
    case .suspended: return [.send(.suspended(id), to: id.origin)]
    case .refused(let reason): return refuse(id, reason)
    case .retrying(_, _, let reason): return [.send(.delayed(id, reason: reason), to: id.origin)]
    }
  }

  /// The answer about a change that ended here; nil if it is not the newest of its coordinator.
  private func answerClosed(_ id: VolumeRequestID) -> [Effect]? {
    for past in closed.values.compactMap({ $0[id.origin] }) where past.number == id.number {
      switch past.ending {
      case .resumed(let milliseconds):
        return [.send(.resumed(id, suspendedMilliseconds: milliseconds), to: id.origin)]
      case .abandoned(let milliseconds):
        return [.send(.abandoned(id, suspendedMilliseconds: milliseconds), to: id.origin)]
      case .stranded(let reason): return [.send(.stranded(id, reason: reason), to: id.origin)]
      case .recovered: return []
      }
    }
    return nil
  }
}
