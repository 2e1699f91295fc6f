import ClusterMembership
import ClusterTypes

/// Requests of this life of the node that wait for their decision, and who wants to know of it.
struct RequestTable {
  typealias Completion = (RequestOutcome) -> Void

  private struct Waiting {
    let name: RequestName
    let completion: Completion
    var refusal: String?
  }

  /// Ascending by sequence.
  private var waiting: [Waiting] = []
  /// Messages were missed since the last record: refusals may have been among them.
  private var hasMissed = false

  mutating func add(_ name: RequestName, _ completion: @escaping Completion) {
    waiting.append(Waiting(name: name, completion: completion))
  }

  /// The cluster has refused a request of this node; false if nobody waits for it.
  mutating func refused(_ sequence: UInt64, _ incarnation: Incarnation, reason: String) -> Bool {
    let index = waiting.firstIndex {
      $0.name.sequence == sequence && $0.name.incarnation == incarnation
    }
    guard let index else { return false }
    waiting[index].refusal = reason
    return true
  }

  mutating func missed() { hasMissed = true }

  /// What is answered by a record whose last request of this node is `last`: to be called in order.
  mutating func settle(_ last: LastRequest?) -> [(Completion, RequestOutcome)] {
    defer { hasMissed = false }
    guard let last else { return [] }
    let settled = waiting.prefix {
      $0.name.incarnation == last.incarnation && $0.name.life == last.life
        && $0.name.sequence <= last.sequence
    }
    waiting.removeFirst(settled.count)
    return settled.map { request in
      if let reason = request.refusal { return (request.completion, .refused(reason)) }
      return (request.completion, hasMissed ? .unknown : .decided(request.name))
    }
  }

  /// All of them, when this life of the node ends.
  mutating func abandon() -> [Completion] {
    defer { waiting = [] }
    return waiting.map(\.completion)
  }
}
