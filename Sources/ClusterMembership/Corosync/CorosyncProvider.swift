import ClusterTypes

// corosync as the provider: who is in the group and in which order messages come is its word (CPG),
// whether that is a majority is votequorum's. What is left to be done here:
//
// * CPG goes on in every part of a split cluster, and knows processes, not what they remember. A view
//   comes about when all members of a configuration have said, in a ring that votequorum calls
//   quorate, where they stand. The standings come to all in one order, so all conclude the same.
// * A view is installed only when all have taken note of it: whoever installs one and is cut off at
//   that moment leaves the note with the others, who carry that very view through first.
// * CPG's order is "agreed", not "safe": a member may be delivered a message that nobody else ever
//   gets. So every member acknowledges, and a message is delivered upwards only when all members
//   have it. Whatever was delivered anywhere is then with every survivor.
// * Numbers of views contain the ring's. Of two lines of history the one that corosync's majority
//   went on with has the higher numbers, even if all daemons were started anew in between.
// * CPG notices the death of a process, and not its silence: members that hear a majority through the
//   daemons' own channels expel one that they do not hear.
//
// Nothing is kept on disk. When all daemons that knew the history are gone, nobody knows who had
// what: the first view then counts every node as one that may still write (LockspaceGroups).

/// Membership from corosync's process group and quorum; see the head of this file.
public struct CorosyncProvider: MembershipProvider {
  public struct Configuration: Sendable {
    public let local: Member
    /// This process, as corosync names it.
    public let process: GroupProcess
    /// How long a new configuration waits for the channels between its daemons, and after which time
    /// without one a member is expelled.
    public let linkGrace: Duration

    public init(local: Member, process: GroupProcess, linkGrace: Duration) {
      self.local = local
      self.process = process
      self.linkGrace = linkGrace
    }
  }

  /// The way from a configuration to a view. While there is one, nothing is acknowledged.
  struct Exchange: Sendable {
    struct Candidate: Sendable {
      var member: Member
      var standing: ProviderMessage.Standing
    }

    let stage: GroupStage
    let began: Timestamp
    var hasSentStanding = false
    var candidates: [GroupProcess: Candidate] = [:]
    var proposal: ProviderMessage.Proposal?
    /// The proposal is that of an earlier configuration, which may have been installed somewhere.
    var isCarriedThrough = false
    var noted: Set<GroupProcess> = []
  }

  let configuration: Configuration
  public internal(set) var view = View.none
  public internal(set) var isQuorate = false

  var processes: [GroupProcess] = []
  var expelled: Set<GroupProcess> = []
  var ring: GroupRing?
  /// The last that votequorum said.
  var quorum: (isQuorate: Bool, ring: GroupRing)?
  var exchange: Exchange?
  var awaitsSnapshot = false
  var isEvicted = false
  /// The newest view that this node took note of; kept until it or a newer one is installed.
  var noted: ProviderMessage.Proposal?
  var removed: [NodeID: Incarnation] = [:]
  /// The members of the view that are in the group.
  var instances: [GroupProcess: NodeInstance] = [:]

  /// Nodes to which a channel is open, and since when there has been none to the others.
  var heard: Set<NodeID> = []
  var silentSince: [NodeID: Timestamp] = [:]

  var messages: MessageOrder
  /// What each member of the view has.
  var acknowledged: [NodeID: UInt64] = [:]
  /// An acknowledgement of this node is on its way.
  var isAcknowledging = false

  public init(_ configuration: Configuration) {
    self.configuration = configuration
    self.messages = MessageOrder(sender: configuration.local.instance)
  }

  var local: Member { configuration.local }
  var isMember: Bool { view.contains(local.instance) }
  /// votequorum has spoken of the ring that the group is in.
  var isRingQuorate: Bool {
    guard let quorum, let ring else { return false }
    return quorum.isQuorate && quorum.ring == ring
  }

  public mutating func handle(
    _ input: MembershipInput, at now: Timestamp, effects: inout [MembershipEffect]
  ) {
    switch input {
    case .channelOpened(let member): channelOpened(member, at: now, &effects)
    case .channelClosed(let node):
      if heard.remove(node) != nil { silentSince[node] = now }
    case .group(let event): handle(event, at: now, &effects)
    case .submit(let payload): submit(payload, &effects)
    case .snapshot(let bytes): snapshotTaken(bytes, &effects)
    case .received, .timer: break
    }
    guard !isEvicted else { return }
    expelSilent(at: now, &effects)
    tellStanding(at: now, &effects)
    schedule(at: now, &effects)
  }

  private mutating func handle(
    _ event: GroupEvent, at now: Timestamp, _ effects: inout [MembershipEffect]
  ) {
    switch event {
    case .configuration(let processes, let ring):
      configured(processes.sorted(), ring, at: now, &effects)
    case .message(let bytes, let process): received(bytes, from: process, at: now, &effects)
    case .quorum(let isQuorate, let ring):
      quorum = (isQuorate, ring)
      setQuorate(isQuorate, &effects)
      acknowledge(&effects)
    case .lost(let reason):
      effects.append(.report("corosync is lost: \(reason)"))
      setQuorate(false, &effects)
      becomeEvicted(viewID: view.id, &effects)
    }
  }

  private mutating func setQuorate(_ now: Bool, _ effects: inout [MembershipEffect]) {
    guard now != isQuorate else { return }
    isQuorate = now
    effects.append(.quorum(now))
  }

  private mutating func received(
    _ bytes: [UInt8], from process: GroupProcess, at now: Timestamp,
    _ effects: inout [MembershipEffect]
  ) {
    guard !isEvicted, !expelled.contains(process) else { return }
    let message: CorosyncMessage
    do {
      message = try CorosyncMessage(decoding: bytes)
    } catch {
      effects.append(.report("\(process) sent a membership message that is not one: \(error)"))
      return
    }
    switch message {
    case .standing(let stage, let member, let standing):
      heardStanding(standing, of: member, from: process, stage, at: now, &effects)
    case .noted(let stage, let viewID):
      noted(viewID, by: process, stage, at: now, &effects)
    case .submit(let viewID, let request):
      order(request, viewID: viewID, from: process, &effects)
    case .acknowledge(let place): acknowledged(place, by: process, &effects)
    case .renew(let viewID):
      if exchange == nil, viewID == view.id { beginExchange(at: now) }
    case .expel(let victim): expel(victim, at: now, &effects)
    }
  }

  // MARK: - Channels between daemons

  /// Frames on it that were meant for an earlier one are lost: what is said with a view is said again.
  private mutating func channelOpened(
    _ member: Member, at now: Timestamp, _ effects: inout [MembershipEffect]
  ) {
    heard.insert(member.node)
    silentSince[member.node] = nil
    if exchange == nil, view.contains(member.instance) {
      effects.append(.multicast(CorosyncMessage.renew(viewID: view.id).encoded))
    }
  }

  /// The members of the configuration that this node does not hear.
  var silent: [GroupProcess] {
    processes.filter {
      $0.node != local.node && !heard.contains($0.node) && !expelled.contains($0)
    }
  }

  /// When this node would expel the member. The node with the lower id speaks first, so that of two
  /// that do not hear each other one stays.
  private func limit(of process: GroupProcess, began: Timestamp) -> Timestamp {
    let since = max(silentSince[process.node] ?? began, began)
    let grace = configuration.linkGrace
    return since + (local.node < process.node ? grace * 2 : grace * 3)
  }

  /// Expels members that are silent, if this node hears a majority of the others.
  private mutating func expelSilent(at now: Timestamp, _ effects: inout [MembershipEffect]) {
    guard isRingQuorate, hearsMajority, let began = configuredAt else { return }
    for process in silent where limit(of: process, began: began) <= now {
      effects.append(
        .report(
          "node \(process.node) is not heard although corosync goes on there: expelling its clvmd"))
      effects.append(.multicast(CorosyncMessage.expel(process).encoded))
      silentSince[process.node] = now
    }
  }

  private var hearsMajority: Bool {
    let others = processes.filter { !expelled.contains($0) }
    let heardCount = others.count - silent.count
    return heardCount * 2 > others.count
      || heardCount * 2 == others.count && others.first == configuration.process
  }

  private mutating func expel(
    _ victim: GroupProcess, at now: Timestamp, _ effects: inout [MembershipEffect]
  ) {
    guard processes.contains(victim), expelled.insert(victim).inserted else { return }
    effects.append(.report("\(victim) was expelled by the others"))
    if victim == configuration.process {
      becomeEvicted(viewID: view.id, &effects)
    } else {
      beginExchange(at: now)
    }
  }

  mutating func becomeEvicted(viewID: UInt64, _ effects: inout [MembershipEffect]) {
    guard !isEvicted else { return }
    isEvicted = true
    exchange = nil
    effects.append(
      .report("the cluster goes on without this node (view \(viewID)); it cannot come back"))
    effects.append(.evicted(viewID: viewID))
  }

  /// When the present configuration came.
  var configuredAt: Timestamp?

  private func schedule(at now: Timestamp, _ effects: inout [MembershipEffect]) {
    var due: [Timestamp] = []
    if let exchange, !exchange.hasSentStanding, isRingQuorate {
      due.append(exchange.began + configuration.linkGrace)
    }
    if isRingQuorate, let began = configuredAt {
      due += silent.map { limit(of: $0, began: began) }
    }
    // A member in a minority looks again, too: others may come to be heard.
    guard let next = due.min() else { return }
    effects.append(.wake(at: next > now ? next : now + configuration.linkGrace))
  }
}
