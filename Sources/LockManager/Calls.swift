import ClusterTypes
import LockProtocol

/// The caller's side: what is checked before an operation begins, and how its end is told
/// (dlm-wire 8.3, 12).
extension LockspaceMachine {
  /// Carries a call out, or keeps it until locking is enabled.
  mutating func take(call: Input) {
    guard isRunning else {
      heldCalls.append(call)
      return
    }
    switch call {
    case .lock(let call): lock(call)
    case .convert(let handle, let mode, let flags, let valueBlock):
      convert(handle, to: mode, flags: flags, valueBlock: valueBlock)
    case .unlock(let handle, let flags, let valueBlock):
      unlock(handle, flags: flags, valueBlock: valueBlock)
    case .cancel(let handle): cancel(handle)
    case .abandon(let handle): abandon(handle)
    case .purge(let node, let processID): purge(node, processID: processID)
    case .receive, .stop, .start, .timer: preconditionFailure("not a call")
    }
  }

  /// The lock of a call; refuses the call if there is none.
  mutating func lockID(of handle: LockHandle) -> LockID? {
    guard let id = locks.find(handle) else {
      refuse(handle, .unknownHandle)
      return nil
    }
    return id
  }

  /// Why a mode and flags cannot go together in a lock or convert call; nil if they can.
  func refusal(
    requested: LockMode, flags: LockFlags, valueBlock: [UInt8]?, isConversion: Bool
  ) -> CallRefusal? {
    if requested == .iv { return .invalidArguments("IV is not a mode to request") }
    if let valueBlock, valueBlock.count != configuration.lvbLength {
      return .valueBlockLength(expected: configuration.lvbLength)
    }
    if flags.contains(.cancel) || flags.contains(.forceUnlock) {
      return .invalidArguments("cancel and force-unlock flags do not belong to a request")
    }
    if !isConversion, flags.contains(.queueConversion) || flags.contains(.conversionDeadlock) {
      return .invalidArguments("QUECVT and CONVDEADLK are for conversions only")
    }
    if flags.contains(.conversionDeadlock), flags.contains(.noQueue) {
      return .invalidArguments("CONVDEADLK and NOQUEUE exclude each other")
    }
    if flags.contains(.expedite) {
      if isConversion || requested != .nl || flags.contains(.noQueue) {
        return .invalidArguments("EXPEDITE is for new NL locks that may queue")
      }
    }
    return nil
  }

  /// Why a lock cannot be converted that way; nil if it can.
  func conversionRefusal(of lock: Lock, to requested: LockMode, flags: LockFlags) -> CallRefusal? {
    let granted = lock.granted
    if flags.contains(.queueConversion), !granted.allowsQueueConversion(to: requested) {
      return .invalidArguments("QUECVT is not for a conversion from \(granted) to \(requested)")
    }
    // Otherwise a master that dies with its answer leaves it open which of the two is held, and others
    // may have been granted what only the alternate mode allows.
    if flags.contains(.alternatePR), ![.nl, .cr, .pr].contains(granted) {
      return .invalidArguments("ALTPR is not for a conversion from \(granted)")
    }
    if flags.contains(.alternateCW), ![.nl, .cr, .cw].contains(granted) {
      return .invalidArguments("ALTCW is not for a conversion from \(granted)")
    }
    return nil
  }

  /// Replaces the flags of a lock for a new operation, and its value block if there is one to use.
  mutating func setArguments(
    of id: LockID, flags: LockFlags, requested: LockMode, valueBlock: [UInt8]?
  ) {
    locks[id].flags = flags
    locks[id].statusFlags = []
    locks[id].requested = requested
    locks[id].since = now
    setValueBlock(of: id, valueBlock)
  }

  /// The contents that the caller hands in with an operation that uses the value block.
  mutating func setValueBlock(of id: LockID, _ valueBlock: [UInt8]?) {
    guard locks[id].flags.contains(.valueBlock) else { return }
    if let valueBlock {
      locks[id].valueBlock = valueBlock
    } else if locks[id].valueBlock == nil {
      locks[id].valueBlock = emptyValueBlock
    }
  }
}

extension Lock {
  fileprivate func outcome(_ result: LockOutcome.Result) -> LockOutcome {
    LockOutcome(
      result: result, mode: granted, valueBlock: flags.contains(.valueBlock) ? valueBlock : nil,
      flags: result == .granted ? statusFlags : [])
  }
}

/// Telling the caller. Between stop and the end of recovery callbacks are held back
/// (dlm-wire 15.1).
extension LockspaceMachine {
  /// The operation of a lock of this node ended and the lock lives on.
  mutating func complete(_ id: LockID, _ result: LockOutcome.Result) {
    guard let handle = locks[id].handle else { return }
    locks[id].completedMode = locks[id].granted
    locks[id].since = now
    callBack(.completed(handle, locks[id].outcome(result)))
  }

  /// The operation of a lock of this node ended, and the lock with it.
  mutating func completeAndForget(_ id: LockID, _ result: LockOutcome.Result) {
    if let handle = locks[id].handle {
      callBack(.completed(handle, LockOutcome(result: result, mode: nil)))
    }
    forget(id)
  }

  mutating func releaseAndForget(_ id: LockID) {
    if let handle = locks[id].handle { callBack(.released(handle)) }
    forget(id)
  }

  mutating func refuse(_ handle: LockHandle, _ refusal: CallRefusal) {
    callBack(.refused(handle, refusal))
  }

  mutating func callBack(_ effect: Effect) {
    if isRunning {
      effects.append(effect)
    } else {
      heldCallbacks.append(effect)
    }
  }
}
