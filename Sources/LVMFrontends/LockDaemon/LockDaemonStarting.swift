import ClusterTypes

/// Joining lockspaces (lvmlockd-socket 11).
///
/// `start_vg` is answered when the join has succeeded or failed, so that `vgchange --lockstart`
/// cannot report a success that never happened.
extension LockDaemonMachine {
  mutating func start(_ arguments: LockDaemonRequest.StartArguments, _ client: ClientID) {
    if let refusal = refusal(of: arguments) { return answer(client, refusal) }
    guard let name = Lockspace.name(vg: arguments.vg) else {
      return answer(client, .wrongArguments)
    }
    switch lockspaces[name]?.state {
    case .starting: return answer(client, .starting)
    case .started: return answer(client, .exists)
    case .stopping: return answer(client, .heldElsewhere)
    case nil:
      // What an earlier life had is started by itself.
      if arguments.isAdoption { return answer(client, .nothingToAdopt) }
    }
    startGlobalLockspace()
    log(.info, "VG \(arguments.vg): starting, as \(described(client)) asked")
    join(
      name,
      Lockspace(
        vg: arguments.vg, vgUUID: arguments.uuid, lockArguments: arguments.lockArguments,
        state: .starting(askedBy: [client])))
  }

  private mutating func refusal(
    of arguments: LockDaemonRequest.StartArguments
  ) -> LockDaemonResult? {
    guard arguments.lockType == nil || arguments.lockType == "dlm" else {
      return .unsupportedLockType
    }
    guard isAvailable else { return .noLockManager }
    guard Lockspace.name(vg: arguments.vg) != nil else {
      log(.error, "VG \(arguments.vg) cannot be started: no lockspace can have its name")
      return .wrongArguments
    }
    let parts = (arguments.lockArguments ?? "").split(
      separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1] == configuration.clusterName else {
      log(
        .error,
        """
        VG \(arguments.vg) belongs to cluster '\(parts.last ?? "")', this is \
        '\(configuration.clusterName)'; vgchange --locktype none and dlm moves it
        """)
      return .wrongArguments
    }
    guard let major = parts[0].split(separator: ".").first.flatMap({ Int($0) }), major <= 1 else {
      log(.error, "VG \(arguments.vg) has lock arguments of unknown version \(parts[0])")
      return .wrongArguments
    }
    return nil
  }

  mutating func startGlobalLockspace() {
    guard lockspaces[Self.globalName] == nil else { return }
    join(Self.globalName, Lockspace(vg: nil, state: .starting(askedBy: [])))
  }

  mutating func join(_ name: LockspaceName, _ lockspace: Lockspace) {
    lockspaces[name] = lockspace
    effects.append(.join(name))
  }

  mutating func waitForStarts(_ client: ClientID) {
    startWaits.append(client)
    answerStartWaits()
  }

  /// `start_wait` ends when no lockspace is starting.
  mutating func answerStartWaits() {
    guard !lockspaces.values.contains(where: \.isStarting) else { return }
    let result: LockDaemonResult = hasFailedStart ? .failed : .success
    for client in startWaits { answer(client, result) }
    startWaits = []
    hasFailedStart = false
  }

  mutating func joined(_ name: LockspaceName) {
    guard case .starting(let askers)? = lockspaces[name]?.state else { return }
    lockspaces[name]?.state = .started
    log(.info, "lockspace \(name) is started")
    for client in askers { answer(client, .success) }
    answerStartWaits()
    forEachResource(of: name) { resource, conditions in
      var actions: [LockResource.Action] = []
      resource.advance(conditions, &actions)
      return actions
    }
  }

  mutating func joinFailed(_ name: LockspaceName, _ reason: String) {
    guard case .starting(let askers)? = lockspaces[name]?.state else { return }
    log(.error, "lockspace \(name) could not be started: \(reason)")
    abandonLocks(of: name, .noLockspace)
    lockspaces[name] = nil
    if !startWaits.isEmpty { hasFailedStart = true }
    for client in askers { answer(client, .failed) }
    answerStartWaits()
  }

  /// Without quorum no join ends; whoever waits for one hears so instead of hanging.
  mutating func clusterChanged(_ isRunning: Bool, _ isQuorate: Bool) {
    let wasAvailable = isAvailable
    let wasRunning = isClusterRunning
    isClusterRunning = isRunning
    self.isQuorate = isQuorate
    defer { leaseMayHaveChanged(wasRunning: wasRunning) }
    guard isAvailable != wasAvailable else { return }
    guard !isAvailable else {
      log(.info, "the cluster has quorum: locks can be granted")
      forEachResource { resource, conditions in
        var actions: [LockResource.Action] = []
        resource.advance(conditions, &actions)
        return actions
      }
      return
    }
    log(.warning, "no \(isRunning ? "quorum" : "cluster"): no locks are granted")
    for name in lockspaces.keys.sorted() {
      guard case .starting(let askers)? = lockspaces[name]?.state else { continue }
      lockspaces[name]?.state = .starting(askedBy: [])
      for client in askers { answer(client, .noLockManager) }
    }
    for client in startWaits { answer(client, .noLockManager) }
    startWaits = []
    forEachResource { $0.availabilityEnded($1) }
    for request in lockspaces[Self.globalName]?.latecomers ?? [] {
      if case .client(let client) = request.owner { answer(client, .noLockspace) }
    }
    lockspaces[Self.globalName]?.latecomers = []
  }
}
