import ClusterTypes
import LockProtocol

/// REQUEST, owner to master: a new lock; and its answer (dlm-wire 7.5, 7.6, 11.4).
extension LockspaceMachine {
  // MARK: The owner

  mutating func lock(_ call: LockCall) {
    guard locks.find(call.handle) == nil else { return refuse(call.handle, .handleInUse) }
    if let refusal = refusal(
      requested: call.mode, flags: call.flags, valueBlock: call.valueBlock, isConversion: false)
    {
      return refuse(call.handle, refusal)
    }
    if call.flags.contains(.orphan) { return adoptOrphan(call) }
    statistics.requests += 1
    let resource = useResource(named: call.resource)
    let made = makeLock(
      on: resource, owner: .here(call.handle), processID: call.processID, flags: call.flags,
      messageFlags: configuration.messageFlags,
      callbacks: call.wantsBlocking ? [.completion, .blocking] : .completion)
    guard let id = made else { return refuse(call.handle, .tooManyLocks) }
    setArguments(of: id, flags: call.flags, requested: call.mode, valueBlock: call.valueBlock)
    request(id)
  }

  /// Takes a new request to the master, wherever that is; also after every detour.
  mutating func request(_ id: LockID) {
    locks[id].outstanding = .nothing
    switch findMaster(for: id) {
    case .here:
      let resource = locks[id].resource
      requestHere(id)
      masterFound(on: resource)
    case .elsewhere(let node):
      expectAnswer(to: .request, for: id, from: node)
      send(.request, for: id, to: node)
    case .askDirectory(let node):
      statistics.lookups += 1
      expectAnswer(to: .lookup, for: id, from: node)
      send(.lookup, for: id, to: node)
    case .behindFirst:
      locks[id].outstanding = .behindFirst
      resources[locks[id].resource].behindFirst.append(id)
    }
  }

  private mutating func requestHere(_ id: LockID) {
    let decision = decideRequest(id)
    switch decision {
    case .granted: complete(id, .granted)
    case .queued: break
    case .wouldBlock: break
    }
    finishRequest(id, decision)
    if decision == .wouldBlock { completeAndForget(id, .wouldBlock) }
  }

  mutating func receiveRequestReply(_ message: LockMessage, for id: LockID) {
    guard case .reply(let awaited, _) = locks[id].outstanding else { return drop() }
    guard endOutstanding(id, with: .requestReply) else { return drop() }
    let resource = locks[id].resource
    if awaited == .lookup {
      // The directory node was the master, and took the lookup as request.
      resources[resource].master = message.sender
    }
    switch message.result {
    case .granted, .queued: requestAccepted(message, for: id)
    case .wouldBlock:
      completeAndForget(id, .wouldBlock, thenNextOn: resource)
    case .unknownResource, .notMaster: requestMissedMaster(id)
    default: completeAndForget(id, .failed(message.result), thenNextOn: resource)
    }
  }

  private mutating func requestAccepted(_ message: LockMessage, for id: LockID) {
    takeReplyFlags(from: message, into: id)
    locks[id].remoteID = message.lockID
    takeAlternateMode(id)
    if message.result == .granted {
      takeGrantedValueBlock(from: message, into: id)
      setGranted(id)
      complete(id, .granted)
    } else {
      place(id, on: .waiting)
    }
    let overlap = locks[id].overlap
    locks[id].overlap = []
    let resource = locks[id].resource
    resources[resource].isMasterUnconfirmed = false
    masterFound(on: resource)
    if overlap.contains(.unlock) {
      sendUnlock(id)
    } else if overlap.contains(.cancel), message.result == .queued {
      sendCancel(id)
    }
  }

  /// The node asked was not the master, or did not know it yet.
  private mutating func requestMissedMaster(_ id: LockID) {
    let resource = locks[id].resource
    if resources[resource].directory != localNode, !isMaster(of: resource) {
      resources[resource].master =
        configuration.usesDirectory ? nil : resources[resource].directory
    }
    if !locks[id].overlap.isEmpty { return completeOverlap(id) }
    if isMaster(of: resource) {
      request(id)
    } else {
      pauseRequest(id)
    }
  }

  /// Locks granted in the alternate mode: the owner finds out which it is by its own flags
  /// (dlm-wire 8.3).
  mutating func takeAlternateMode(_ id: LockID) {
    guard locks[id].statusFlags.contains(.alternateMode), let mode = alternateMode(of: id) else {
      return
    }
    locks[id].requested = mode
  }

  // MARK: The master

  enum RequestDecision: Sendable {
    case granted, queued, wouldBlock

    var result: LockResult {
      switch self {
      case .granted: .granted
      case .queued: .queued
      case .wouldBlock: .wouldBlock
      }
    }
  }

  private mutating func decideRequest(_ id: LockID) -> RequestDecision {
    if case .grantable = decide(id, now: true, recover: false) {
      grant(id)
      return .granted
    }
    if locks[id].flags.contains(.noQueue) { return .wouldBlock }
    place(id, on: .waiting)
    return .queued
  }

  /// What follows the answer.
  private mutating func finishRequest(_ id: LockID, _ decision: RequestDecision) {
    switch decision {
    case .granted: break
    case .queued: sendBlocking(for: id, to: \.granted)
    case .wouldBlock:
      guard locks[id].flags.contains(.noQueueBlockingCallback) else { return }
      sendBlocking(for: id, to: \.granted)
      sendBlocking(for: id, to: \.converting)
    }
  }

  /// Also for a lookup that reached the master itself.
  mutating func receiveRequest(_ message: LockMessage) {
    guard let name = message.resourceName, message.requestedMode != .iv else {
      return sendError(.invalidArgument, as: .requestReply, to: message)
    }
    let resource: ResourceID
    switch masterResource(named: name, requestedBy: message.sender) {
    case .success(let id): resource = id
    case .failure(let refusal): return sendError(refusal.result, as: .requestReply, to: message)
    }
    let made = makeLock(
      on: resource, owner: .node(message.sender), processID: message.processID,
      flags: message.lockFlags, messageFlags: message.messageFlags, callbacks: message.callbacks)
    guard let id = made else {
      return sendError(.outOfMemory, as: .requestReply, to: message)
    }
    locks[id].statusFlags = message.statusFlags
    locks[id].remoteID = message.lockID
    locks[id].requested = message.requestedMode
    if message.lockFlags.contains(.valueBlock) { locks[id].valueBlock = emptyValueBlock }

    let decision = decideRequest(id)
    send(.requestReply, for: id, to: message.sender, result: decision.result)
    finishRequest(id, decision)
    if decision == .wouldBlock { forget(id) }
  }
}
