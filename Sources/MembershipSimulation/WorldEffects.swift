import ClusterMembership
import ClusterSimulation
import ClusterTypes

// The shell around each machine's daemon: network, local disk, quorum disk, kernel, fence agents.

extension MembershipWorld {
  func carryOut(_ effects: [EmbeddedEffect], _ slot: NodeSlot, _ daemon: Int) {
    let index = slot.index.asInt
    for effect in effects {
      guard machines[index].isUp, machines[index].daemonNumber == daemon else { return }
      if let countdown = crashCountdown, countdown.slot == slot {
        if countdown.effects <= 0 {
          crashCountdown = nil
          if chance.chance(60) {
            powerOff(slot, "at a step")
          } else {
            crashDaemon(slot, "at a step")
          }
          return
        }
        crashCountdown?.effects -= 1
      }
      carryOut(effect, slot, daemon)
    }
  }

  private func carryOut(_ effect: EmbeddedEffect, _ slot: NodeSlot, _ daemon: Int) {
    let index = slot.index.asInt
    switch effect {
    case .send(let target, let message): transmit(message, from: slot, to: target)
    case .persist(let token, let state): persist(token, state, slot, daemon)
    case .diskRound(let round): runDiskRound(round, slot, daemon)
    case .writeMail(let mail): mails[mail.victim] = mail
    case .setLease(let until): setLease(slot, until)
    case .stopSpace(let name, _, let generation): stopKernel(slot, name, generation)
    case .startSpace(let name, let kind, let generation, let members):
      let ticket = machines[index].tickets[name] ?? 0
      schedule(
        .kernelStarts(
          slot, boot: machines[index].boot, name, generation: generation, members: members,
          ticket: ticket, kind: kind), inMilliseconds: random(0...15))
    case .leftSpace(let name, _):
      machines[index].kernel[name] = nil
      machines[index].asked.remove(name)
      settleWriter(slot)
    case .deliver(let message, let at, _): checkDelivery(message, at, slot)
    case .reset(let record):
      if machines[index].lastDelivered > 0 { situations.insert(.reset) }
      machines[index].lastDelivered =
        machines[index].daemon?.appliedDecisionIndex ?? 0
      _ = record
    case .applied(let record, let at): applied(record, at, slot)
    case .runFence(let attempt, let timeout): runFence(attempt, timeout, slot, daemon)
    case .readExclusions(let id, let exclusions):
      sharedDisks.lastReadAt = now
      schedule(
        .readExclusions(slot, daemon: daemon, id: id, exclusions), inMilliseconds: random(2...40))
    case .selfFence(let reason):
      situations.insert(.evictedDirty)
      note("n\(slot.index) resets: \(reason)")
      powerOff(slot, "self-fence")
    case .renewed(let incarnation):
      situations.insert(.evictedClean)
      note("n\(slot.index) renewed as \(incarnation)")
      machines[index].kernel = [:]
      machines[index].asked = []
      machines[index].lastDelivered = 0
      register(slot)
    case .left:
      situations.insert(.leftAndReturned)
      crashDaemon(slot, "left")
    case .report(let text): report(text, slot)
    case .wake(let moment):
      let at = max(now, machines[index].trueTime(moment.nanoseconds) + 1_000_000)
      guard at < machines[index].wakeAt else { return }
      machines[index].wakeAt = at
      agenda.schedule(.tick(slot, daemon: daemon), at: Timestamp(nanoseconds: at))
    }
  }

  private func report(_ text: String, _ slot: NodeSlot) {
    note("n\(slot.index): \(text)")
    if text.hasPrefix("the quorum does not answer") { situations.insert(.leaderCutOff) }
    if text.hasSuffix("hands over to it") { situations.insert(.handedOver) }
    if text.hasPrefix("the quorum disk refuses") { situations.insert(.diskRefused) }
    if text.hasPrefix("this node leads, term"),
      machines[slot.index.asInt].daemon?.acceptedDecision.record.configurations.count == 2
    {
      situations.insert(.jointWithLeaderChange)
    }
    if text.hasPrefix("this node leads, term"), plan.hasDisk,
      !machines.contains(where: { $0.slot != slot && $0.isUp && reaches($0.slot, slot) })
    {
      situations.insert(.diskVoted)
    }
    if text.hasSuffix("this node goes on without it") { situations.insert(.raceWon) }
    if text.hasPrefix("fencing node") { situations.insert(.raceFailed) }
    if text.hasPrefix("this node leads, term"), let daemon = machines[slot.index.asInt].daemon,
      daemon.decidesAlone, plan.hasFenceRace, !daemon.knowsRecord
    {
      situations.insert(.startedAlone)
    }
    if text.contains("may still be fencing it") { situations.insert(.fenceWaited) }
    if text.contains("proves nothing") { situations.insert(.otherDisks) }
  }

  // MARK: - Network

  func reaches(_ from: NodeSlot, _ to: NodeSlot) -> Bool {
    unreachable[from.index.asInt] & (1 << UInt64(to.index)) == 0
  }

  private func transmit(_ message: MembershipMessage, from: NodeSlot, to: NodeSlot) {
    messagesSent += 1
    if countsBytes { bytesSent += message.encoded.count + 29 + 40 }
    if case .accepted(let term, let index, _) = message.body {
      let machine = from.index.asInt
      if (term, index) > machines[machine].lastAcknowledged {
        machines[machine].lastAcknowledged = (term, index)
      }
    }
    if case .voteReply(let term, let isGranted, _) = message.body, isGranted {
      let machine = machines[from.index.asInt]
      machine.lastVote = max(machine.lastVote, term)
    }
    if case .pong(let pong) = message.body, pong.lease > 0 { noteLeaderLease(from) }
    guard reaches(from, to), to.index.asInt < machines.count else { return }
    let loss = lossPercent + (isCalm ? 0 : plan.baseLoss)
    if loss > 0, chance.chance(loss) { return }
    var delay = random(100...1500)
    if chance.chance(1) { delay *= 20 }
    if extraDelay > 0, chance.chance(10) { delay += random(0...extraDelay) * 1000 }
    agenda.schedule(
      .message(store(message), to: to), at: Timestamp(nanoseconds: now + delay * 1000))
  }

  // MARK: - Disks

  private func persist(
    _ token: UInt64, _ state: PersistentState, _ slot: NodeSlot, _ daemon: Int
  ) {
    let machine = machines[slot.index.asInt]
    let fails = machine.storageFailsUntil > now
    if fails { situations.insert(.syncFailed) }
    let start = max(now, machine.storageStalledUntil)
    let store: Int
    if let free = freeStores.popLast() {
      stores[free] = state
      store = free
    } else {
      stores.append(state)
      store = stores.count - 1
    }
    agenda.schedule(
      .persisted(slot, daemon: daemon, token: token, store: store, fails: fails),
      at: Timestamp(nanoseconds: start + random(1...20) * 1_000_000))
  }

  private func runDiskRound(_ round: DiskRound, _ slot: NodeSlot, _ daemon: Int) {
    let machine = machines[slot.index.asInt]
    let fails = machine.quorumDiskFailsUntil > now
    var delay = random(2...30)
    if let write = round.write, !fails || chance.chance(50) {
      // A write of a machine that is reset meanwhile lands all the same.
      schedule(.diskWritten(slot, write), inMilliseconds: delay)
      delay += 1
    }
    delay += random(2...30)
    schedule(
      fails
        ? .diskFailed(slot, daemon: daemon, round: round.id)
        : .diskRead(slot, daemon: daemon, round: round.id),
      inMilliseconds: delay)
  }

  // MARK: - Kernel

  private func stopKernel(_ slot: NodeSlot, _ name: LockspaceName, _ generation: UInt64) {
    let index = slot.index.asInt
    machines[index].tickets[name, default: 0] += 1
    let isSlow = machines[index].stopsAreSlowUntil > now
    schedule(
      .kernelStopped(slot, boot: machines[index].boot, name, generation: generation),
      inMilliseconds: isSlow ? random(1000...16_000) : random(1...60))
  }

  func kernelStopped(_ slot: NodeSlot, _ boot: Int, _ name: LockspaceName, _ generation: UInt64) {
    let index = slot.index.asInt
    guard machines[index].boot == boot, machines[index].isOn else { return }
    machines[index].kernel[name]?.isRunning = false
    feed(.spaceStopped(name, generation: generation), slot, machines[index].daemonNumber)
  }

  func kernelStarts(
    _ slot: NodeSlot, _ boot: Int, _ name: LockspaceName, _ generation: UInt64,
    _ members: [NodeInstanceSlot], _ ticket: Int, _ kind: UInt8
  ) {
    let index = slot.index.asInt
    guard machines[index].boot == boot, machines[index].isUp,
      machines[index].tickets[name] ?? 0 == ticket
    else { return }
    starts += 1
    checkStart(slot, name, generation, members)
    machines[index].kernel[name] = KernelSpace(
      kind: kind, generation: generation, isRunning: true, members: members)
    if let incarnation = machines[index].daemon?.incarnation {
      writers[NodeInstanceSlot(slot: slot, incarnation: incarnation)] = .max
    }
    schedule(
      .recovered(
        slot, boot: boot, daemon: machines[index].daemonNumber, name, generation: generation),
      inMilliseconds: random(20...300))
  }

  /// The last lockspace is gone: this incarnation writes no more.
  func settleWriter(_ slot: NodeSlot) {
    let machine = machines[slot.index.asInt]
    guard machine.kernel.isEmpty, let incarnation = machine.daemon?.incarnation else { return }
    writers[NodeInstanceSlot(slot: slot, incarnation: incarnation)] = nil
  }

  // MARK: - Fence agents

  /// How many moods the fence devices have.
  static let fenceMoods = 7
  static let tellsLate = 5

  /// The mood decides what the devices do now: obey, fail, hang, act late, lie, or act and tell late.
  private func runFence(
    _ attempt: FenceAttempt, _ timeout: UInt32, _ slot: NodeSlot, _ daemon: Int
  ) {
    if !machines[slot.index.asInt].ranAttempts.insert(attempt.id).inserted {
      violate("n\(slot.index) runs attempt \(attempt.id) twice")
    }
    // Those of a race are not decided.
    if attempt.id >= FenceRace.firstAttempt { attemptsDecided[attempt.id] = newestIndex }
    let limit = UInt64(timeout)
    let isQuick = plan.fencesAtOnce || attempt.isByReservation
    var act: UInt64? = isQuick ? random(5...50) : random(100...2000)
    var end = (act ?? 0) + (isQuick ? random(5...20) : random(50...500))
    var exit: Int32? = 0
    switch isCalm || plan.fencesAtOnce
      ? 0 : plan.fenceMood ?? (fenceMood + Int(attempt.level)) % Self.fenceMoods
    {
    case 1:
      act = nil
      exit = 1
      situations.insert(.fenceFailed)
    case 2:
      act = chance.chance(50) ? random(1000...limit - 1) : nil
      end = limit
      exit = nil
      situations.insert(.fenceHung)
    case 3:
      act = random(2000...limit - 1)
      end = (act ?? 0) + 1
    case 4:  // It acts, and says that it failed.
      exit = 1
      situations.insert(.fenceFailed)
    case Self.tellsLate:  // It acts, and makes sure for a long time before it says so.
      end = limit - 1
      situations.insert(.fenceToldLate)
    default: break
    }
    if let act { schedule(.fenceActs(attempt), inMilliseconds: act) }
    if attempt.isByReservation, exit == 0 {
      return schedule(.keysRemoved(slot, daemon: daemon, attempt), inMilliseconds: end)
    }
    schedule(
      .fenceEnds(slot, daemon: daemon, attempt: attempt.id, exit: exit), inMilliseconds: end)
  }

  func fenceActs(_ attempt: FenceAttempt) {
    if attempt.isByReservation { return sharedDisks.fence(attempt) }
    let victim = machines[attempt.victim.index.asInt]
    guard victim.isOn else { return }
    if attempt.id >= FenceRace.firstAttempt, !machines[attempt.executor.index.asInt].isOn {
      situations.insert(.raceDouble)
    }
    if let incarnation = victim.daemon?.incarnation, incarnation > attempt.incarnation,
      isKnown(attempt)
    {
      situations.insert(.fencedAfterReturn)
      let key = NodeInstanceSlot(slot: attempt.victim, incarnation: incarnation)
      if plan.checksFenceTargets, let admitted = admittedIn[key],
        admitted > attemptsDecided[attempt.id] ?? 0
      {
        violate(
          "S12: attempt \(attempt.id) hits n\(attempt.victim.index), admitted after it was decided")
      }
    }
    powerOff(attempt.victim, "fenced")
  }

  /// Of a race's attempt only the life that began it knows.
  private func isKnown(_ attempt: FenceAttempt) -> Bool {
    guard attempt.id >= FenceRace.firstAttempt,
      let daemon = machines[attempt.executor.index.asInt].daemon
    else { return attempt.id < FenceRace.firstAttempt }
    return daemon.incarnation == attempt.executorIncarnation && daemon.life == attempt.executorLife
  }
}
