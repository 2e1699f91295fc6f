import ClusterTypes

// Who leads, and what is decided (membership design, section 6). Raft's rules for elections - terms,
// persisted votes, pre-votes, the up-to-date check - and, instead of a log, one record that every
// decision replaces whole.
//
// Time is not known here: the machine above says when to stand for election and whether a live
// leader is heard. That makes the whole of it small enough to search all interleavings
// (`ConsensusSearchTests`).

/// What consensus wants done, in this order.
enum ConsensusEffect: Hashable, Sendable {
  case send(NodeSlot, MembershipMessage.Body)
  case persist(token: UInt64, PersistentState)
  /// Ask the quorum disk for its vote for `term`.
  case askDisk(term: UInt64)
  /// Have the quorum disk accept.
  case writeDisk(Decision)
  case elected(term: UInt64)
  case deposed
  /// Commit `Consensus.committed` anew: a later decision is known to be committed.
  case committed
  case identityDurable
  case dirtyMarkDurable
}

struct Consensus: Hashable, Sendable {
  /// Batches of so many decisions are kept for those that are behind.
  static let historyLimit = 256
  static let historyBytes = 40 * 1024

  enum Role: Hashable, Sendable {
    case follower
    case preCandidate(Campaign)
    case candidate(Campaign)
    case leader(Leadership)
  }

  struct Campaign: Hashable, Sendable {
    var term: UInt64
    var granted: NodeSet = []
    var blank: NodeSet = []
    var disk = false
    var isTransfer = false
  }

  struct Leadership: Hashable, Sendable {
    /// Who has acknowledged the newest decision.
    var acknowledged: NodeSet = []
    var blank: NodeSet = []
    var disk = false
    /// Nothing is proposed while this is set.
    var isInFlight = true
    /// The leader has committed a decision of its own term.
    var hasCommitted = false
  }

  let me: NodeSlot
  var stable: StableStore
  var role = Role.follower
  /// The leader of the promised term, where known.
  var leader: NodeSlot?
  /// The newest decision known to be committed.
  var committed: Decision
  /// Batches up to the accepted decision's, ascending without a gap. They belong to the accepted
  /// decision: another one replaces whatever is not committed.
  var history: [HistoryEntry]
  /// All nodes that the accepted decision configures.
  private(set) var configured: NodeSet
  /// Two nodes without a third vote: the peer in this and all earlier incarnations is switched off for
  /// certain, so it neither votes nor decides (`FenceRace`).
  private(set) var switchedOff: NodeInstanceSlot?
  /// How far the others have applied, as they say.
  var appliedIndexes: [NodeSlot: UInt64] = [:]

  init(me: NodeSlot, state: PersistentState) {
    self.me = me
    stable = StableStore(state)
    // What was committed is learned anew: a node applies nothing from memory.
    committed = Decision(term: 0, index: 0, record: state.accepted.record, batch: [])
    history = [HistoryEntry(index: state.accepted.index, batch: state.accepted.batch)]
    configured = state.accepted.record.configured
  }

  var state: PersistentState { stable.state }
  var accepted: Decision { stable.state.accepted }
  var term: UInt64 { stable.state.promisedTerm }
  /// The memory of this node was lost and the cluster has not taken it back as a voter.
  var isBlank: Bool { state.isBlank }
  var isLeader: Bool { if case .leader = role { true } else { false } }
  /// A leader whose decisions count.
  var isEstablished: Bool {
    if case .leader(let leadership) = role { leadership.hasCommitted } else { false }
  }
  var canPropose: Bool {
    if case .leader(let leadership) = role {
      leadership.hasCommitted && !leadership.isInFlight
    } else {
      false
    }
  }

  /// Whether votes or acceptances decide: a quorum in every configuration, or, at the very first
  /// formation, all voters, none of which remembers anything.
  func isDecisive(_ set: NodeSet, blank: NodeSet, disk: Bool, in record: Record) -> Bool {
    if record.isQuorum(set, disk: disk) { return true }
    if set.contains(me), decidesAlone(in: record) { return true }
    let voters = record.configurations.reduce(NodeSet()) { $0.union($1.voters) }
    return !blank.isEmpty && voters.isSubset(of: blank)
  }

  /// Whether the peer of a fence race is not needed for `record`: it was not a member of the newest
  /// decision known to be committed, or it is off since it was one. Whoever may win a race has to know
  /// that its own membership is committed, which takes this node's acceptance; and with that ends here
  /// what allowed it to decide alone.
  private func decidesAlone(in record: Record) -> Bool {
    guard record.isFenceRace else { return false }
    if state.isAlone, record.memberSet.isSubset(of: [me]) { return true }
    guard let switchedOff else { return false }
    guard let member = record[member: switchedOff.slot] else { return true }
    return member.incarnation <= switchedOff.incarnation
  }

  /// The peer was switched off, unless a later incarnation of it is a member already.
  mutating func learnSwitchedOff(_ peer: NodeInstanceSlot) {
    let member = accepted.record[member: peer.slot]
    if member.map({ $0.incarnation <= peer.incarnation }) ?? true { switchedOff = peer }
  }

  mutating func setAccepted(_ decision: Decision) {
    let record = decision.record
    let mayStayAlone = record.isFenceRace && record.memberSet.isSubset(of: [me])
    stable.change {
      $0.accepted = decision
      if !mayStayAlone { $0.isAlone = false }
    }
    if let off = switchedOff, let member = record[member: off.slot],
      member.incarnation > off.incarnation
    {
      switchedOff = nil
    }
    configured = record.configured
  }

  // MARK: - Persistence

  mutating func flush(_ effects: inout [ConsensusEffect]) {
    if let write = stable.nextWrite() {
      effects.append(.persist(token: write.token, write.state))
    }
  }

  mutating func whenDurable(_ action: StableStore.Deferred, _ effects: inout [ConsensusEffect]) {
    if let due = stable.whenDurable(action) { carryOut(due, &effects) }
    flush(&effects)
  }

  mutating func persisted(_ token: UInt64, _ effects: inout [ConsensusEffect]) {
    for action in stable.written(token) { carryOut(action, &effects) }
    flush(&effects)
  }

  private mutating func carryOut(
    _ action: StableStore.Deferred, _ effects: inout [ConsensusEffect]
  ) {
    switch action {
    case .send(let slot, let body): effects.append(.send(slot, body))
    case .ownVote(let term): ownVote(term, &effects)
    case .ownAcceptance(let term, let index):
      acceptedBy(me, term: term, index: index, isBlank: isBlank, &effects)
    case .identity: effects.append(.identityDurable)
    case .dirtyMark: effects.append(.dirtyMarkDurable)
    }
  }

  /// A message shows that there is a higher term: whoever leads or stands gives way.
  mutating func follow(_ term: UInt64, leader: NodeSlot?, _ effects: inout [ConsensusEffect]) {
    if term > state.promisedTerm {
      stable.change {
        $0.promisedTerm = term
        $0.votedFor = nil
      }
      self.leader = nil
      becomeFollower(&effects)
    }
    if term == state.promisedTerm, let leader { self.leader = leader }
  }

  mutating func becomeFollower(_ effects: inout [ConsensusEffect]) {
    let led = isLeader
    role = .follower
    if led {
      if leader == me { leader = nil }
      effects.append(.deposed)
    }
  }
}
