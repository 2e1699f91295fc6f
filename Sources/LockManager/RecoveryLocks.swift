import ClusterTypes
import LockProtocol

/// Every owner sends its locks to the new masters, which rebuild the queues (dlm-wire 14.6, 15.5).
extension LockspaceMachine {
  // MARK: The owner

  mutating func sendLocks() {
    recovery.phase = .sendingLocks
    var toSend: [LockID] = []
    for resource in recovery.snapshot where resources[resource].marks.contains(.sendLocks) {
      guard let master = resources[resource].master, master != localNode else {
        resources[resource].marks.remove(.sendLocks)
        continue
      }
      let own =
        (resources[resource].granted + resources[resource].converting
        + resources[resource].waiting).filter { locks[$0].handle != nil }
      guard !own.isEmpty else {
        resources[resource].marks.remove(.sendLocks)
        continue
      }
      recovery.unansweredLockCounts[resource] = own.count
      toSend += own
    }
    recovery.toSend = toSend[...]
    continueSendingLocks()
  }

  private mutating func continueSendingLocks() {
    while recovery.unansweredLocks.count < Recovery.window, let id = recovery.toSend.popFirst() {
      guard let master = remoteMaster(of: id) else { continue }
      recovery.unansweredLocks.insert(id)
      sendRecovered(id, to: master)
    }
    if recovery.unansweredLocks.isEmpty { reach(.locks) }
  }

  private mutating func sendRecovered(_ id: LockID, to master: NodeID) {
    let lock = locks[id]
    // A kernel goes by this where it must find out whether a conversion between PR and CW was
    // granted (15.11).
    let isConversionInFlight: Bool =
      if case .reply(.convert, _) = lock.outstanding {
        true
      } else {
        lock.queue == .converting && isMiddleConversion(id)
      }
    // The new master would take an unread buffer for the newest contents (15.6).
    let unused: LockFlags = lock.hasUnreadValueBlock ? .valueBlock : []
    let recovered = RecoveredLock(
      resourceName: resources[lock.resource].name, lockID: id, status: lock.queue,
      grantedMode: lock.granted, requestedMode: lock.requested,
      lockFlags: lock.flags.subtracting(unused),
      messageFlags: lock.messageFlags, callbacks: lock.callbacks,
      ownerProcessID: lock.processID, lvbSequence: lock.lvbSequence,
      waitType: isConversionInFlight ? UInt16(LockMessageType.convert.rawValue) : 0,
      valueBlock: unused.isEmpty ? lock.valueBlock ?? [] : [])
    send(.lock(recovered), id: UInt64(id.rawValue), to: master)
  }

  mutating func receiveRecoveredLockReply(_ recovered: RecoveredLock, from node: NodeID) {
    let id = recovered.lockID
    guard recovery.unansweredLocks.contains(id), remoteMaster(of: id) == node else {
      return drop()
    }
    switch recovered.result {
    case .granted, .alreadyExists: locks[id].remoteID = recovered.remoteID
    case .unknownResource: return sendRecovered(id, to: node)
    default: break
    }
    recovery.unansweredLocks.remove(id)
    let resource = locks[id].resource
    let left = (recovery.unansweredLockCounts[resource] ?? 1) - 1
    recovery.unansweredLockCounts[resource] = left
    if left == 0 { resources[resource].marks.remove(.sendLocks) }
    continueSendingLocks()
  }

  // MARK: The new master

  /// Locks may come before this node knows that it is the master.
  mutating func receiveRecoveredLock(_ message: RecoveryMessage, _ recovered: RecoveredLock) {
    var answer = recovered
    answer.valueBlock = []
    switch rebuild(recovered, of: message.sender) {
    case .success(let id): answer.remoteID = id
    case .failure(let refusal):
      answer.result = refusal.result
      answer.remoteID = refusal.existing
    }
    reply(to: message, .lockReply(answer))
  }

  private struct RebuildRefusal: Error {
    var result: LockResult
    var existing = LockID.none
  }

  /// Without directory this node may become the master of names that it has never heard of.
  private mutating func resourceToRebuild(_ name: ResourceName) -> ResourceID? {
    if let known = resources.find(name) { return known }
    let hash = name.hash
    guard !configuration.usesDirectory, !isRunning, directoryNode(forHash: hash) == localNode else {
      return nil
    }
    let resource = makeResource(named: name, hash: hash, master: localNode)
    resources[resource].isInRecovery = true
    resources[resource].marks.insert(.newMaster)
    recovery.snapshot.append(resource)
    return resource
  }

  private mutating func rebuild(
    _ recovered: RecoveredLock, of node: NodeID
  ) -> Result<LockID, RebuildRefusal> {
    guard recovered.parentLockID == .none else {
      return .failure(RebuildRefusal(result: .notSupported))
    }
    guard let resource = resourceToRebuild(recovered.resourceName) else {
      return .failure(RebuildRefusal(result: .unknownResource))
    }
    if let existing = rebuiltLock(recovered.lockID, of: node, on: resource) {
      return .failure(RebuildRefusal(result: .alreadyExists, existing: existing))
    }
    let usesValueBlock = recovered.lockFlags.contains(.valueBlock)
    guard recovered.status != .unqueued,
      !usesValueBlock || recovered.valueBlock.count <= configuration.lvbLength
    else { return .failure(RebuildRefusal(result: .invalidArgument)) }

    resources[resource].idleSince = nil
    let made = makeLock(
      on: resource, owner: .node(node), processID: recovered.ownerProcessID,
      flags: recovered.lockFlags, messageFlags: recovered.messageFlags,
      callbacks: recovered.callbacks)
    guard let id = made else { return .failure(RebuildRefusal(result: .outOfMemory)) }
    locks[id].remoteID = recovered.lockID
    locks[id].granted = recovered.grantedMode
    locks[id].requested = recovered.requestedMode
    locks[id].lvbSequence = recovered.lvbSequence
    if usesValueBlock {
      let missing = configuration.lvbLength - recovered.valueBlock.count
      locks[id].valueBlock = recovered.valueBlock + Array(repeating: 0, count: missing)
    }
    place(id, on: queue(of: recovered, on: resource, id))
    if !resources[resource].waiting.isEmpty || !resources[resource].converting.isEmpty {
      resources[resource].marks.insert(.grantPass)
    }
    return .success(id)
  }

  /// A conversion between PR and CW whose outcome its owner does not know: it may hold either mode,
  /// so it counts as converting from nothing until all locks are here (15.6, 15.11).
  private mutating func queue(
    of recovered: RecoveredLock, on resource: ResourceID, _ id: LockID
  ) -> QueueStatus {
    let (granted, requested) = (recovered.grantedMode, recovered.requestedMode)
    let isInFlight =
      recovered.waitType == UInt16(LockMessageType.convert.rawValue)
      || recovered.status == .converting
    let isMiddle =
      (isInFlight && granted.isMiddleConversion(to: requested))
      || (recovered.status == .converting && granted == .iv)
    guard isMiddle else { return recovered.status }
    locks[id].granted = .iv
    resources[resource].marks.insert(.middleConversion)
    return .converting
  }

  private func rebuiltLock(
    _ lockID: LockID, of node: NodeID, on resource: ResourceID
  ) -> LockID? {
    let isSame = { [locks] (id: LockID) in
      locks[id].owner == .node(node) && locks[id].remoteID == lockID
    }
    return resources[resource].granted.first(where: isSame)
      ?? resources[resource].converting.first(where: isSame)
      ?? resources[resource].waiting.first(where: isSame)
  }
}
