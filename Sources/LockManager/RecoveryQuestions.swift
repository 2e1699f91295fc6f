import ClusterTypes
import LockProtocol

/// STATUS and NAMES travel outside the sequence and may be lost: each is asked until it is answered
/// (dlm-wire 14.2, 14.3, 15.9). Also: which recovery messages are accepted when.
extension LockspaceMachine {
  mutating func ask(_ node: NodeID, _ body: RecoveryMessage.Body) {
    let id = recovery.nextQuestionID
    recovery.nextQuestionID &+= 1
    recovery.question = Recovery.Question(
      id: id, node: node, body: body, deadline: now + configuration.statusRetry)
    send(body, id: id, to: node)
  }

  mutating func send(_ body: RecoveryMessage.Body, id: UInt64, to node: NodeID) {
    let message = RecoveryMessage(
      body, lockspaceID: configuration.lockspaceID, sender: localNode, id: id,
      sequence: recovery.sequence)
    effects.append(.send(.recovery(message), to: node))
  }

  mutating func reply(
    to message: RecoveryMessage, _ body: RecoveryMessage.Body, result: Int32 = 0
  ) {
    let reply = RecoveryMessage(
      body, lockspaceID: configuration.lockspaceID, sender: localNode, result: result,
      id: message.id, sequence: recovery.sequence, sequenceReply: message.sequence)
    effects.append(.send(.recovery(reply), to: message.sender))
  }

  mutating func receive(_ message: RecoveryMessage) {
    guard accepts(message) else { return drop() }
    switch message.body {
    case .status(let needsSlots): replyWithStatus(to: message, needsSlots: needsSlots)
    case .names(let after): replyWithNames(to: message, after: after)
    case .lookup(let name): receiveMasterLookup(message, name: name)
    case .lock(let lock): receiveRecoveredLock(message, lock)
    case .lookupReply: receiveMasterLookupReply(message)
    case .lockReply(let lock): receiveRecoveredLockReply(lock, from: message.sender)
    case .statusReply(let reply):
      guard isAnswer(message) else { return drop() }
      statusAnswered(message, reply)
    case .namesReply(let block):
      guard isAnswer(message) else { return drop() }
      namesAnswered(block, from: message.sender)
    }
  }

  /// dlm-wire 14.2.
  private func accepts(_ message: RecoveryMessage) -> Bool {
    if case .stopped = recovery.phase, message.type != .status { return false }
    if message.type.isReply, message.sequenceReply != recovery.sequence { return false }
    switch message.type {
    case .status, .statusReply: return true
    case .names, .namesReply: return recovery.status.contains(.nodes)
    case .lookup, .lookupReply, .lock, .lockReply:
      return recovery.status.contains([.nodes, .directory])
    }
  }

  private func isAnswer(_ message: RecoveryMessage) -> Bool {
    guard let question = recovery.question else { return false }
    return question.id == message.id && question.node == message.sender
  }

  private mutating func replyWithStatus(to message: RecoveryMessage, needsSlots: Bool) {
    let isPublished = isLowNode && recovery.status.contains(.allNodes)
    let reply = StatusReply(
      configuration: configuration.shared, ourSlot: recovery.ownSlot,
      generation: recovery.generation, slots: needsSlots && isPublished ? recovery.slots : [])
    self.reply(
      to: message, .statusReply(reply), result: Int32(bitPattern: recovery.status.rawValue))
  }

  private mutating func statusAnswered(_ message: RecoveryMessage, _ reply: StatusReply) {
    // A node that does not have the lockspace yet has no configuration either.
    let isThere = message.result != LockResult.unknownLockspace.rawValue
    if isThere, reply.configuration != configuration.shared {
      return fail(
        .configurationMismatch(
          message.sender, theirs: reply.configuration, ours: configuration.shared))
    }
    recovery.question = nil
    let status = message.recoveryStatus
    switch recovery.phase {
    case .pinging(let next): ping(next: next + 1)
    case .collectingSlots(let next): slotAnswered(next: next, status: status, reply: reply)
    case .awaitingSlots: slotTableAnswered(status: status, reply: reply)
    case .waiting(let barrier, let next): barrierAnswered(barrier, next: next, status: status)
    case .neverStarted, .stopped, .readingNames, .findingMasters, .sendingLocks, .running,
      .failed:
      drop()
    }
  }

  /// The answer of a node to a status question about a lockspace that it does not have
  /// (dlm-wire 14.3); nil for any other message. A 3.2 kernel sends it in the sequence.
  public static func unknownLockspaceReply(
    to packet: Packet, from localNode: NodeID
  ) -> Packet? {
    guard case .recovery(let message) = packet, case .status = message.body else { return nil }
    return .recovery(
      RecoveryMessage(
        .statusReply(StatusReply(configuration: .unknownLockspace)),
        lockspaceID: message.lockspaceID, sender: localNode,
        result: LockResult.unknownLockspace.rawValue, id: message.id, sequence: 0,
        sequenceReply: message.sequence))
  }
}
