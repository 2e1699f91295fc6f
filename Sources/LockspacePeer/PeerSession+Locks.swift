import LockManager
import LockProtocol

/// Calls about locks, and how their ends are told.
///
/// The result of a lock or convert call comes under its id, also when a cancel or an unlock ends
/// it. An unlock has a result of its own only if it ended nothing else.
extension PeerSession {
  /// Hands a call to the lock manager, which may refuse it, or keeps it until locking is enabled.
  mutating func call(_ operation: PeerRequest.Operation, id: RequestID?) throws(RequestError) {
    let call = LockCallRequest(
      id: id, handle: try handle(of: operation), input: try input(of: operation))
    if case .lock = call.input {
      lastHandle += 1
      records[call.handle] = Record(call: .init(id: id))
    }
    guard machine.state == .running else {
      accept(call)
      return heldCalls.append(call)
    }
    guard let refusal = carryOut(call, thenAccept: true) else { return }
    if case .lock = call.input { records[call.handle] = nil }
    throw RequestError(refusal)
  }

  private func handle(of operation: PeerRequest.Operation) throws(RequestError) -> LockHandle {
    switch operation {
    case .convert(let handle, _, _, _), .unlock(let handle, _, _), .cancel(let handle),
      .abandon(let handle):
      guard records[handle] != nil else {
        throw RequestError("there is no lock \(handle)", status: RequestError.noEntry)
      }
      return handle
    case .lock, .purge: return LockHandle(lastHandle + 1)
    case .start, .stop, .dump, .leave: preconditionFailure("not a call of the lock manager")
    }
  }

  private func input(
    of operation: PeerRequest.Operation
  ) throws(RequestError) -> LockspaceMachine.Input {
    switch operation {
    case .lock(let name, let mode, let flags, let valueBlock, let processID):
      guard !flags.contains(.convert) else {
        throw RequestError("flag CONVERT is for convert, which needs no flag")
      }
      return .lock(
        LockCall(
          handle: LockHandle(lastHandle + 1), resource: name, mode: mode, flags: flags,
          valueBlock: try padded(valueBlock), processID: processID ?? configuration.processID))
    case .convert(let handle, let mode, let flags, let valueBlock):
      return .convert(handle, mode, flags: flags, valueBlock: try padded(valueBlock))
    case .unlock(let handle, let flags, let valueBlock):
      guard flags.contains(.cancel) else {
        return .unlock(handle, flags: flags, valueBlock: try padded(valueBlock))
      }
      guard !flags.contains(.forceUnlock) else {
        throw RequestError("CANCEL and FORCEUNLOCK exclude each other")
      }
      return .cancel(handle)
    case .cancel(let handle): return .cancel(handle)
    case .abandon(let handle): return .abandon(handle)
    case .purge(let node, let processID):
      guard node == configuration.node || machine.members.contains(node) else {
        throw RequestError("node \(node) is no member", status: RequestError.noEntry)
      }
      return .purge(node, processID: processID)
    case .start, .stop, .dump, .leave: preconditionFailure("not a call of the lock manager")
    }
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

  /// The answer goes before the events that the call causes.
  ///
  /// - Returns: why the lock manager refused the call.
  private mutating func carryOut(
    _ call: LockCallRequest, thenAccept: Bool
  ) -> CallRefusal? {
    var caused: [LockspaceMachine.Effect] = []
    machine.handle(call.input, at: now, effects: &caused)
    let refusals = caused.compactMap { effect -> CallRefusal? in
      if case .refused(call.handle, let reason) = effect { reason } else { nil }
    }
    if let refusal = refusals.first {
      for effect in caused {
        if case .refused(call.handle, _) = effect { continue }
        carryOut(effect)
      }
      return refusal
    }
    note(call)
    if thenAccept { accept(call) }
    for effect in caused { carryOut(effect) }
    return nil
  }

  private mutating func accept(_ call: LockCallRequest) {
    if case .lock = call.input { accept(call.id, lkid: call.handle) } else { accept(call.id) }
  }

  /// Remembers under which id the result is to be told.
  private mutating func note(_ call: LockCallRequest) {
    switch call.input {
    case .convert: records[call.handle]?.call = .init(id: call.id)
    case .unlock:
      if records[call.handle]?.unlock == nil { records[call.handle]?.unlock = .init(id: call.id) }
    case .abandon: records[call.handle] = nil
    case .lock, .cancel, .purge, .receive, .stop, .start, .timer: break
    }
  }

  /// This node leaves: all that is under way ends.
  mutating func endCalls() {
    for (handle, record) in records.sorted(by: { $0.key < $1.key }) {
      for call in [record.call, record.unlock].compactMap({ $0 }) {
        printCompletion(handle, call.id, status: RequestError.shutDown, mode: .iv)
      }
    }
    for call in heldCalls {
      switch call.input {
      case .convert, .unlock:
        printCompletion(call.handle, call.id, status: RequestError.shutDown, mode: .iv)
      case .lock, .cancel, .abandon, .purge, .receive, .stop, .start, .timer: break
      }
    }
    records = [:]
    heldCalls = []
  }

  /// Locking is enabled: what was kept meanwhile is done, in order.
  mutating func takeHeldCalls() {
    let calls = heldCalls
    heldCalls = []
    for call in calls {
      guard let refusal = carryOut(call, thenAccept: false) else { continue }
      let mode: LockMode
      switch call.input {
      case .lock:
        records[call.handle] = nil
        mode = .iv
      case .convert, .unlock:
        mode = machine.grantedMode(of: call.handle) ?? .iv
      case .cancel, .abandon, .purge, .receive, .stop, .start, .timer: continue
      }
      printCompletion(call.handle, call.id, status: RequestError(refusal).status, mode: mode)
    }
  }

  // MARK: - Results

  mutating func completed(_ handle: LockHandle, _ outcome: LockOutcome) {
    guard let record = records[handle] else { return }
    printCompletion(
      handle, record.call?.id, status: outcome.result.status, mode: outcome.mode ?? .iv,
      valueBlock: outcome.valueBlock, flags: outcome.flags)
    if outcome.mode == nil {
      records[handle] = nil
    } else {
      records[handle]?.call = nil
    }
  }

  mutating func released(_ handle: LockHandle) {
    guard let record = records.removeValue(forKey: handle) else { return }
    printCompletion(
      handle, (record.call ?? record.unlock)?.id, status: LockResult.unlocked.rawValue, mode: .iv)
  }

  /// A call that waited for a cancel's answer turned out to be impossible.
  mutating func refused(_ handle: LockHandle, _ reason: CallRefusal) {
    guard let record = records[handle] else { return }
    printCompletion(
      handle, (record.call ?? record.unlock)?.id, status: RequestError(reason).status,
      mode: machine.grantedMode(of: handle) ?? .iv)
    if record.call != nil { records[handle]?.call = nil } else { records[handle]?.unlock = nil }
  }

  mutating func printCompletion(
    _ handle: LockHandle, _ id: RequestID?, status: Int32, mode: LockMode,
    valueBlock: [UInt8]? = nil, flags: LockStatusFlags = []
  ) {
    print(
      .init(
        event: .completion, id: id, lkid: handle.rawValue, status: status, mode: "\(mode)",
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
