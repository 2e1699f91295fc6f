import ClusterTypes

/// Connections between nodes that delay at random but keep the order of each direction, as TCP
/// does. A broken connection loses what is on its way.
public struct OrderedLinks: Sendable {
  fileprivate struct Direction: Hashable, Sendable {
    let from: NodeID
    let to: NodeID
  }

  /// What a message on its way belongs to; stale when the link was broken since.
  public struct Ticket: Sendable {
    fileprivate let direction: Direction
    fileprivate let generation: Int
  }

  private var lastArrival: [Direction: Timestamp] = [:]
  private var generations: [Direction: Int] = [:]

  public init() {}

  /// When a message sent now arrives: usually within `usual`, one in fifty within ten times that.
  public mutating func send(
    from: NodeID, to: NodeID, at now: Timestamp, usual: ClosedRange<UInt64>,
    using generator: inout SeededGenerator
  ) -> (arrival: Timestamp, ticket: Ticket) {
    let direction = Direction(from: from, to: to)
    var microseconds = UInt64.random(in: usual, using: &generator)
    if generator.chance(2) { microseconds *= 10 }
    let arrival = max(now + .microseconds(microseconds), lastArrival[direction] ?? now)
    lastArrival[direction] = arrival
    return (arrival, Ticket(direction: direction, generation: generations[direction] ?? 0))
  }

  public func isIntact(_ ticket: Ticket) -> Bool {
    generations[ticket.direction] ?? 0 == ticket.generation
  }

  /// Loses what is on its way between the two, in both directions.
  public mutating func breakLink(_ one: NodeID, _ other: NodeID) {
    for direction in [Direction(from: one, to: other), Direction(from: other, to: one)] {
      generations[direction, default: 0] += 1
      lastArrival[direction] = nil
    }
  }
}
