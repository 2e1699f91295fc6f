import ClusterMembership
import ClusterSimulation
import ClusterTypes

// Power, boots, daemons, leases and watchdogs.

extension MembershipWorld {
  func boot(_ slot: NodeSlot) {
    let index = slot.index.asInt
    guard !machines[index].isOn else { return }
    machines[index].isOn = true
    machines[index].boot += 1
    machines[index].bootedAt = now
    machines[index].kernel = [:]
    machines[index].asked = []
    machines[index].lease = 0
    machines[index].watchdogFiresAt = .max
    machines[index].leaseCheckAt = .max
    schedule(
      .startDaemon(slot, boot: machines[index].boot), inMilliseconds: random(300...3000))
  }

  func startDaemon(_ slot: NodeSlot, _ boot: Int) {
    let index = slot.index.asInt
    guard machines[index].isOn, machines[index].boot == boot, machines[index].daemon == nil else {
      return
    }
    let machine = machines[index]
    var amnesia: UInt64 = 0
    var state: PersistentState
    if let durable = machine.durable {
      state = durable
      if plan.losesVotes {
        state.promisedTerm = state.accepted.term
        state.votedFor = nil
      }
    } else {
      amnesia = random(1...UInt64.max)
      state = PersistentState(
        slot: slot, genesis: genesis, incarnation: Incarnation(0), bootID: BootID(high: 0, low: 0),
        amnesia: amnesia)
      if plan.overlooksAmnesia,
        let known = decisions[newestIndex]?.record.newestConfiguration[slot]
      {
        state.amnesia = known.amnesia
        state.isBlank = false
      }
    }
    if (state.accepted.term, state.accepted.index) < machine.lastAcknowledged,
      machine.durable != nil
    {
      violate("S2: n\(slot.index) lost the acknowledged decision \(machine.lastAcknowledged)")
    }
    if state.promisedTerm < machine.lastVote, machine.durable != nil {
      violate("S2: n\(slot.index) forgot its vote for term \(machine.lastVote)")
    }
    var daemon = EmbeddedMembership(
      EmbeddedStart(
        state: state, bootID: machine.bootID,
        capabilities: Capabilities(
          watchdog: .hardware, watchdogTimeout: plan.timers.watchdog, petsByLease: true,
          inhibitsSleep: true, reservedDevices: devices(of: slot)),
        keeperIsAlive: true,
        spaces: machine.kernel.sorted { $0.key < $1.key }.map {
          AdoptedSpace(
            name: $0.key, kind: $0.value.kind, generation: $0.value.generation,
            isRunning: $0.value.isRunning)
        }, seed: random(1...UInt64.max)))
    daemon.introduce(plan.defects)
    machine.readoptedView = machine.kernel.isEmpty ? 0 : machine.lastViewID
    machines[index].daemon = daemon
    machines[index].daemonNumber += 1
    // With what an earlier life left running only the key that it has: it may have been taken away.
    if machine.kernel.isEmpty { register(slot) }
    machines[index].wakeAt = .max
    machines[index].lastTerm = 0
    machines[index].lastViewID = 0
    machines[index].lastDelivered = 0
    machines[index].gapEnd = 0
    machines[index].isGap = false
    note("n\(slot.index) starts boot \(boot) incarnation \(daemon.incarnation)")
    if machine.kernel.contains(where: { !$0.value.isRunning }) {
      situations.insert(.readoptedStopped)
    }
    feed(.tick, slot, machines[index].daemonNumber)
  }

  /// Switches a machine off; it comes back by itself.
  func powerOff(_ slot: NodeSlot, _ why: String, forMilliseconds: UInt64? = nil) {
    let index = slot.index.asInt
    guard machines[index].isOn else { return }
    note("n\(slot.index) off: \(why)")
    resets += 1
    noteDeath(slot)
    // What is on its way to the shared disks lands within the drain time.
    if machines[index].isDirty {
      let drain = UInt64(plan.timers.drain)
      let landing = random(0...drain)
      for key in writers.keys where key.slot == slot && writers[key] == .max {
        writers[key] = now + landing * 1_000_000
      }
    }
    machines[index].isOn = false
    machines[index].daemon = nil
    machines[index].daemonNumber += 1
    machines[index].frozenUntil = 0
    machines[index].wakeAt = .max
    let pause = forMilliseconds ?? (chance.chance(70) ? random(500...3000) : random(3000...40_000))
    schedule(.boot(slot), inMilliseconds: isCalm ? random(500...3000) : pause)
  }

  /// The daemon ends; the kernel goes on, and so does the keeper.
  func crashDaemon(_ slot: NodeSlot, _ why: String) {
    let index = slot.index.asInt
    guard machines[index].isUp else { return }
    note("n\(slot.index) daemon ends: \(why)")
    for attempt in machines[index].daemon?.record.attempts ?? [] where attempt.executor == slot {
      situations.insert(attempt.hasSucceeded ? .drainOutlivedExecutor : .fenceLost)
    }
    noteDeath(slot)
    for (name, space) in machines[index].kernel where space.kind == Space.kindOfDaemon {
      machines[index].kernel[name] = nil
      if space.isRunning { situations.insert(.ownSpaceLost) }
    }
    settleWriter(slot)
    machines[index].daemon = nil
    machines[index].daemonNumber += 1
    machines[index].frozenUntil = 0
    machines[index].wakeAt = .max
    for name in Self.names { machines[index].tickets[name, default: 0] += 1 }
    let isShort = plan.expectsNoRemoval || chance.chance(70)
    let pause = isShort ? random(200...4000) : random(4000...20_000)
    schedule(
      .startDaemon(slot, boot: machines[index].boot), inMilliseconds: pause)
  }

  private func noteDeath(_ slot: NodeSlot) {
    guard let daemon = machines[slot.index.asInt].daemon, daemon.isElected else { return }
    situations.insert(.leaderDied)
    if daemon.acceptedDecision.index > daemon.committedDecision.index {
      situations.insert(.leaderDiedWithDecisionInFlight)
    }
    let record = daemon.record
    if record.attempts.contains(where: \.hasSucceeded) { situations.insert(.drainOutlivedLeader) }
    if record.awaitsEvidence {
      situations.insert(.leaderDiedBetweenViewAndProof)
    } else if record.spaces.contains(where: { $0.phase == .stopping }), !record.removed.isEmpty {
      situations.insert(.leaderDiedBetweenProofAndStart)
    }
  }

  // MARK: - Watchdog

  /// The keeper pets the device while the lease lasts, and unconditionally while nothing is held.
  func setLease(_ slot: NodeSlot, _ until: Timestamp) {
    let index = slot.index.asInt
    checkLeaseNesting(slot, until)
    if !plan.hasDisk, until.nanoseconds > machines[index].local(now),
      machines[index].lastPong < machines[index].gapEnd, !isQuorumAlone(slot)
    {
      violate("S7: n\(slot.index) was frozen and takes a lease from before")
    }
    let end = machines[index].trueTime(until.nanoseconds)
    if machines[index].lease > 0, machines[index].lease < now, end > now, machines[index].isDirty {
      situations.insert(.leaseRegained)
    }
    machines[index].lease = end
    if end > now { machines[index].watchdogFiresAt = .max }
    guard machines[index].leaseCheckAt == .max || machines[index].leaseCheckAt < now else { return }
    let at = max(end, now)
    machines[index].leaseCheckAt = at
    agenda.schedule(
      .leaseCheck(slot, boot: machines[index].boot), at: Timestamp(nanoseconds: at))
  }

  /// Nobody's answer is needed for a lease.
  private func isQuorumAlone(_ slot: NodeSlot) -> Bool {
    machines[slot.index.asInt].daemon?.decidesAlone ?? false
  }

  func checkLease(_ slot: NodeSlot, _ boot: Int) {
    let index = slot.index.asInt
    guard machines[index].isOn, machines[index].boot == boot else { return }
    machines[index].leaseCheckAt = .max
    if machines[index].lease > now {
      machines[index].leaseCheckAt = machines[index].lease
      agenda.schedule(
        .leaseCheck(slot, boot: boot), at: Timestamp(nanoseconds: machines[index].lease))
      return
    }
    guard machines[index].isDirty, machines[index].watchdogFiresAt == .max else {
      if machines[index].isDirty || machines[index].isUp {
        machines[index].leaseCheckAt = now + 500_000_000
        agenda.schedule(
          .leaseCheck(slot, boot: boot), at: Timestamp(nanoseconds: now + 500_000_000))
      }
      return
    }
    let timers = plan.timers
    var last = now - random(0...UInt64(timers.pet)) * 1_000_000
    // A keeper that stalls between looking at the clock and the pet.
    if machines[index].keeperStallsUntil > now { last = now + UInt64(timers.watchdog) * 999_000 }
    let fires =
      last + (UInt64(timers.watchdog) + random(0...UInt64(timers.granularity))) * 1_000_000
    machines[index].watchdogFiresAt = max(fires, now)
    agenda.schedule(
      .watchdog(slot, boot: boot), at: Timestamp(nanoseconds: machines[index].watchdogFiresAt))
  }

  func watchdogFires(_ slot: NodeSlot, _ boot: Int) {
    let index = slot.index.asInt
    guard machines[index].isOn, machines[index].boot == boot, machines[index].isDirty,
      machines[index].watchdogFiresAt <= now
    else {
      if machines[index].isOn, machines[index].boot == boot, machines[index].leaseCheckAt == .max {
        machines[index].leaseCheckAt = max(now, machines[index].lease)
        agenda.schedule(
          .leaseCheck(slot, boot: boot), at: Timestamp(nanoseconds: max(now, machines[index].lease))
        )
      }
      return
    }
    situations.insert(.watchdogFired)
    powerOff(slot, "watchdog")
  }
}
