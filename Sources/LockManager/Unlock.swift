import ClusterTypes
import LockProtocol

/// UNLOCK, owner to master: the lock is given up, from whatever queue; and its answer
/// (dlm-wire 7.5, 7.6, 12).
extension LockspaceMachine {
  // MARK: The owner

  mutating func unlock(_ handle: LockHandle, flags: LockFlags, valueBlock: [UInt8]?) {
    guard let id = lockID(of: handle) else { return }
    let allowed: LockFlags = [.valueBlock, .invalidateValueBlock, .forceUnlock]
    guard flags.isSubset(of: allowed) else {
      return refuse(handle, .invalidArguments("unlock takes VALBLK, IVVALBLK and FORCEUNLOCK"))
    }
    if let valueBlock, valueBlock.count != configuration.lvbLength {
      return refuse(handle, .valueBlockLength(expected: configuration.lvbLength))
    }
    if flags.contains(.forceUnlock) {
      guard forceUnlockGoesAhead(id) else { return }
      locks[id].heldCall = nil
    } else if hold(.unlock(handle, flags: flags, valueBlock: valueBlock), of: id) {
      return
    } else if locks[id].isBusy {
      return refuse(handle, .busy)
    }
    if locks[id].hasUnreadValueBlock, !flags.contains(.valueBlock) {
      locks[id].flags.remove(.valueBlock)
    }
    locks[id].flags.formUnion(flags)
    locks[id].statusFlags = []
    setValueBlock(of: id, valueBlock)
    unlock(id)
  }

  /// False if the unlock must wait for the answer to a request, is done already, or is under way
  /// (dlm-wire 12).
  private mutating func forceUnlockGoesAhead(_ id: LockID) -> Bool {
    if locks[id].outstanding == .behindFirst || locks[id].outstanding == .pause {
      let resource = locks[id].resource
      releaseAndForget(id, thenNextOn: resource)
      return false
    }
    if locks[id].flags.contains(.forceUnlock) || locks[id].overlap.contains(.unlock) {
      return false
    }
    if locks[id].isResent {
      locks[id].overlap.insert(.unlock)
      return false
    }
    switch locks[id].outstanding {
    case .reply(.lookup, _), .reply(.request, _):
      locks[id].overlap.insert(.unlock)
      return false
    case .reply(.unlock, _): return false
    case .reply, .nothing, .behindFirst, .pause: return true
    }
  }

  /// Takes an unlock to the master.
  mutating func unlock(_ id: LockID) {
    statistics.unlocks += 1
    guard remoteMaster(of: id) == nil else { return sendUnlock(id) }
    let resource = locks[id].resource
    transferValueBlockAtUnlock(id)
    releaseAndForget(id)
    grantOthers(on: resource)
  }

  mutating func sendUnlock(_ id: LockID) {
    guard let master = remoteMaster(of: id) else { return unlock(id) }
    // The master may have granted PW or EX meanwhile: it must not write a buffer that was not read
    // under that mode.
    if locks[id].granted < .pw { locks[id].flags.remove(.valueBlock) }
    expectAnswer(to: .unlock, for: id, from: master)
    send(.unlock, for: id, to: master)
  }

  mutating func receiveUnlockReply(_ message: LockMessage, for id: LockID) {
    // Whatever the result: a master that knows no such lock has released it all the same.
    guard endOutstanding(id, with: .unlockReply) else { return drop() }
    releaseAndForget(id)
  }

  // MARK: The master

  mutating func receiveUnlock(_ message: LockMessage) {
    guard let id = masterCopy(for: message, errorReply: .unlockReply, checkOwnerID: true) else {
      return
    }
    takeFlags(from: message, into: id)
    takeValueBlock(from: message, into: id)
    transferValueBlockAtUnlock(id)
    let resource = locks[id].resource
    unqueue(id)
    locks[id].granted = .iv
    send(.unlockReply, for: id, to: message.sender, result: .unlocked)
    forget(id)
    grantOthers(on: resource)
  }
}
