import DistributedLockManager

/// Two lock nodes count together: each adds to a number in a lock value block, which only the
/// holder of the lock may change. In earnest every node is a process on a machine of its own.
@main
struct LockExample {
  static func main() async throws {
    let total = try await count(to: 100, addresses: ["127.0.0.1", "127.0.0.2"], port: 21_164)
    print("counted to \(total)")
  }

  /// - Returns: what the value block says in the end.
  static func count(to goal: Int, addresses: [String], port: UInt16) async throws -> Int {
    let ids = addresses.indices.map { Int32($0 + 1) }
    let allAddresses = Dictionary(uniqueKeysWithValues: zip(ids, addresses))
    var nodes: [LockNode] = []
    for (id, address) in zip(ids, addresses) {
      let peers = allAddresses.filter { $0.key != id }
      nodes.append(
        try await LockNode.start(
          LockNode.Configuration(node: id, address: address, peers: peers, port: port)))
    }
    let lockspaces = try nodes.map { try $0.open("example") }
    try await forAll(lockspaces) { try await $0.start(members: ids) }

    // The lock manager keeps a value block as long as anybody has a lock on the resource.
    let keeper = try await lockspaces[0].lock("counter", mode: .nl, owner: "keeper")
    try await forAll(lockspaces) { lockspace in
      for _ in 0..<(goal / lockspaces.count) { try await addOne(in: lockspace) }
    }
    let total = try await lockspaces[0].withLock("counter", mode: .pr, owner: "reader") {
      Int(await $0.valueBlock?.first ?? 0)
    }
    await keeper.release()

    try await forAll(lockspaces) { try await $0.close() }
    for node in nodes { try await node.stop() }
    return total
  }

  private static func addOne(in lockspace: Lockspace) async throws {
    let lock = try await lockspace.lock("counter", mode: .ex, owner: "counting")
    // Nil when a node died while it had the block in its hands.
    guard var block = await lock.valueBlock else { return await lock.release() }
    block[0] += 1
    try await lock.release(writing: block)
  }

  private static func forAll(
    _ lockspaces: [Lockspace], _ body: @escaping @Sendable (Lockspace) async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for lockspace in lockspaces { group.addTask { try await body(lockspace) } }
      try await group.waitForAll()
    }
  }
}
