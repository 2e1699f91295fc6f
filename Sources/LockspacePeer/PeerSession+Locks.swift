import DistributedLockManager
import LockManager
import LockProtocol

/// Calls about locks, and how their ends are told.
///
/// The result of a lock or convert call comes under its id, also when a cancel or an unlock ends
/// it. An unlock has a result of its own only if it ended nothing else.
extension PeerSession {
  /// Hands a call to the lock manager, which may refuse it, or keeps it until locking is enabled.
  func call(_ operation: PeerRequest.Operation, id: RequestID?) throws(RequestError) {
    let call = try checked(operation, id: id)
    guard isRunning, heldCalls.isEmpty else {
      accept(call)
      return heldCalls.append(.lock(call))
    }
    heldEvents = []
    defer { releaseHeldEvents() }
    if let refusal = carryOut(call) { throw RequestError(refusal) }
    accept(call)
  }

  private func checked(
    _ operation: PeerRequest.Operation, id: RequestID?
  ) throws(RequestError) -> LockCallRequest {
    switch operation {
    case .lock(let name, let mode, let flags, let valueBlock, let processID):
      guard !flags.contains(.convert) else {
        throw RequestError("flag CONVERT is for convert, which needs no flag")
      }
      let contents = try padded(valueBlock)
      lastNumber += 1
      let lock = PeerLock(lastNumber, in: self, call: .init(id: id))
      locks[lock.number] = lock
      return LockCallRequest(
        id: id, lock: lock,
        operation: .lock(
          OwnedLockRequest(
            lockspace: configuration.lockspace, resource: name, mode: mode, flags: flags,
            valueBlock: contents, processID: processID ?? configuration.processID,
            owner: "dlm-peer")))
    case .convert(let number, let mode, let flags, let valueBlock):
      return LockCallRequest(
        id: id, lock: try lock(number),
        operation: .convert(mode, flags, valueBlock: try padded(valueBlock)))
    case .unlock(let number, let flags, let valueBlock):
      let lock = try lock(number)
      guard flags.contains(.cancel) else {
        return LockCallRequest(
          id: id, lock: lock, operation: .unlock(flags, valueBlock: try padded(valueBlock)))
      }
      guard !flags.contains(.forceUnlock) else {
        throw RequestError("CANCEL and FORCEUNLOCK exclude each other")
      }
      return LockCallRequest(id: id, lock: lock, operation: .cancel)
    case .cancel(let number):
      return LockCallRequest(id: id, lock: try lock(number), operation: .cancel)
    case .abandon(let number):
      return LockCallRequest(id: id, lock: try lock(number), operation: .abandon)
    case .start, .stop, .purge, .dump, .leave: preconditionFailure("not about a lock")
    }
  }

  private func lock(_ number: UInt64) throws(RequestError) -> PeerLock {
    guard let lock = locks[number] else {
      throw RequestError("there is no lock \(number)", status: RequestError.noEntry)
    }
    return lock
  }

  /// Contents shorter than the lockspace's value blocks are filled up with zeros.
  private func padded(_ valueBlock: [UInt8]?) throws(RequestError) -> [UInt8]? {
    guard let valueBlock else { return nil }
    let missing = configuration.lvbLength - valueBlock.count
    guard missing >= 0 else {
      throw RequestError("the value block has more than \(configuration.lvbLength) bytes")
    }
    return valueBlock + Array(repeating: 0, count: missing)
  }

  private func accept(_ call: LockCallRequest) {
    if case .lock = call.operation {
      accept(call.id, lkid: call.lock.number)
    } else {
      accept(call.id)
    }
  }

  /// - Returns: why the lock manager refused the call.
  private func carryOut(_ call: LockCallRequest) -> CallRefusal? {
    let lock = call.lock
    guard isKnown(lock) else { return .unknownHandle }
    let before = (lock.call, lock.unlock)
    note(call)
    calling = (lock, nil)
    make(call)
    let refusal = calling?.refusal
    calling = nil
    if refusal != nil {
      (lock.call, lock.unlock) = before
      if case .lock = call.operation { locks[lock.number] = nil }
    } else if case .abandon = call.operation {
      locks[lock.number] = nil
    }
    return refusal
  }

  private func make(_ call: LockCallRequest) {
    let locks = lockspace.locks
    if case .lock(let request) = call.operation {
      let handle = locks.newHandle()
      call.lock.handle = handle
      do throws(ClusterLockError) {
        return try locks.lock(request, handle: handle, listener: call.lock)
      } catch {
        preconditionFailure("no lockspace for a call that was checked: \(error)")
      }
    }
    guard let handle = call.lock.handle else {
      preconditionFailure("a call about a lock before its request")
    }
    switch call.operation {
    case .lock: break
    case .convert(let mode, let flags, let valueBlock):
      locks.convert(handle, to: mode, flags: flags, valueBlock: valueBlock)
    case .unlock(let flags, let valueBlock):
      locks.unlock(handle, flags: flags, valueBlock: valueBlock)
    case .cancel: locks.cancel(handle)
    case .abandon: lockspace.abandon(handle)
    }
  }

  /// Remembers under which id the result is to be told.
  private func note(_ call: LockCallRequest) {
    switch call.operation {
    case .convert: call.lock.call = .init(id: call.id)
    case .unlock: if call.lock.unlock == nil { call.lock.unlock = .init(id: call.id) }
    case .lock, .cancel, .abandon: break
    }
  }

  /// This node leaves: all that is under way ends.
  func endCalls() {
    for lock in locks.values.sorted(by: { $0.number < $1.number }) {
      for call in [lock.call, lock.unlock].compactMap({ $0 }) {
        printCompletion(lock, call.id, status: RequestError.shutDown, mode: .iv)
      }
    }
    for case .lock(let call) in heldCalls {
      switch call.operation {
      case .convert, .unlock:
        printCompletion(call.lock, call.id, status: RequestError.shutDown, mode: .iv)
      case .lock, .cancel, .abandon: break
      }
    }
    locks = [:]
    heldCalls = []
  }

  /// Locking is enabled: what was kept meanwhile is done, in order.
  func takeHeldCalls() {
    guard isRunning else { return }
    let calls = heldCalls
    heldCalls = []
    for call in calls {
      switch call {
      case .lock(let call): if let refusal = carryOut(call) { tell(refusal, of: call) }
      case .purge(let node, let processID): lockspace.purge(node, processID: processID)
      }
    }
  }

  /// Of a call that was answered with `ok` when it came.
  private func tell(_ refusal: CallRefusal, of call: LockCallRequest) {
    switch call.operation {
    case .lock, .convert, .unlock:
      printCompletion(
        call.lock, call.id, status: RequestError(refusal).status, mode: mode(of: call.lock))
    case .cancel, .abandon: break
    }
  }

  private func mode(of lock: PeerLock) -> LockMode {
    lock.handle.flatMap { lockspace.machine?.grantedMode(of: $0) } ?? .iv
  }

  // MARK: - Results

  private func isKnown(_ lock: PeerLock) -> Bool { locks[lock.number] === lock }

  func completed(_ lock: PeerLock, _ outcome: LockOutcome) {
    guard isKnown(lock) else { return }
    printCompletion(
      lock, lock.call?.id, status: outcome.result.status, mode: outcome.mode ?? .iv,
      valueBlock: outcome.valueBlock, flags: outcome.flags)
    lock.call = nil
    if outcome.mode == nil { locks[lock.number] = nil }
  }

  func released(_ lock: PeerLock) {
    guard isKnown(lock) else { return }
    locks[lock.number] = nil
    printCompletion(
      lock, (lock.call ?? lock.unlock)?.id, status: LockResult.unlocked.rawValue, mode: .iv)
  }

  func blocks(_ lock: PeerLock, _ mode: LockMode) {
    guard isKnown(lock) else { return }
    print(.init(event: .blocking, lkid: lock.number, mode: "\(mode)"))
  }

  /// The call that is being made, or one that waited for a cancel's answer and turned out to be
  /// impossible.
  func refused(_ lock: PeerLock, _ reason: CallRefusal) {
    if calling?.lock === lock {
      calling?.refusal = reason
      return
    }
    guard isKnown(lock) else { return }
    printCompletion(
      lock, (lock.call ?? lock.unlock)?.id, status: RequestError(reason).status,
      mode: mode(of: lock))
    if lock.call != nil { lock.call = nil } else { lock.unlock = nil }
  }

  private func printCompletion(
    _ lock: PeerLock, _ id: RequestID?, status: Int32, mode: LockMode,
    valueBlock: [UInt8]? = nil, flags: LockStatusFlags = []
  ) {
    print(
      .init(
        event: .completion, id: id, lkid: lock.number, status: status, mode: "\(mode)",
        lvb: valueBlock.map(Hexadecimal.text), flags: flags.names))
  }
}

extension RequestError {
  init(_ reason: CallRefusal) {
    let status =
      switch reason {
      case .unknownHandle, .noOrphan: Self.noEntry
      case .orphanInOtherMode: Self.again
      case .handleInUse: Self.exists
      case .busy: Self.busy
      case .invalidArguments, .valueBlockLength: Self.invalidArgument
      case .tooManyLocks: Self.outOfMemory
      }
    self.init("\(reason)", status: status)
  }
}

extension LockOutcome.Result {
  var status: Int32 {
    switch self {
    case .granted: LockResult.granted.rawValue
    case .wouldBlock: LockResult.wouldBlock.rawValue
    case .deadlock: LockResult.deadlock.rawValue
    case .cancelled: LockResult.cancelled.rawValue
    case .failed(let result): result.rawValue
    }
  }
}
