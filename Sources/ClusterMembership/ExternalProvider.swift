import ClusterTypes

// The external provider: a static list of nodes, TCP liveness, and an administrator's word for
// "node N is dead" (which travels above this module, as an ordered message). It keeps nothing on
// disk, so it is for laboratories; the configuration refuses it without an explicit setting.
//
// How a view comes about. The node with the lowest id among those that hear each other proposes:
// it takes a ballot higher than any it knows and asks every candidate. Who accepts follows no
// lower ballot any more (it is *frozen*: it acknowledges no ordered message) and answers with its
// standing: view, deliveries, messages received and not yet delivered, replicated state. When all
// candidates have answered, the standing with the newest view and the longest history becomes
// the base of the new view. A message is delivered only after all members have acknowledged it,
// so the base holds everything that anybody, dead or alive, has delivered.
//
// A view is decided, and only then installed anywhere, when all candidates have taken note of it.
// A proposer that finds such a note has to carry that very view through before it makes one of its
// own: it may have been installed by somebody who is cut off now. (The simulation found two views
// of the same id without this.)
//
// How messages are ordered. The lowest member of the view gives them their numbers, sends them to
// all members, and declares them stable when all have acknowledged them.
//
// A view needs a majority of the configured nodes. A channel that was lost and came back leads to
// a new view with the same members, so that nothing in flight stays lost.

/// Membership from a static node list and live connections; see the head of this file.
public struct ExternalProvider: MembershipProvider {
  public struct Configuration: Sendable {
    public let local: Member
    /// All configured nodes, this one included.
    public let nodes: [NodeID]
    /// How long the connections must be unchanged before a view is proposed.
    public let settle: Duration
    /// The same where two nodes do not hear each other, or hear a node that this one does not.
    public let linkGrace: Duration
    /// How long candidates may take to answer a proposal.
    public let roundTimeout: Duration

    public init(
      local: Member, nodes: [NodeID], settle: Duration, linkGrace: Duration,
      roundTimeout: Duration
    ) {
      self.local = local
      self.nodes = nodes.sorted()
      self.settle = settle
      self.linkGrace = linkGrace
      self.roundTimeout = roundTimeout
    }

    var quorum: Int { nodes.count / 2 + 1 }
  }

  /// A node to which a channel is open.
  struct Peer: Sendable {
    var member: Member
    /// Whom it says it hears.
    var links: Set<NodeInstance> = []
    /// The channel was opened after the present view was installed.
    var openedSinceView = true
  }

  /// A proposal of this node that is under way.
  struct Round: Sendable {
    var ballot: Ballot
    var candidates: [Member]
    var standings: [NodeID: ProviderMessage.Standing] = [:]
    /// Set when all have answered: the view to be decided, and who has taken note of it.
    var proposal: ProviderMessage.Proposal?
    var noted: Set<NodeID> = []
    var deadline: Timestamp
  }

  let configuration: Configuration
  public internal(set) var view = View.none
  public internal(set) var isQuorate: Bool

  var peers: [NodeID: Peer] = [:]
  var lastChange: Timestamp?
  var promised: Ballot
  var isFrozen = false
  var isEvicted = false
  var round: Round?
  /// The ballot whose standing waits for a snapshot.
  var snapshotBallot: Ballot?
  /// The newest view that this node took note of; kept until it or a newer one is installed.
  var noted: ProviderMessage.Proposal?
  var removed: [NodeID: Incarnation] = [:]

  var messages: MessageOrder
  /// Only at the sequencer: what each other member has acknowledged.
  var acknowledged: [NodeID: UInt64] = [:]

  public init(_ configuration: Configuration) {
    self.configuration = configuration
    self.isQuorate = configuration.quorum <= 1
    self.promised = Ballot(round: 0, proposer: configuration.local.node)
    self.messages = MessageOrder(sender: configuration.local.instance)
  }

  var local: Member { configuration.local }
  var isMember: Bool { view.contains(local.instance) }
  var sequencer: NodeID? { view.members.first?.node }

  public mutating func handle(
    _ input: MembershipInput, at now: Timestamp, effects: inout [MembershipEffect]
  ) {
    if lastChange == nil { lastChange = now }
    switch input {
    case .channelOpened(let member): channelOpened(member, at: now, &effects)
    case .channelClosed(let node): channelClosed(node, at: now, &effects)
    case .received(let bytes, let node): received(bytes, from: node, at: now, &effects)
    case .submit(let payload): submit(payload, &effects)
    case .snapshot(let bytes): snapshotTaken(bytes, at: now, &effects)
    case .timer, .group: break
    }
    proposeIfDue(at: now, &effects)
  }

  private mutating func channelOpened(
    _ member: Member, at now: Timestamp, _ effects: inout [MembershipEffect]
  ) {
    guard configuration.nodes.contains(member.node), member.node != local.node else {
      effects.append(.report("node \(member.node) is not configured; its channel is not used"))
      return
    }
    peers[member.node] = Peer(member: member)
    if let incarnation = removed[member.node], member.instance.incarnation <= incarnation {
      let message = ProviderMessage.evicted(member.instance.incarnation, viewID: view.id)
      effects.append(.send(message.encoded, to: member.node))
    }
    linksChanged(at: now, &effects)
  }

  private mutating func channelClosed(
    _ node: NodeID, at now: Timestamp, _ effects: inout [MembershipEffect]
  ) {
    guard peers.removeValue(forKey: node) != nil else { return }
    linksChanged(at: now, &effects)
  }

  private mutating func linksChanged(at now: Timestamp, _ effects: inout [MembershipEffect]) {
    lastChange = now
    let message = ProviderMessage.links(peers.values.map(\.member.instance).sorted()).encoded
    for node in peers.keys.sorted() { effects.append(.send(message, to: node)) }
    let quorate = peers.count + 1 >= configuration.quorum
    if quorate != isQuorate {
      isQuorate = quorate
      effects.append(.quorum(quorate))
    }
  }

  private mutating func received(
    _ bytes: [UInt8], from node: NodeID, at now: Timestamp, _ effects: inout [MembershipEffect]
  ) {
    guard peers[node] != nil else { return }
    let message: ProviderMessage
    do {
      message = try ProviderMessage(decoding: bytes)
    } catch {
      effects.append(.report("node \(node) sent a membership message that is not one: \(error)"))
      return
    }
    switch message {
    case .links(let instances):
      let links = Set(instances)
      if peers[node]?.links != links {
        peers[node]?.links = links
        lastChange = now
      }
    case .propose(let ballot, let candidates): proposed(ballot, candidates, by: node, &effects)
    case .accept(let ballot, let standing): accepted(ballot, standing, by: node, at: now, &effects)
    case .outpaced(let ballot): outpaced(by: ballot, at: now)
    case .install(let proposal): takeNote(of: proposal, from: node, &effects)
    case .noted(let ballot): noted(ballot, by: node, &effects)
    case .commit(let ballot): commit(ballot, &effects)
    case .submit(let viewID, let request):
      order(request, viewID: viewID, from: node, &effects)
    case .order(let viewID, let entry): ordered(entry, viewID: viewID, from: node, &effects)
    case .acknowledge(let place): acknowledged(place, by: node, &effects)
    case .stable(let place): stable(place, from: node, &effects)
    case .evicted(let incarnation, let viewID):
      evicted(incarnation, viewID: viewID, by: node, &effects)
    }
  }

  private mutating func evicted(
    _ incarnation: Incarnation, viewID: UInt64, by node: NodeID,
    _ effects: inout [MembershipEffect]
  ) {
    guard incarnation == local.instance.incarnation else { return }
    effects.append(.report("node \(node) refuses this life of the node"))
    becomeEvicted(viewID: viewID, &effects)
  }

  mutating func becomeEvicted(viewID: UInt64, _ effects: inout [MembershipEffect]) {
    guard !isEvicted else { return }
    isEvicted = true
    round = nil
    effects.append(
      .report("the cluster went on without this node (view \(viewID)); it cannot come back"))
    effects.append(.evicted(viewID: viewID))
  }
}
