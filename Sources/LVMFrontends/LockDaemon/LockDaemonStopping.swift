import ClusterTypes

/// A `stop_all` that waits for its reply.
struct StopRequest: Sendable {
  let client: ClientID
  /// Answered only when no lockspace is left.
  let waits: Bool
  /// Locks do not count.
  let isForced: Bool
}

/// Leaving lockspaces (lvmlockd-socket 11).
extension LockDaemonMachine {
  mutating func stop(_ vg: String, _ client: ClientID) {
    guard let name = Lockspace.name(vg: vg), let lockspace = lockspaces[name] else {
      return answer(client, .noLockspace)
    }
    guard !lockspace.hasLogicalVolumeLocks else { return answer(client, .busy) }
    guard !lockspace.isBeingChanged else {
      log(.warning, "VG \(vg) cannot be stopped: a command is changing it")
      return answer(client, .busy)
    }
    leave(name, askedBy: client, isExplicit: true)
  }

  mutating func drop(_ vg: String, _ client: ClientID) {
    guard let name = Lockspace.name(vg: vg), lockspaces[name] != nil else {
      return answer(client, .noLockspace)
    }
    log(.warning, "VG \(vg): all locks dropped, as \(described(client)) asked")
    leave(name, askedBy: client, isExplicit: false)
  }

  /// Gives up every lock of `name` and leaves it. Whoever waits for a lock hears -125, whoever asked
  /// to leave is answered at the end.
  mutating func leave(_ name: LockspaceName, askedBy client: ClientID?, isExplicit: Bool) {
    let asker = client.map { [$0] } ?? []
    switch lockspaces[name]?.state {
    case nil: return
    case .stopping(let askers, let wasExplicit):
      lockspaces[name]?.state = .stopping(
        askedBy: askers + asker, isExplicit: wasExplicit || isExplicit)
      return
    case .starting(let askers):
      for client in askers { answer(client, .cancelled) }
    case .started: break
    }
    lockspaces[name]?.state = .stopping(askedBy: asker, isExplicit: isExplicit)
    abandonLocks(of: name, .cancelled)
    answerStartWaits()
    effects.append(.leave(name))
  }

  /// Forgets the locks of a lockspace and answers everybody who waits for one.
  mutating func abandonLocks(of name: LockspaceName, _ result: LockDaemonResult) {
    forEachResource(of: name) { resource, _ in resource.abandon(result) }
    for resource in lockspaces[name]?.resources.values.map(\.token) ?? [] {
      addresses[resource] = nil
      uses[resource] = nil
    }
    lockspaces[name]?.resources = [:]
  }

  mutating func left(_ name: LockspaceName) {
    guard let lockspace = lockspaces[name],
      case .stopping(let askers, let isExplicit) = lockspace.state
    else { return }
    lockspaces[name] = nil
    log(.info, "lockspace \(name) is stopped")
    for client in askers { answer(client, .success) }
    if isExplicit { leaveUnusedGlobalLockspace() }
    guard !lockspace.latecomers.isEmpty else { return }
    startGlobalLockspace()
    for request in lockspace.latecomers {
      deliver(request, to: ResourceAddress(lockspace: name, resource: .global))
    }
  }

  /// The global lockspace ends with the last VG that is stopped.
  private mutating func leaveUnusedGlobalLockspace() {
    guard lockspaces.count == 1, let global = lockspaces[Self.globalName],
      global.state == .started, isIdle(global)
    else { return }
    leave(Self.globalName, askedBy: nil, isExplicit: false)
  }

  private func isIdle(_ lockspace: Lockspace) -> Bool {
    lockspace.resources.values.allSatisfy { resource in
      resource.activity == .none && resource.heldMode == nil && resource.queue.isEmpty
    }
  }

  mutating func stopAll(_ client: ClientID, waits: Bool, isForced: Bool) {
    let request = StopRequest(client: client, waits: waits, isForced: isForced)
    stopRequests.append(request)
    leaveWhatMay(request)
  }

  private mutating func leaveWhatMay(_ request: StopRequest) {
    for name in lockspaces.keys.sorted() {
      guard let lockspace = lockspaces[name], lockspace.state == .started else { continue }
      let mayLeave =
        lockspace.vg == nil
        ? isIdle(lockspace)
        : !lockspace.hasLogicalVolumeLocks && !lockspace.isBeingChanged
      if mayLeave || request.isForced { leave(name, askedBy: nil, isExplicit: false) }
    }
  }

  /// Tries again what `stop_all` could not stop yet, and answers with the number that remains.
  mutating func continueStops() {
    for request in stopRequests {
      if request.waits { leaveWhatMay(request) }
      let isOver =
        request.waits ? lockspaces.isEmpty : !lockspaces.values.contains(where: \.isStopping)
      guard isOver else { continue }
      stopRequests.removeAll { $0.client == request.client }
      answer(request.client, LockDaemonResult(rawValue: lockspaces.count))
    }
  }
}
