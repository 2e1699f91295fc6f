import ClusterTypes

// A participant's part in the reload that precedes the release of an lvm command's lock.

extension ChangeParticipant {
  /// A reload during an open change waits for its end: the disk says then what both need.
  mutating func reload(_ request: ReloadRequest) -> [Effect] {
    if removed.contains(request.id.origin) {
      // It hears no answer, but it may have committed: its fence makes the disk decide.
      hold(request)
      return []
    }
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
    case .refreshed(let volumes, _): answer = .reloaded(request.id, volumes)
    case .failed(let reason): answer = .reloadFailed(request.id, reason: reason)
    case .done, .committed, .commitUncertain, .recovered:
      preconditionFailure("a refresh job ended in \(result)")
    }
    activities[request.volumeGroupID] = nil
    if result.isReloaded { stranded[request.volumeGroupID] = nil }
    if case .refreshed(_, leavesSuspended: true) = result {
      // Whoever asked hears of the failure, and nobody else would let I/O go on.
      owedRecoveries[request.volumeGroupID] = request.volumeGroup
    }
    var effects: [Effect] = []
    if !isOrphan(request.id) {
      answeredReloads[request.volumeGroupID] = (request.id, answer)
      effects.append(.send(answer, to: request.id.origin))
    } else if !result.isReloaded {
      // Nobody is left who could react to the failure.
      owedRecoveries[request.volumeGroupID] = request.volumeGroup
    }
    return effects + beginWhatWaits(for: request.volumeGroupID)
  }

  /// The reloads that a dead node asked for and that have not begun: what it committed is on the
  /// disks, and this node must not stay on an older mapping.
  ///
  /// - Returns: the volume groups concerned.
  mutating func oweReloads(of instance: NodeInstance) -> [String] {
    let unserved = heldReloads.filter { $0.value.id.origin == instance }
    for (volumeGroupID, request) in unserved {
      heldReloads[volumeGroupID] = nil
      owedRecoveries[volumeGroupID] = request.volumeGroup
    }
    return unserved.keys.sorted()
  }

  /// What could not begin as long as the volume group was busy on this node.
  mutating func beginWhatWaits(for volumeGroupID: String) -> [Effect] {
    guard activities[volumeGroupID] == nil else { return [] }
    if let volumeGroup = owedRecoveries[volumeGroupID] {
      let report = "\(volumeGroup): a reload was not carried through here; following the disk."
      return [.report(report), beginRecovery(of: volumeGroup, volumeGroupID)]
    }
    guard let request = heldReloads.removeValue(forKey: volumeGroupID) else { return [] }
    return reload(request)
  }
}

extension VolumeJobResult {
  /// A refresh after which every logical volume runs on the committed metadata.
  fileprivate var isReloaded: Bool {
    guard case .refreshed(let volumes, _) = self else { return false }
    return volumes.allSatisfy { volume in
      switch volume.outcome {
      case .reloaded, .unchanged: true
      case .failed: false
      }
    }
  }
}
