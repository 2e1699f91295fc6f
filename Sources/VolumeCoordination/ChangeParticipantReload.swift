// A participant's part in the reload that precedes the release of an lvm command's lock.

extension ChangeParticipant {
  /// A reload during an open change waits for its end: the disk says then what both need.
  mutating func reload(_ request: ReloadRequest) -> [Effect] {
    guard !removed.contains(request.id.origin), !isDead(request.id.origin) else { return [] }
    if let past = answeredReloads[request.volumeGroupID], past.id == request.id {
      return [.send(past.answer, to: request.id.origin)]
    }
    switch activities[request.volumeGroupID] {
    case .reload(let running) where running.id == request.id: return []
    case .reload(let running):
      hold(request)
      return [.report("\(request) waits for \(running).")]
    case .change(let open):
      hold(request)
      return [.report("\(request) waits for \(open.name): \(open.stateText).")]
    case nil:
      activities[request.volumeGroupID] = .reload(request)
      return [.runJob(.refresh(request))]
    }
  }

  /// Only the holder of the volume group's lock asks, so of two requests the later one counts.
  private mutating func hold(_ request: ReloadRequest) {
    if let held = heldReloads[request.volumeGroupID], held.id.origin == request.id.origin,
      held.id.number > request.id.number
    {
      return
    }
    heldReloads[request.volumeGroupID] = request
  }

  mutating func finishReload(_ request: ReloadRequest, _ result: VolumeJobResult) -> [Effect] {
    guard activities[request.volumeGroupID] == .reload(request) else { return [] }
    let answer: CoordinationMessage
    switch result {
    case .refreshed(let volumes): answer = .reloaded(request.id, volumes)
    case .failed(let reason): answer = .reloadFailed(request.id, reason: reason)
    case .done, .committed, .commitUncertain, .recovered:
      preconditionFailure("a refresh job ended in \(result)")
    }
    activities[request.volumeGroupID] = nil
    var effects: [Effect] = []
    if !isDead(request.id.origin) {
      answeredReloads[request.volumeGroupID] = (request.id, answer)
      effects.append(.send(answer, to: request.id.origin))
    }
    guard let held = heldReloads.removeValue(forKey: request.volumeGroupID) else { return effects }
    return effects + reload(held)
  }
}
