import ClusterTypes

// The embedded membership provider's machine: one node's whole part in elections, views, leases,
// lockspace phases, fencing and configuration. Its parts, each an extension in a file of its own:
//
//   Consensus            who leads and what is decided (a machine of its own)
//   Heartbeat            pings, pongs, who is heard, leases
//   Applying             from a decided record to what this node does
//   LocalSpaces          stop and start of this node's lockspaces
//   Requests             what this node asks the leader to decide
//   Exclusions           reading again that reservations keep removed nodes from the disks
//   DiskVoter            the quorum disk's vote and lease
//   Leader…              everything that only a leader does: views, phases, evidence, fencing, requests

/// Membership by leases from a leader that a majority has elected; see the head of this file.
public struct EmbeddedMembership: Sendable {
  /// What is known of another node.
  struct Peer: Sendable {
    var incarnation = Incarnation(0)
    var life: UInt32 = 0
    /// When anything came from it; zero for never.
    var heardAt: Nanoseconds = 0
    var hears: NodeSet = []
    var viewID: UInt64 = 0
    var acceptedIndex: UInt64 = 0
    var appliedIndex: UInt64 = 0
    var highestTerm: UInt64 = 0
    var uptime: UInt64 = 0
    var amnesia: UInt64 = 0
    var stopped: [UInt64] = []
    var running: [UInt64] = []
    /// It has forgotten what it once promised: its vote does not count.
    var hasRegressed = false
    /// Own send time of the latest ping that it answered in `answeredTerm`.
    var answeredPing: Nanoseconds = 0
    var answeredTerm: UInt64 = 0
    /// When a pong with a lease went to this incarnation last; zero for never.
    var leasedAt: Nanoseconds = 0
    var refusedAt: Nanoseconds = 0
    var join: MembershipMessage.Join?
    var joinedAt: Nanoseconds = 0
    /// Since when its links to all members are good; zero while they are not.
    var goodSince: Nanoseconds = 0
  }

  enum Stage: Hashable, Sendable {
    /// Asking to be admitted, or a witness.
    case outside
    case member
    /// The machine must be reset; nothing is done any more.
    case halted
    case left
  }

  let me: NodeSlot
  let bootID: BootID
  /// An earlier life of the daemon ran on this boot.
  let isSameBoot: Bool
  var capabilities: Capabilities
  package var defects: MembershipDefects = []
  var random: UInt64

  var consensus: Consensus
  /// The newest decided record that this node knows, and its index; zero before it knows one.
  var applied: Record
  var appliedIndex: UInt64 = 0
  var stage = Stage.outside
  var identityIsDurable = false

  var now: Nanoseconds = 0
  var lastTick: Nanoseconds = 0
  var nextHeartbeat: Nanoseconds = 0
  /// Answers to pings sent before this do not count: the node was frozen since.
  var gapAt: Nanoseconds = 0
  var peers = [Peer](repeating: Peer(), count: NodeSlot.limit)
  /// Links as this node knows them have not changed since.
  var linksChangedAt: Nanoseconds = 0
  var heard: NodeSet = []
  /// When the first of those that are heard will have been silent for too long, if nothing comes.
  var silentAt: Nanoseconds = .max
  var leaderHeardAt: Nanoseconds = 0
  /// When to stand for election; a timer of its own, which no candidacy of ours refreshes
  /// `leaderHeardAt` for (membership design, section 15).
  var electionDue: Nanoseconds = 0
  var lastHandOver: Nanoseconds = 0
  var lease: Nanoseconds = 0
  var hadLease = false
  var viewRead: UInt64 = 0
  var lastWaitReason: String?
  /// What the leader last said about fences, and when.
  var heardFences: [MembershipMessage.FenceProgress] = []
  var heardFencesAt: Nanoseconds = 0
  var persistRetryAt: Nanoseconds = 0

  var spaces: [LocalSpace] = []
  var outbox: [Submission] = []
  var hasAskedToLeave = false
  var nextSequence: UInt64 = 1
  var handledAttempts: [UInt64] = []
  /// When this node first saw each attempt that has succeeded: the drain time counts from there, on
  /// whichever node leads when it is over.
  var drainingSince: [UInt64: Nanoseconds] = [:]
  var exclusions = ExclusionReads()
  var delayedRequests: [DelayedRequest] = []
  var disk = DiskVoter()
  var race = FenceRace()
  var leader: LeaderState?

  var consensusEffects: [ConsensusEffect] = []

  public init(_ start: EmbeddedStart) {
    var state = start.state
    isSameBoot = state.bootID == start.bootID
    me = state.slot
    bootID = start.bootID
    capabilities = start.capabilities
    random = start.seed
    if isSameBoot && state.wasDirty {
      // Re-adoption, or, without keeper, a reset: see `begin`.
      state.life += 1
    } else if isSameBoot {
      state.neverStarted.append(state.incarnation)
      state.neverStarted.removeFirst(
        max(0, state.neverStarted.count - MembershipMessage.neverStartedLimit))
      Self.renew(&state, above: state.incarnation, random: &random)
    } else {
      state.neverStarted = []
      state.wasDirty = false
      state.bootID = start.bootID
      Self.renew(&state, above: state.incarnation, random: &random)
    }
    consensus = Consensus(me: me, state: start.state)
    consensus.stable.change { $0 = state }
    applied = state.accepted.record
    if isSameBoot && state.wasDirty && !start.keeperIsAlive { stage = .halted }
    spaces = start.spaces.map { LocalSpace($0) }
    race.nextID |= (start.seed >> 16) << 8  // apart from those of other lives
  }

  /// The next incarnation: a counter in the upper half, chance in the lower.
  static func renew(
    _ state: inout PersistentState, above other: Incarnation, random: inout UInt64
  ) {
    let counter = max(state.incarnation.rawValue >> 32, other.rawValue >> 32) + 1
    state.incarnation = Incarnation(counter << 32 | (drawNumber(&random) & 0xFFFF_FFFF))
    state.life = 1
    state.wasDirty = false
  }

  /// SplitMix64.
  static func drawNumber(_ state: inout UInt64) -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func drawJitter() -> Nanoseconds {
    Self.drawNumber(&random) % max(1, timers.jitter.milliseconds)
  }

  // MARK: - What others may ask

  public var slot: NodeSlot { me }
  public var incarnation: Incarnation { consensus.state.incarnation }
  public var record: Record { applied }
  /// The disks from which this node can be fenced by reservation; zero without.
  public var reservedDevices: UInt64 { capabilities.reservedDevices }
  public var isMember: Bool { stage == .member }
  /// Starts of the daemon within this incarnation.
  public var life: UInt32 { consensus.state.life }
  /// False until a decision is known: what `record` says may be long outdated then.
  public var knowsRecord: Bool { appliedIndex > 0 }
  /// Why this node is not admitted, as a leader said last.
  public var admissionObstacle: String? { stage == .outside ? lastWaitReason : nil }
  /// The number that the next request of this node gets.
  public var nextRequestSequence: UInt64 { nextSequence }
  public var isLeader: Bool { consensus.isEstablished }
  public var leaderSlot: NodeSlot? { consensus.leader }
  /// In the view with a valid lease: this node may grant locks and write metadata.
  public func isRunning(at moment: Timestamp) -> Bool {
    stage == .member && moment.nanoseconds < lease
  }

  /// A leader with a quorum is heard, or is this node.
  public func hearsQuorum(at moment: Timestamp) -> Bool {
    let now = moment.nanoseconds
    if consensus.isEstablished { return now < leaderLease }
    return consensus.leader != nil && consensus.leader != me
      && now < leaderHeardAt + timers.silence.milliseconds
  }

  var timers: MembershipTimers { applied.timers }
  var state: PersistentState { consensus.state }

  // MARK: - Handling

  public mutating func handle(
    _ input: EmbeddedInput, at moment: Timestamp, effects: inout [EmbeddedEffect]
  ) {
    let isFirst = lastTick == 0
    now = moment.nanoseconds
    if isFirst { begin(&effects) }
    guard stage != .halted, stage != .left else { return }
    noticeGap()
    switch input {
    case .tick: break
    case .received(let message): received(message, &effects)
    case .persisted(let token): consensus.persisted(token, &consensusEffects)
    case .persistFailed(let token): persistFailed(token, &effects)
    case .diskRound(let id, let result): diskRoundEnded(id, result, &effects)
    case .fenceResult(let attempt, let exit): fenceEnded(attempt, exit: exit, &effects)
    case .excluded(let attempt, let devices): excluded(attempt, on: devices, &effects)
    case .exclusionsRead(let id, let reading): exclusionsRead(id, reading, &effects)
    case .spaceStopped(let name, let generation): spaceStopped(name, generation, &effects)
    case .spaceStarted(let name, let generation): spaceStarted(name, generation)
    case .spaceStuck(let name, let generation, let slot): spaceStuck(name, generation, slot)
    case .peerRefused(let slot): if slot != me { peers[slot.number].refusedAt = now }
    // One that has just been started again has yet to open its channels.
    case .peerListens(let slot): if isHeld(slot) { peers[slot.number].refusedAt = now }
    case .request(let request): submit(request, &effects)
    case .timeGap: openGap()
    }
    pump(&effects)
    if now >= nextHeartbeat { heartbeat(&effects) }
    watchTime(&effects)
    pump(&effects)
    if stage != .halted, stage != .left {
      effects.append(.wake(at: Timestamp(nanoseconds: nextWake)))
    }
  }

  private mutating func begin(_ effects: inout [EmbeddedEffect]) {
    lastTick = now
    gapAt = now
    electionDue = now + timers.silence.milliseconds + drawJitter()
    linksChangedAt = now
    if stage == .halted {
      effects.append(
        .selfFence(reason: "the keeper of this boot is gone, and lockspaces may still run"))
      return
    }
    disk.start(at: now, timers: timers)
    if consensus.accepted.record.configurations.contains(where: \.fenceRace) {
      // The clock is the machine's uptime: agents of the boot before have ended, too, after that time.
      race.earlierUntil =
        (isSameBoot ? now : 0) + timers.stretched(timers.agentTimeout.milliseconds)
    }
    consensus.whenDurable(.identity, &consensusEffects)
  }

  /// Carries out what consensus wants, and what follows from it, until nothing is left.
  mutating func pump(_ effects: inout [EmbeddedEffect]) {
    while true {
      consensus.flush(&consensusEffects)
      if consensusEffects.isEmpty {
        leaderStep(&effects)
        consensus.flush(&consensusEffects)
      }
      guard !consensusEffects.isEmpty, stage != .halted, stage != .left else { return }
      let batch = consensusEffects
      consensusEffects.removeAll(keepingCapacity: true)
      for effect in batch { carryOut(effect, &effects) }
      runDisk(&effects)
    }
  }

  private mutating func carryOut(
    _ effect: ConsensusEffect, _ effects: inout [EmbeddedEffect]
  ) {
    switch effect {
    case .send(let slot, let body): send(body, to: slot, &effects)
    case .persist(let token, let state):
      effects.append(.persist(token: token, state))
      if defects.contains(.replyBeforeSync) { consensus.persisted(token, &consensusEffects) }
    case .askDisk(let term): disk.ask(term: term)
    case .writeDisk(let decision): disk.write(decision)
    case .elected(let term): elected(term, &effects)
    case .deposed: deposed(&effects)
    case .committed: apply(&effects)
    case .identityDurable: identityIsDurable = true
    case .dirtyMarkDurable: startSpaces(&effects)
    }
  }

  func send(
    _ body: MembershipMessage.Body, to slot: NodeSlot, _ effects: inout [EmbeddedEffect]
  ) {
    effects.append(
      .send(
        slot,
        MembershipMessage(
          clusterID: applied.clusterID, sender: me, incarnation: incarnation,
          term: consensus.term, body: body)))
  }

  private mutating func persistFailed(_ token: UInt64, _ effects: inout [EmbeddedEffect]) {
    consensus.stable.failed(token)
    persistRetryAt = now + timers.silence.milliseconds
    effects.append(
      .report(
        "the state cannot be written: this node does not vote, and steps aside as a leader, "
          + "until it can"))
    consensus.becomeFollower(&consensusEffects)
  }

  mutating func halt(_ reason: String, _ effects: inout [EmbeddedEffect]) {
    stage = .halted
    lease = 0
    effects.append(.setLease(until: Timestamp(nanoseconds: 0)))
    effects.append(.selfFence(reason: reason))
  }
}
