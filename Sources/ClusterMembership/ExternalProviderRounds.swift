import ClusterTypes

// Proposing, accepting and installing views. The lowest node among those that hear each other
// proposes; membership-design 7 gives the reasons for settling first and for the full mesh.

extension ExternalProvider {
  /// Starts a round when this node has to, and says when to look again.
  mutating func proposeIfDue(at now: Timestamp, _ effects: inout [MembershipEffect]) {
    guard !isEvicted else { return }
    if let round, round.deadline <= now {
      let answered = round.proposal == nil ? Set(round.standings.keys) : round.noted
      let silent = round.candidates.map(\.node).filter { !answered.contains($0) }
      effects.append(
        .report("no answer to the proposed view from node \(list(silent)); proposing again"))
      self.round = nil
      lastChange = now
    }
    let (candidates, isMesh) = candidates()
    let due = (lastChange ?? now) + (isMesh ? configuration.settle : configuration.linkGrace)
    if let round, round.candidates != candidates { self.round = nil }
    if shouldPropose(candidates) && round == nil {
      if due <= now {
        propose(candidates, at: now, &effects)
      } else {
        effects.append(.wake(at: due))
        return
      }
    }
    if let round { effects.append(.wake(at: round.deadline)) }
  }

  /// The nodes that could form a view: this one and those peers that hear it and each other,
  /// lower ids first. Not a mesh: somebody hears a node that is not a candidate.
  private func candidates() -> (members: [Member], isMesh: Bool) {
    var members = [local]
    var heard: Set<NodeInstance> = []
    for node in peers.keys.sorted() {
      guard let peer = peers[node], isAdmissible(peer.member) else { continue }
      heard.insert(peer.member.instance)
      heard.formUnion(peer.links)
      let hearsAll = members.allSatisfy { peer.links.contains($0.instance) }
      let isHeard = members.allSatisfy { member in
        member == local || peers[member.node]?.links.contains(peer.member.instance) == true
      }
      if hearsAll && isHeard { members.append(peer.member) }
    }
    members.sort { $0.instance < $1.instance }
    let isMesh = heard.allSatisfy { instance in
      instance == local.instance || members.contains { $0.instance == instance }
        || !configuration.nodes.contains(instance.node) || isRemoved(instance)
    }
    return (members, isMesh)
  }

  private func isAdmissible(_ member: Member) -> Bool { !isRemoved(member.instance) }

  private func isRemoved(_ instance: NodeInstance) -> Bool {
    removed[instance.node].map { instance.incarnation <= $0 } ?? false
  }

  private func shouldPropose(_ candidates: [Member]) -> Bool {
    guard candidates.first?.node == local.node, candidates.count >= configuration.quorum else {
      return false
    }
    let reopened = candidates.contains { peers[$0.node]?.openedSinceView == true }
    return !isMember || isFrozen || reopened || view.members != candidates
  }

  private mutating func propose(
    _ candidates: [Member], at now: Timestamp, _ effects: inout [MembershipEffect]
  ) {
    let ballot = Ballot(round: promised.round + 1, proposer: local.node)
    round = Round(
      ballot: ballot, candidates: candidates, deadline: now + configuration.roundTimeout)
    let message = ProviderMessage.propose(ballot, candidates: candidates).encoded
    for member in candidates where member.node != local.node {
      effects.append(.send(message, to: member.node))
    }
    promise(ballot, &effects)
  }

  private mutating func promise(_ ballot: Ballot, _ effects: inout [MembershipEffect]) {
    promised = ballot
    isFrozen = true
    snapshotBallot = ballot
    effects.append(.snapshotNeeded)
  }

  mutating func proposed(
    _ ballot: Ballot, _ candidates: [Member], by node: NodeID,
    _ effects: inout [MembershipEffect]
  ) {
    guard ballot.proposer == node, !isEvicted,
      candidates.contains(where: { $0.instance == local.instance })
    else { return }
    guard ballot > promised else {
      // A node that has just come knows no ballots yet: it need not wait to hear of this one.
      effects.append(.send(ProviderMessage.outpaced(promised).encoded, to: node))
      return
    }
    round = nil
    promise(ballot, &effects)
  }

  /// A candidate follows a higher ballot: the next proposal goes beyond that.
  mutating func outpaced(by ballot: Ballot, at now: Timestamp) {
    guard let round, ballot >= round.ballot else { return }
    self.round = nil
    promised = max(promised, ballot)
    lastChange = now
  }

  mutating func snapshotTaken(
    _ bytes: [UInt8], at now: Timestamp, _ effects: inout [MembershipEffect]
  ) {
    guard let ballot = snapshotBallot else { return }
    snapshotBallot = nil
    let history = ProviderMessage.History(
      view: view, delivered: messages.delivered, pending: messages.pending, snapshot: bytes,
      removed: removedList)
    let standing = ProviderMessage.Standing(history: history, noted: noted)
    let message = ProviderMessage.accept(ballot, standing).encoded
    guard bytes.count <= ProviderLimits.snapshot, message.count <= ProviderLimits.message else {
      effects.append(
        .report(
          "no view can be formed with this node: its state of \(bytes.count) bytes is too large "
            + "(\(ProviderLimits.snapshot) is the limit, \(message.count) with all it would send); "
            + "leave lockspaces that are not needed"))
      return
    }
    if ballot.proposer == local.node {
      accepted(ballot, standing, by: local.node, at: now, &effects)
    } else {
      effects.append(.send(message, to: ballot.proposer))
    }
  }

  mutating func accepted(
    _ ballot: Ballot, _ standing: ProviderMessage.Standing, by node: NodeID, at now: Timestamp,
    _ effects: inout [MembershipEffect]
  ) {
    guard round?.ballot == ballot, round?.candidates.contains(where: { $0.node == node }) == true
    else { return }
    round?.standings[node] = standing
    guard let round, round.standings.count == round.candidates.count, round.proposal == nil
    else { return }
    conclude(round, at: now, &effects)
  }

  /// All candidates have answered: chooses what to decide, and asks them to take note of it.
  private mutating func conclude(
    _ round: Round, at now: Timestamp, _ effects: inout [MembershipEffect]
  ) {
    let standings = round.candidates.compactMap { round.standings[$0.node] }
    let newest = standings.map(\.history).max { left, right in
      (left.view.id, left.received) < (right.view.id, right.received)
    }
    guard let base = newest else { return }
    let undecided = standings.compactMap(\.noted).filter { $0.view.id == base.view.id + 1 }
    var proposal: ProviderMessage.Proposal
    if let earlier = undecided.max(by: { $0.ballot < $1.ballot }) {
      proposal = earlier
      proposal.ballot = round.ballot
    } else {
      for standing in standings { learnRemoved(standing.history.removed) }
      guard evictStale(round.candidates, viewID: base.view.id, &effects) == false else {
        self.round = nil
        lastChange = now
        return
      }
      let view = View(id: base.view.id + 1, members: round.candidates)
      learnRemoved(base.view.members.map(\.instance).filter { !view.contains($0) })
      proposal = ProviderMessage.Proposal(ballot: round.ballot, view: view, base: base)
      proposal.base.removed = removedList
    }
    self.round?.proposal = proposal
    let message = ProviderMessage.install(proposal).encoded
    for member in round.candidates where member.node != local.node {
      effects.append(.send(message, to: member.node))
    }
    takeNote(of: proposal, from: local.node, &effects)
  }

  /// Tells candidates that were removed before; true when there are any.
  private mutating func evictStale(
    _ candidates: [Member], viewID: UInt64, _ effects: inout [MembershipEffect]
  ) -> Bool {
    let stale = candidates.filter { isRemoved($0.instance) }
    for member in stale {
      if member.node == local.node {
        becomeEvicted(viewID: viewID, &effects)
      } else {
        let message = ProviderMessage.evicted(member.instance.incarnation, viewID: viewID)
        effects.append(.send(message.encoded, to: member.node))
      }
    }
    return !stale.isEmpty
  }

  mutating func takeNote(
    of proposal: ProviderMessage.Proposal, from node: NodeID,
    _ effects: inout [MembershipEffect]
  ) {
    guard isFrozen, proposal.ballot == promised, proposal.ballot.proposer == node else { return }
    noted = proposal
    if node == local.node {
      noted(proposal.ballot, by: node, &effects)
    } else {
      effects.append(.send(ProviderMessage.noted(proposal.ballot).encoded, to: node))
    }
  }

  mutating func noted(_ ballot: Ballot, by node: NodeID, _ effects: inout [MembershipEffect]) {
    guard round?.ballot == ballot, round?.proposal != nil else { return }
    round?.noted.insert(node)
    guard let round, round.candidates.allSatisfy({ round.noted.contains($0.node) }) else { return }
    self.round = nil
    let message = ProviderMessage.commit(ballot).encoded
    for member in round.candidates where member.node != local.node {
      effects.append(.send(message, to: member.node))
    }
    commit(ballot, &effects)
  }

  mutating func commit(_ ballot: Ballot, _ effects: inout [MembershipEffect]) {
    guard isFrozen, ballot == promised, let proposal = noted, proposal.ballot == ballot else {
      return
    }
    learnRemoved(proposal.base.removed)
    if proposal.view.contains(local.instance) {
      install(proposal.view, proposal.base, &effects)
    } else if isRemoved(local.instance) {
      becomeEvicted(viewID: proposal.view.id, &effects)
    }
  }

  private mutating func install(
    _ newView: View, _ base: ProviderMessage.History, _ effects: inout [MembershipEffect]
  ) {
    guard newView.id > view.id else { return }
    messages.takeOver(base, isContinued: view.id == base.view.id, &effects)
    view = newView
    noted = nil
    isFrozen = false
    round = nil
    acknowledged = [:]
    for member in newView.members { peers[member.node]?.openedSinceView = false }
    effects.append(.installed(newView))
    messages.forgetSent()
    sendSubmissions(&effects)
  }

  private var removedList: [NodeInstance] {
    removed.map { NodeInstance($0.key, $0.value) }.sorted()
  }

  private mutating func learnRemoved(_ instances: [NodeInstance]) {
    for instance in instances {
      let known = removed[instance.node] ?? instance.incarnation
      removed[instance.node] = max(known, instance.incarnation)
    }
  }

  private func list(_ nodes: [NodeID]) -> String {
    nodes.map(\.description).joined(separator: ", ")
  }
}
