import ClusterTypes
import LockProtocol

/// CONVERT, owner to master: another mode for a granted lock; and its answer (dlm-wire 7.5, 7.6).
///
/// A conversion to a weaker mode has no answer: the owner completes it at once, and the order of
/// messages between two nodes makes that safe.
extension LockspaceMachine {
  // MARK: The owner

  mutating func convert(
    _ handle: LockHandle, to mode: LockMode, flags: LockFlags, valueBlock: [UInt8]?
  ) {
    guard let id = lockID(of: handle) else { return }
    let call = Input.convert(handle, mode, flags: flags, valueBlock: valueBlock)
    if hold(call, of: id) { return }
    guard locks[id].queue == .granted, !locks[id].isBusy else { return refuse(handle, .busy) }
    let refusal =
      refusal(requested: mode, flags: flags, valueBlock: valueBlock, isConversion: true)
      ?? conversionRefusal(of: locks[id], to: mode, flags: flags)
    if let refusal { return refuse(handle, refusal) }
    statistics.conversions += 1
    // What the caller hands in with a conversion that reads must not be taken for what was read.
    let isRead = locks[id].granted.valueBlockTransfer(granting: mode) == .read
    locks[id].hasUnreadValueBlock =
      isRead && flags.contains(.valueBlock)
      && (!locks[id].flags.contains(.valueBlock) || locks[id].hasUnreadValueBlock)
    setArguments(
      of: id, flags: flags.union(.convert), requested: mode, valueBlock: isRead ? nil : valueBlock)
    convert(id)
  }

  /// Takes a conversion to the master; again after a recovery.
  mutating func convert(_ id: LockID) {
    guard let master = remoteMaster(of: id) else { return convertHere(id) }
    send(.convert, for: id, to: master)
    if locks[id].granted.isDownConversion(to: locks[id].requested) {
      setGranted(id)
      complete(id, .granted)
    } else {
      expectAnswer(to: .convert, for: id, from: master)
    }
  }

  private mutating func convertHere(_ id: LockID) {
    let decision = decideConversion(id)
    switch decision {
    case .granted: complete(id, .granted)
    case .queued: break
    case .wouldBlock: complete(id, .wouldBlock)
    case .deadlock: complete(id, .deadlock)
    }
    finishConversion(id, decision)
  }

  mutating func receiveConvertReply(_ message: LockMessage, for id: LockID) {
    guard endOutstanding(id, with: .convertReply) else { return drop() }
    switch message.result {
    case .granted:
      takeReplyFlags(from: message, into: id)
      takeDemotion(id)
      // A kernel as owner does not look at this one (dlm-wire 8.3), and counts on a mode that it has
      // not got.
      takeAlternateMode(id)
      takeGrantedValueBlock(from: message, into: id)
      setGranted(id)
      complete(id, .granted)
    case .queued:
      takeReplyFlags(from: message, into: id)
      takeDemotion(id)
      move(id, to: .converting)
    case .deadlock:
      takeReplyFlags(from: message, into: id)
      locks[id].requested = .iv
      complete(id, .deadlock)
    case .wouldBlock:
      locks[id].requested = .iv
      complete(id, .wouldBlock)
    default:
      locks[id].requested = .iv
      complete(id, .failed(message.result))
    }
  }

  /// The master gave the old mode up to break a deadlock.
  private mutating func takeDemotion(_ id: LockID) {
    if locks[id].statusFlags.contains(.demoted) { locks[id].granted = .nl }
  }

  // MARK: The master

  enum ConversionDecision: Sendable {
    case granted, queued, wouldBlock, deadlock

    var result: LockResult {
      switch self {
      case .granted: .granted
      case .queued: .queued
      case .wouldBlock: .wouldBlock
      case .deadlock: .deadlock
      }
    }
  }

  private mutating func decideConversion(_ id: LockID) -> ConversionDecision {
    switch decide(id, now: true, recover: false) {
    case .grantable:
      grant(id)
      return .granted
    case .deadlock where !locks[id].flags.contains(.noDeadlockWait):
      statistics.deadlocks += 1
      locks[id].requested = .iv
      return .deadlock
    case .demoted:
      var left = LeftUngranted()
      grantConversions(on: locks[id].resource, left: &left)
      if canBeGranted(id, now: true, recover: false) {
        grant(id)
        return .granted
      }
    case .deadlock, .notYet: break
    }
    if locks[id].flags.contains(.noQueue) { return .wouldBlock }
    move(id, to: .converting)
    return .queued
  }

  /// What follows the answer.
  private mutating func finishConversion(_ id: LockID, _ decision: ConversionDecision) {
    switch decision {
    case .granted: grantOthers(on: locks[id].resource)
    case .queued: sendBlocking(for: id, to: \.granted)
    case .wouldBlock:
      guard locks[id].flags.contains(.noQueueBlockingCallback) else { return }
      sendBlocking(for: id, to: \.granted)
      sendBlocking(for: id, to: \.converting)
    case .deadlock: break
    }
  }

  mutating func receiveConvert(_ message: LockMessage) {
    guard let id = masterCopy(for: message, errorReply: .convertReply, checkOwnerID: true) else {
      return
    }
    takeFlags(from: message, into: id)
    guard locks[id].queue == .granted else {
      return send(.convertReply, for: id, to: message.sender, result: .busy)
    }
    guard message.requestedMode != .iv else {
      return send(.convertReply, for: id, to: message.sender, result: .invalidArgument)
    }
    takeValueBlock(from: message, into: id)
    locks[id].requested = message.requestedMode
    locks[id].lvbSequence = message.lvbSequence
    locks[id].since = now
    let hasAnswer = !locks[id].granted.isDownConversion(to: message.requestedMode)
    let decision = decideConversion(id)
    if hasAnswer { send(.convertReply, for: id, to: message.sender, result: decision.result) }
    finishConversion(id, decision)
  }
}
