import ByteCoding
import ClusterTypes

/// A round number together with its proposer, so that two rounds are never equal.
package struct Ballot: Hashable, Comparable, Sendable {
  var round: UInt64
  var proposer: NodeID

  package static func < (left: Self, right: Self) -> Bool {
    (left.round, left.proposer) < (right.round, right.proposer)
  }
}

/// What the nodes of the external provider say to each other.
package enum ProviderMessage: Hashable, Sendable {
  /// Whom the sender hears at present.
  case links([NodeInstance])
  case propose(Ballot, candidates: [Member])
  /// "I follow no lower ballot any more; this is where I stand."
  case accept(Ballot, Standing)
  /// "I follow a ballot that is at least as high as yours: this one."
  case outpaced(Ballot)
  /// "Take note of this view; it is not decided yet."
  case install(Proposal)
  case noted(Ballot)
  /// All candidates, a majority of the configured nodes, have taken note.
  case commit(Ballot)
  case submit(viewID: UInt64, OrderRequest)
  case order(viewID: UInt64, Entry)
  /// "I have everything up to this place."
  case acknowledge(OrderedPlace)
  /// Every member has everything up to this place.
  case stable(OrderedPlace)
  case evicted(Incarnation, viewID: UInt64)

  /// How far a node has followed the common history.
  package struct History: Hashable, Sendable {
    var view: View
    var delivered: UInt64
    /// Received and not yet delivered, ascending.
    var pending: [Entry]
    /// The replicated state after `delivered`.
    var snapshot: [UInt8]
    /// Per node the newest incarnation that was ever removed.
    var removed: [NodeInstance]

    /// The last index that this node has received.
    var received: UInt64 { pending.last?.index ?? delivered }
  }

  /// The view that follows `base`.
  package struct Proposal: Hashable, Sendable {
    var ballot: Ballot
    var view: View
    var base: History
  }

  /// What a node tells a proposer.
  package struct Standing: Hashable, Sendable {
    var history: History
    /// A view that it took note of and of which it does not know whether it was decided.
    var noted: Proposal?
  }
}

/// Limits on what a peer may send; a larger message is refused whole.
///
/// They are chosen so that the largest message, `accept` with two histories, has at most `message`
/// bytes and fits a frame of the transport (1 MiB).
enum ProviderLimits {
  static let message = 900 * 1024
  static let payload = 512
  static let snapshot = 288 * 1024
  /// Entries that are numbered and not delivered, of all nodes together.
  static let pendingEntries = 256
  static let nodes = 64
  /// Far from the largest number, so that counting on from a peer's value cannot overflow.
  static let number = UInt64.max / 4

  /// Submissions of one node that may be on the way at once in a view of so many members.
  static func submissionsInFlight(members: Int) -> Int { pendingEntries / max(members, 4) }
}

extension ProviderMessage {
  private enum Kind: UInt8 {
    case links = 1
    case propose, accept, outpaced, install, noted, commit, submit, order, acknowledge, stable,
      evicted
  }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .links(let instances):
      writer.write(Kind.links.rawValue)
      writer.writeList(instances) { $0.write($1) }
    case .propose(let ballot, let candidates):
      writer.write(Kind.propose.rawValue)
      writer.write(ballot)
      writer.writeList(candidates) { $0.write($1) }
    case .accept(let ballot, let standing):
      writer.write(Kind.accept.rawValue)
      writer.write(ballot)
      writer.write(standing)
    case .outpaced(let ballot):
      writer.write(Kind.outpaced.rawValue)
      writer.write(ballot)
    case .install(let proposal):
      writer.write(Kind.install.rawValue)
      writer.write(proposal)
    case .noted(let ballot):
      writer.write(Kind.noted.rawValue)
      writer.write(ballot)
    case .commit(let ballot):
      writer.write(Kind.commit.rawValue)
      writer.write(ballot)
    case .submit(let viewID, let request):
      writer.write(Kind.submit.rawValue)
      writer.write(viewID)
      writer.write(request)
    case .order(let viewID, let entry):
      writer.write(Kind.order.rawValue)
      writer.write(viewID)
      writer.write(entry)
    case .acknowledge(let place):
      writer.write(Kind.acknowledge.rawValue)
      writer.write(place)
    case .stable(let place):
      writer.write(Kind.stable.rawValue)
      writer.write(place)
    case .evicted(let incarnation, let viewID):
      writer.write(Kind.evicted.rawValue)
      writer.write(incarnation.rawValue)
      writer.write(viewID)
    }
    return writer.bytes
  }

  package init(decoding bytes: [UInt8]) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    guard let kind = Kind(rawValue: try reader.read()) else {
      throw .invalid("unknown kind of membership message")
    }
    switch kind {
    case .links:
      self = .links(
        try reader.readList(limit: ProviderLimits.nodes) { r throws(ByteDecodingError) in
          try r.readInstance()
        })
    case .propose:
      self = .propose(try reader.readBallot(), candidates: try reader.readMembers())
    case .accept:
      self = .accept(try reader.readBallot(), try reader.readStanding())
    case .outpaced: self = .outpaced(try reader.readBallot())
    case .install: self = .install(try reader.readProposal())
    case .noted: self = .noted(try reader.readBallot())
    case .commit: self = .commit(try reader.readBallot())
    case .submit:
      self = .submit(viewID: try reader.readNumber(), try reader.readOrderRequest())
    case .order:
      self = .order(viewID: try reader.readNumber(), try reader.readEntry())
    case .acknowledge: self = .acknowledge(try reader.readPlace())
    case .stable: self = .stable(try reader.readPlace())
    case .evicted:
      self = .evicted(Incarnation(try reader.read()), viewID: try reader.readNumber())
    }
    try reader.expectEnd()
  }
}

extension ByteWriter {
  mutating func write(_ ballot: Ballot) {
    write(ballot.round)
    write(ballot.proposer.rawValue)
  }

  mutating func write(_ instance: NodeInstance) {
    write(instance.node.rawValue)
    write(instance.incarnation.rawValue)
  }

  mutating func write(_ member: Member) {
    write(member.instance)
    writeString(member.bootID)
    write(UInt8(member.startedClean ? 1 : 0))
  }

  mutating func write(_ view: View) {
    write(view.id)
    writeList(view.members) { $0.write($1) }
  }

  mutating func write(_ entry: Entry) {
    write(entry.index)
    write(entry.sender)
    write(entry.request)
  }

  mutating func write(_ request: OrderRequest) {
    write(request.sequence)
    writeCounted(request.payload)
  }

  mutating func write(_ place: OrderedPlace) {
    write(place.viewID)
    write(place.index)
  }

  mutating func write(_ history: ProviderMessage.History) {
    write(history.view)
    write(history.delivered)
    writeList(history.pending) { $0.write($1) }
    writeCounted(history.snapshot)
    writeList(history.removed) { $0.write($1) }
  }

  mutating func write(_ proposal: ProviderMessage.Proposal) {
    write(proposal.ballot)
    write(proposal.view)
    write(proposal.base)
  }

  mutating func write(_ standing: ProviderMessage.Standing) {
    write(standing.history)
    write(UInt8(standing.noted == nil ? 0 : 1))
    if let noted = standing.noted { write(noted) }
  }
}

extension ByteReader {
  mutating func readNode() throws(ByteDecodingError) -> NodeID {
    guard let node = NodeID(try read(Int32.self)) else { throw .invalid("node id") }
    return node
  }

  mutating func readBallot() throws(ByteDecodingError) -> Ballot {
    Ballot(round: try readNumber(), proposer: try readNode())
  }

  mutating func readInstance() throws(ByteDecodingError) -> NodeInstance {
    NodeInstance(try readNode(), Incarnation(try read()))
  }

  mutating func readMember() throws(ByteDecodingError) -> Member {
    Member(
      instance: try readInstance(), bootID: try readString(limit: Member.maximumBootIDLength),
      startedClean: try read(UInt8.self) != 0)
  }

  mutating func readMembers() throws(ByteDecodingError) -> [Member] {
    try readList(limit: ProviderLimits.nodes) { r throws(ByteDecodingError) in
      try r.readMember()
    }
  }

  mutating func readView() throws(ByteDecodingError) -> View {
    View(id: try readNumber(), members: try readMembers())
  }

  mutating func readEntry() throws(ByteDecodingError) -> Entry {
    Entry(
      index: try readNumber(), sender: try readInstance(), request: try readOrderRequest())
  }

  mutating func readOrderRequest() throws(ByteDecodingError) -> OrderRequest {
    OrderRequest(
      sequence: try readNumber(),
      payload: Array(try readCounted(limit: ProviderLimits.payload)))
  }

  mutating func readPlace() throws(ByteDecodingError) -> OrderedPlace {
    OrderedPlace(viewID: try readNumber(), index: try readNumber())
  }

  mutating func readProposal() throws(ByteDecodingError) -> ProviderMessage.Proposal {
    ProviderMessage.Proposal(
      ballot: try readBallot(), view: try readView(), base: try readHistory())
  }

  mutating func readStanding() throws(ByteDecodingError) -> ProviderMessage.Standing {
    let history = try readHistory()
    let hasNoted: UInt8 = try read()
    return ProviderMessage.Standing(
      history: history, noted: hasNoted == 0 ? nil : try readProposal())
  }

  mutating func readHistory() throws(ByteDecodingError) -> ProviderMessage.History {
    ProviderMessage.History(
      view: try readView(), delivered: try readNumber(),
      pending: try readList(limit: ProviderLimits.pendingEntries) {
        r throws(ByteDecodingError) in try r.readEntry()
      },
      snapshot: Array(try readCounted(limit: ProviderLimits.snapshot)),
      removed: try readList(limit: ProviderLimits.nodes) { r throws(ByteDecodingError) in
        try r.readInstance()
      })
  }
}
