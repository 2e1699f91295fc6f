import ClusterTypes
import LockProtocol

/// What becomes of operations whose answer will not come (dlm-wire 15.4), and how they are done
/// anew when locking is enabled again (15.8, step 2).
extension LockspaceMachine {
  mutating func recoverOperations() {
    for id in locks.ids where locks[id].handle != nil {
      if locks[id].isBusy {
        recoverOperation(id)
      } else if isUnreadConversion(id), isAnswerLost(of: id) {
        doConversionAnew(id)
      }
    }
  }

  private mutating func recoverOperation(_ id: LockID) {
    if case .reply(.lookup, _) = locks[id].outstanding {
      locks[id].isResent = true
      return
    }
    guard isAnswerLost(of: id) else { return }
    switch locks[id].outstanding {
    case .reply(.convert, _) where isMiddleConversion(id) && !locks[id].overlap.contains(.unlock):
      // Whether it was granted is found out by the new master, which goes on with it (15.6); a
      // cancel would have to know.
      locks[id].outstanding = .nothing
      locks[id].overlap = []
      move(id, to: .converting)
    case .reply(.convert, _) where locks[id].overlap.contains(.unlock) && !locks[id].isResent:
      // The unlock that overtook it may have been done, and another lock granted. (A kernel sends
      // the lock to the new master first, which then holds both for a while.)
      releaseAndForget(id)
    case .reply(.request, _), .reply(.convert, _):
      locks[id].isResent = true
    case .reply(.unlock, _):
      releaseAndForget(id)
    case .reply, .nothing:
      // Only cancel and unlock are left of the operation. The dead master's copy is gone with it,
      // so an unlock is done, and a cancel takes back what was not granted.
      if locks[id].overlap.contains(.unlock) { return releaseAndForget(id) }
      locks[id].outstanding = .nothing
      locks[id].overlap = []
      revertOwn(id)
      // Before the calls that were made since the stop.
      if locks.contains(id), let call = locks[id].heldCall {
        locks[id].heldCall = nil
        heldCalls.insert(call, at: 0)
      }
    case .behindFirst, .pause: break
    }
  }

  func isMiddleConversion(_ id: LockID) -> Bool {
    locks[id].granted.isMiddleConversion(to: locks[id].requested)
  }

  /// The node to which the last operation went is gone, or all locks are rebuilt anyway.
  private func isAnswerLost(of id: LockID) -> Bool {
    guard configuration.usesDirectory else { return true }
    return locks[id].waitedFor.map(recovery.departed.contains) ?? false
  }

  /// Waits to read a value block that it did not use before. A new master must know that the lock uses
  /// it, or the death of this holder would not make it invalid; but it would take the unread buffer for
  /// the newest contents (15.6).
  private func isUnreadConversion(_ id: LockID) -> Bool {
    locks[id].queue == .converting && locks[id].hasUnreadValueBlock && !isMiddleConversion(id)
  }

  /// As if the old master had not got it: the new one hears of the granted lock now, and of the
  /// conversion when locking is enabled.
  private mutating func doConversionAnew(_ id: LockID) {
    let oldMaster = locks[id].waitedFor ?? localNode
    move(id, to: .granted)
    locks[id].outstanding = .reply(.convert, from: oldMaster)
    locks[id].waitedFor = oldMaster
    locks[id].isResent = true
  }

  mutating func resendOperations() {
    let resent = locks.ids.filter { locks[$0].isResent }
      .sorted { (locks[$0].since, $0) < (locks[$1].since, $1) }
    for id in resent where locks.contains(id) && locks[id].isResent { resend(id) }
  }

  private mutating func resend(_ id: LockID) {
    locks[id].isResent = false
    guard case .reply(let type, _) = locks[id].outstanding else { return }
    let overlap = locks[id].overlap
    switch type {
    case .request, .lookup:
      if overlap.isEmpty { request(id) } else { completeOverlap(id) }
    case .convert:
      locks[id].outstanding = .nothing
      locks[id].overlap = []
      resendConversion(id, overlap)
    case .unlock, .cancel, .requestReply, .convertReply, .unlockReply, .cancelReply, .grant,
      .blocking, .remove, .lookupReply, .purge:
      preconditionFailure("a \(type) is not done anew")
    }
  }

  /// An unlock that overtook the conversion goes before a cancel: the caller waits for its answer.
  private mutating func resendConversion(_ id: LockID, _ overlap: Overlap) {
    if overlap.isEmpty { return convert(id) }
    locks[id].requested = .iv
    if overlap.contains(.unlock) {
      locks[id].flags.insert(.forceUnlock)
      unlock(id)
    } else {
      complete(id, .cancelled)
    }
  }
}
