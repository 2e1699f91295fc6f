import ClusterTypes

/// What each request asks for. Every path ends with an answer, or leaves somebody who will answer.
extension LockDaemonMachine {
  mutating func perform(_ request: LockDaemonRequest, of client: ClientID) {
    endLeaseWaitIfDue()
    if leaseWait != nil, request.needsCluster { return awaitingLease.append(client) }
    switch request {
    case .hello: answer(client, .success)
    case .quit: quit(client)
    case .info: sendDump(infoText, to: client)
    case .dump: sendDump(journal.text, to: client)
    case .runningLockManager:
      answer(client, isAvailable ? .lockManagerIsDLM : .noLockManagerFound)
    case .lockGlobal(let wish, let lockType): lockGlobal(wish, lockType: lockType, client)
    case .lockVolumeGroup(let vg, let wish): lockVolumeGroup(vg, wish, client)
    case .lockLogicalVolume(let lv, let wish, let isPersistent):
      lockLogicalVolume(lv, wish, isPersistent: isPersistent, client)
    case .updateVolumeGroup(let vg, let version): update(vg, version: version, client)
    case .initializeVolumeGroup(let vg, let lockType):
      answer(client, initialization(of: vg, lockType: lockType))
    case .initializeLogicalVolume(_, let lockType):
      answer(client, lockType == "dlm" ? .success : .unsupportedLockType)
    case .freeLogicalVolume(let lv): freeLogicalVolume(lv, client)
    case .queryLogicalVolume(let lv): query(lv.vg, .logicalVolume(uuid: lv.uuid), client)
    case .queryVolumeGroup(let vg): query(vg, .volumeGroup, client)
    case .refreshLogicalVolume(let path, uuid: _): refresh(path, client)
    case .startVolumeGroup(let arguments): start(arguments, client)
    case .startWait: waitForStarts(client)
    case .stopVolumeGroup(let vg): stop(vg, client)
    case .stopAll(let waits, let isForced): stopAll(client, waits: waits, isForced: isForced)
    case .askBusy(let vg): askMembers(of: vg, for: .busy(client), client)
    case .freeVolumeGroup(let vg): askMembers(of: vg, for: .free(client), client)
    case .beginRename(let vg): askMembers(of: vg, for: .rename(client), client)
    case .kill(let vg): kill(vg, client)
    case .drop(let vg): drop(vg, client)
    case .endRename: answer(client, .success)
    case .adoptLock, .adoptLogicalVolume: answer(client, adoption(of: request))
    case .describeVolumeGroup(let vg):
      answer(client, startedLockspace(of: vg) == nil ? .notFound : .success)
    case .findFreeLock(let vg): answerOfGroup(vg, .success, client)
    case .beginLockArguments(let vg): answerOfGroup(vg, .unsupportedLockType, client)
    case .moveGlobalLock, .endLockArguments: answer(client, .invalid)
    case .unknown(let problem), .malformed(let problem):
      // No reflection: whoever sends rubbish sends much of it.
      log(.warning, "\(described(client)) sent a request nobody understands: \(problem)")
      answer(client, .invalid)
    }
  }

  private mutating func quit(_ client: ClientID) {
    guard lockspaces.isEmpty else { return answer(client, .busy) }
    answer(client, .success)
    effects.append(.quit)
  }

  private mutating func sendDump(_ text: [UInt8], to client: ClientID) {
    guard clients[client]?.pending != nil else { return }
    clients[client]?.pending = nil
    effects.append(.reply(client, LockDaemonReply.dump(length: text.count)))
    if !text.isEmpty { effects.append(.sendDump(text)) }
  }

  private mutating func initialization(of vg: String, lockType: String?) -> LockDaemonResult {
    guard lockType == "dlm" else { return .unsupportedLockType }
    guard isAvailable else { return .noLockManager }
    guard let name = Lockspace.name(vg: vg) else {
      log(.error, "VG \(vg) cannot be shared: no lockspace can have its name")
      return .wrongArguments
    }
    return lockspaces[name] == nil ? .success : .exists
  }

  private func startedLockspace(of vg: String) -> Lockspace? {
    guard let name = Lockspace.name(vg: vg), let lockspace = lockspaces[name],
      !lockspace.isStopping
    else { return nil }
    return lockspace
  }

  /// Nothing is to be done, only to be answered; `result` if the VG is started.
  private mutating func answerOfGroup(
    _ vg: String, _ result: LockDaemonResult, _ client: ClientID
  ) {
    guard let lockspace = startedLockspace(of: vg) else { return answer(client, .noLockspace) }
    answer(client, lockspace.isKilled ? .killed : result)
  }

  /// The daemon takes up the locks of active LVs by itself, and gives up all others: a command that
  /// wants nothing but a lock which was left finds one, or none. It must not get a new one.
  private func adoption(of request: LockDaemonRequest) -> LockDaemonResult {
    guard case .adoptLogicalVolume(let lv, let mode) = request else { return .nothingToAdopt }
    guard let name = Lockspace.name(vg: lv.vg), let lockspace = startedLockspace(of: lv.vg) else {
      return .noLockspace
    }
    let resource = ResourceName.logicalVolume(uuid: lv.uuid)
    let address = ResourceAddress(lockspace: name, resource: resource)
    let held = lockspace.resources[resource]?.persistent ?? adoptions[address]?.mode
    guard let held else { return .nothingToAdopt }
    return held == mode ? .alreadyHeld : .otherModeToAdopt
  }

  private mutating func query(_ vg: String, _ resource: ResourceName, _ client: ClientID) {
    guard let lockspace = startedLockspace(of: vg) else { return answer(client, .noLockspace) }
    guard !lockspace.isKilled else { return answer(client, .killed) }
    answer(client, .success, mode: lockspace.resources[resource]?.heldMode)
  }

  private mutating func kill(_ vg: String, _ client: ClientID) {
    guard let name = Lockspace.name(vg: vg), lockspaces[name] != nil else {
      return answer(client, .noLockspace)
    }
    log(.warning, "VG \(vg): no new locks, as \(described(client)) asked")
    lockspaces[name]?.isKilled = true
    answer(client, .success)
    forEachResource(of: name) { $0.refuseWaiting(.killed, $1) }
  }
}
