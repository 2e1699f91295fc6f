import ClusterSimulation
import ClusterTypes
import LockProtocol

@testable import LockManager

/// The applications: random calls, and the answers they get.
extension SimulatedCluster {
  mutating func clientTurn(on node: NodeID) {
    guard let incarnation = nodes[node]?.incarnation, !controlPlane.leaving.contains(node) else {
      return
    }
    let isBusy = activity == .busy && now >= restEnd
    let pause: ClosedRange<Int64> = isBusy ? 500...8000 : 100_000...400_000
    agenda.schedule(
      .client(node, incarnation: incarnation),
      after: .microseconds(Int64.random(in: pause, using: &random)))
    switch activity {
    case .busy: if now < restEnd { return drain(node) }
    case .quiet: return
    case .draining: return drain(node)
    }
    let own = locks.values.filter { $0.node == node }.sorted { $0.handle < $1.handle }
    if scenario.hasAnchors {
      let anchored = Set(own.filter(\.isAnchor).map(\.resource))
      for resource in 0..<scenario.resourceCount where !anchored.contains(resource) {
        request(on: node, resource: resource, mode: .nl, flags: .valueBlock, isAnchor: true)
      }
    }
    let plain = own.filter { !$0.isAnchor }
    if plain.count < scenario.locksPerNode, random.chance(60) {
      requestAtRandom(on: node)
    } else if let lock = plain.randomElement(using: &random) {
      useAtRandom(lock)
    }
  }

  /// All calls of a test's end: everything is given up, forcibly where it does not end by itself.
  private mutating func drain(_ node: NodeID) {
    for lock in locks.values.filter({ $0.node == node }).sorted(by: { $0.handle < $1.handle }) {
      if lock.isAnchor, activity == .busy { continue }
      switch lock.pending {
      case .nothing: unlock(lock, isForced: false)
      case .request, .conversion: if random.chance(20) { unlock(lock, isForced: true) }
      case .unlock: break
      }
    }
  }

  // MARK: Calls

  private mutating func requestAtRandom(on node: NodeID) {
    let mode = LockMode.allCases.dropFirst().randomElement(using: &random) ?? .ex
    var flags = randomQueueFlags()
    if mode == .nl, random.chance(30) { flags.insert(.expedite) }
    if flags.isDisjoint(with: [.noQueue]), random.chance(5) {
      flags.insert(random.chance(50) ? .alternatePR : .alternateCW)
    }
    if flags.contains(.expedite) { flags.remove(.noQueue) }
    let resource = Int.random(in: 0..<scenario.resourceCount, using: &random)
    request(on: node, resource: resource, mode: mode, flags: flags, isAnchor: false)
  }

  private mutating func randomQueueFlags() -> LockFlags {
    var flags: LockFlags = []
    if random.chance(70) { flags.insert(.valueBlock) }
    if random.chance(15) { flags.insert(.noQueue) }
    if random.chance(10) { flags.insert(.noQueueBlockingCallback) }
    if random.chance(5) { flags.insert(.headOfQueue) }
    if random.chance(5) { flags.insert(.noOrder) }
    if random.chance(20) { flags.insert(.noDeadlockWait) }
    return flags
  }

  private mutating func request(
    on node: NodeID, resource: Int, mode: LockMode, flags: LockFlags, isAnchor: Bool
  ) {
    let handle = LockHandle(nextHandle)
    nextHandle += 1
    locks[handle] = ClientLock(
      handle: handle, node: node, resource: resource, isAnchor: isAnchor, flags: flags,
      requested: mode, buffer: Array(repeating: 0, count: 32))
    note("call \(handle) on \(node): request \(mode) of \(resource) flags \(flags.rawValue)")
    input(
      .lock(
        LockCall(
          handle: handle, resource: Self.resource(resource), mode: mode, flags: flags,
          processID: UInt32(node.rawValue))), to: node)
  }

  private mutating func useAtRandom(_ lock: ClientLock) {
    switch lock.pending {
    case .nothing:
      if random.chance(35) { unlock(lock, isForced: random.chance(10)) } else { convert(lock) }
    case .request, .conversion:
      guard random.chance(15) else { return }
      if scenario.usesCancel, random.chance(60) {
        cancel(lock)
      } else {
        unlock(lock, isForced: true)
      }
    case .unlock: break
    }
  }

  private mutating func cancel(_ lock: ClientLock) {
    note("call \(lock.handle): cancel")
    input(.cancel(lock.handle), to: lock.node)
  }

  private mutating func convert(_ lock: ClientLock) {
    let modes = LockMode.allCases.dropFirst().filter {
      !(($0 == .pr && lock.held == .cw) || ($0 == .cw && lock.held == .pr))
    }
    let mode =
      lock.isWanted && random.chance(80) ? .nl : modes.randomElement(using: &random) ?? .nl
    var flags = randomQueueFlags()
    if mode > lock.held, lock.held < .pw, random.chance(10) { flags.insert(.queueConversion) }
    if scenario.usesConversionDeadlock, !flags.contains(.noQueue), random.chance(40) {
      flags.insert(.conversionDeadlock)
    }
    // Who uses the value block of a strong mode must have taken it with the value block: otherwise
    // nobody knows that it was in danger when the node dies.
    if !lock.flags.contains(.valueBlock), lock.held > .cr { flags.remove(.valueBlock) }
    locks[lock.handle]?.flags = flags.union(.convert)
    locks[lock.handle]?.requested = mode
    locks[lock.handle]?.origin = lock.held
    locks[lock.handle]?.pending = .conversion
    locks[lock.handle]?.isWanted = false
    var value: [UInt8]?
    let writes = lock.held == .ex || (lock.held == .pw && mode != .ex)
    if writes, flags.contains(.valueBlock) {
      if random.chance(70) { value = newValue(lock) }
      write(lock, value)
    }
    // From here on the application does not count on more than the new mode.
    if flags.contains(.conversionDeadlock) {
      locks[lock.handle]?.held = .nl
    } else {
      locks[lock.handle]?.held = min(lock.held, mode)
    }
    note("call \(lock.handle): convert \(lock.held) to \(mode) flags \(flags.rawValue)")
    input(.convert(lock.handle, mode, flags: flags, valueBlock: value), to: lock.node)
  }

  private mutating func unlock(_ lock: ClientLock, isForced: Bool) {
    var flags: LockFlags = isForced ? .forceUnlock : []
    var value: [UInt8]?
    if lock.pending != .nothing {
      if random.chance(20) { flags.insert(.invalidateValueBlock) }
      if lock.held >= .pw, lock.flags.contains(.valueBlock) { write(lock, nil) }
    } else if lock.held >= .pw {
      if lock.flags.contains(.valueBlock), random.chance(50) {
        flags.insert(.valueBlock)
        value = newValue(lock)
      }
      if lock.flags.union(flags).contains(.valueBlock) { write(lock, value) }
    }
    locks[lock.handle]?.pending = .unlock
    locks[lock.handle]?.held = .iv
    note("call \(lock.handle): unlock \(lock.held), forced \(isForced)")
    input(.unlock(lock.handle, flags: flags, valueBlock: value), to: lock.node)
  }

  private func newValue(_ lock: ClientLock) -> [UInt8] {
    let text = "lock \(lock.handle) step \(step)"
    return Array(text.utf8.prefix(32)) + Array(repeating: 0, count: 32 - text.utf8.count)
  }

  private mutating func write(_ lock: ClientLock, _ value: [UInt8]?) {
    if let value { locks[lock.handle]?.buffer = value }
    histories[lock.resource].write(value ?? lock.buffer)
  }

  // MARK: Answers

  mutating func completed(_ handle: LockHandle, _ outcome: LockOutcome) {
    note("answer \(handle): \(outcome.result) \(outcome.mode.map(\.description) ?? "gone")")
    guard let lock = locks[handle] else { return violation("completion of dead \(handle)") }
    guard lock.pending != .nothing else { return violation("second completion of \(handle)") }
    guard let mode = outcome.mode else {
      if case .granted = outcome.result { violation("\(handle) granted and gone") }
      locks[handle] = nil
      return
    }
    if case .failed(let result) = outcome.result { violation("\(handle) failed: \(result)") }
    if let value = outcome.valueBlock { locks[handle]?.buffer = value }
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
    if lock.grantedAt == nil { locks[handle]?.grantedAt = step }
    checkCompatibility(of: handle)
  }

  mutating func released(_ handle: LockHandle) {
    note("answer \(handle): released")
    guard let lock = locks[handle] else { return violation("release of dead \(handle)") }
    if lock.pending != .unlock { violation("\(handle) released without unlock") }
    locks[handle] = nil
  }

  mutating func blocking(_ handle: LockHandle, _ mode: LockMode) {
    note("answer \(handle): blocks \(mode)")
    guard locks[handle] != nil else { return violation("blocking callback of dead \(handle)") }
    locks[handle]?.isWanted = true
  }

  mutating func refused(_ handle: LockHandle, _ refusal: CallRefusal) {
    note("answer \(handle): \(refusal)")
    // The operation that an unlock was to overtake may have ended the lock while calls were held.
    if refusal == .unknownHandle, locks[handle] == nil { return }
    violation("\(handle) refused: \(refusal)")
  }
}
