import ClusterTypes

// Requests while the generation runs.

/// What the member that numbers requests keeps.
struct Orderer: Hashable, Sendable {
  struct Submission: Hashable, Sendable {
    let origin: NodeInstance
    let sequence: UInt64
    /// How far its node had come.
    let applied: UInt64
    let request: PosixLockRequest
  }

  private(set) var queue: [Submission] = []
  private var head = 0
  /// The next number of each node.
  private var expected: [NodeInstance: UInt64] = [:]
  /// What somebody may not have applied.
  private(set) var log: [OrderedPosixLockRequest] = []
  private var acknowledged: [NodeInstance: UInt64] = [:]

  var hasQueued: Bool { head < queue.count }

  /// Each request is taken once and in its node's order.
  ///
  /// - Parameter last: of its node's requests, the last that has a number.
  mutating func accept(_ submission: Submission, after last: UInt64) {
    guard submission.sequence == expected[submission.origin, default: last + 1] else { return }
    guard submission.sequence <= last + PosixLockspace.window else { return }
    expected[submission.origin] = submission.sequence + 1
    queue.append(submission)
  }

  /// The next one that is to be numbered; nil while too many are not acknowledged.
  mutating func next() -> Submission? {
    guard hasQueued, log.count < PosixLockspace.logLimit else { return nil }
    defer {
      head += 1
      if head == queue.count {
        queue.removeAll(keepingCapacity: true)
        head = 0
      }
    }
    return queue[head]
  }

  /// Keeps a request until all `others` have applied it.
  mutating func append(_ ordered: OrderedPosixLockRequest, others: [NodeInstance]) {
    guard !others.isEmpty else { return }
    for member in others where acknowledged[member] == nil { acknowledged[member] = 0 }
    log.append(ordered)
  }

  mutating func acknowledge(_ applied: UInt64, from member: NodeInstance) {
    guard let before = acknowledged[member], applied > before else { return }
    acknowledged[member] = applied
    guard let first = log.first?.index, let low = acknowledged.values.min(), low >= first else {
      return
    }
    log.removeFirst(min(log.count, Int(low - first) + 1))
  }
}

extension PosixLockspace {
  /// Sends this node's requests to where they get their numbers.
  mutating func submit(_ effects: inout [Effect]) {
    guard phase == .ready, let table, let ordering, let applied,
      hellos[ordering]?.applied != nil
    else { return }
    let last = table.session(of: local).last
    while nextToSubmit < nextSequence, nextToSubmit <= last + Self.window,
      let request = requests[nextToSubmit]
    {
      if ordering == local {
        orderer?.accept(
          Orderer.Submission(
            origin: local, sequence: nextToSubmit, applied: applied, request: request),
          after: last)
      } else {
        lastAcknowledged = applied
        effects.append(
          .send(
            .submit(
              generation: generation, sequence: nextToSubmit, applied: applied, request: request),
            to: ordering.node))
      }
      nextToSubmit += 1
    }
    if ordering == local { order(&effects) }
  }

  /// Numbers what was submitted, once all members have the generation's table.
  mutating func order(_ effects: inout [Effect]) {
    guard orderer?.hasQueued == true, !participants.contains(where: { hellos[$0]?.applied == nil })
    else { return }
    let others = participants.filter { $0 != local }
    while let applied, let submission = orderer?.next() {
      let ordered = OrderedPosixLockRequest(
        index: applied + 1, origin: submission.origin, sequence: submission.sequence,
        originIndex: min(submission.applied, applied), request: submission.request)
      orderer?.append(ordered, others: others)
      for member in others {
        effects.append(.send(.ordered(generation: generation, ordered), to: member.node))
      }
      apply(ordered, &effects)
    }
    // What came from here may have made room for more.
    if nextToSubmit < nextSequence, orderer?.hasQueued == false { submit(&effects) }
  }

  mutating func received(_ ordered: OrderedPosixLockRequest, _ effects: inout [Effect]) {
    guard let applied, let table, ordered.index == applied + 1,
      participants.contains(ordered.origin),
      ordered.sequence == table.session(of: ordered.origin).last + 1
    else { return }
    apply(ordered, &effects)
    if ordered.index - lastAcknowledged >= Self.acknowledgementInterval, let ordering {
      lastAcknowledged = ordered.index
      effects.append(
        .send(.acknowledged(generation: generation, applied: ordered.index), to: ordering.node))
    }
    if ordered.origin == local { submit(&effects) }
  }

  private mutating func apply(_ ordered: OrderedPosixLockRequest, _ effects: inout [Effect]) {
    effects.append(.journal(.ordered(ordered)))
    for outcome in advance(ordered) where outcome.origin == local {
      forget(outcome.sequence)
      effects.append(answer(outcome.result, outcome.request, outcome.sequence))
    }
    firstTable = nil
    hellos[local]?.applied = ordered.index
  }

  /// What applying a request changes here, be it for the first time or when the journal is read.
  mutating func advance(_ ordered: OrderedPosixLockRequest) -> [PosixLockOutcome] {
    guard case .known(let generation, _) = standing, table != nil else { return [] }
    let outcomes = table?.apply(ordered) ?? []
    standing = .known(generation: generation, index: ordered.index)
    guard ordered.origin == local else { return outcomes }
    let request = ordered.request
    if request.isClose { forget(ordered.sequence) }
    if request.isClose || request.operation == .cancel { forgetWaiters(like: request) }
    return outcomes
  }

  /// Nobody waits any more for an answer to what was given up.
  private mutating func forgetWaiters(like request: PosixLockRequest) {
    guard let table else { return }
    let last = table.session(of: local).last
    for (sequence, waiting) in requests
    where waiting.waits && sequence <= last && waiting.owner == request.owner
      && waiting.inode == request.inode
      && !table.isWaiting(local, sequence, inode: waiting.inode)
    {
      // Granted by this very request, it is answered.
      guard !table.session(of: local).decided.contains(where: { $0.sequence == sequence }) else {
        continue
      }
      forget(sequence)
    }
  }
}
