import ClusterTypes
import LockProtocol

/// Lock messages: how they are made, and which arriving ones are accepted (dlm-wire 7).
extension LockspaceMachine {
  /// Sends a message about a lock. All fields tell the sender's view, whether or not the receiver
  /// of this type looks at them.
  mutating func send(
    _ type: LockMessageType, for id: LockID, to node: NodeID, result: LockResult = .granted,
    blockingMode: LockMode = .nl
  ) {
    let resource = locks[id].resource
    let extra: [UInt8] =
      switch type {
      case .request, .lookup: resources[resource].name.bytes
      case .convert, .unlock, .requestReply, .convertReply, .grant:
        locks[id].sentValueBlock(empty: emptyValueBlock)
      case .cancel, .unlockReply, .cancelReply, .blocking, .remove, .lookupReply, .purge: []
      }
    var message = LockMessage(
      type, lockspaceID: configuration.lockspaceID, sender: localNode,
      nodeID: type == .lookup ? -1 : node.rawValue, hash: resources[resource].hash,
      blockingMode: blockingMode, result: result, extra: extra)
    locks[id].fill(&message)
    effects.append(.send(.lock(message), to: node))
  }

  /// The answer to a message for which there is no lock here (dlm-wire 7.3).
  mutating func sendError(_ result: LockResult, as type: LockMessageType, to message: LockMessage) {
    let reply = LockMessage(
      type, lockspaceID: configuration.lockspaceID, sender: localNode,
      nodeID: message.sender.rawValue, remoteID: message.lockID, result: result)
    effects.append(.send(.lock(reply), to: message.sender))
  }

  mutating func receive(_ packet: Packet, from node: NodeID) {
    statistics.messagesReceived += 1
    guard packet.sender == node, node != localNode,
      packet.lockspaceID == configuration.lockspaceID
    else { return drop() }
    switch packet {
    case .recovery(let message): receive(message)
    case .lock(let message): receive(message)
    }
  }

  /// A lock message of another node, in this lockspace.
  mutating func receive(_ message: LockMessage) {
    if isRunning {
      process(message)
    } else if recovery.generation != 0 {
      requestQueue.append(message)
    } else {
      drop()
    }
  }

  mutating func drop() { statistics.messagesDropped += 1 }

  /// A lock message, when locking is enabled.
  mutating func process(_ message: LockMessage) {
    // A member's message may be left in the queue when it is a member no more.
    guard recovery.isMember(message.sender) else { return drop() }
    switch message.type {
    case .request: receiveRequest(message)
    case .convert: receiveConvert(message)
    case .unlock: receiveUnlock(message)
    case .cancel: receiveCancel(message)
    case .lookup: receiveLookup(message)
    case .remove: receiveRemove(message)
    case .purge: receivePurge(message)
    case .lookupReply: receiveLookupReply(message)
    case .requestReply, .convertReply, .unlockReply, .cancelReply, .grant, .blocking:
      receiveFromMaster(message)
    }
  }

  /// Which master copy a conversion, unlock or cancel means; nil when it must not be processed.
  mutating func masterCopy(
    for message: LockMessage, errorReply: LockMessageType, checkOwnerID: Bool
  ) -> LockID? {
    let id = message.remoteID
    guard locks.contains(id), !checkOwnerID || locks[id].remoteID == message.lockID else {
      sendError(.unknownLock, as: errorReply, to: message)
      return nil
    }
    guard locks[id].owner == .node(message.sender), isMaster(of: locks[id].resource),
      !isUserMessageForKernelLock(message, id)
    else {
      drop()
      return nil
    }
    return id
  }

  /// A message from the master of a lock of this node. For an id that is gone it is late, and
  /// means nothing any more.
  private mutating func receiveFromMaster(_ message: LockMessage) {
    let id = message.remoteID
    guard locks.contains(id), locks[id].handle != nil, !isUserMessageForKernelLock(message, id),
      let master = expectedMaster(of: id, for: message), master == message.sender
    else { return drop() }
    switch message.type {
    case .requestReply: receiveRequestReply(message, for: id)
    case .convertReply: receiveConvertReply(message, for: id)
    case .unlockReply: receiveUnlockReply(message, for: id)
    case .cancelReply: receiveCancelReply(message, for: id)
    case .grant: receiveGrant(message, for: id)
    case .blocking: receiveBlocking(message, for: id)
    case .request, .convert, .unlock, .cancel, .lookup, .remove, .lookupReply, .purge:
      preconditionFailure("not sent by masters to owners")
    }
  }

  /// The answer to a request that went out as lookup comes from whoever turned out to be master.
  private func expectedMaster(of id: LockID, for message: LockMessage) -> NodeID? {
    if message.type == .requestReply, case .reply(let type, let node) = locks[id].outstanding {
      return type == .lookup ? message.sender : node
    }
    return resources[locks[id].resource].master
  }

  private func isUserMessageForKernelLock(_ message: LockMessage, _ id: LockID) -> Bool {
    message.messageFlags.contains(.user) && !locks[id].messageFlags.contains(.user)
  }

  func isMaster(of resource: ResourceID) -> Bool { resources[resource].master == localNode }

  /// What a master takes from every conversion, unlock and cancel that it accepts.
  mutating func takeFlags(from message: LockMessage, into id: LockID) {
    locks[id].flags = message.lockFlags
    locks[id].statusFlags = message.statusFlags
    locks[id].messageFlags = message.messageFlags.intersection(.shared)
  }

  /// What an owner takes from most answers.
  mutating func takeReplyFlags(from message: LockMessage, into id: LockID) {
    locks[id].statusFlags = message.statusFlags
    locks[id].messageFlags = message.messageFlags.intersection(.shared)
  }
}

extension Lock {
  /// The contents of a message that may carry a value block.
  fileprivate func sentValueBlock(empty: [UInt8]) -> [UInt8] {
    guard let valueBlock else { return [] }
    return flags.contains(.valueBlock) ? valueBlock : empty
  }

  /// Tells everything about the lock.
  fileprivate func fill(_ message: inout LockMessage) {
    message.processID = processID
    message.lockID = id
    message.remoteID = remoteID
    message.lockFlags = flags
    message.statusFlags = statusFlags
    message.messageFlags = handle == nil ? messageFlags.union(.masterCopy) : messageFlags
    message.lvbSequence = lvbSequence
    message.status = queue
    message.grantedMode = granted
    message.requestedMode = requested
    message.callbacks = callbacks
  }
}
