import ClusterTypes
import LockManager
import LockProtocol

/// What applications hear, and what must be true of it.
extension LockSimulation {
  mutating func completed(_ handle: LockHandle, _ outcome: LockOutcome) {
    note(
      "answer \(handle): \(outcome.result) \(outcome.mode.map(\.description) ?? "gone")"
        + (outcome.flags.contains(.valueNotValid) ? " VALNOTVALID" : "")
        + (outcome.flags.contains(.demoted) ? " DEMOTED" : ""))
    guard let lock = locks[handle] else {
      return violate(.singleCompletion, "completion of \(handle), which is gone")
    }
    guard lock.pending != .nothing else {
      return violate(.singleCompletion, "second completion of \(handle)")
    }
    if outcome.result == .granted { locks[handle]?.blocks = nil }
    guard let mode = outcome.mode else {
      if case .granted = outcome.result {
        violate(.singleCompletion, "\(handle) granted and gone")
      }
      locks[handle] = nil
      return
    }
    if case .failed(let result) = outcome.result {
      violate(.refusals, "\(handle) failed: \(result)")
    }
    if let value = outcome.valueBlock { locks[handle]?.buffer = value }
    if case .adoption(let orphan) = lock.pending { return adopted(handle, orphan, mode) }
    if outcome.result == .granted { checkValue(lock, outcome) }
    if lock.pending == .unlock {
      // The unlock is carried out after this grant: what was read is written back.
      if lock.origin < .pw, mode >= .pw, let value = outcome.valueBlock {
        histories[lock.resource].write(value)
      }
      return
    }
    locks[handle]?.pending = .nothing
    locks[handle]?.held = mode
    if lock.grantedAt == nil { locks[handle]?.grantedAt = world.stepCount }
    checkMode(lock, outcome)
    checkCompatibility(of: handle)
  }

  private mutating func adopted(_ handle: LockHandle, _ orphan: LockHandle, _ mode: LockMode) {
    guard let old = locks.removeValue(forKey: orphan) else {
      return violate(.singleCompletion, "\(handle) adopts \(orphan), which is gone")
    }
    locks[handle]?.pending = .nothing
    locks[handle]?.held = mode
    locks[handle]?.grantedAt = old.grantedAt
    // What the dead process was told is not said again.
    locks[handle]?.blocks = old.blocks
    checkCompatibility(of: handle)
  }

  /// What was granted is what was asked for, unless the flags say otherwise.
  private mutating func checkMode(_ lock: ApplicationLock, _ outcome: LockOutcome) {
    guard let mode = outcome.mode else { return }
    let allowed: Bool =
      switch outcome.result {
      case .granted:
        mode == lock.requested
          || (outcome.flags.contains(.alternateMode)
            && ((mode == .pr && lock.flags.contains(.alternatePR))
              || (mode == .cw && lock.flags.contains(.alternateCW))))
      case .wouldBlock, .deadlock, .cancelled:
        lock.pending == .conversion
          && (mode == lock.origin || (mode == .nl && lock.flags.contains(.conversionDeadlock)))
      case .failed: true
      }
    if !allowed {
      violate(
        .refusals,
        "\(lock.handle) has \(mode) after \(outcome.result), asked for \(lock.requested)"
          + " from \(lock.origin)")
    }
  }

  mutating func released(_ handle: LockHandle) {
    note("answer \(handle): released")
    guard let lock = locks[handle] else {
      return violate(.singleCompletion, "release of \(handle), which is gone")
    }
    if lock.pending != .unlock, !(lock.isOrphan && lock.isOrphanTaken) {
      violate(.singleCompletion, "\(handle) released without unlock")
    }
    locks[handle] = nil
  }

  mutating func blocking(_ handle: LockHandle, _ mode: LockMode) {
    note("answer \(handle): blocks \(mode)")
    guard let lock = locks[handle] else {
      return violate(.singleCompletion, "blocking callback of \(handle), which is gone")
    }
    locks[handle]?.blocks = max(mode, lock.blocks ?? .nl)
  }

  mutating func refused(_ handle: LockHandle, _ refusal: CallRefusal) {
    note("answer \(handle): \(refusal)")
    switch refusal {
    case .unknownHandle where locks[handle] == nil:
      // The operation that an unlock was to overtake may have ended the lock while calls were held.
      return
    case .noOrphan, .orphanInOtherMode:
      guard case .adoption(let orphan)? = locks.removeValue(forKey: handle)?.pending else { break }
      // Its last operation is cancelled and the answer to that still due, or it was purged.
      locks[orphan]?.isOrphanTaken = false
      return
    default: break
    }
    violate(.refusals, "\(handle) refused: \(refusal)")
  }

  // MARK: Checks

  /// No two live applications hold incompatible modes.
  private mutating func checkCompatibility(of handle: LockHandle) {
    guard let lock = locks[handle] else { return }
    for other in locks.values
    where other.resource == lock.resource && other.handle != handle
      && other.held.excludes(lock.held)
    {
      violate(
        .compatibility,
        "\(handle) on node \(lock.node) holds \(lock.held) of resource \(lock.resource),"
          + " \(other.handle) on node \(other.node) holds \(other.held)")
    }
  }

  /// A read under CW or more, against which nobody can write, gives what was written last, or says
  /// that it cannot be trusted.
  private mutating func checkValue(_ lock: ApplicationLock, _ outcome: LockOutcome) {
    guard let value = outcome.valueBlock, let mode = outcome.mode else { return }
    guard lock.origin.readsValueBlock(granting: mode) else { return }
    guard !outcome.flags.contains(.valueNotValid) else {
      histories[lock.resource].doubtful.insert(value)
      return
    }
    let history = histories[lock.resource]
    let isZero = value.allSatisfy { $0 == 0 }
    if !history.all.contains(value) {
      return violate(.valueBlock, "\(lock.handle) reads \(text(value)), which nobody wrote")
    }
    // Once the last lock that used the value block is gone, it is forgotten: then there are zeros
    // to read, or what the reader brought along (dlm-wire 9).
    let isForgotten = (isZero || value == lock.buffer) && !isRemembered(lock.resource)
    let isDoubtful = history.doubtful.contains(value)
    if mode >= .cw, value != history.last, !isForgotten, !isDoubtful {
      return violate(
        .valueBlock,
        "\(lock.handle) in \(mode) reads \(text(value)), last written \(text(history.last))")
    }
    if !isZero { histories[lock.resource].observedAt = world.stepCount }
  }

  /// Only a value block that the master has read, and that some lock has kept alive since then,
  /// cannot have been forgotten (dlm-wire 9).
  private func isRemembered(_ resource: Int) -> Bool {
    guard let observedAt = histories[resource].observedAt else { return false }
    return locks.values.contains {
      $0.isAnchor && $0.resource == resource && ($0.grantedAt ?? .max) < observedAt
    }
  }

  private func text(_ value: [UInt8]) -> String {
    value.isEmpty ? "nothing to trust" : String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
  }
}
