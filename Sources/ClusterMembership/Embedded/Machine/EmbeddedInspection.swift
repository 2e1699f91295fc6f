import ClusterTypes

// What the simulator and its checkers look at, and nobody else.

extension EmbeddedMembership {
  package var promisedTerm: UInt64 { consensus.term }
  package var acceptedDecision: Decision { consensus.accepted }
  /// The newest decision known to be committed; index 0 before there is one.
  package var committedDecision: Decision { consensus.committed }
  package var isHalted: Bool { stage == .halted }
  package var hasLeft: Bool { stage == .left }
  /// Leading by an election, whether or not something was decided since.
  package var isElected: Bool { consensus.isLeader }
  /// The end of the leader's quorum lease; zero for others.
  package var quorumLeaseEnd: UInt64 { leaderLease }
  package var leaseEnd: UInt64 { lease }
  package var appliedDecisionIndex: UInt64 { appliedIndex }
  package var undecidedRequests: Int { outbox.count }
  package mutating func introduce(_ defects: MembershipDefects) { self.defects = defects }

  /// This node decides without any other's vote.
  package var decidesAlone: Bool {
    consensus.isDecisive([me], blank: [], disk: false, in: consensus.accepted.record)
  }
}
