import ClusterTypes

/// The quorum disk's vote, acceptance and lease, one round at a time (membership design, section 10).
struct DiskVoter: Hashable, Sendable {
  enum Purpose: Hashable, Sendable {
    /// See what the disk says, before the first write.
    case look
    /// The two readings before standing: is somebody leading through the disk?
    case firstLook, secondLook
    case vote(term: UInt64)
    case accept(term: UInt64, index: UInt64)
  }

  struct Running: Hashable, Sendable {
    var id: UInt64
    var purpose: Purpose
    var startedAt: Nanoseconds
    var write: DiskSlot?
  }

  var running: Running?
  var nextID: UInt64 = 1
  /// What this node's slot holds; nil before it was read.
  var own: DiskSlot?
  /// No write before this: a write of the boot before may still be under way.
  var writableAt: Nanoseconds = 0
  var wantedVote: UInt64?
  var wantedIndex: UInt64?
  var standAt: Nanoseconds?
  var firstCounters: [NodeSlot: UInt64]?
  var secondLookAt: Nanoseconds?
  /// The second look saw nobody lead: stand for election now.
  var mayStand = false
  var acceptedTerm: UInt64 = 0
  var acceptedAt: Nanoseconds = 0
  var nextRenewal: Nanoseconds = 0
  var nextLook: Nanoseconds = 0
  var failures: UInt64 = 0

  mutating func start(at now: Nanoseconds, timers: MembershipTimers) {
    // The boot-time clock is the machine's uptime.
    writableAt = max(now, timers.stretchedDrain)
  }

  mutating func ask(term: UInt64) { wantedVote = term }
  mutating func write(_ decision: Decision) { wantedIndex = decision.index }

  mutating func considerStanding(at now: Nanoseconds, delay: Nanoseconds) {
    guard standAt == nil, firstCounters == nil, secondLookAt == nil else { return }
    standAt = now + delay
  }

  func leaseStart(term: UInt64) -> Nanoseconds? {
    acceptedTerm == term && acceptedAt > 0 ? acceptedAt : nil
  }

  var dueAt: Nanoseconds? {
    guard running == nil else { return nil }
    return [standAt, secondLookAt].compactMap { $0 }.min()
  }
}

extension EmbeddedMembership {
  static let diskInterval: Nanoseconds = 1_000_000_000

  /// Starts the next round, if one is wanted and none is under way.
  mutating func runDisk(_ effects: inout [EmbeddedEffect]) {
    guard consensus.accepted.record.usesDisk, identityIsDurable else { return }
    if let running = disk.running {
      if now > running.startedAt + timers.diskTimeout.milliseconds, !consensus.isLeader {
        disk.wantedVote = nil
      }
      return
    }
    if disk.mayStand {
      disk.mayStand = false
      if !hearsLeader, !consensus.isLeader {
        consensus.campaign(isTransfer: false, &consensusEffects)
      }
    }
    guard let purpose = nextPurpose() else { return }
    var write: DiskSlot?
    if let own = disk.own {
      switch purpose {
      case .look, .firstLook, .secondLook: break
      case .vote(let term):
        write = own
        write?.ballot = term
      case .accept(let term, _):
        write = own
        write?.ballot = term
        write?.acceptedBallot = term
        write?.decision = consensus.accepted
      }
      write?.counter = own.counter + 1
      write?.incarnation = incarnation
    }
    let id = disk.nextID
    disk.nextID += 1
    disk.running = DiskVoter.Running(id: id, purpose: purpose, startedAt: now, write: write)
    effects.append(.diskRound(DiskRound(id: id, write: write)))
  }

  private mutating func nextPurpose() -> DiskVoter.Purpose? {
    if disk.own == nil {
      guard now >= disk.nextLook else { return nil }
      disk.nextLook = now + Self.diskInterval
      return .look
    }
    let isWritable = now >= disk.writableAt
    if case .leader = consensus.role, isWritable {
      let decision = consensus.accepted
      if disk.wantedIndex == decision.index || now >= disk.nextRenewal {
        disk.wantedIndex = nil
        disk.nextRenewal = now + Self.diskInterval
        return .accept(term: decision.term, index: decision.index)
      }
      return nil
    }
    if let term = disk.wantedVote, isWritable {
      disk.wantedVote = nil
      if case .candidate(let campaign) = consensus.role, campaign.term == term {
        return .vote(term: term)
      }
    }
    if let at = disk.standAt, now >= at {
      disk.standAt = nil
      if !hearsLeader { return .firstLook }
    }
    if let at = disk.secondLookAt, now >= at {
      disk.secondLookAt = nil
      return .secondLook
    }
    guard now >= disk.nextLook, stage == .member else { return nil }
    disk.nextLook = now + Self.diskInterval
    return .look
  }

  mutating func diskRoundEnded(
    _ id: UInt64, _ result: DiskRoundResult, _ effects: inout [EmbeddedEffect]
  ) {
    guard let running = disk.running, running.id == id else { return }
    disk.running = nil
    guard case .read(let slots, let mailbox) = result else {
      disk.failures += 1
      disk.own = nil  // what the slot holds is not known: read it before the next write
      disk.nextLook = now + Self.diskInterval
      abandonStanding()
      return
    }
    let others = slots.filter { $0.slot != me }
    disk.own =
      slots.first { $0.slot == me } ?? DiskSlot(slot: me, incarnation: incarnation)
    if let mailbox, mailbox.victim == me {
      evictionTold(mailbox.viewID, mailbox.incarnation, &effects)
    }
    if now > running.startedAt + timers.diskTimeout.milliseconds {
      disk.failures += 1
      abandonStanding()
      return
    }
    evaluate(running, others, newest: Self.newest(slots), &effects)
  }

  private mutating func abandonStanding() {
    disk.standAt = nil
    disk.firstCounters = nil
    disk.secondLookAt = nil
  }

  /// The own slot counts too: what was accepted there may be missing on the local disk.
  private static func newest(_ slots: [DiskSlot]) -> Decision? {
    slots.compactMap(\.decision).max { ($0.term, $0.index) < ($1.term, $1.index) }
  }

  private mutating func evaluate(
    _ running: DiskVoter.Running, _ others: [DiskSlot], newest: Decision?,
    _ effects: inout [EmbeddedEffect]
  ) {
    let highest = others.map(\.ballot).max() ?? 0
    switch running.purpose {
    case .look: break
    case .firstLook:
      disk.firstCounters = Dictionary(
        others.map { ($0.slot, $0.counter) }, uniquingKeysWith: { first, _ in first })
      disk.secondLookAt = now + 2 * Self.diskInterval
    case .secondLook:
      let first = disk.firstCounters ?? [:]
      disk.firstCounters = nil
      // A slot that moves is somebody who leads, or stands, through the disk.
      let isLed = others.contains { $0.counter != first[$0.slot] ?? 0 && $0.ballot > 0 }
      if !isLed { disk.mayStand = true }
    case .vote(let term):
      if highest > term, !defects.contains(.noDiskSecondRead) {
        effects.append(
          .report("the quorum disk refuses its vote: another node stands for election"))
        consensus.diskRefused(highest, &consensusEffects)
      } else {
        consensus.diskVoted(for: term, newest: newest, &consensusEffects)
      }
    case .accept(let term, let index):
      if highest > term, !defects.contains(.noDiskSecondRead) {
        consensus.diskRefused(highest, &consensusEffects)
      } else if term == consensus.term {
        disk.acceptedTerm = term
        disk.acceptedAt = running.startedAt
        consensus.diskAccepted(term: term, index: index, &consensusEffects)
      }
    }
  }
}
