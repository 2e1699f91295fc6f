import ClusterSimulation
import ClusterTypes
import Testing

@testable import PosixLocks

/// Requests, joins, leaves, deaths, restarts and broken channels by chance. At every grant no process on
/// another node may hold what contradicts it; every answer goes to the process that asked; and at rest all
/// nodes have one table, which tells what the kernels' processes hold.
@Suite struct PosixLockspaceSimulationTests {
  private func ask(_ cluster: inout SimulatedPosixLocks) {
    guard let id = cluster.aliveMembers.randomElement(using: &cluster.random),
      let kernel = cluster.nodes[id]?.kernel
    else { return }
    let owner = UInt64.random(in: 1...4, using: &cluster.random)
    let inode = UInt64.random(in: 1...3, using: &cluster.random)
    let start = UInt64.random(in: 0..<16, using: &cluster.random)
    if kernel.busyOwners.contains(owner) {
      // A process that waits can only be killed.
      guard let waiting = kernel.waiting.first(where: { $0.owner == owner }),
        cluster.random.chance(40)
      else { return }
      return cluster.ask(
        id, PosixLockRequest(.unlock, inode: waiting.inode, owner: owner, isClose: true))
    }
    let operation: PosixLockRequest.Operation =
      switch Int.random(in: 0..<100, using: &cluster.random) {
      case ..<50: .lock
      case ..<90: .unlock
      default: .get
      }
    cluster.ask(
      id,
      PosixLockRequest(
        operation, inode: inode, start: start,
        end: cluster.random.chance(10)
          ? UInt64(Int64.max) : UInt64.random(in: start...20, using: &cluster.random), owner: owner,
        isExclusive: cluster.random.chance(50), waits: cluster.random.chance(30),
        // A killed process's number does not come back at once.
        processID: UInt32.random(in: 1 ... .max, using: &cluster.random)))
  }

  private func step(_ cluster: inout SimulatedPosixLocks) {
    guard let id = cluster.ids.randomElement(using: &cluster.random),
      let other = cluster.ids.filter({ $0 != id }).randomElement(using: &cluster.random)
    else { return }
    switch Int.random(in: 0..<1000, using: &cluster.random) {
    case ..<600: cluster.deliverOne()
    case ..<800: ask(&cluster)
    case ..<950: cluster.stopOrStart(id)
    case ..<960: cluster.tick(id)
    case ..<964: cluster.breakChannel(id, other)
    case ..<984: cluster.open(id, other)
    case ..<988: cluster.join(id)
    case ..<990: cluster.leave(id)
    case ..<993: cluster.restartDaemon(id, losingTheEnd: cluster.random.chance(50))
    case ..<994: cluster.kill(id)
    default: cluster.reboot(id)
    }
  }

  @Test(arguments: 1...150) func `locks are held by one, answered once and known to all`(
    seed: Int
  ) throws {
    var cluster = SimulatedPosixLocks(seed: UInt64(seed), nodeCount: 2 + seed % 4)
    for id in cluster.ids { cluster.join(id) }
    for _ in 0..<4000 where cluster.complaints.isEmpty { step(&cluster) }
    for id in cluster.ids {
      cluster.reboot(id)
      cluster.join(id)
    }
    cluster.settle()
    try #require(cluster.complaints.isEmpty, "seed \(seed): \(cluster.complaints[0])")
    #expect(cluster.grants > 5, "seed \(seed): little was locked")
    try checkRest(cluster, seed)
  }

  private func checkRest(_ cluster: SimulatedPosixLocks, _ seed: Int) throws {
    let ids = cluster.aliveMembers
    let tables = ids.compactMap { cluster.nodes[$0]?.machine?.table }
    try #require(tables.count == ids.count && !ids.isEmpty, "seed \(seed)")
    let table = tables[0]
    for other in tables.dropFirst() { #expect(other == table, "seed \(seed): tables differ") }
    var held: [UInt64: [HeldPosixLock]] = [:]
    for id in ids {
      let node = try #require(cluster.nodes[id])
      #expect(node.kernel.ordered.isEmpty, "seed \(seed): node \(id) has unanswered requests")
      for (inode, locks) in node.kernel.held where !locks.held.isEmpty {
        held[inode, default: []] += locks.held
      }
      for request in node.kernel.waiting {
        let holder = PosixLockHolder(node: node.instance, owner: request.owner)
        let obstacle = table.files[request.inode]?.obstacle(
          to: holder, request.start, request.end, isExclusive: request.isExclusive)
        #expect(obstacle != nil, "seed \(seed): \(request) of node \(id) waits for nobody")
      }
    }
    #expect(held == table.files.mapValues(\.held).filter { !$0.value.isEmpty }, "seed \(seed)")
    #expect(table.count == table.files.values.reduce(0) { $0 + $1.count }, "seed \(seed)")
  }
}
