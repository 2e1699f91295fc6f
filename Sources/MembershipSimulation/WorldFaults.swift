import ClusterMembership
import ClusterSimulation
import ClusterTypes

// Trouble, and users.

extension MembershipWorld {
  func causeFault() {
    guard !isCalm else { return }
    schedule(.fault, inMilliseconds: random(plan.faultInterval / 4...plan.faultInterval * 2))
    guard let fault = plan.faults.randomElement(using: &chance) else { return }
    note("fault \(fault)")
    cause(fault)
  }

  private func pick() -> NodeSlot { machines[Int(random(0...UInt64(machines.count - 1)))].slot }

  /// Often the leader: that is where trouble hurts.
  private func victim() -> NodeSlot {
    if chance.chance(40), let leader = machines.first(where: { $0.daemon?.isElected == true }) {
      return leader.slot
    }
    return pick()
  }

  package func cause(_ fault: Fault) {
    let slot = victim()
    let index = slot.index.asInt
    let everybody = NodeSet(machines.map(\.slot))
    switch fault {
    case .partition:
      let side = NodeSet(bits: random(1...max(1, everybody.bits - 1)))
      cut(from: side, to: everybody.subtracting(side), bothWays: true)
    case .oneWayCut:
      let other = pick()
      if other != slot { cut(from: [slot], to: [other], bothWays: false) }
    case .isolation: cut(from: [slot], to: everybody.subtracting([slot]), bothWays: true)
    case .muting:
      let others = everybody.subtracting([slot])
      if chance.chance(50) {
        cut(from: [slot], to: others, bothWays: false)
      } else {
        cut(from: others, to: [slot], bothWays: false)
      }
    case .loss:
      lossPercent = Int(random(5...30))
      healLater { _ in }
    case .delay:
      extraDelay = random(500...15_000)
      healLater { _ in }
    case .freeze:
      if machines[index].daemon?.isElected == true { situations.insert(.leaderFrozen) }
      let duration = chance.chance(50) ? random(1000...8000) : random(8000...120_000)
      machines[index].frozenUntil = now + duration * 1_000_000
      // Beyond what the slowest clock may take for four heartbeats and the way to the next tick.
      machines[index].isGap = duration > 6 * UInt64(plan.timers.heartbeat)
    case .powerCut: powerOff(slot, "power cut")
    case .daemonCrash: crashDaemon(slot, "crash")
    case .diskStall: machines[index].storageStalledUntil = now + random(500...10_000) * 1_000_000
    case .syncError: machines[index].storageFailsUntil = now + random(500...10_000) * 1_000_000
    case .quorumDiskOutage:
      for machine in machines.indices where chance.chance(60) {
        machines[machine].quorumDiskFailsUntil = now + random(1000...30_000) * 1_000_000
      }
    case .totalBlackout:
      situations.insert(.coldStart)
      for machine in machines { powerOff(machine.slot, "blackout") }
    case .slowStop: machines[index].stopsAreSlowUntil = now + random(5000...40_000) * 1_000_000
    case .keeperStall:
      for machine in machines.indices {
        machines[machine].keeperStallsUntil = now + random(10_000...60_000) * 1_000_000
      }
    case .configurationChange: changeConfiguration()
    case .amnesia: if !chance.chance(50) || !keepFromOthers() { _ = loseMemory(slot) }
    case .cascade:
      powerOff(slot, "cascade")
      for machine in machines where machine.slot != slot && chance.chance(40) {
        schedule(.crashAgain(machine.slot), inMilliseconds: random(50...6000))
      }
    case .fenceMood: fenceMood = Int(random(0...UInt64(Self.fenceMoods - 1)))
    case .crashAtStep: crashCountdown = (slot, Int(random(1...400)))
    case .leaving: leave(slot)
    case .administrator: administratorActs()
    case .restartAll:
      for machine in machines { crashDaemon(machine.slot, "upgrade") }
    case .reservationLoss: loseReservation()
    }
  }

  // MARK: - Network faults

  /// For so many milliseconds, or as long as chance has it.
  private func cut(
    from: NodeSet, to: NodeSet, bothWays: Bool, forMilliseconds duration: UInt64? = nil
  ) {
    var masks = [UInt64](repeating: 0, count: machines.count)
    for machine in machines {
      if from.contains(machine.slot) { masks[machine.slot.index.asInt] |= to.bits }
      if bothWays, to.contains(machine.slot) { masks[machine.slot.index.asInt] |= from.bits }
    }
    healLater(duration) { id in self.cuts[id] = masks }
    updateCuts()
  }

  private func healLater(_ milliseconds: UInt64? = nil, _ body: (Int) -> Void) {
    body(nextFault)
    let duration =
      milliseconds ?? (chance.chance(60) ? random(500...12_000) : random(12_000...90_000))
    schedule(.heal(nextFault), inMilliseconds: duration)
    nextFault += 1
  }

  private func updateCuts() {
    for index in unreachable.indices {
      unreachable[index] = cuts.values.reduce(0) { $0 | $1[index] }
    }
  }

  func heal(_ id: Int) {
    if cuts.removeValue(forKey: id) == nil {
      lossPercent = 0
      extraDelay = 0
    }
    updateCuts()
  }

  func becomeCalm() {
    isCalm = true
    note("calm")
    cuts = [:]
    updateCuts()
    lossPercent = 0
    extraDelay = 0
    crashCountdown = nil
    for index in machines.indices {
      machines[index].frozenUntil = min(machines[index].frozenUntil, now + 1)
      machines[index].storageStalledUntil = 0
      machines[index].storageFailsUntil = 0
      machines[index].quorumDiskFailsUntil = 0
      machines[index].stopsAreSlowUntil = 0
      machines[index].keeperStallsUntil = 0
      if machines[index].isUp {
        schedule(
          .tick(machines[index].slot, daemon: machines[index].daemonNumber), inMilliseconds: 1)
        machines[index].wakeAt = min(machines[index].wakeAt, now)
      } else if !machines[index].isOn {
        schedule(.boot(machines[index].slot), inMilliseconds: random(500...3000))
      }
    }
  }

  // MARK: - Administrators

  func request(_ request: Request, _ slot: NodeSlot) {
    let machine = machines[slot.index.asInt]
    guard machine.isUp, machine.frozenUntil <= now else { return }
    feed(.request(request), slot, machine.daemonNumber)
  }

  private func changeConfiguration() {
    if chance.chance(30), partInChange() { return }
    let slot = pick()
    guard let record = machines[slot.index.asInt].daemon?.record else { return }
    var nodes = record.configuration.nodes
    var timers = record.timers
    for index in nodes.indices where chance.chance(50) {
      nodes[index].votes = UInt8(random(1...3))
    }
    if chance.chance(50) { timers.lease = [6000, 6000, 7000, 8000][Int(random(0...3))] }
    let old = record.configuration
    let total = nodes.reduce(0) { $0 + Int($1.votes) }
    let new = ClusterConfiguration(
      nodes: nodes, hasDisk: plan.hasDisk && total % 2 == 0, trustsWatchdog: old.trustsWatchdog,
      timers: timers)
    request(.changeConfiguration(new), slot)
    if chance.chance(50), let leader = machines.first(where: { $0.daemon?.isLeader == true }) {
      crashCountdown = (leader.slot, Int(random(0...40)))
    }
  }

  /// Gives the leader's side a majority of the new votes at the moment when it loses the other side, which
  /// has a majority of the old ones. False when no votes do that.
  private func partInChange() -> Bool {
    guard let leader = machines.first(where: { $0.daemon?.isLeader == true }),
      let record = leader.daemon?.record, record.configurations.count == 1
    else { return false }
    let old = record.configuration
    guard !old.hasDisk else { return false }
    let everybody = NodeSet(old.nodes.map(\.slot))
    for bits in 1..<everybody.bits where bits & ~everybody.bits == 0 {
      let side = NodeSet(bits: bits)
      let others = everybody.subtracting(side)
      guard side.contains(leader.slot), old.isQuorum(others, disk: false) else { continue }
      var nodes = old.nodes
      for index in nodes.indices { nodes[index].votes = side.contains(nodes[index].slot) ? 3 : 1 }
      let new = ClusterConfiguration(
        nodes: nodes, hasDisk: false, trustsWatchdog: old.trustsWatchdog, timers: record.timers)
      guard new.isQuorum(side, disk: false) else { continue }
      situations.insert(.partedInChange)
      cut(from: side, to: others, bothWays: true)
      request(.changeConfiguration(new), leader.slot)
      return true
    }
    return false
  }

  /// One node's disk is lost with its machine, when all others have their memory.
  private func loseMemory(_ slot: NodeSlot) -> Bool {
    let others = machines.filter { $0.slot != slot }
    guard othersDecide(without: slot),
      others.allSatisfy({ $0.durable?.isBlank == false }),
      others.allSatisfy({ $0.isUp })
    else { return false }
    powerOff(slot, "disk lost")
    machines[slot.index.asInt].durable = nil
    machines[slot.index.asInt].lastAcknowledged = (0, 0)
    machines[slot.index.asInt].lastVote = 0
    return true
  }

  /// For a while the leader decides with just a quorum, so that the others miss what is decided; then one of
  /// that quorum is to lose its memory. False when there is no such quorum.
  private func keepFromOthers() -> Bool {
    guard let leader = machines.first(where: { $0.daemon?.isLeader == true })?.slot,
      let configuration = decisions[newestIndex]?.record.configuration, !configuration.hasDisk
    else { return false }
    var others = configuration.nodes.map(\.slot).filter { $0 != leader }.shuffled(using: &chance)
    guard let victim = others.popLast() else { return false }
    var quorum: NodeSet = [leader, victim]
    while !configuration.isQuorum(quorum, disk: false), let next = others.popLast() {
      quorum.insert(next)
    }
    guard !others.isEmpty else { return false }
    let cut = nextFault
    self.cut(from: quorum, to: NodeSet(others), bothWays: true, forMilliseconds: 60_000)
    schedule(.forget(victim, leader: leader, cut: cut), inMilliseconds: random(2000...12_000))
    return true
  }

  /// The node comes back without its memory, and hears those that have missed what it knew, and not the
  /// leader.
  func forgetNewest(_ slot: NodeSlot, _ leader: NodeSlot, _ cut: Int) {
    guard !isCalm, machines[leader.index.asInt].daemon?.isLeader == true, loseMemory(slot) else {
      return
    }
    situations.insert(.forgotNewest)
    heal(cut)
    let others = NodeSet(machines.map(\.slot)).subtracting([leader])
    self.cut(
      from: [leader], to: others, bothWays: true, forMilliseconds: random(12_000...40_000))
  }

  /// A vote that is needed for every quorum cannot be taken back by the others, nor in a change of the
  /// configuration that somebody has accepted and that may still be decided.
  private func othersDecide(without slot: NodeSlot) -> Bool {
    guard let decided = decisions[newestIndex]?.record else { return false }
    let accepted = machines.flatMap { machine in
      [machine.durable?.accepted.record, machine.daemon?.acceptedDecision.record].compactMap { $0 }
    }
    return (accepted + [decided]).allSatisfy { record in
      guard record.configurations.count == 1 else { return false }
      let nodes = record.configuration.nodes
      let votes = nodes.reduce(record.configuration.hasDisk ? 1 : 0) {
        $0 + ($1.slot == slot ? 0 : Int($1.votes))
      }
      return votes >= record.configuration.quorum
    }
  }

  private func leave(_ slot: NodeSlot) {
    let machine = machines[slot.index.asInt]
    guard machine.kernel.isEmpty, machine.isUp else {
      machines[slot.index.asInt].wanted = []
      machines[slot.index.asInt].mayLeave = true
      return
    }
    request(.leave, slot)
  }

  /// Makes sure that a removed machine is off, and says so on some member.
  private func administratorActs() {
    for machine in machines {
      guard let record = machine.daemon?.record,
        let removed = record.removed.first(where: \.member.isDirty)
      else { continue }
      let victim = removed.member.slot
      if machines[victim.index.asInt].daemon?.incarnation == removed.member.incarnation
        || machines[victim.index.asInt].isDirty
      {
        powerOff(victim, "administrator", forMilliseconds: 30_000)
      }
      request(
        .prove(victim, removed.member.incarnation, .administrator, by: "admin"), machine.slot)
      return
    }
  }

  // MARK: - Users

  /// Opens and closes lockspaces, sends messages.
  func userActs() {
    schedule(.user, inMilliseconds: isCalm ? 2000 : random(1000...6000))
    let slot = pick()
    let index = slot.index.asInt
    if let name = Self.names.randomElement(using: &chance), plan.usersToggle,
      !isCalm || now < plan.calmFrom.nanoseconds + 60_000_000_000
    {
      if machines[index].wanted.contains(name), chance.chance(40) {
        machines[index].wanted.remove(name)
      } else {
        machines[index].wanted.insert(name)
      }
    }
    if machines[index].mayLeave, machines[index].kernel.isEmpty {
      machines[index].mayLeave = false
      request(.leave, slot)
    }
    for machine in machines { pursueWishes(machine.slot) }
    for machine in machines { pursueOperations(machine.slot) }
    if chance.chance(50) {
      request(.message((0..<8).map { _ in UInt8(random(0...255)) }), slot)
    }
  }

  private func pursueWishes(_ slot: NodeSlot) {
    let index = slot.index.asInt
    guard machines[index].daemon?.isMember == true, machines[index].frozenUntil <= now else {
      return
    }
    let wanted = machines[index].wanted
    let record = machines[index].daemon?.record
    for name in wanted.sorted() where !machines[index].asked.contains(name) {
      let isLeaving = record?.spaces.first { $0.name == name }?.leaving.contains(slot) == true
      guard !isLeaving else { continue }
      machines[index].asked.insert(name)
      request(.joinSpace(name, kind: Self.kind(of: name)), slot)
    }
    for name in machines[index].asked.sorted()
    where !wanted.contains(name) && machines[index].kernel[name]?.isRunning == true {
      request(.leaveSpace(name), slot)
      machines[index].asked.remove(name)
    }
    // What a restarted daemon was asked for is asked again.
    for name in wanted.sorted() where machines[index].asked.contains(name) {
      let space = record?.spaces.first { $0.name == name }
      if space?.members.contains(slot) != true, machines[index].daemon?.undecidedRequests == 0 {
        machines[index].asked.remove(name)
      }
    }
    if wanted.isEmpty, machines[index].kernel.isEmpty,
      record?[member: slot]?.isDirty == true, machines[index].daemon?.undecidedRequests == 0
    {
      request(.clean, slot)
    }
  }
}
