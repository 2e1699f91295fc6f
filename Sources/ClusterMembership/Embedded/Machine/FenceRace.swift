import ClusterTypes

// Two nodes without a third vote, where the configuration allows it (membership design, section 10):
// the one that has switched the other off goes on. Its attempts are its own: without a quorum nothing
// is decided, so they are not in the record.
//
// Open only to a node that knows its own membership, in this incarnation, to be decided: one that has
// just been booted waits for its peer, which may have gone on without it.

package struct FenceRace: Hashable, Sendable {
  /// How long the node that is not preferred waits for the other to be faster.
  static let delay: Nanoseconds = 10_000_000_000
  /// Numbers of these attempts are above all that a record gives.
  package static let firstAttempt: UInt64 = 1 << 62

  struct Running: Hashable, Sendable {
    var id: UInt64
    var victim: NodeInstanceSlot
    var level: UInt8
  }

  struct Won: Hashable, Sendable {
    var victim: NodeInstanceSlot
    var at: Nanoseconds
  }

  var running: Running?
  var won: Won?
  var nextID = firstAttempt
  var failures = 0
  var nextAt: Nanoseconds = 0
  /// Until then an agent of an earlier life of this node may act.
  var earlierUntil: Nanoseconds = 0

  func hasWon(against removed: RemovedMember) -> Bool {
    won.map {
      $0.victim.slot == removed.member.slot && removed.member.incarnation <= $0.victim.incarnation
    } ?? false
  }
}

extension EmbeddedMembership {
  /// Starts an attempt when it is time for one.
  mutating func runRace(_ effects: inout [EmbeddedEffect]) {
    guard race.running == nil, now >= race.nextAt, let peer = racePeer,
      now >= raceDue(against: peer), let node = consensus.accepted.record.node(peer)
    else { return }
    let levels = node.levelsThatSwitchOff
    guard !levels.isEmpty else { return }
    let level = levels[race.failures % levels.count]
    let victim = NodeInstanceSlot(slot: peer, incarnation: newestIncarnation(of: peer))
    let attempt = FenceAttempt(
      id: race.nextID, victim: peer, incarnation: victim.incarnation, executor: me,
      executorIncarnation: incarnation, executorLife: life, level: level)
    race.nextID += 1
    race.running = FenceRace.Running(id: attempt.id, victim: victim, level: level)
    effects.append(
      .report(
        "\(nodeName(peer)) is silent and there is no third vote: this node goes on once it has "
          + "switched it off, level \(level)"))
    effects.append(.runFence(attempt, timeoutMilliseconds: timers.agentTimeout))
  }

  /// The other node, while this one may race against it.
  private var racePeer: NodeSlot? {
    let record = consensus.accepted.record
    guard record.isFenceRace, identityIsDurable, !consensus.stable.hasFailed, !consensus.isBlank,
      !state.isAlone, consensus.switchedOff == nil, !hearsLeader, !consensus.isLeader,
      mayRace || defects.contains(.anyoneRaces),
      let peer = record.configuration.voters.first(where: { $0 != me }), isSilent(peer),
      !isHeld(peer)
    else { return nil }
    return peer
  }

  /// That a start was carried out in this incarnation shows, too, that its membership is decided.
  private var mayRace: Bool {
    consensus.accepted.record.isMember(me, incarnation)
      && (state.wasDirty || appliedIndex > 0 && applied.isMember(me, incarnation))
  }

  private func raceDue(against peer: NodeSlot) -> Nanoseconds {
    let configuration = consensus.accepted.record.configuration
    let isPreferred = (configuration.preferred ?? configuration.voters.first) == me
    // A peer that this life of the daemon has not heard yet may be starting anew itself.
    let heardAt = peers[peer.number].heardAt
    let patience = heardAt == 0 ? timers.restartHold : timers.silence
    return max(gapAt, heardAt) + patience.milliseconds + (isPreferred ? 0 : FenceRace.delay)
  }

  /// What is switched off is every incarnation that there has been when the attempt began.
  private func newestIncarnation(of peer: NodeSlot) -> Incarnation {
    let record = consensus.accepted.record
    let known =
      record.removed.filter { $0.member.slot == peer }.map(\.member.incarnation)
      + [record[member: peer]?.incarnation, record.admission(peer)?.incarnation].compactMap { $0 }
    return known.reduce(peers[peer.number].incarnation) { max($0, $1) }
  }

  mutating func raceEnded(isSuccess: Bool, _ effects: inout [EmbeddedEffect]) {
    guard let running = race.running else { return }
    let name = nodeName(running.victim.slot)
    race.running = nil
    guard isSuccess else {
      race.failures += 1
      let pause = Self.fencePause(after: race.failures)
      race.nextAt = now + pause
      effects.append(
        .report(
          "fencing \(name) failed \(race.failures) times, next try in \(pause / 1_000_000_000) s"))
      return
    }
    race.failures = 0
    race.won = FenceRace.Won(victim: running.victim, at: now)
    consensus.learnSwitchedOff(running.victim)
    electionDue = now
    effects.append(.report("\(name) is switched off: this node goes on without it"))
  }

  /// The drain time counts from the end of the attempt, as for every agent.
  mutating func isProvenByRace(_ removed: RemovedMember) -> Bool {
    guard let won = race.won, race.hasWon(against: removed) else { return false }
    let due = won.at + (defects.contains(.noDrainAfterFence) ? 0 : timers.stretchedDrain)
    if now >= due { return true }
    leaderLooksAgain(at: due)
    return false
  }

  /// The node gets no vote meanwhile: it would lead, and admit itself.
  func isRacing(against slot: NodeSlot) -> Bool { race.running?.victim.slot == slot }

  /// An attempt against the node could still hit it: it is not admitted. Votes do not wait for attempts of
  /// earlier lives, or two daemons that are restarted one after the other would have no leader.
  func raceMayBeOpen(against slot: NodeSlot) -> Bool {
    slot != me && (isRacing(against: slot) || now < race.earlierUntil)
  }

  /// How far the race is, in words; nil when none is run.
  func raceProgress(of slot: NodeSlot) -> String? {
    if let running = race.running, running.victim.slot == slot {
      return "this node is fencing it, level \(running.level), for the vote that is missing"
    }
    guard race.failures > 0, race.won == nil, consensus.accepted.record.isFenceRace, slot != me
    else { return nil }
    let seconds = (race.nextAt - min(race.nextAt, now) + 999_999_999) / 1_000_000_000
    return "fencing failed \(race.failures) times, next try in \(seconds) s"
  }
}
