import ClusterTypes

// Persistent reservations as a proof (membership design, section 8, evidence 3). Taking a node's keys
// off the disks does not end it: it proves something only while the keys are gone and the disks are
// reserved, and only of a life that can write to no other disk. So it is no death that is decided but an
// *exclusion*, which every member reads on the disks again right before it starts a lockspace, and every
// ten seconds until another proof takes its place. If it does not hold any more it is withdrawn: what
// started without the node stops, and the node is fenced anew.

/// A removed life whose keys an attempt has taken off the disks.
public struct Exclusion: Hashable, Sendable {
  public var slot: NodeSlot
  public var incarnation: Incarnation
  public var attempt: UInt64

  public init(slot: NodeSlot, incarnation: Incarnation, attempt: UInt64) {
    self.slot = slot
    self.incarnation = incarnation
    self.attempt = attempt
  }
}

/// What the disks say of the exclusions that were asked for.
public enum ExclusionReading: Hashable, Sendable {
  case hold
  /// Of these a key is there, or a disk of theirs is not reserved.
  case broken([Exclusion])
  /// Not every disk can be read.
  case unknown
}

/// What this node is reading.
struct ExclusionReads: Sendable {
  struct Reading: Sendable {
    var id: UInt64
    var startedAt: Nanoseconds
    var exclusions: [Exclusion]
  }

  var lastID: UInt64 = 0
  var underWay: Reading?
  /// Read a moment ago, for the starts of this very moment.
  var holding: [Exclusion] = []
  var nextAt: Nanoseconds = 0
  var hasReported = false
}

extension EmbeddedMembership {
  /// Between two readings while nothing starts.
  private static let readingInterval: Nanoseconds = 10_000_000_000

  /// Whether a start may be carried out: true at the moment in which a reading of all exclusions has
  /// come. Otherwise it is asked for.
  mutating func areExclusionsRead(_ effects: inout [EmbeddedEffect]) -> Bool {
    let wanted = applied.exclusions
    if wanted.isEmpty || wanted == exclusions.holding || defects.contains(.startWithoutReading) {
      return true
    }
    if exclusions.underWay?.exclusions != wanted { exclusions.underWay = nil }
    read(wanted, &effects)
    return false
  }

  /// In the meantime, too.
  mutating func watchExclusions(_ effects: inout [EmbeddedEffect]) {
    guard stage == .member, now >= exclusions.nextAt else { return }
    let wanted = applied.exclusions
    if !wanted.isEmpty { read(wanted, &effects) }
  }

  private mutating func read(_ wanted: [Exclusion], _ effects: inout [EmbeddedEffect]) {
    if let reading = exclusions.underWay, isFresh(reading) { return }
    exclusions.lastID += 1
    exclusions.nextAt = now + Self.readingInterval
    exclusions.underWay = ExclusionReads.Reading(
      id: exclusions.lastID, startedAt: now, exclusions: wanted)
    effects.append(.readExclusions(id: exclusions.lastID, wanted))
  }

  /// What was read before a pause, or takes longer than a link may be silent, says too little about now.
  private func isFresh(_ reading: ExclusionReads.Reading) -> Bool {
    reading.startedAt >= gapAt && now <= reading.startedAt + timers.silence.milliseconds
  }

  mutating func exclusionsRead(
    _ id: UInt64, _ reading: ExclusionReading, _ effects: inout [EmbeddedEffect]
  ) {
    guard let asked = exclusions.underWay, asked.id == id else { return }
    exclusions.underWay = nil
    switch reading {
    case .hold:
      exclusions.hasReported = false
      guard isFresh(asked) else { return }
      exclusions.holding = asked.exclusions
      startSpaces(&effects)
      exclusions.holding = []
    case .unknown:
      guard !exclusions.hasReported else { return }
      exclusions.hasReported = true
      effects.append(
        .report(
          "this node cannot read whether removed nodes are still kept from the disks: it starts no "
            + "lockspace before it can"))
    case .broken(let broken):
      for exclusion in broken where applied.exclusions.contains(exclusion) {
        let request = Request.withdrawExclusion(attempt: exclusion.attempt)
        guard !outbox.contains(where: { $0.request == request }) else { continue }
        effects.append(
          .report(
            "\(nodeName(exclusion.slot)) is not kept from the disks any more: it is fenced anew"))
        submit(request, &effects)
      }
    }
  }

  // MARK: - The leader's part

  /// The victim's keys are off `devices`: an exclusion, if neither it nor any member can write to, or has
  /// to read, other disks than these.
  mutating func exclude(
    _ id: UInt64, _ devices: UInt64, by slot: NodeSlot, _ change: inout Change
  ) {
    guard let index = change.record.attempts.firstIndex(where: { $0.id == id }),
      change.record.attempts[index].executor == slot, change.record.attempts[index].isByReservation
    else { return }
    let attempt = change.record.attempts.remove(at: index)
    let victims = change.record.removed.indices.filter { index in
      let removed = change.record.removed[index]
      return removed.member.slot == attempt.victim && removed.awaitsEvidence
        && removed.member.incarnation <= attempt.incarnation
    }
    let concerned = victims.map { change.record.removed[$0].member } + change.record.members
    let others = concerned.filter {
      devices == 0 || $0.capabilities.reservedDevices != devices
    }
    guard others.isEmpty || defects.contains(.anyDevicesExclude) else {
      let names = others.map { nodeName($0.slot) }.joined(separator: ", ")
      let sentence =
        "taking the keys of \(nodeName(attempt.victim)) away proves nothing: \(names) did not register "
        + "on the same disks as \(nodeName(slot)); compare fencing/devices/*/reservations"
      leader?.reports.append(sentence)
      return retryLater(attempt)
    }
    for index in victims where change.batch.count < Decision.maximumBatch {
      change.record.removed[index].exclusion = attempt.id
      change.batch.append(
        proof(
          of: change.record.removed[index].member, .reservation,
          by: "\(nodeName(slot)), level \(attempt.level)"))
    }
    leader?.retries.removeAll { $0.slot == attempt.victim }
  }

  /// An exclusion does not hold any more: its node may write, and what started without it stops.
  func withdrawExclusion(_ attempt: UInt64, _ record: inout Record) {
    for index in record.removed.indices
    where attempt != 0 && record.removed[index].exclusion == attempt {
      record.removed[index].exclusion = 0
      guard record.removed[index].member.isDirty, !defects.contains(.withdrawalStopsNothing) else {
        continue
      }
      for space in record.spaces.indices
      where record.spaces[space].phase == .started
        && record.spaces[space].generation > record.removed[index].sinceGeneration
      {
        record.stop(space)
      }
    }
  }
}
