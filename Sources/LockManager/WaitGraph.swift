import ClusterTypes
import LockProtocol

/// A lock in one lockspace of the cluster.
public struct LockKey: Hashable, Comparable, Sendable {
  public var lockspace: LockspaceID
  public var identity: LockIdentity

  public init(lockspace: LockspaceID, identity: LockIdentity) {
    self.lockspace = lockspace
    self.identity = identity
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.lockspace.rawValue, left.identity) < (right.lockspace.rawValue, right.identity)
  }
}

/// Something that takes several locks and gives none back before it has got them all, such as a
/// command that runs another under its lock; unique on its node.
public struct LockTransaction: Hashable, Comparable, Sendable {
  public var node: NodeID
  public var number: UInt64

  public init(node: NodeID, number: UInt64) {
    self.node = node
    self.number = number
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.node, left.number) < (right.node, right.number)
  }
}

/// One lock waits for another: seen at the master of their resource.
public struct WaitEdge: Hashable, Sendable {
  /// A lock as it stands on its queue. With another grant or another request it is another one.
  public struct Party: Hashable, Comparable, Sendable {
    public var key: LockKey
    /// When it came to stand so, by the master's clock.
    public var since: Timestamp

    public init(key: LockKey, since: Timestamp) {
      self.key = key
      self.since = since
    }

    public static func < (left: Self, right: Self) -> Bool {
      (left.key, left.since) < (right.key, right.since)
    }
  }

  public var master: NodeID
  /// Of the lockspace: with a new one everything may be otherwise.
  public var generation: UInt32
  public var waiter: Party
  public var blocker: Party

  public init(master: NodeID, generation: UInt32, waiter: Party, blocker: Party) {
    self.master = master
    self.generation = generation
    self.waiter = waiter
    self.blocker = blocker
  }
}

/// Who waits for whom in the cluster, put together from what each master and each owner tells.
///
/// A snapshot of many nodes is not of one moment, so a cycle in it need not be one: of locks that
/// were held one after the other it makes locks that were held together. What is in **two**
/// snapshots, of which the second was begun after the first had ended, was there at every moment in
/// between: `confirmed(by:)` leaves only that, and a cycle of such waits is a deadlock.
public struct WaitGraph: Sendable {
  /// Locks of a transaction are given back only when all its requests are granted; a lock without
  /// one is on its own.
  enum Vertex: Hashable, Comparable, Sendable {
    case transaction(LockTransaction)
    case lock(LockKey)

    static func < (left: Self, right: Self) -> Bool {
      switch (left, right) {
      case (.transaction(let left), .transaction(let right)): left < right
      case (.lock(let left), .lock(let right)): left < right
      case (.transaction, .lock): true
      case (.lock, .transaction): false
      }
    }
  }

  public private(set) var waits: Set<WaitEdge> = []
  private var transactions: [LockKey: LockTransaction] = [:]

  public init() {}

  /// What a master tells.
  public mutating func insert(_ wait: WaitEdge) { waits.insert(wait) }

  /// What an owner tells of one of its locks.
  public mutating func insert(_ key: LockKey, of transaction: LockTransaction) {
    transactions[key] = transaction
  }

  public func transaction(of key: LockKey) -> LockTransaction? { transactions[key] }

  /// What is in both: `later` was begun after this one had ended.
  public func confirmed(by later: WaitGraph) -> WaitGraph {
    var both = WaitGraph()
    both.waits = waits.intersection(later.waits)
    both.transactions = transactions.filter { later.transactions[$0.key] == $0.value }
    return both
  }

  /// One cycle of each knot of transactions and locks that wait for each other: every wait's blocker
  /// belongs to the next one's waiter. The same on every node that has the same graph.
  public var deadlocks: [[WaitEdge]] {
    let edges = Dictionary(grouping: waits) { vertex($0.waiter.key) }
      .mapValues { $0.sorted { ($0.waiter, $0.blocker) < ($1.waiter, $1.blocker) } }
    var cycles: [[WaitEdge]] = []
    var covered: Set<Vertex> = []
    for vertex in edges.keys.sorted() where !covered.contains(vertex) {
      guard let cycle = shortestCycle(through: vertex, edges) else { continue }
      // Whoever waits in or for this knot is not a deadlock of its own.
      for wait in cycle { covered.formUnion(reachable(from: self.vertex(wait.waiter.key), edges)) }
      cycles.append(cycle)
    }
    return cycles
  }

  private func vertex(_ key: LockKey) -> Vertex {
    transactions[key].map(Vertex.transaction) ?? .lock(key)
  }

  private func reachable(from start: Vertex, _ edges: [Vertex: [WaitEdge]]) -> Set<Vertex> {
    var found: Set<Vertex> = [start]
    var next = [start]
    while let vertex = next.popLast() {
      for wait in edges[vertex] ?? [] where found.insert(self.vertex(wait.blocker.key)).inserted {
        next.append(self.vertex(wait.blocker.key))
      }
    }
    return found
  }

  /// Breadth first from `start` back to it.
  private func shortestCycle(
    through start: Vertex, _ edges: [Vertex: [WaitEdge]]
  ) -> [WaitEdge]? {
    var cameBy: [Vertex: WaitEdge] = [:]
    var layer = [start]
    while !layer.isEmpty {
      var nextLayer: [Vertex] = []
      for vertex in layer {
        for wait in edges[vertex] ?? [] {
          let target = self.vertex(wait.blocker.key)
          if target == start { return path(to: vertex, from: start, cameBy) + [wait] }
          guard cameBy[target] == nil else { continue }
          cameBy[target] = wait
          nextLayer.append(target)
        }
      }
      layer = nextLayer
    }
    return nil
  }

  private func path(
    to end: Vertex, from start: Vertex, _ cameBy: [Vertex: WaitEdge]
  ) -> [WaitEdge] {
    var path: [WaitEdge] = []
    var vertex = end
    while vertex != start, let wait = cameBy[vertex] {
      path.append(wait)
      vertex = self.vertex(wait.waiter.key)
    }
    return path.reversed()
  }
}
