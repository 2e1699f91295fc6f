import DistributedLockManager
import Glibc
import Logging
import NIOCore

/// Lock nodes in this process, 127.0.0.1 and following, all in one lockspace.
struct LoopbackNodes {
  let nodes: [LockNode]
  let lockspaces: [Lockspace]

  init(_ loops: [any EventLoop]) async throws {
    let logger = Logger(label: "lock-benchmark") { _ in SwiftLogNoOpLogHandler() }
    let ids = loops.indices.map { Int32($0 + 1) }
    // Nobody else is likely to use it, and the benchmark says so if somebody does.
    let port = UInt16(30_000 + getpid() % 2_000)
    let addresses = Dictionary(uniqueKeysWithValues: ids.map { ($0, "127.0.0.\($0)") })
    var nodes: [LockNode] = []
    for (id, loop) in zip(ids, loops) {
      nodes.append(
        try await LockNode.start(
          LockNode.Configuration(
            node: id, address: "127.0.0.\(id)", peers: addresses.filter { $0.key != id },
            port: port), on: loop, logger: logger))
    }
    self.nodes = nodes
    lockspaces = try nodes.map { try $0.open(LockPair.lockspaceName) }
    try await start(members: ids)
  }

  /// As a control plane does: nobody starts before all have stopped.
  func start(members: [Int32], departed: Set<Int32> = []) async throws {
    let running = lockspaces.enumerated().filter { members.contains(Int32($0.offset + 1)) }
    for (_, lockspace) in running { try await lockspace.stop() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (_, lockspace) in running {
        group.addTask { try await lockspace.start(members: members, departed: departed) }
      }
      try await group.waitForAll()
    }
  }

  /// In the order of a control plane: whoever leaves is taken out of the others' members.
  func stop() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for lockspace in lockspaces { group.addTask { try await lockspace.close() } }
      try await group.waitForAll()
    }
    for node in nodes { try await node.stop() }
  }
}
