import ClusterTypes

/// What becomes possible by itself once something has happened to a lock.
extension LockResource {
  /// Does everything that needs no further event, and begins at most one operation.
  mutating func advance(_ conditions: Conditions, _ actions: inout [Action]) {
    while activity == .none {
      if let index = queue.firstIndex(where: { decision(on: $0) != .wait }) {
        perform(queue.remove(at: index), &actions)
      } else if lowerClusterLock(&actions) {
        break
      } else {
        syncRecord(&actions)
        answerReleases(&actions)
        guard serveHead(conditions, &actions) else { break }
      }
    }
    performWhileBusy(&actions)
    if !conditions.isAvailable {
      refuseQueue(.noLockspace, &actions)
      cancelUnwantedAcquisition(&actions)
      answerReleases(&actions)
    }
    setDeadlines(conditions)
  }

  /// The first request that waits for its turn. Requests that can be decided at once are never first:
  /// `advance` takes them out.
  var headIndex: Int? { queue.firstIndex { decision(on: $0) == .wait } }

  /// Performs what cannot disturb the operation under way.
  ///
  /// While an owner's mode is being raised, nothing: its outcome decides.
  private mutating func performWhileBusy(_ actions: inout [Action]) {
    switch activity {
    case .none, .upgrading(.some), .settling, .reloading: return
    case .acquiring, .lowering, .loweringAgain, .upgrading(nil): break
    }
    for request in queue {
      let isHarmless =
        switch decision(on: request) {
        case .answer, .abandonAdoption: true
        case .release: !mustReload && !request.isWithdrawal
        case .convert, .makePersistent, .wait: false
        }
      guard isHarmless, let index = queue.firstIndex(of: request) else { continue }
      perform(queue.remove(at: index), &actions)
    }
  }

  private mutating func perform(_ request: LockRequest, _ actions: inout [Action]) {
    switch decision(on: request) {
    case .answer(let result, let flags):
      actions.append(.answer(request, result, flags, holder: nil, undo: nil))
    case .release: release(request, &actions)
    case .convert(let mode): convert(request, to: mode, &actions)
    case .makePersistent(let mode):
      if case .client(let client) = request.owner { transients[client] = nil }
      hold(mode, for: request, &actions)
    case .abandonAdoption:
      queue.removeAll { $0.owner == .daemon }
      actions.append(.record(nil, by: 0))
      recordedMode = nil
      actions.append(.answer(request, .success, [], holder: nil, undo: nil))
      cancelUnwantedAcquisition(&actions)
    case .wait: preconditionFailure("a request that must wait has nothing to perform")
    }
  }

  /// What was changed under the lock reaches the other nodes before the lock does, and what was left half
  /// done is settled before that.
  private mutating func release(_ request: LockRequest, _ actions: inout [Action]) {
    if request.isWithdrawal {
      activity = .settling(request)
      actions.append(.settle(processID: request.processID))
    } else if mustReload {
      activity = .reloading(request)
      actions.append(.reload)
    } else {
      lower(for: request)
    }
  }

  /// Metadata was written under the exclusive hold that is still there.
  var mustReload: Bool { writtenVersion != nil && heldMode == .exclusive }

  /// Takes from the owner what `request` gives up; the answer follows the cluster lock.
  mutating func lower(for request: LockRequest) {
    switch request.purpose {
    case .lock(let mode): setHold(mode, for: request)
    case .unlock, .free: setHold(nil, for: request)
    }
    releases.append(request)
  }

  private mutating func setHold(_ mode: LockMode?, for request: LockRequest) {
    if request.isPersistent {
      setPersistent(mode)
    } else if case .client(let client) = request.owner {
      transients[client] = mode
    }
  }

  private mutating func convert(
    _ request: LockRequest, to mode: LockMode, _ actions: inout [Action]
  ) {
    switch mode {
    case .shared: release(request, &actions)
    case .exclusive where !isCompatible(.exclusive, for: request):
      actions.append(.answer(request, .heldElsewhere, [], holder: nil, undo: nil))
    case .exclusive:
      activity = .upgrading(request)
      actions.append(.cluster(.convert(.exclusive, isQueued: false, writing: nil)))
    }
  }

  /// Notes that the owner of `request` has the lock, and answers.
  mutating func hold(_ mode: LockMode, for request: LockRequest, _ actions: inout [Action]) {
    var undo: PersistentLockUndo?
    if request.isPersistent {
      let previous = persistent
      persistentUse = "\(request.label) for active volume \(request.volume ?? name.text)"
      persistentProcess = request.processID
      setPersistent(mode)
      undo = PersistentLockUndo(previousMode: previous, changeCount: persistentChangeCount)
    } else {
      setHold(mode, for: request)
    }
    syncRecord(&actions)
    actions.append(.answer(request, .success, [], holder: nil, undo: undo))
  }

  /// Grants the head of the queue, or begins to raise the cluster lock for it.
  ///
  /// True when the queue has moved.
  private mutating func serveHead(
    _ conditions: Conditions, _ actions: inout [Action]
  ) -> Bool {
    guard conditions.isJoined, conditions.isAvailable, let head = queue.first,
      case .lock(let mode) = head.purpose, isCompatible(mode, for: head)
    else { return false }
    let wanted = ClusterLockMode(mode)
    if let clusterMode, clusterMode >= wanted {
      queue.removeFirst()
      hold(mode, for: head, &actions)
      return true
    }
    activity = .acquiring(wanted, isCancelled: false)
    // A conflict over an LV is final; the global and the VG lock are only held for a moment.
    let isQueued = name.usesValueBlock
    actions.append(
      .cluster(
        clusterMode == nil
          ? .lock(wanted, isQueued: isQueued)
          : .convert(wanted, isQueued: isQueued, writing: nil)))
    return false
  }

  /// Stops waiting in the lock manager's queue for a mode that the head does not want any more.
  mutating func cancelUnwantedAcquisition(_ actions: inout [Action]) {
    guard case .acquiring(let mode, isCancelled: false) = activity else { return }
    if let index = headIndex, case .lock(let wanted) = queue[index].purpose,
      ClusterLockMode(wanted) == mode
    {
      return
    }
    activity = .acquiring(mode, isCancelled: true)
    actions.append(.cluster(.cancel))
  }

  /// Brings the cluster lock down to what is held; true when that has begun.
  private mutating func lowerClusterLock(_ actions: inout [Action]) -> Bool {
    guard let clusterMode else { return false }
    let wanted = ClusterLockMode(heldMode)
    guard clusterMode > wanted || (wanted == .null && !name.usesValueBlock) else { return false }
    if wanted == .null && !name.usesValueBlock {
      activity = .lowering(to: nil)
      actions.append(.cluster(.unlock))
    } else {
      activity = .lowering(to: wanted)
      if clusterMode == .exclusive, let block = takeNewVersion() { unpublished = block }
      actions.append(.cluster(.convert(wanted, isQueued: true, writing: unpublished)))
    }
    return true
  }

  /// The version to publish when an exclusive hold ends, or nil when it did not grow.
  private mutating func takeNewVersion() -> VersionBlock? {
    defer { writtenVersion = nil }
    switch name {
    case .global: version &+= 1
    case .volumeGroup:
      guard let writtenVersion, writtenVersion > version else { return nil }
      version = writtenVersion
    case .logicalVolume: return nil
    }
    return VersionBlock(version: version)
  }

  /// Has the record of persistent locks follow.
  mutating func syncRecord(_ actions: inout [Action]) {
    guard recordedMode != persistent else { return }
    recordedMode = persistent
    actions.append(.record(persistent, by: persistentProcess))
  }

  mutating func answerReleases(
    _ actions: inout [Action], with result: LockDaemonResult = .success
  ) {
    for request in releases {
      actions.append(.answer(request, result, [], holder: nil, undo: nil))
    }
    releases = []
  }

  /// Refuses the clients' requests that wait for a lock.
  mutating func refuseQueue(_ result: LockDaemonResult, _ actions: inout [Action]) {
    let isRefused = { (request: LockRequest) in request.isLimited }
    for request in queue where isRefused(request) {
      actions.append(.answer(request, result, [], holder: nil, undo: nil))
    }
    queue.removeAll(where: isRefused)
  }

  /// A request that waits longer than this is explained in the log.
  private static let noticeDelay = Duration.seconds(3)

  /// Only waiting for another node is limited in time, not waiting for a client of this node.
  private mutating func setDeadlines(_ conditions: Conditions) {
    let waitsForOthers: Bool
    switch activity {
    case .acquiring, .upgrading, .lowering, .loweringAgain: waitsForOthers = true
    case .none: waitsForOthers = !conditions.isJoined
    case .settling, .reloading: waitsForOthers = false
    }
    let limit = conditions.now + conditions.waitLimit
    for index in queue.indices where queue[index].isLimited {
      queue[index].deadline = waitsForOthers ? queue[index].deadline ?? limit : nil
    }
    // One explanation at a time: those behind the head wait for the head.
    if let index = headIndex, queue[index].isLimited, queue[index].notice == .none {
      queue[index].notice = .due(conditions.now + Self.noticeDelay)
    }
    if case .upgrading(var request?) = activity, request.deadline == nil {
      request.deadline = limit
      activity = .upgrading(request)
    }
  }
}
