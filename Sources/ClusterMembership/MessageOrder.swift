import ClusterTypes

/// What a node wants to have delivered in order.
package struct OrderRequest: Hashable, Sendable {
  /// Its running number at the sender: a resubmission is recognised by it.
  var sequence: UInt64
  var payload: [UInt8]
}

/// A message waiting for its place in the order, or holding one.
package struct Entry: Hashable, Sendable {
  var index: UInt64
  var sender: NodeInstance
  var request: OrderRequest
}

/// How far the order of a view is meant.
package struct OrderedPlace: Hashable, Sendable {
  var viewID: UInt64
  var index: UInt64
}

/// The numbered messages of a cluster as one node has them, and its own that have no number yet: what
/// providers have in common that do not keep a record.
///
/// A message is delivered only when every member of the view has it. A new view begins with what any of
/// its members had, so nothing is lost, and what this node had submitted in vain goes out again.
struct MessageOrder: Sendable {
  private let sender: NodeInstance
  /// The last delivered index.
  private(set) var delivered: UInt64 = 0
  /// What was received beyond it, ascending.
  private(set) var pending: [Entry] = []
  /// Those of this node that were not delivered yet.
  private var submissions: [OrderRequest] = []
  private var sentCount = 0
  private var nextSequence: UInt64 = 1

  init(sender: NodeInstance) { self.sender = sender }

  /// The last index that this node has received.
  var received: UInt64 { pending.last?.index ?? delivered }

  mutating func append(_ entry: Entry) { pending.append(entry) }

  /// - Returns: whether it is accepted; a report says why not.
  mutating func submit(_ payload: [UInt8], _ effects: inout [MembershipEffect]) -> Bool {
    guard payload.count <= ProviderLimits.payload else {
      effects.append(
        .report(
          "a message of \(payload.count) bytes is not sent: \(ProviderLimits.payload) is the limit")
      )
      return false
    }
    submissions.append(OrderRequest(sequence: nextSequence, payload: payload))
    nextSequence += 1
    return true
  }

  /// The next submission that may be under way in a view of so many members; it counts as sent.
  mutating func nextSubmission(members: Int) -> OrderRequest? {
    let limit = ProviderLimits.submissionsInFlight(members: members)
    guard sentCount < min(submissions.count, limit) else { return nil }
    defer { sentCount += 1 }
    return submissions[sentCount]
  }

  /// After a new view everything that was not delivered goes out again: what had a number was
  /// delivered with the view.
  mutating func forgetSent() { sentCount = 0 }

  mutating func deliver(through index: UInt64, _ effects: inout [MembershipEffect]) {
    let count = pending.prefix { $0.index <= index }.count
    for entry in pending.prefix(count) {
      delivered = entry.index
      if entry.sender == sender, submissions.first?.sequence == entry.request.sequence {
        submissions.removeFirst()
        sentCount = max(0, sentCount - 1)
      }
      effects.append(
        .deliver(
          OrderedMessage(index: entry.index, sender: entry.sender, payload: entry.request.payload)))
    }
    pending.removeFirst(count)
  }

  /// Delivers all that the base of a new view has.
  ///
  /// - Parameter isContinued: this node was in the view that the base is of; otherwise its state is
  ///   replaced.
  mutating func takeOver(
    _ base: ProviderMessage.History, isContinued: Bool, _ effects: inout [MembershipEffect]
  ) {
    if isContinued {
      deliver(through: base.delivered, &effects)
      pending = base.pending.filter { $0.index > delivered }
    } else {
      effects.append(.reset(snapshot: base.snapshot))
      delivered = base.delivered
      pending = base.pending
    }
    deliver(through: received, &effects)
  }
}
