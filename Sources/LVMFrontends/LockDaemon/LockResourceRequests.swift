import ClusterTypes

/// What happens to a lock: requests, withdrawals, answers of the cluster, time.
///
/// Every event ends with `advance`, which does whatever has become possible.
extension LockResource {
  mutating func request(_ request: LockRequest, _ conditions: Conditions) -> [Action] {
    var actions: [Action] = []
    queue.append(request)
    advance(conditions, &actions)
    return actions
  }

  /// `client` is gone: its requests are dropped, what it holds is released; a VG's exclusive lock only after
  /// what its command may have left half done was settled.
  ///
  /// - Parameters:
  ///   - label: the client in words, such as `lvextend[817]`.
  ///   - processID: its process; 0 when that is not known.
  mutating func withdraw(
    _ client: ClientID, label: String, processID: Int32, _ conditions: Conditions
  ) -> [Action] {
    var actions: [Action] = []
    queue.removeAll { $0.owner == .client(client) }
    if case .upgrading(let request?) = activity, request.owner == .client(client) {
      activity = .upgrading(nil)
    }
    if let mode = transients[client] {
      var unlock = LockRequest(
        owner: .client(client), purpose: .unlock, isPersistent: false, label: label,
        processID: processID)
      if case .reloading(let request) = activity, request.owner == .client(client) {
        activity = .reloading(unlock)
      } else {
        unlock.isWithdrawal = name == .volumeGroup && mode == .exclusive
        queue.insert(unlock, at: 0)
      }
    }
    cancelUnwantedAcquisition(&actions)
    advance(conditions, &actions)
    return actions
  }

  /// The metadata was written by `client`, which must hold the lock exclusively.
  mutating func noteUpdate(by client: ClientID, version: UInt32) -> LockDaemonResult {
    switch transients[client] {
    case nil: return .notFound
    case .shared: return .invalid
    case .exclusive:
      writtenVersion = version
      return .success
    }
  }

  /// What the command left on this node is settled. If it has ended, it may have committed metadata
  /// without a word: the other nodes load what is on disk in any case.
  mutating func settled(hasEnded: Bool, _ conditions: Conditions) -> [Action] {
    guard case .settling(let request) = activity else { return [] }
    var actions: [Action] = []
    activity = .none
    if hasEnded {
      actions.append(
        .log(.warning, "\(request.label) ended while it held \(name.text): its devices are settled")
      )
    }
    if hasEnded || mustReload {
      activity = .reloading(request)
      actions.append(.reload)
    } else {
      lower(for: request)
    }
    advance(conditions, &actions)
    return actions
  }

  /// The other nodes have loaded what was changed, or failed to: the lock may go.
  mutating func reloaded(_ conditions: Conditions) -> [Action] {
    guard case .reloading(let request) = activity else { return [] }
    var actions: [Action] = []
    activity = .none
    lower(for: request)
    advance(conditions, &actions)
    return actions
  }

  /// Takes a persistent lock back whose reply was not delivered, unless it was touched since.
  mutating func undo(_ undo: PersistentLockUndo, _ conditions: Conditions) -> [Action] {
    guard undo.changeCount == persistentChangeCount, let mode = persistent else { return [] }
    guard (undo.previousMode ?? .shared) <= mode else {
      return [
        .log(.warning, "LV \(name.text) stays locked sh: its command died before it heard so")
      ]
    }
    var actions: [Action] = []
    setPersistent(undo.previousMode)
    advance(conditions, &actions)
    return actions
  }

  /// Answers everything that waits for the cluster, because there is no quorum or no cluster.
  ///
  /// Releases are answered too: nothing is gained by letting a deactivation hang.
  mutating func availabilityEnded(_ conditions: Conditions) -> [Action] {
    var actions: [Action] = []
    if case .upgrading(let request?) = activity {
      actions.append(.answer(request, .heldElsewhere, [], holder: nil, undo: nil))
      actions.append(.cluster(.cancel))
      activity = .upgrading(nil)
    }
    advance(conditions, &actions)
    return actions
  }

  /// Answers the waiting requests whose time is over.
  mutating func expire(_ conditions: Conditions) -> [Action] {
    var actions: [Action] = []
    let isOver = { (request: LockRequest) in request.deadline.map { $0 <= conditions.now } ?? false
    }
    let result: LockDaemonResult = conditions.isJoined ? .heldElsewhere : .starting
    for request in queue where isOver(request) {
      actions.append(.answer(request, result, [], holder: nil, undo: nil))
    }
    queue.removeAll(where: isOver)
    if case .upgrading(let request?) = activity, isOver(request) {
      actions.append(.answer(request, result, [], holder: nil, undo: nil))
      activity = .upgrading(nil)
      actions.append(.cluster(.cancel))
    }
    for index in queue.indices {
      guard case .due(let moment) = queue[index].notice, moment <= conditions.now else { continue }
      queue[index].notice = .given
      actions.append(.explainWait(queue[index]))
    }
    if case .loweringAgain(let moment) = activity, moment <= conditions.now { activity = .none }
    cancelUnwantedAcquisition(&actions)
    advance(conditions, &actions)
    return actions
  }

  /// The earliest moment at which `expire` has something to do.
  var nextDeadline: Timestamp? {
    var deadlines = queue.compactMap(\.deadline)
    for request in queue {
      if case .due(let moment) = request.notice { deadlines.append(moment) }
    }
    if case .upgrading(let request?) = activity, let deadline = request.deadline {
      deadlines.append(deadline)
    }
    if case .loweringAgain(let moment) = activity { deadlines.append(moment) }
    return deadlines.min()
  }

  /// Answers waiting lock requests with `result`; whoever gives something up goes on.
  mutating func refuseWaiting(
    _ result: LockDaemonResult, _ conditions: Conditions
  ) -> [Action] {
    var actions: [Action] = []
    refuseQueue(result, &actions)
    cancelUnwantedAcquisition(&actions)
    advance(conditions, &actions)
    return actions
  }

  /// The lockspace is left: nothing is held any more. Whoever wants a lock, or wants to keep a weaker
  /// one, hears `result`; whoever gives one up has succeeded.
  mutating func abandon(_ result: LockDaemonResult) -> [Action] {
    var actions: [Action] = []
    var requests = queue + releases
    switch activity {
    case .upgrading(let request?), .settling(let request), .reloading(let request):
      requests.append(request)
    case .none, .acquiring, .upgrading(nil), .lowering, .loweringAgain: break
    }
    transients = [:]
    if persistent != nil { setPersistent(nil) }
    syncRecord(&actions)
    for request in requests {
      let isGivingUp = request.purpose == .unlock || request.purpose == .free
      actions.append(
        .answer(request, isGivingUp ? .success : result, [], holder: nil, undo: nil))
    }
    queue = []
    releases = []
    activity = .none
    unpublished = nil
    loweringFailures = 0
    return actions
  }
}

/// Answers of the cluster's lock manager.
extension LockResource {
  /// Between two attempts to bring the cluster lock down.
  private static let loweringPause = Duration.seconds(1)
  /// After that many failed attempts releases are answered as failed; the attempts go on.
  private static let loweringPatience = 5

  /// The operation under way succeeded. `valueBlock` is nil when there is none or it is invalid.
  mutating func granted(valueBlock: [UInt8]?, _ conditions: Conditions) -> [Action] {
    var actions: [Action] = []
    let ended = activity
    activity = .none
    switch ended {
    case .acquiring(let mode, let isCancelled):
      clusterMode = mode
      if readVersion(valueBlock, &actions), !isCancelled { grantHead(&actions) }
    case .upgrading(let request):
      clusterMode = .exclusive
      if let request { hold(.exclusive, for: request, &actions) }
    case .lowering(let mode):
      clusterMode = mode
      unpublished = nil
      loweringFailures = 0
    case .none, .settling, .reloading, .loweringAgain:
      activity = ended
      return [.log(.error, "a grant of \(name.text) that nobody asked for")]
    }
    advance(conditions, &actions)
    return actions
  }

  /// The operation under way failed; the cluster lock is as before.
  mutating func refused(_ refusal: ClusterLockRefusal, _ conditions: Conditions) -> [Action] {
    var actions: [Action] = []
    let ended = activity
    activity = .none
    switch ended {
    case .acquiring(_, isCancelled: false):
      if let index = headIndex {
        let request = queue.remove(at: index)
        actions.append(
          .answer(request, refusal.result, [], holder: refusal.holder, undo: nil))
      }
    case .upgrading(let request?):
      actions.append(.answer(request, refusal.result, [], holder: refusal.holder, undo: nil))
    case .acquiring(_, isCancelled: true), .upgrading(nil): break
    case .lowering:
      activity = .loweringAgain(at: conditions.now + Self.loweringPause)
      loweringFailures += 1
      actions.append(
        .log(.error, "\(name.text) could not be released and is tried again: \(refusal)"))
      // Whoever gave it up must not wait for ever; it hears that the cluster still has the lock.
      if loweringFailures >= Self.loweringPatience { answerReleases(&actions, with: .failed) }
    case .none, .settling, .reloading, .loweringAgain:
      activity = ended
      return [.log(.error, "a refusal of \(name.text) that nobody asked for")]
    }
    advance(conditions, &actions)
    return actions
  }

  /// Takes the version over from the value block. False, with the head refused, when the block says
  /// that the lock is not to be used.
  private mutating func readVersion(_ valueBlock: [UInt8]?, _ actions: inout [Action]) -> Bool {
    guard name.usesValueBlock else { return true }
    switch VersionBlock.read(valueBlock) {
    case .unknown: return true
    case .version(let block) where block.isRemoved && block.version != 0:
      refuseHead(.removed, &actions)
      return false
    case .version(let block):
      version = block.version
      return true
    case .incompatible(let format):
      actions.append(.log(.error, "\(name.text) has a value block of unknown format \(format)"))
      refuseHead(.invalid, &actions)
      return false
    }
  }

  /// The cluster lock was raised for the head of the queue, which has it now.
  private mutating func grantHead(_ actions: inout [Action]) {
    guard let clusterMode, let index = headIndex, case .lock(let mode) = queue[index].purpose,
      ClusterLockMode(mode) <= clusterMode
    else { return }
    hold(mode, for: queue.remove(at: index), &actions)
  }

  private mutating func refuseHead(_ result: LockDaemonResult, _ actions: inout [Action]) {
    guard let index = headIndex else { return }
    let request = queue.remove(at: index)
    actions.append(.answer(request, result, [], holder: nil, undo: nil))
  }
}
