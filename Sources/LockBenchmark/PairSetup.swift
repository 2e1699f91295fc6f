import CLinux
import DistributedLockManager
import Glibc
import Logging
import NIOCore
import NIOPosix

/// What the measuring process has of a pair: its own node and the echoes' connections.
struct PairSetup {
  let node: LockNode
  let lockspace: Lockspace
  let bytes: Echo
  let messages: Echo
  /// Each node's thread has a processor of its own.
  let isPinned: Bool
  /// Ends what is not the measurement's own.
  let end: () async throws -> Void

  /// Of the echo servers beside the port of the lock nodes.
  private static func echoPort(_ kind: Echo.Kind, beside port: UInt16) -> Int {
    Int(port) + (kind == .bytes ? 1 : 2)
  }

  // MARK: - Both nodes in this process

  static func inThisProcess() async throws -> PairSetup {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    let loops = [group.next(), group.next()]
    let isPinned = try await pin(loops)
    let cluster = try await LoopbackNodes(loops)
    let partner = try await Partner(cluster.nodes[1], cluster.lockspaces[1])
    var servers: [any Channel] = []
    var echoes: [Echo] = []
    for kind in [Echo.Kind.bytes, .messages] {
      let server = try await Echo.serve(
        kind, on: SocketAddress(ipAddress: "127.0.0.1", port: 0), eventLoop: loops[1])
      guard let address = server.localAddress else { throw ChannelError.unknownLocalAddress }
      servers.append(server)
      echoes.append(try await Echo.connect(kind, to: address, eventLoop: loops[0]))
    }
    return PairSetup(
      node: cluster.nodes[0], lockspace: cluster.lockspaces[0], bytes: echoes[0],
      messages: echoes[1], isPinned: isPinned
    ) { [servers] in
      for server in servers { try await server.close() }
      try await partner.end()
      try await cluster.stop()
      try await group.shutdownGracefully()
    }
  }

  /// Each node's thread on a processor of its own, if there are as many.
  private static func pin(_ loops: [any EventLoop]) async throws -> Bool {
    var isPinned = true
    for (index, loop) in loops.enumerated() {
      let result = try await loop.submit { clinux_bind_thread(Int32(index)) == 0 }.get()
      isPinned = isPinned && result
    }
    return isPinned
  }

  // MARK: - One node in each of two processes

  private static func start(
    _ id: Int32, at address: String, with peer: String, port: UInt16, on loop: any EventLoop
  ) async throws -> (LockNode, Lockspace) {
    let node = try await LockNode.start(
      LockNode.Configuration(
        node: id, address: address,
        peers: [LockPair.measuringNode + LockPair.partnerNode - id: peer], port: port),
      on: loop, logger: Logger(label: "lock-benchmark"))
    let lockspace = try node.open(LockPair.lockspaceName)
    try await lockspace.start(members: [LockPair.measuringNode, LockPair.partnerNode])
    return (node, lockspace)
  }

  /// The measuring node, with `lock-benchmark partner` elsewhere.
  static func with(
    partner: String, address: String, port: UInt16
  ) async throws -> PairSetup {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let (node, lockspace) = try await start(
      LockPair.measuringNode, at: address, with: partner, port: port, on: loop)
    func connect(_ kind: Echo.Kind) async throws -> Echo {
      let target = try SocketAddress(
        ipAddress: partner, port: echoPort(kind, beside: port))
      // The partner serves when it has its anchors.
      for _ in 0..<300 {
        if let echo = try? await Echo.connect(kind, to: target, eventLoop: loop) { return echo }
        try await Task.sleep(for: .milliseconds(100))
      }
      return try await Echo.connect(kind, to: target, eventLoop: loop)
    }
    return PairSetup(
      node: node, lockspace: lockspace, bytes: try await connect(.bytes),
      messages: try await connect(.messages), isPinned: false
    ) {}
  }

  /// The other process. Returns when standard input ends.
  static func serve(address: String, peer: String, port: UInt16) async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let (node, lockspace) = try await start(
      LockPair.partnerNode, at: address, with: peer, port: port, on: loop)
    let partner = try await Partner(node, lockspace)
    for kind in Echo.Kind.allCases {
      _ = try await Echo.serve(
        kind,
        on: SocketAddress(ipAddress: address, port: echoPort(kind, beside: port)),
        eventLoop: loop)
    }
    var byte: UInt8 = 0
    while read(STDIN_FILENO, &byte, 1) > 0 {}
    withExtendedLifetime(partner) {}
  }
}
