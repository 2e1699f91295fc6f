import ClusterSimulation
import ClusterTypes
import LockManager
import LockProtocol

/// The applications: random calls with all modes and flags.
extension LockSimulation {
  /// True when the node's applications can call its lock manager.
  private func canCall(on node: NodeID) -> Bool {
    oracle.members.contains(node) && oracle.joined.contains(node) && !world.isPaused(node)
  }

  mutating func use(_ node: NodeID, choice: UInt64) {
    guard canCall(on: node) else { return }
    var dice = SeededGenerator(seed: choice)
    let own = locks.values.filter { $0.node == node }.sorted { $0.handle < $1.handle }
    if scenario.hasAnchors {
      let anchored = Set(own.filter(\.isAnchor).map(\.resource))
      for resource in 0..<scenario.resourceCount where !anchored.contains(resource) {
        request(on: node, resource: resource, mode: .nl, flags: .valueBlock, isAnchor: true)
      }
    }
    let plain = own.filter { !$0.isAnchor }
    if scenario.usesOrphans, let orphan = plain.first(where: \.isOrphan), dice.chance(30) {
      return takeOrphan(orphan, &dice)
    }
    let usable = plain.filter { !$0.isOrphan }
    if plain.count < scenario.locksPerNode, dice.chance(55) {
      requestAtRandom(on: node, &dice)
    } else if !usable.isEmpty {
      let settled = usable.filter { $0.pending == .nothing }
      let isPatient = !settled.isEmpty && dice.chance(70)
      useAtRandom((isPatient ? settled : usable).drawn(using: &dice), &dice)
    }
  }

  /// One turn of a test's end: everything is given up, forcibly where it does not end by itself.
  mutating func giveUp(on node: NodeID) {
    guard canCall(on: node) else { return }
    var dice = SeededGenerator(seed: random.next())
    for lock in locks.values.filter({ $0.node == node }).sorted(by: { $0.handle < $1.handle }) {
      // What one call brought about may have changed the others.
      guard let lock = locks[lock.handle] else { continue }
      if lock.isOrphan {
        if !lock.isOrphanTaken || dice.chance(20) { purge(lock, from: node) }
        continue
      }
      switch lock.pending {
      case .nothing: unlock(lock, isForced: false, &dice)
      case .request, .conversion: if dice.chance(20) { unlock(lock, isForced: true, &dice) }
      case .unlock, .adoption: break
      }
    }
  }

  // MARK: Calls

  private mutating func call(
    _ input: LockspaceMachine.Input, on node: NodeID, about resource: Int
  ) {
    examine(world.order(.call(input), to: node), of: node, about: resource)
  }

  private mutating func requestAtRandom(on node: NodeID, _ dice: inout SeededGenerator) {
    let mode = LockMode.requestable.drawn(using: &dice)
    var flags = queueFlags(&dice)
    if mode == .nl, dice.chance(30) {
      flags.insert(.expedite)
      flags.remove(.noQueue)
    }
    if !flags.contains(.noQueue), dice.chance(5) {
      flags.insert(dice.chance(50) ? .alternatePR : .alternateCW)
    }
    if scenario.usesOrphans, dice.chance(50) { flags.insert(.persistent) }
    let resource = Int.random(in: 0..<scenario.resourceCount, using: &dice)
    request(
      on: node, resource: resource, mode: mode, flags: flags, isAnchor: false,
      wantsBlocking: !dice.chance(10))
  }

  private func queueFlags(_ dice: inout SeededGenerator) -> LockFlags {
    var flags: LockFlags = []
    if dice.chance(scenario.valueBlockPercent) { flags.insert(.valueBlock) }
    if dice.chance(scenario.noQueuePercent) { flags.insert(.noQueue) }
    if dice.chance(10) { flags.insert(.noQueueBlockingCallback) }
    if dice.chance(5) { flags.insert(.headOfQueue) }
    if dice.chance(5) { flags.insert(.noOrder) }
    if dice.chance(20) { flags.insert(.noDeadlockWait) }
    return flags
  }

  private mutating func request(
    on node: NodeID, resource: Int, mode: LockMode, flags: LockFlags, isAnchor: Bool,
    wantsBlocking: Bool = true
  ) {
    let handle = newHandle()
    locks[handle] = ApplicationLock(
      handle: handle, node: node, resource: resource, isAnchor: isAnchor,
      processID: UInt32(handle.rawValue), flags: flags, requestFlags: flags, requested: mode,
      buffer: Array(repeating: 0, count: ValueHistory.length))
    note("call \(handle) on \(node): request \(mode) of \(resource)\(flags.words)")
    call(
      .lock(
        LockCall(
          handle: handle, resource: Names.resources[resource], mode: mode, flags: flags,
          processID: UInt32(handle.rawValue), wantsBlocking: wantsBlocking)), on: node,
      about: resource)
  }

  private mutating func newHandle() -> LockHandle {
    defer { nextHandle += 1 }
    return LockHandle(nextHandle)
  }

  private mutating func useAtRandom(_ lock: ApplicationLock, _ dice: inout SeededGenerator) {
    switch lock.pending {
    case .nothing:
      if lock.flags.contains(.persistent), dice.chance(15) {
        abandon(lock)
      } else if dice.chance(35) {
        unlock(lock, isForced: dice.chance(10), &dice)
      } else {
        convert(lock, &dice)
      }
    case .request, .conversion:
      guard dice.chance(15) else { return }
      if scenario.usesCancel, dice.chance(60) {
        note("call \(lock.handle): cancel")
        call(.cancel(lock.handle), on: lock.node, about: lock.resource)
      } else {
        unlock(lock, isForced: true, &dice)
      }
    case .unlock, .adoption: break
    }
  }

  private mutating func convert(_ lock: ApplicationLock, _ dice: inout SeededGenerator) {
    let mode =
      lock.blocks != nil && dice.chance(80) ? .nl : LockMode.requestable.drawn(using: &dice)
    var flags = queueFlags(&dice)
    if mode > lock.held, lock.held < .pw, dice.chance(10) { flags.insert(.queueConversion) }
    if scenario.usesConversionDeadlock, !flags.contains(.noQueue), dice.chance(40) {
      flags.insert(.conversionDeadlock)
    }
    if !flags.contains(.noQueue), lock.held <= .cr, dice.chance(5) {
      flags.insert(dice.chance(50) ? .alternatePR : .alternateCW)
    }
    // Who uses the value block of a strong mode must have taken it with the value block: otherwise
    // nobody knows that it was in danger when the node dies.
    if !lock.flags.contains(.valueBlock), lock.held > .cr { flags.remove(.valueBlock) }
    let writes = lock.held >= .pw && !lock.held.readsValueBlock(granting: mode)
    if scenario.usesInvalidation, writes, dice.chance(10) { flags.insert(.invalidateValueBlock) }
    if lock.flags.contains(.persistent) { flags.insert(.persistent) }
    locks[lock.handle]?.flags = flags.union(.convert)
    locks[lock.handle]?.requested = mode
    locks[lock.handle]?.origin = lock.held
    locks[lock.handle]?.pending = .conversion
    var value: [UInt8]?
    if writes, flags.contains(.invalidateValueBlock) {
      histories[lock.resource].loseLast()
    } else if writes, flags.contains(.valueBlock) {
      if dice.chance(70) { value = newValue(lock) }
      write(lock, value)
    }
    // From here on the application does not count on more than the new mode.
    if flags.contains(.conversionDeadlock) {
      locks[lock.handle]?.held = .nl
    } else {
      locks[lock.handle]?.held = lock.held.common(with: mode)
    }
    note("call \(lock.handle): convert \(lock.held) to \(mode)\(flags.words)")
    call(
      .convert(lock.handle, mode, flags: flags, valueBlock: value), on: lock.node,
      about: lock.resource)
  }

  private mutating func unlock(
    _ lock: ApplicationLock, isForced: Bool, _ dice: inout SeededGenerator
  ) {
    var flags: LockFlags = isForced ? .forceUnlock : []
    var value: [UInt8]?
    if lock.pending != .nothing {
      if dice.chance(20) { flags.insert(.invalidateValueBlock) }
      if lock.held >= .pw, lock.flags.contains(.valueBlock) { write(lock, nil) }
    } else if lock.held >= .pw {
      if scenario.usesInvalidation, dice.chance(15) {
        flags.insert(.invalidateValueBlock)
        histories[lock.resource].loseLast()
      } else {
        if lock.flags.contains(.valueBlock), dice.chance(50) {
          flags.insert(.valueBlock)
          value = newValue(lock)
        }
        // An IVVALBLK of the last conversion is still among the lock's flags.
        if lock.flags.contains(.invalidateValueBlock) {
          histories[lock.resource].loseLast()
        } else if lock.flags.union(flags).contains(.valueBlock) {
          write(lock, value)
        }
      }
    }
    locks[lock.handle]?.pending = .unlock
    locks[lock.handle]?.held = .iv
    note("call \(lock.handle): unlock \(lock.held)\(flags.words)")
    call(
      .unlock(lock.handle, flags: flags, valueBlock: value), on: lock.node,
      about: lock.resource)
  }

  // MARK: Orphans

  private mutating func abandon(_ lock: ApplicationLock) {
    locks[lock.handle]?.isOrphan = true
    note("call \(lock.handle): its process ends")
    call(.abandon(lock.handle), on: lock.node, about: lock.resource)
  }

  private mutating func takeOrphan(_ orphan: ApplicationLock, _ dice: inout SeededGenerator) {
    let isAnyTaken = locks.values.contains {
      $0.node == orphan.node && $0.resource == orphan.resource && $0.isOrphanTaken
    }
    guard !isAnyTaken else { return }
    if dice.chance(40) {
      return purge(
        orphan, from: stableMembers.filter(canCall).randomElement(using: &dice) ?? orphan.node)
    }
    // Which of several orphans in one mode is adopted is not for the caller to say.
    let twins = locks.values.filter {
      $0.node == orphan.node && $0.resource == orphan.resource && $0.isOrphan
        && $0.held == orphan.held
    }
    guard twins.count == 1 else { return }
    let handle = newHandle()
    let flags: LockFlags = orphan.flags.intersection([.valueBlock, .persistent])
    locks[orphan.handle]?.isOrphanTaken = true
    locks[handle] = ApplicationLock(
      handle: handle, node: orphan.node, resource: orphan.resource, isAnchor: false,
      processID: UInt32(handle.rawValue), pending: .adoption(of: orphan.handle), flags: flags,
      requestFlags: orphan.requestFlags, requested: orphan.held, buffer: orphan.buffer)
    note("call \(handle): adopt \(orphan.handle) in \(orphan.held)")
    call(
      .lock(
        LockCall(
          handle: handle, resource: Names.resources[orphan.resource], mode: orphan.held,
          flags: flags.union(.orphan), processID: UInt32(handle.rawValue))), on: orphan.node,
      about: orphan.resource)
  }

  private mutating func purge(_ orphan: ApplicationLock, from node: NodeID) {
    if orphan.held >= .pw { histories[orphan.resource].loseLast() }
    locks[orphan.handle]?.isOrphanTaken = true
    locks[orphan.handle]?.held = .iv
    note("call on \(node): purge the orphans of process \(orphan.processID) on \(orphan.node)")
    call(
      .purge(orphan.node, processID: orphan.processID), on: node,
      about: orphan.resource)
  }

  // MARK: Value blocks

  private func newValue(_ lock: ApplicationLock) -> [UInt8] {
    let text = "lock \(lock.handle) step \(world.stepCount)"
    return Array(text.utf8.prefix(ValueHistory.length))
      + Array(repeating: 0, count: max(0, ValueHistory.length - text.utf8.count))
  }

  private mutating func write(_ lock: ApplicationLock, _ value: [UInt8]?) {
    if let value { locks[lock.handle]?.buffer = value }
    histories[lock.resource].write(value ?? lock.buffer)
  }

  /// The node is gone, and with it whoever used its locks.
  mutating func loseApplications(of node: NodeID) {
    for lock in locks.values where lock.node == node && lock.mayHaveWritten {
      histories[lock.resource].loseLast()
    }
    locks = locks.filter { $0.value.node != node }
  }
}

extension LockFlags {
  /// A space before each flag's name, for transcripts.
  var words: String { names.map { " " + $0 }.joined() }
}
