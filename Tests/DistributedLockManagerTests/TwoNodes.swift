import DistributedLockManager
import Glibc
import Logging
import NIOPosix
import Testing

/// Two lock nodes in this process, on loopback, in one lockspace.
struct TwoNodes {
  static let members: [Int32] = [1, 2]
  let nodes: [LockNode]
  let lockspaces: [Lockspace]

  var here: Lockspace { lockspaces[0] }
  var there: Lockspace { lockspaces[1] }

  /// Ports that no other test of this run, and hardly anybody else, uses.
  static func port(_ test: UInt16) -> UInt16 { 32_000 + UInt16(getpid() % 500) * 16 + test }

  static func with(
    _ test: UInt16, valueBlockLength: Int = 32, _ body: (TwoNodes) async throws -> Void
  ) async throws {
    let cluster = try await TwoNodes(port(test), valueBlockLength)
    do {
      try await body(cluster)
    } catch {
      try await cluster.stop()
      throw error
    }
    try await cluster.stop()
  }

  private init(_ port: UInt16, _ valueBlockLength: Int) async throws {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    var nodes: [LockNode] = []
    for id in Self.members {
      let other = 3 - id
      nodes.append(
        try await LockNode.start(
          LockNode.Configuration(
            node: id, address: "127.0.0.\(id)", peers: [other: "127.0.0.\(other)"], port: port),
          on: MultiThreadedEventLoopGroup.singleton.next(), logger: logger))
    }
    self.nodes = nodes
    lockspaces = try nodes.map { try $0.open("test", valueBlockLength: valueBlockLength) }
    try await Self.start(lockspaces)
  }

  static func start(_ lockspaces: [Lockspace]) async throws {
    async let first = lockspaces[0].start(members: members)
    async let second = lockspaces[1].start(members: members)
    _ = try await (first, second)
  }

  private func stop() async throws {
    async let first: Void = here.close()
    async let second: Void = there.close()
    _ = try await (first, second)
    for node in nodes { try await node.stop() }
  }
}
