import ClusterTypes

/// What is going to happen, and when: the clock of a simulation. Events of the same moment come in
/// the order in which they were scheduled.
public struct Agenda<Event: Sendable>: Sendable {
  @usableFromInline
  struct Entry: Sendable {
    @usableFromInline let time: Timestamp
    @usableFromInline let order: Int
    @usableFromInline let event: Event

    @usableFromInline
    init(time: Timestamp, order: Int, event: Event) {
      self.time = time
      self.order = order
      self.event = event
    }

    @inlinable
    func isBefore(_ other: Entry) -> Bool { (time, order) < (other.time, other.order) }
  }

  /// A binary heap.
  @usableFromInline var entries: [Entry] = []
  @usableFromInline var scheduled = 0
  @usableFromInline var clock = Timestamp(nanoseconds: 0)

  @inlinable
  public init() {}

  @inlinable
  public var now: Timestamp { clock }

  @inlinable
  public var isEmpty: Bool { entries.isEmpty }

  @inlinable
  public mutating func schedule(_ event: Event, after delay: Duration) {
    schedule(event, at: now + delay)
  }

  /// A moment in the past counts as now.
  @inlinable
  public mutating func schedule(_ event: Event, at time: Timestamp) {
    entries.append(Entry(time: max(time, now), order: scheduled, event: event))
    scheduled += 1
    var child = entries.count - 1
    while child > 0, entries[child].isBefore(entries[(child - 1) / 2]) {
      entries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// Takes the next event and moves the clock to it.
  @inlinable
  public mutating func next() -> Event? {
    guard let first = entries.first, let last = entries.popLast() else { return nil }
    if !entries.isEmpty {
      entries[0] = last
      sink()
    }
    clock = first.time
    return first.event
  }

  @inlinable
  mutating func sink() {
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < entries.count && entries[child].isBefore(entries[smallest]) {
        smallest = child
      }
      guard smallest != parent else { return }
      entries.swapAt(parent, smallest)
      parent = smallest
    }
  }
}
