import ClusterTypes
import LockProtocol

/// When a lock may be granted (dlm-wire 8.4, 8.5), and how the master grants those that waited
/// (8.6).
extension LockspaceMachine {
  enum GrantDecision: Sendable {
    case grantable
    case notYet
    /// A conversion that waits for one that waits for it.
    case deadlock
    /// Such a conversion, whose owner allowed to give its granted mode up: it is NL now.
    case demoted
  }

  /// May `id` be granted? Changes the lock where its flags say so: to the alternate mode, or
  /// demoted.
  ///
  /// - Parameters:
  ///   - now: true when the message or call arrives, false when the queues are looked through.
  ///   - recover: true for conversions in the grant pass after a recovery.
  mutating func decide(_ id: LockID, now: Bool, recover: Bool) -> GrantDecision {
    if canBeGranted(id, now: now, recover: recover) { return .grantable }
    if locks[id].granted != .iv, !locks[id].flags.contains(.noQueue), isInConversionDeadlock(id) {
      guard locks[id].flags.contains(.conversionDeadlock) else { return .deadlock }
      locks[id].granted = .nl
      locks[id].statusFlags.insert(.demoted)
      return .demoted
    }
    guard let alternate = alternateMode(of: id) else { return .notYet }
    let wanted = locks[id].requested
    locks[id].requested = alternate
    if canBeGranted(id, now: now, recover: false) {
      locks[id].statusFlags.insert(.alternateMode)
      return .grantable
    }
    locks[id].requested = wanted
    return .notYet
  }

  /// The one that the flags allow instead of the mode requested (dlm-wire 8.4).
  func alternateMode(of id: LockID) -> LockMode? {
    let (requested, flags) = (locks[id].requested, locks[id].flags)
    if requested != .pr, flags.contains(.alternatePR) { return .pr }
    if requested != .cw, flags.contains(.alternateCW) { return .cw }
    return nil
  }

  /// The steps of dlm-wire 8.4, in its order.
  func canBeGranted(_ id: LockID, now: Bool, recover: Bool) -> Bool {
    let flags = locks[id].flags
    if flags.contains(.expedite) { return true }
    let resource = locks[id].resource
    if hasConflict(id, with: resources[resource].granted) { return false }
    if hasConflict(id, with: resources[resource].converting) { return false }

    let converting = resources[resource].converting
    if locks[id].granted != .iv {
      if recover { return true }
      if now { return !flags.contains(.queueConversion) || converting.isEmpty }
      return flags.contains(.noOrder) || converting.first == id
    }
    if flags.contains(.noOrder) { return true }
    guard converting.isEmpty else { return false }
    return now ? resources[resource].waiting.isEmpty : resources[resource].waiting.first == id
  }

  private func hasConflict(_ id: LockID, with queue: LockQueue) -> Bool {
    let wanted = locks[id].requested
    return queue.contains { $0 != id && !locks[$0].granted.isCompatible(with: wanted) }
  }

  /// Does `id` wait for a conversion that waits for `id`? For a conversion behind it, both must
  /// block each other; one ahead of it is served first anyway.
  private func isInConversionDeadlock(_ id: LockID) -> Bool {
    let (granted, requested) = (locks[id].granted, locks[id].requested)
    let queue = resources[locks[id].resource].converting
    var isAhead = true
    for other in queue {
      if other == id {
        isAhead = false
        continue
      }
      if granted.isCompatible(with: locks[other].requested) { continue }
      if isAhead || !locks[other].granted.isCompatible(with: requested) { return true }
    }
    return false
  }

  /// Gives the lock what it requested.
  mutating func grant(_ id: LockID) {
    statistics.grants += 1
    transferValueBlockAtGrant(id)
    setGranted(id)
  }

  /// The lock holds what it requested. Used by master and owner alike.
  ///
  /// A conversion granted in its own mode keeps its place on the granted queue.
  mutating func setGranted(_ id: LockID) {
    if locks[id].granted != locks[id].requested || locks[id].queue != .granted {
      locks[id].granted = locks[id].requested
      move(id, to: .granted)
    }
    locks[id].requested = .iv
    locks[id].highestBlocked = .nl
    locks[id].since = now
  }

  /// Tells the owner of a lock that waited.
  private mutating func grantWaiting(_ id: LockID) {
    grant(id)
    switch locks[id].owner {
    case .here: complete(id, .granted)
    case .node(let node): send(.grant, for: id, to: node)
    }
  }

  /// Grants whatever can be granted after a lock went or became weaker, then tells the holders
  /// whom they still hold up. Nothing to do where this node is not the master.
  mutating func grantOthers(on resource: ResourceID) {
    guard isMaster(of: resource) else { return }
    var left = LeftUngranted()
    grantConversions(on: resource, left: &left)
    grantRequests(on: resource, left: &left)
    if left.high != .iv { sendBlocking(on: resource, high: left.high, wantsCW: left.wantsCW) }
  }

  /// What a pass could not grant.
  struct LeftUngranted: Sendable {
    var high: LockMode = .iv
    var wantsCW = false

    mutating func add(_ mode: LockMode) {
      high = max(high, mode)
      if mode == .cw { wantsCW = true }
    }
  }

  /// The convert queue: from the head again after each pass with a grant, and once after one in
  /// which a lock was demoted only.
  mutating func grantConversions(on resource: ResourceID, left: inout LeftUngranted) {
    let recover = resources[resource].marks.contains(.grantPass)
    var mayRepeatAfterDemotion = true
    while !resources[resource].converting.isEmpty {
      var hasGranted = false
      var hasDemoted = false
      left.high = .iv
      for id in resources[resource].converting {
        let wasDemoted = locks[id].statusFlags.contains(.demoted)
        switch decide(id, now: false, recover: recover) {
        case .grantable:
          grantWaiting(id)
          hasGranted = true
        case .demoted where !wasDemoted:
          hasDemoted = true
        case .deadlock:
          warnOfDeadlock(id)
        case .notYet, .demoted:
          left.add(locks[id].requested)
        }
      }
      if hasGranted { continue }
      guard hasDemoted, mayRepeatAfterDemotion else { return }
      mayRepeatAfterDemotion = false
    }
  }

  /// The wait queue, one pass.
  private mutating func grantRequests(on resource: ResourceID, left: inout LeftUngranted) {
    for id in resources[resource].waiting {
      if case .grantable = decide(id, now: false, recover: false) {
        grantWaiting(id)
      } else {
        left.add(locks[id].requested)
      }
    }
  }

  /// A queued conversion turned out to be in a deadlock: its own owner is told once that it blocks
  /// the mode it wants, so that it can give way.
  private mutating func warnOfDeadlock(_ id: LockID) {
    statistics.deadlocks += 1
    guard locks[id].flags.contains(.noDeadlockWait),
      locks[id].highestBlocked < locks[id].requested
    else { return }
    sendBlocking(to: id, mode: locks[id].requested)
    locks[id].highestBlocked = locks[id].requested
  }
}
