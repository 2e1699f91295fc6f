import ClusterDaemon
import LVMFrontends
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// A command of LVM 2.02 on clvmd's socket.
private struct OldCommand: Sendable {
  private let channel: any Channel
  private let replies: Replies

  init(on node: LoopbackNode) async throws {
    let replies = Replies()
    self.replies = replies
    channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ReplyReceiver(replies))
        }
      }
      .connect(unixDomainSocketPath: node.clusterLockingSocket).get()
  }

  /// `flags`: 1 this node, 8 all others.
  func send(
    _ command: UInt8, flags: UInt8 = 0, _ arguments: [UInt8] = [], node: String = ""
  ) async throws {
    let length = UInt32(max(arguments.count - 1, 0))
    var bytes = [command, flags] + [UInt8](repeating: 0, count: 10)
    withUnsafeBytes(of: length.littleEndian) { bytes += $0 }
    bytes += Array(node.utf8) + [0]
    bytes += arguments.isEmpty ? [0] : arguments
    try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
  }

  func reply() async throws -> ClusterLockingReply {
    try await eventually("clvmd answers") { replies.isReady }
    return try #require(replies.take())
  }

  func ask(
    _ command: UInt8, flags: UInt8 = 0, _ arguments: [UInt8] = [], node: String = ""
  ) async throws -> ClusterLockingReply {
    try await send(command, flags: flags, arguments, node: node)
    return try await reply()
  }

  /// LOCK_VG: 0x01 PR, 0x04 PW, 0x06 unlock, with 0x10 not to wait.
  func lock(_ word: UInt8, _ name: String) async throws -> ClusterLockingReply {
    try await ask(51, flags: name.hasPrefix("V_") ? 1 : 0, [word, 4] + Array(name.utf8) + [0])
  }

  func isWaiting(after duration: Duration) async throws -> Bool {
    try await Task.sleep(for: duration)
    return !replies.isReady
  }

  func close() async throws { try await channel.close() }
}

private final class Replies: Sendable {
  private let content = Mutex<[ClusterLockingReply]>([])

  var isReady: Bool { content.withLock { !$0.isEmpty } }
  func add(_ reply: ClusterLockingReply) { content.withLock { $0.append(reply) } }
  func take() -> ClusterLockingReply? {
    content.withLock { $0.isEmpty ? nil : $0.removeFirst() }
  }
}

private final class ReplyReceiver: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let replies: Replies
  private var bytes: [UInt8] = []

  init(_ replies: Replies) { self.replies = replies }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    bytes += unwrapInboundIn(data).readableBytesView
    while let size = ClusterLockingReply.size(of: bytes), bytes.count >= size {
      if let reply = try? ClusterLockingReply(decoding: Array(bytes[..<size])) {
        replies.add(reply)
      }
      bytes.removeFirst(size)
    }
  }
}

extension ClusterTests {
  @Suite struct ClusterLockingSocketTests {
    private static let pause = Duration.milliseconds(150)
    private static let wouldBlock: Int32 = 11

    /// A command on each of the first two of three nodes.
    private func withCommands(
      _ body: (_ cluster: TestCluster, _ here: OldCommand, _ there: OldCommand) async throws -> Void
    ) async throws {
      try await TestCluster.with(servesClusterLocking: true) { cluster in
        let nodes = try await cluster.startAll()
        try await eventually("all nodes are in the lockspace") {
          let space = try await nodes[0].status().lockspace(Name.lockspace("clvmd"))
          return space?.members.count == 3
        }
        try await body(
          cluster, try await OldCommand(on: nodes[0]), try await OldCommand(on: nodes[1]))
      }
    }

    @Test func `a write lock of a VG excludes other nodes, read locks do not`() async throws {
      try await withCommands { _, here, there in
        #expect(try await here.lock(0x01, "V_vg0").status.rawValue == 0)
        #expect(try await there.lock(0x01, "V_vg0").status.rawValue == 0)
        #expect(try await here.lock(0x06, "V_vg0").status.rawValue == 0)
        #expect(try await there.lock(0x06, "V_vg0").status.rawValue == 0)
        #expect(try await here.lock(0x04, "V_vg0").status.rawValue == 0)
        #expect(try await there.lock(0x14, "V_vg0").status.rawValue == Self.wouldBlock)
        try await there.send(51, flags: 1, [0x01, 4] + Array("V_vg0".utf8) + [0])
        #expect(try await there.isWaiting(after: Self.pause))
        try await here.close()
        #expect(try await there.reply().status.rawValue == 0)
      }
    }

    @Test func `a command that dies while it waits takes no lock`() async throws {
      try await withCommands { cluster, here, there in
        #expect(try await here.lock(0x04, "V_vg0").status.rawValue == 0)
        try await there.send(51, flags: 1, [0x04, 4] + Array("V_vg0".utf8) + [0])
        #expect(try await there.isWaiting(after: Self.pause))
        try await there.close()
        #expect(try await here.lock(0x06, "V_vg0").status.rawValue == 0)
        // What was granted at the same moment is given back.
        try await eventually("the lock is free") {
          try await here.lock(0x14, "V_vg0").status.rawValue == 0
        }
      }
    }

    @Test func `all nodes answer in one reply, others and named ones as addressed`() async throws {
      try await withCommands { _, here, _ in
        let volume = [UInt8](repeating: UInt8(ascii: "x"), count: 64)
        let query = [0, 0] + volume + [0]
        #expect(
          try await here.ask(52, query).entries.map(\.node).sorted() == ["node1", "node2", "node3"])
        #expect(try await here.ask(52, flags: 1, query).entries.map(\.node) == ["node1"])
        #expect(try await here.ask(52, query, node: "node3").entries.map(\.node) == ["node3"])
        #expect(try await here.ask(52, query, node: "nobody").status.rawValue == 2)
        let cluster = try await here.ask(41, flags: 1)
        #expect(cluster.entries.map(\.text) == ["loopback"])
        let test = try await here.ask(4, Array("hello".utf8) + [0])
        #expect(test.entries.count == 3)
        #expect(test.entries.allSatisfy { $0.text.contains(": hello v") })
      }
    }

    @Test func `an unknown volume is named by every node that is asked to activate it`()
      async throws
    {
      try await withCommands { _, here, _ in
        let volume = [UInt8](repeating: UInt8(ascii: "x"), count: 64)
        let reply = try await here.ask(50, [0x99, 4] + volume + [0])
        #expect(reply.entries.map(\.status) == [5, 5, 5])
        #expect(
          reply.entries.allSatisfy { $0.text.hasPrefix("Reading VG not found for LVID xxxx") })
        // No lock is left behind.
        #expect(
          try await here.ask(52, [0, 0] + volume + [0]).entries.allSatisfy { $0.text.isEmpty })
      }
    }

    @Test func `a dead node that is not known to be dead is named, and reports go on`() async throws
    {
      try await withCommands { cluster, here, _ in
        #expect(try await here.lock(0x04, "V_vg0").status.rawValue == 0)
        try await cluster.kill(Name.three)
        let drop = [0x04, 4] + Array("P_vg0".utf8) + [0]
        let reply = try await here.ask(51, drop)
        #expect(reply.entries.first { $0.node == "node3" }?.status == 110)
        // SYNC_NAMES never waits for anybody.
        let sync = try await here.ask(45, [0, 4] + Array("#sync_names".utf8) + [0])
        #expect(sync.entries.allSatisfy { $0.status == 0 })
      }
    }
  }
}
