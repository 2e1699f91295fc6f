import ClusterSimulation
import ClusterTypes
import LockManager
import LockProtocol
import Testing

@Suite struct WaitGraphTests {
  private static let lockspace = LockspaceID(7)

  private static func node(_ number: Int) -> NodeID {
    guard let node = NodeID(Int32(number)) else { preconditionFailure("node \(number)") }
    return node
  }

  private static func key(_ node: Int, _ lock: Int) -> LockKey {
    LockKey(
      lockspace: lockspace,
      identity: LockIdentity(node: self.node(node), lock: LockID(UInt32(lock))))
  }

  private static func wait(_ waiter: LockKey, _ blocker: LockKey, since: UInt64 = 0) -> WaitEdge {
    WaitEdge(
      master: node(1), generation: 1,
      waiter: .init(key: waiter, since: Timestamp(milliseconds: since)),
      blocker: .init(key: blocker, since: Timestamp(milliseconds: since)))
  }

  @Test func twoTransactionsThatWaitForEachOtherAreADeadlock() {
    var graph = WaitGraph()
    let (heldByA, wantedByA) = (Self.key(1, 1), Self.key(1, 2))
    let (heldByB, wantedByB) = (Self.key(2, 1), Self.key(2, 2))
    graph.insert(Self.wait(wantedByA, heldByB))
    graph.insert(Self.wait(wantedByB, heldByA))
    #expect(graph.deadlocks == [])
    for key in [heldByA, wantedByA] {
      graph.insert(key, of: LockTransaction(node: Self.node(1), number: 1))
    }
    #expect(graph.deadlocks == [])
    for key in [heldByB, wantedByB] {
      graph.insert(key, of: LockTransaction(node: Self.node(2), number: 1))
    }
    #expect(
      graph.deadlocks == [[Self.wait(wantedByA, heldByB), Self.wait(wantedByB, heldByA)]])
  }

  @Test func transactionThatWaitsForItselfIsADeadlock() {
    var graph = WaitGraph()
    for lock in 1...2 {
      graph.insert(Self.key(1, lock), of: LockTransaction(node: Self.node(1), number: 9))
    }
    let wait = Self.wait(Self.key(1, 2), Self.key(1, 1))
    graph.insert(wait)
    #expect(graph.deadlocks == [[wait]])
  }

  @Test func whoWaitsForADeadlockIsNotOne() {
    var graph = WaitGraph()
    for (one, other) in [(1, 2), (2, 1), (3, 1), (4, 3)] {
      graph.insert(Self.wait(Self.key(1, one), Self.key(1, other)))
    }
    #expect(graph.deadlocks.count == 1)
    #expect(graph.deadlocks.first?.count == 2)
  }

  @Test func waitThatWasRenewedIsNotConfirmed() {
    let (one, other) = (Self.key(1, 1), Self.key(2, 1))
    var first = WaitGraph()
    first.insert(Self.wait(one, other))
    first.insert(Self.wait(other, one))
    var second = WaitGraph()
    second.insert(Self.wait(one, other))
    second.insert(Self.wait(other, one, since: 5))
    #expect(first.deadlocks.count == 1 && second.deadlocks.count == 1)
    #expect(first.confirmed(by: second).deadlocks == [])
    #expect(first.confirmed(by: first).deadlocks.count == 1)
  }

  /// The twin: who can reach itself, by the closure of the relation.
  @Test func cyclesAreFoundWhereTheClosureHasThem() {
    for seed in 0..<300 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let lockCount = 2 + Int.random(in: 0..<12, using: &random)
      var graph = WaitGraph()
      var group = Array(0..<lockCount)
      for lock in 0..<lockCount where random.chance(60) {
        let transaction = Int.random(in: 0..<5, using: &random)
        group[lock] = 100 + transaction
        graph.insert(
          Self.key(1, lock),
          of: LockTransaction(node: Self.node(1), number: UInt64(transaction)))
      }
      var reaches: Set<[Int]> = []
      for _ in 0..<Int.random(in: 1..<20, using: &random) {
        let (one, other) = (
          Int.random(in: 0..<lockCount, using: &random),
          Int.random(in: 0..<lockCount, using: &random)
        )
        guard one != other else { continue }
        graph.insert(Self.wait(Self.key(1, one), Self.key(1, other)))
        reaches.insert([group[one], group[other]])
      }
      let vertices = Set(group)
      for middle in vertices {
        for one in vertices where reaches.contains([one, middle]) {
          for other in vertices where reaches.contains([middle, other]) {
            reaches.insert([one, other])
          }
        }
      }
      let isDeadlocked = vertices.contains { reaches.contains([$0, $0]) }
      let cycles = graph.deadlocks
      #expect(cycles.isEmpty != isDeadlocked, "seed \(seed)")
      for cycle in cycles {
        for (wait, next) in zip(cycle, cycle.dropFirst() + cycle.prefix(1)) {
          let blocker = group[Int(wait.blocker.key.identity.lock.rawValue)]
          let waiter = group[Int(next.waiter.key.identity.lock.rawValue)]
          #expect(blocker == waiter, "seed \(seed)")
        }
      }
    }
  }

  /// Transactions take exclusive locks in random order, now and then all give back; masters are
  /// asked at different moments. What two such rounds confirm was a deadlock between them.
  @Test func staleSnapshotsMakeNoDeadlock() {
    var confirmedCount = 0
    var suspectedCount = 0
    for seed in 0..<400 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      var world = TransactionWorld()
      for _ in 0..<30 { world.step(&random) }
      let first = world.snapshot(&random)
      let between = world.exactGraph()
      let second = world.snapshot(&random)
      suspectedCount += first.deadlocks.count
      let confirmed = first.confirmed(by: second)
      confirmedCount += confirmed.deadlocks.count
      #expect(confirmed.waits.isSubset(of: between.waits), "seed \(seed)")
      #expect(confirmed.deadlocks.isEmpty || !between.deadlocks.isEmpty, "seed \(seed)")
      // A deadlock of the first moment that lasts is found.
      let wasCalm = !world.isEverReset
      let third = world.snapshot(&random)
      if wasCalm, !world.isEverReset, !between.deadlocks.isEmpty {
        #expect(!second.confirmed(by: third).deadlocks.isEmpty, "seed \(seed)")
      }
    }
    #expect(confirmedCount > 20 && suspectedCount > confirmedCount)
  }
}

/// Four resources, each with a master of its own, and five transactions.
private struct TransactionWorld {
  private struct Entry {
    var key: LockKey
    var transaction: Int
    var since: UInt64
  }

  private var clock: UInt64 = 0
  private var lastLock: UInt32 = 0
  /// The first of each queue holds.
  private var queues: [[Entry]] = [[], [], [], []]
  /// A transaction gave up since the last snapshot began.
  private(set) var isEverReset = false

  mutating func step(_ random: inout SeededGenerator) {
    clock += 1
    let transaction = Int.random(in: 0..<5, using: &random)
    let waits = queues.contains { $0.dropFirst().contains { $0.transaction == transaction } }
    if random.chance(waits ? 8 : 25) {
      isEverReset = true
      for index in queues.indices {
        let holder = queues[index].first?.key
        queues[index].removeAll { $0.transaction == transaction }
        if queues[index].first?.key != holder, !queues[index].isEmpty {
          queues[index][0].since = clock
        }
      }
    } else if !waits {
      let index = Int.random(in: queues.indices, using: &random)
      guard !queues[index].contains(where: { $0.transaction == transaction }) else { return }
      lastLock += 1
      guard let node = NodeID(Int32(transaction + 1)) else { return }
      queues[index].append(
        Entry(
          key: LockKey(
            lockspace: LockspaceID(1),
            identity: LockIdentity(node: node, lock: LockID(lastLock))),
          transaction: transaction, since: clock))
    }
  }

  /// One resource after the other, with steps in between.
  mutating func snapshot(_ random: inout SeededGenerator) -> WaitGraph {
    isEverReset = false
    var graph = WaitGraph()
    for index in queues.indices {
      insert(index, into: &graph)
      for _ in 0..<Int.random(in: 0..<4, using: &random) { step(&random) }
    }
    return graph
  }

  func exactGraph() -> WaitGraph {
    var graph = WaitGraph()
    for index in queues.indices { insert(index, into: &graph) }
    return graph
  }

  private func insert(_ index: Int, into graph: inout WaitGraph) {
    guard let master = NodeID(Int32(index + 1)) else { return }
    func party(_ entry: Entry) -> WaitEdge.Party {
      .init(key: entry.key, since: Timestamp(milliseconds: entry.since))
    }
    for entry in queues[index] {
      guard let node = NodeID(Int32(entry.transaction + 1)) else { continue }
      graph.insert(entry.key, of: LockTransaction(node: node, number: 1))
    }
    for (blocker, waiter) in zip(queues[index], queues[index].dropFirst()) {
      graph.insert(
        WaitEdge(master: master, generation: 1, waiter: party(waiter), blocker: party(blocker)))
    }
  }
}
