import ClusterTypes
import LockProtocol

/// CANCEL, owner to master: what is not granted yet is taken back; and its answer
/// (dlm-wire 7.5, 7.6, 12).
extension LockspaceMachine {
  // MARK: The owner

  mutating func cancel(_ handle: LockHandle) {
    // A lock that is gone has ended already: its caller has been told.
    guard let id = locks.find(handle) else { return }
    statistics.cancels += 1
    cancel(id, flags: .cancel)
  }

  /// - Parameter flags: what the message says about its origin.
  mutating func cancel(_ id: LockID, flags: LockFlags) {
    guard cancelGoesAhead(id) else { return }
    locks[id].flags.formUnion(flags)
    locks[id].statusFlags = []
    guard remoteMaster(of: id) == nil else { return sendCancel(id) }
    cancelHere(id)
  }

  /// False if there is nothing to cancel, the cancel must wait for the answer to a request, is done
  /// already, or is under way (dlm-wire 12).
  private mutating func cancelGoesAhead(_ id: LockID) -> Bool {
    if locks[id].outstanding == .behindFirst || locks[id].outstanding == .pause {
      let resource = locks[id].resource
      completeAndForget(id, .cancelled, thenNextOn: resource)
      return false
    }
    if case .convert = locks[id].heldCall {
      locks[id].heldCall = nil
      complete(id, .cancelled)
      return false
    }
    if locks[id].flags.contains(.cancel) || !locks[id].overlap.isEmpty { return false }
    if locks[id].isResent {
      locks[id].overlap.insert(.cancel)
      return false
    }
    switch locks[id].outstanding {
    case .reply(.lookup, _), .reply(.request, _):
      locks[id].overlap.insert(.cancel)
      return false
    case .reply(.unlock, _), .reply(.cancel, _): return false
    case .nothing: return locks[id].queue != .granted
    case .reply, .behindFirst, .pause: return true
    }
  }

  private mutating func cancelHere(_ id: LockID) {
    let resource = locks[id].resource
    if revertOwn(id) { grantOthers(on: resource) }
  }

  mutating func sendCancel(_ id: LockID) {
    guard let master = remoteMaster(of: id) else { return cancelHere(id) }
    expectAnswer(to: .cancel, for: id, from: master)
    send(.cancel, for: id, to: master)
  }

  mutating func receiveCancelReply(_ message: LockMessage, for id: LockID) {
    guard endOutstanding(id, with: .cancelReply) else { return drop() }
    switch message.result {
    case .cancelled:
      takeReplyFlags(from: message, into: id)
      revertOwn(id)
    case .granted: break
    default:
      // The master does not know the lock: nothing else would ever end what waits (7.6).
      revertOwn(id, .failed(message.result))
    }
    takeHeldCall(of: id)
  }

  /// Keeps a call whose caller cannot know that it is too early: the operation before it was told as
  /// ended, but the answer to its cancel is still under way. False if the call need not wait, or may
  /// not.
  mutating func hold(_ call: Input, of id: LockID) -> Bool {
    guard locks[id].awaitsOnlyCancel, locks[id].heldCall == nil else { return false }
    locks[id].heldCall = call
    return true
  }

  private mutating func takeHeldCall(of id: LockID) {
    guard locks.contains(id), let call = locks[id].heldCall else { return }
    locks[id].heldCall = nil
    take(call: call)
  }

  /// A lock of this node: a conversion goes back to its granted mode, a request is gone. False if
  /// there was nothing to take back.
  @discardableResult
  mutating func revertOwn(_ id: LockID, _ result: LockOutcome.Result = .cancelled) -> Bool {
    switch locks[id].queue {
    case .converting:
      locks[id].requested = .iv
      move(id, to: .granted)
      complete(id, result)
    case .waiting:
      completeAndForget(id, result)
    case .granted, .unqueued: return false
    }
    return true
  }

  // MARK: The master

  mutating func receiveCancel(_ message: LockMessage) {
    guard let id = masterCopy(for: message, errorReply: .cancelReply, checkOwnerID: false) else {
      return
    }
    takeFlags(from: message, into: id)
    locks[id].requested = .iv
    let resource = locks[id].resource
    switch locks[id].queue {
    case .granted, .unqueued:
      send(.cancelReply, for: id, to: message.sender, result: .granted)
    case .converting:
      move(id, to: .granted)
      send(.cancelReply, for: id, to: message.sender, result: .cancelled)
      grantOthers(on: resource)
    case .waiting:
      unqueue(id)
      send(.cancelReply, for: id, to: message.sender, result: .cancelled)
      forget(id)
      grantOthers(on: resource)
    }
  }
}
