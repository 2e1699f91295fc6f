import ClusterTypes

// Elections. A pre-vote first: a node that merely lost its link must not depose a leader. A vote is on
// disk before it is told. Terms name their candidate (term mod 64 is its slot), so two candidates
// never share one.

extension Consensus {
  /// The lowest term above all that this node knows and that is its own.
  var nextOwnTerm: UInt64 {
    let width = UInt64(NodeSlot.limit)
    let next = term + 1
    return next + (width + UInt64(me.index) - next % width) % width
  }

  /// Stands for election; a transfer skips the pre-vote.
  mutating func campaign(isTransfer: Bool, _ effects: inout [ConsensusEffect]) {
    guard !isLeader, accepted.record.node(me).map({ $0.votes > 0 }) == true else { return }
    let campaign = Campaign(
      term: nextOwnTerm, granted: [me], blank: isBlank ? [me] : [], isTransfer: isTransfer)
    guard !isTransfer else { return stand(campaign, &effects) }
    role = .preCandidate(campaign)
    ask(campaign, isPreVote: true, &effects)
    countPreVotes(&effects)
  }

  private func ask(
    _ campaign: Campaign, isPreVote: Bool, _ effects: inout [ConsensusEffect]
  ) {
    let candidacy = MembershipMessage.Candidacy(
      term: campaign.term, lastTerm: accepted.term, lastIndex: accepted.index,
      isTransfer: campaign.isTransfer, isBlank: isBlank)
    for slot in configured where slot != me {
      effects.append(.send(slot, isPreVote ? .preVote(candidacy) : .vote(candidacy)))
    }
  }

  private mutating func countPreVotes(_ effects: inout [ConsensusEffect]) {
    guard case .preCandidate(let campaign) = role else { return }
    // The disk is asked only for real votes; with it the nodes heard may be one vote short.
    let disk = accepted.record.usesDisk
    guard isDecisiveForElection(campaign, disk: disk) else { return }
    stand(campaign, &effects)
  }

  private func isDecisiveForElection(_ campaign: Campaign, disk: Bool) -> Bool {
    let counted = campaign.granted.subtracting(campaign.blank)
    return isDecisive(counted, blank: campaign.blank, disk: disk, in: accepted.record)
  }

  private mutating func stand(_ old: Campaign, _ effects: inout [ConsensusEffect]) {
    var campaign = Campaign(term: old.term, isTransfer: old.isTransfer)
    campaign.disk = false
    guard campaign.term > term else { return }
    stable.change {
      $0.promisedTerm = campaign.term
      $0.votedFor = me
    }
    leader = nil
    role = .candidate(campaign)
    // The requests may leave at once: only the own vote must be on disk before it counts.
    ask(campaign, isPreVote: false, &effects)
    whenDurable(.ownVote(term: campaign.term), &effects)
  }

  mutating func ownVote(_ term: UInt64, _ effects: inout [ConsensusEffect]) {
    guard case .candidate(var campaign) = role, campaign.term == term else { return }
    campaign.granted.insert(me)
    if isBlank { campaign.blank.insert(me) }
    role = .candidate(campaign)
    countVotes(&effects)
  }

  private mutating func countVotes(_ effects: inout [ConsensusEffect]) {
    guard case .candidate(let campaign) = role, campaign.granted.contains(me) else { return }
    if isDecisiveForElection(campaign, disk: campaign.disk) {
      lead(&effects)
    } else if !campaign.disk, accepted.record.usesDisk,
      isDecisiveForElection(campaign, disk: true)
    {
      effects.append(.askDisk(term: campaign.term))
    }
  }

  /// The disk's vote for `term`, with the newest decision found there.
  mutating func diskVoted(
    for term: UInt64, newest: Decision?, _ effects: inout [ConsensusEffect]
  ) {
    guard case .candidate(var campaign) = role, campaign.term == term else { return }
    campaign.disk = true
    role = .candidate(campaign)
    if let newest, !newest.isAtMost(accepted.term, accepted.index) {
      setAccepted(newest)
      history = [HistoryEntry(index: newest.index, batch: newest.batch)]
    }
    countVotes(&effects)
  }

  /// A higher ballot is on the disk.
  mutating func diskRefused(_ term: UInt64, _ effects: inout [ConsensusEffect]) {
    if term > self.term {
      follow(term, leader: nil, &effects)
      flush(&effects)
    } else if case .candidate = role {
      becomeFollower(&effects)
    }
  }

  mutating func preVoteAsked(
    _ candidacy: MembershipMessage.Candidacy, by slot: NodeSlot, hearsLeader: Bool,
    _ effects: inout [ConsensusEffect]
  ) {
    let isGranted =
      !hearsLeader && candidacy.term > term
      && accepted.isAtMost(candidacy.lastTerm, candidacy.lastIndex)
    effects.append(
      .send(
        slot, .preVoteReply(term: candidacy.term, isGranted: isGranted, isBlank: isBlank)))
  }

  mutating func preVoteAnswered(
    term: UInt64, isGranted: Bool, isBlank: Bool, by slot: NodeSlot,
    _ effects: inout [ConsensusEffect]
  ) {
    guard case .preCandidate(var campaign) = role, campaign.term == term, isGranted else { return }
    campaign.granted.insert(slot)
    if isBlank { campaign.blank.insert(slot) }
    role = .preCandidate(campaign)
    countPreVotes(&effects)
  }

  mutating func voteAsked(
    _ candidacy: MembershipMessage.Candidacy, by slot: NodeSlot, hearsLeader: Bool,
    _ effects: inout [ConsensusEffect]
  ) {
    let isFree =
      candidacy.term > term
      || (candidacy.term == term && (state.votedFor == nil || state.votedFor == slot))
    let isWelcome =
      !hearsLeader || candidacy.isTransfer
      || (candidacy.term == term && state.votedFor == slot)
    // A node without memory votes only for one without memory: at the first formation.
    let isMatched = !isBlank || candidacy.isBlank
    guard isFree, isWelcome, isMatched,
      accepted.isAtMost(candidacy.lastTerm, candidacy.lastIndex)
    else {
      effects.append(
        .send(slot, .voteReply(term: candidacy.term, isGranted: false, isBlank: isBlank)))
      return
    }
    if candidacy.term > term || state.votedFor != slot {
      stable.change {
        $0.promisedTerm = candidacy.term
        $0.votedFor = slot
      }
      leader = nil
      becomeFollower(&effects)
    }
    whenDurable(
      .send(slot, .voteReply(term: candidacy.term, isGranted: true, isBlank: isBlank)), &effects)
  }

  mutating func voteAnswered(
    term: UInt64, isGranted: Bool, isBlank: Bool, by slot: NodeSlot,
    _ effects: inout [ConsensusEffect]
  ) {
    guard case .candidate(var campaign) = role, campaign.term == term, isGranted else { return }
    campaign.granted.insert(slot)
    if isBlank { campaign.blank.insert(slot) }
    role = .candidate(campaign)
    countVotes(&effects)
  }

  /// A new leader first proposes what it has accepted under its own term, at the next index and with
  /// an empty batch; nothing else until that is committed.
  private mutating func lead(_ effects: inout [ConsensusEffect]) {
    leader = me
    role = .leader(Leadership())
    effects.append(.elected(term: term))
    submit(record: accepted.record, batch: [], &effects)
  }
}
