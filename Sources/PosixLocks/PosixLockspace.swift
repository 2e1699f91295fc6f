import ClusterTypes

/// One node's part in the POSIX locks of one lockspace: a value, without clock, chance or I/O.
///
/// All members hold the same table and apply the same requests in the same order. One of them numbers
/// the requests and tells them to all; each node answers its own processes when it applies their requests.
/// That is one exchange with that member, and nothing is written to a disk. It is safe without the others'
/// acknowledgement because of what happens when the lockspace's members change: it stops everywhere, and
/// when it starts again, with a new generation, the members begin with the table of the one who has
/// applied most. Whatever a survivor has answered, it has applied; what a dead one had answered only
/// concerns locks that it holds no more. What a daemon must not forget while its kernel goes on is in its
/// journal.
public struct PosixLockspace: Sendable {
  /// What is to be done, in this order.
  public enum Effect: Hashable, Sendable {
    case send(PosixLockMessage, to: NodeID)
    /// Write to the journal before anything that follows.
    case journal(PosixLockJournalEntry)
    /// Write to the kernel's device, then note in the journal that this request is answered.
    case answer([UInt8], sequence: UInt64)
  }

  enum Phase: Hashable, Sendable {
    case stopped
    /// The members compare what they have.
    case comparing
    case ready
  }

  /// Requests of one node that may be on their way to their numbers.
  static let window: UInt64 = 256
  /// Numbered requests that somebody may not have applied yet.
  static let logLimit = 4096
  static let acknowledgementInterval: UInt64 = 64

  /// The number of the lockspace in the kernel, the same on all nodes.
  public let identifier: UInt32
  public let local: NodeInstance
  /// Whether this node's processes get such locks at all; it takes no part otherwise.
  public let isEnabled: Bool

  var table: PosixLockTable?
  var standing: PosixLockStanding
  /// This node's requests that are not answered, by their numbers.
  private(set) var requests: [UInt64: PosixLockRequest] = [:]
  /// Those of them that are answered in order.
  public private(set) var backlog = 0
  var nextSequence: UInt64 = 1
  /// Whether `nextSequence` goes on from what an earlier life used.
  var knowsSequences: Bool

  // Of the present generation.
  var phase = Phase.stopped
  public internal(set) var generation: UInt64 = 0
  var members: [NodeInstance] = []
  var hellos: [NodeInstance: PosixLockMessage.Hello] = [:]
  /// Members that take part, and who of them gives requests their numbers: not the same member for every
  /// lockspace. Known once all have said hello.
  var participants: [NodeInstance] = []
  var ordering: NodeInstance?
  var incoming: IncomingTable?
  /// The table with which the generation began, for members that fetch it.
  var firstTable: [UInt8]?
  var orderer: Orderer?
  var nextToSubmit: UInt64 = 1
  var lastAcknowledged: UInt64 = 0

  /// - Parameter isForgetful: the kernel runs the lockspace already, and nothing is known of the locks
  ///   that its processes hold.
  public init(identifier: UInt32, local: NodeInstance, isEnabled: Bool, isForgetful: Bool = false) {
    self.identifier = identifier
    self.local = local
    self.isEnabled = isEnabled
    standing = isForgetful ? .lost : .nothing
    knowsSequences = !isForgetful
  }

  // MARK: - The lockspace's life

  /// The lockspace stops: nothing is applied any more before it starts again.
  public mutating func stop() {
    phase = .stopped
    hellos = [:]
    participants = []
    ordering = nil
    incoming = nil
    firstTable = nil
    orderer = nil
  }

  /// All members have stopped, and begin `generation`.
  public mutating func start(
    generation: UInt64, members: [NodeInstance], effects: inout [Effect]
  ) {
    stop()
    self.generation = generation
    self.members = members.sorted()
    phase = .comparing
    hellos[local] = hello(wantsReply: false)
    for member in others { effects.append(.send(.hello(hello(wantsReply: true)), to: member.node)) }
    compare(&effects)
  }

  /// The node leaves the lockspace: nobody can lock anything there any more.
  public mutating func leave(effects: inout [Effect]) {
    stop()
    for (sequence, request) in requests.sorted(by: { $0.key < $1.key }) where !request.isClose {
      effects.append(answer(.failure(.noLocks), request, sequence))
    }
    replaceRequests([:])
    table = nil
    standing = .nothing
  }

  /// A process on this node asks.
  public mutating func request(_ request: PosixLockRequest, effects: inout [Effect]) {
    let sequence = nextSequence
    nextSequence += 1
    guard isEnabled else {
      if !request.isClose {
        effects.append(answer(.failure(.notSupported), request, sequence))
      }
      return
    }
    remember(request, sequence)
    effects.append(.journal(.request(sequence: sequence, request)))
    submit(&effects)
  }

  // MARK: - Requests of this node

  mutating func remember(_ request: PosixLockRequest, _ sequence: UInt64) {
    forget(sequence)
    requests[sequence] = request
    if request.isAnsweredInOrder { backlog += 1 }
  }

  mutating func forget(_ sequence: UInt64) {
    guard let request = requests.removeValue(forKey: sequence) else { return }
    if request.isAnsweredInOrder { backlog -= 1 }
  }

  mutating func replaceRequests(_ new: [UInt64: PosixLockRequest]) {
    requests = new
    backlog = new.values.count { $0.isAnsweredInOrder }
  }

  // MARK: - Messages

  public mutating func received(
    _ message: PosixLockMessage, from sender: NodeInstance, effects: inout [Effect]
  ) {
    guard phase != .stopped, message.generation == generation, sender != local,
      members.contains(sender)
    else { return }
    switch message {
    case .hello(let hello): received(hello, from: sender, &effects)
    case .fetch(_, let offset): sendPart(from: offset, to: sender, &effects)
    case .part(_, let offset, let total, let checksum, let bytes):
      received(bytes, at: offset, of: total, checksum, from: sender, &effects)
    case .submit(_, let sequence, let applied, let request):
      guard orderer != nil, let table else { return }
      orderer?.accept(
        Orderer.Submission(
          origin: sender, sequence: sequence, applied: applied, request: request),
        after: table.session(of: sender).last)
      orderer?.acknowledge(applied, from: sender)
      order(&effects)
    case .ordered(_, let ordered):
      guard orderer == nil, sender == ordering else { return }
      received(ordered, &effects)
    case .acknowledged(_, let applied):
      orderer?.acknowledge(applied, from: sender)
      order(&effects)
    }
  }

  /// A channel to the node was opened: what was under way to it, or from it, may be lost.
  public mutating func connected(_ node: NodeID, effects: inout [Effect]) {
    guard phase != .stopped, others.contains(where: { $0.node == node }) else { return }
    greet(node, &effects)
  }

  /// Once a second or so: says again what may have been missed.
  public mutating func tick(effects: inout [Effect]) {
    switch phase {
    case .stopped: return
    case .comparing where !isEnabled: return
    case .comparing: for member in others { greet(member.node, &effects) }
    case .ready:
      if orderer != nil {
        for member in participants where hellos[member]?.applied == nil {
          greet(member.node, &effects)
        }
      } else if let ordering, hasUnordered {
        greet(ordering.node, &effects)
      }
    }
  }

  private mutating func greet(_ node: NodeID, _ effects: inout [Effect]) {
    effects.append(.send(.hello(hello(wantsReply: true)), to: node))
    if let incoming, incoming.source.node == node {
      effects.append(
        .send(
          .fetch(generation: generation, offset: UInt64(incoming.bytes.count)), to: node))
    }
    guard phase == .ready, ordering?.node == node, let table else { return }
    nextToSubmit = table.session(of: local).last + 1
    submit(&effects)
  }

  // MARK: - What is known

  var others: [NodeInstance] { members.filter { $0 != local } }

  /// Requests of the present generation that are applied here.
  var applied: UInt64? {
    guard phase == .ready, case .known(_, let index) = standing else { return nil }
    return index
  }

  /// Whether all that was asked in an earlier life is answered, but for what waits for a lock.
  public var isSettled: Bool { (phase == .ready || !isEnabled) && backlog == 0 }

  var hasUnordered: Bool {
    guard let table else { return false }
    return table.session(of: local).last + 1 < nextSequence
  }

  func hello(wantsReply: Bool) -> PosixLockMessage.Hello {
    PosixLockMessage.Hello(
      generation: generation, isEnabled: isEnabled,
      standing: hellos[local]?.standing ?? standing, applied: applied, wantsReply: wantsReply)
  }

  func answer(
    _ result: PosixLockResult, _ request: PosixLockRequest, _ sequence: UInt64
  ) -> Effect {
    .answer(
      PosixLockRecord(lockspace: identifier, request: request).answered(result),
      sequence: sequence)
  }
}
