import ClusterTypes

// From a configuration to a view: standings, notes, installation.
//
// A standing may be delivered in a later configuration than the one it was sent in. Those whose stage
// is another are dropped. One of an equal stage says the same as the sender's next: between the two
// it has received and installed nothing. And no standing is left on its way when a view is installed,
// because each member's note comes after its standings, and all notes are needed.

extension CorosyncProvider {
  mutating func configured(
    _ now: [GroupProcess], _ ring: GroupRing, at moment: Timestamp,
    _ effects: inout [MembershipEffect]
  ) {
    guard !isEvicted else { return }
    let came = Set(now).subtracting(processes)
    processes = now
    self.ring = ring
    configuredAt = moment
    expelled.formIntersection(now)
    instances = instances.filter { now.contains($0.key) }
    if !came.isEmpty {
      // Who has just come does not know of them.
      for process in expelled.sorted() {
        effects.append(.multicast(CorosyncMessage.expel(process).encoded))
      }
    }
    beginExchange(at: moment)
  }

  mutating func beginExchange(at now: Timestamp) {
    guard let ring else { return }
    awaitsSnapshot = false
    isAcknowledging = false
    exchange = Exchange(
      stage: GroupStage(ring: ring, processes: processes.filter { !expelled.contains($0) }),
      began: now)
  }

  /// Says where this node stands, once the ring has quorum and the daemons have channels to each other
  /// or had time to open them.
  mutating func tellStanding(at now: Timestamp, _ effects: inout [MembershipEffect]) {
    guard let exchange, !exchange.hasSentStanding, isRingQuorate,
      exchange.stage.processes.contains(configuration.process),
      silent.isEmpty || now >= exchange.began + configuration.linkGrace
    else { return }
    self.exchange?.hasSentStanding = true
    awaitsSnapshot = true
    effects.append(.snapshotNeeded)
  }

  mutating func snapshotTaken(_ bytes: [UInt8], _ effects: inout [MembershipEffect]) {
    guard let exchange, awaitsSnapshot else { return }
    awaitsSnapshot = false
    let history = ProviderMessage.History(
      view: view, delivered: messages.delivered, pending: messages.pending, snapshot: bytes,
      removed: removedList)
    let standing = ProviderMessage.Standing(history: history, noted: noted)
    let message = CorosyncMessage.standing(exchange.stage, local, standing).encoded
    guard bytes.count <= ProviderLimits.snapshot, message.count <= ProviderLimits.message else {
      effects.append(
        .report(
          "no view can be formed with this node: its state of \(bytes.count) bytes is too large "
            + "(\(ProviderLimits.snapshot) is the limit, \(message.count) with all it would send); "
            + "leave lockspaces that are not needed"))
      return
    }
    effects.append(.multicast(message))
  }

  mutating func heardStanding(
    _ standing: ProviderMessage.Standing, of member: Member, from process: GroupProcess,
    _ stage: GroupStage, at now: Timestamp, _ effects: inout [MembershipEffect]
  ) {
    guard let exchange, exchange.stage == stage, stage.processes.contains(process),
      exchange.proposal == nil
    else { return }
    guard member.node == process.node else {
      effects.append(
        .report(
          "\(process) calls itself node \(member.node): corosync's nodeid and the id in clvmd.conf "
            + "must be the same there; no view is formed with it"))
      return
    }
    self.exchange?.candidates[process] = .init(member: member, standing: standing)
    guard let exchange = self.exchange, exchange.candidates.count == stage.processes.count else {
      return
    }
    let (proposal, isCarriedThrough) = conclude(exchange)
    self.exchange?.proposal = proposal
    self.exchange?.isCarriedThrough = isCarriedThrough
    noted = proposal
    effects.append(
      .multicast(CorosyncMessage.noted(exchange.stage, viewID: proposal.view.id).encoded))
  }

  /// The same at all members: it depends on nothing but what was delivered to all.
  private func conclude(_ exchange: Exchange) -> (ProviderMessage.Proposal, isEarlier: Bool) {
    let candidates = exchange.stage.processes.compactMap { exchange.candidates[$0] }
    var base = ProviderMessage.History(
      view: .none, delivered: 0, pending: [], snapshot: [], removed: [])
    // The first of equals counts: the one of the lowest node.
    for (place, history) in candidates.map(\.standing.history).enumerated()
    where place == 0
      || (history.view.id, history.received) > (base.view.id, base.received)
    {
      base = history
    }
    let undecided = candidates.compactMap(\.standing.noted).filter { $0.view.id > base.view.id }
    if let earlier = undecided.max(by: { $0.view.id < $1.view.id }) {
      if candidates.contains(where: { earlier.view.contains($0.member.instance) }) {
        return (earlier, true)
      }
      // Nobody here can have installed it: its members are gone, and what they knew is kept.
      base = earlier.base
      base.view = earlier.view
    }

    var gone = Dictionary(
      base.removed.map { ($0.node, $0.incarnation) }, uniquingKeysWith: max)
    func remove(_ instance: NodeInstance) {
      gone[instance.node] = max(gone[instance.node] ?? instance.incarnation, instance.incarnation)
    }
    for candidate in candidates {
      let instance = candidate.member.instance
      // It was in a line of views that did not go on.
      let isStray =
        candidate.standing.history.view.id > 0 && !base.view.contains(instance)
      let isOutlived = candidates.contains {
        $0.member.node == instance.node && $0.member.instance > instance
      }
      if isStray || isOutlived { remove(instance) }
    }
    let members = candidates.map(\.member).filter { member in
      gone[member.node].map { member.instance.incarnation > $0 } ?? true
    }
    for member in base.view.members
    where !members.contains(where: { $0.instance == member.instance }) {
      remove(member.instance)
    }
    base.removed = gone.map { NodeInstance($0.key, $0.value) }.sorted()
    let view = View(id: nextViewID(after: base.view.id, in: exchange.stage.ring), members: members)
    let ballot = Ballot(round: view.id, proposer: exchange.stage.processes[0].node)
    return (ProviderMessage.Proposal(ballot: ballot, view: view, base: base), false)
  }

  /// The ring's number, and room for views within one ring.
  private func nextViewID(after id: UInt64, in ring: GroupRing) -> UInt64 {
    let viewsInRing = 20
    guard ring.sequence < ProviderLimits.number >> viewsInRing else { return id + 1 }
    return max(id + 1, ring.sequence << viewsInRing)
  }

  mutating func noted(
    _ viewID: UInt64, by process: GroupProcess, _ stage: GroupStage, at now: Timestamp,
    _ effects: inout [MembershipEffect]
  ) {
    guard exchange?.stage == stage, exchange?.proposal?.view.id == viewID else { return }
    exchange?.noted.insert(process)
    guard let exchange, let proposal = exchange.proposal,
      stage.processes.allSatisfy({ exchange.noted.contains($0) })
    else { return }
    let isHere = proposal.view.contains(local.instance)
    let isRemoved = proposal.base.removed.contains {
      $0.node == local.node && $0.incarnation >= local.instance.incarnation
    }
    if isRemoved || !isHere && !exchange.isCarriedThrough {
      return becomeEvicted(viewID: proposal.view.id, &effects)
    }
    if isHere {
      instances = exchange.candidates.mapValues(\.member.instance).filter {
        proposal.view.contains($0.value)
      }
      install(proposal, &effects)
    }
    self.exchange = nil
    if exchange.isCarriedThrough {
      beginExchange(at: now)
    } else {
      messages.forgetSent()
      sendSubmissions(&effects)
    }
  }

  private mutating func install(
    _ proposal: ProviderMessage.Proposal, _ effects: inout [MembershipEffect]
  ) {
    let base = proposal.base
    noted = nil
    guard proposal.view.id > view.id else { return }
    removed = Dictionary(
      base.removed.map { ($0.node, $0.incarnation) }, uniquingKeysWith: max)
    messages.takeOver(base, isContinued: view.id == base.view.id && view.id > 0, &effects)
    view = proposal.view
    acknowledged = [:]
    isAcknowledging = false
    effects.append(.installed(view))
  }

  private var removedList: [NodeInstance] {
    removed.map { NodeInstance($0.key, $0.value) }.sorted()
  }
}
