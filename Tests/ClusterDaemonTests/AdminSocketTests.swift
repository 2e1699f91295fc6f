import AdminProtocol
import ClusterDaemon
import Glibc
import LockProtocol
import Testing

extension ClusterTests {
  @Suite struct AdminSocketTests {
    private static let pause = Duration.milliseconds(150)

    @Test func `who waits for a lock and who holds it is shown on both nodes`() async throws {
      try await TestCluster.with { cluster in
        let nodes = try await cluster.startAll()
        let holder = try await nodes[0].command("disk one", .exclusive)
        #expect(try await holder.nextReply() == .lockGranted)
        let waiter = try await nodes[1].command("disk one", .protectedRead)
        #expect(try await holder.nextReply() == .lockBlocks(requestedMode: .protectedRead))
        #expect(try await waiter.isSilent(for: Self.pause))

        let waiting = try #require(try await nodes[1].locks(onlyWaiting: true).first)
        #expect(waiting.resource == "disk one" && waiting.lockspace == Name.space)
        #expect(waiting.queue == .waiting && waiting.requestedMode == .protectedRead)
        #expect(waiting.node == Name.two && waiting.owner == "clvm lock")
        #expect(waiting.pid == getpid() && waiting.grantedMode == nil)
        #expect(waiting.ageMilliseconds >= 100)
        let blocker = try #require(waiting.blockers.first)
        #expect(blocker.node == Name.one && blocker.pid == getpid() && blocker.owner == "clvm lock")
        #expect(!blocker.command.isEmpty && blocker.grantedMode == .exclusive)
        // The third node has nothing to do with it, and shows the same.
        let elsewhere = try await nodes[2].locks(onlyWaiting: true)
        #expect(elsewhere.map(\.node) == [Name.two])
        #expect(elsewhere.first?.blockers.map(\.owner) == ["clvm lock"])
        let held = try await nodes[0].locks().filter { $0.queue == .granted }
        #expect(held.map(\.grantedMode) == [.exclusive])
        #expect(held.map(\.node) == [Name.one])

        try await holder.close()
        #expect(try await waiter.nextReply() == .lockGranted)
      }
    }

    @Test func `a deadlock between nodes is told, and ended where that was allowed`() async throws {
      try await TestCluster.with { cluster in
        let nodes = try await cluster.startAll()
        let first = try await nodes[0].command("a", .exclusive)
        let second = try await nodes[1].command("b", .exclusive)
        for command in [first, second] { #expect(try await command.nextReply() == .lockGranted) }
        let firstWaits = try await nodes[0].command("b", .exclusive)
        #expect(try await second.nextReply() == .lockBlocks(requestedMode: .exclusive))
        let patient = try await nodes[1].command("a", .exclusive)
        #expect(try await first.nextReply() == .lockBlocks(requestedMode: .exclusive))

        // Told on both sides, and nobody is made to give way.
        for node in nodes[..<2] {
          try await node.lookForDeadlocks()
          try await eventually("the deadlock is told") {
            try await node.status().waitingFor.contains { $0.hasPrefix("Deadlock: clvm lock") }
          }
        }
        #expect(try await firstWaits.isSilent(for: Self.pause))
        #expect(try await patient.isSilent(for: Self.pause))
        try await patient.close()

        let victim = try await nodes[1].command("a", .exclusive, mayBeVictim: true)
        try await eventually("the victim waits") {
          try await nodes[0].locks(onlyWaiting: true).count == 2
        }
        try await nodes[1].lookForDeadlocks()
        guard case .failed(let failure) = try await victim.nextReply() else {
          Issue.record("the victim is not refused")
          return
        }
        #expect(failure.reason == .wouldBlock && failure.message.contains("deadlock"))
        try await second.close()
        #expect(try await firstWaits.nextReply() == .lockGranted)
        try await nodes[0].lookForDeadlocks()
        try await eventually("nothing is told any more") {
          try await nodes[0].status().waitingFor.isEmpty
        }
        for command in [first, firstWaits, victim] { try await command.close() }
      }
    }

    @Test func `a lockspace is listed with its members while commands use it`() async throws {
      try await TestCluster.with { cluster in
        let nodes = try await cluster.startAll()
        let commands = [
          try await nodes[0].command("a", .exclusive), try await nodes[2].command("b", .exclusive),
        ]
        for command in commands { #expect(try await command.nextReply() == .lockGranted) }
        guard case .lockspaces(let spaces) = try await nodes[1].ask(.lockspaces) else {
          Issue.record("lockspaces is answered with something else")
          return
        }
        let space = try #require(spaces.first)
        #expect(space.name == Name.space && space.kind == .inHouse && space.state == .running)
        #expect(space.members == [Name.one, Name.three])
        #expect(space.id == LockspaceID(name: Name.space).rawValue)
        for command in commands { try await command.close() }
        try await eventually("the last user's lockspace is gone") {
          try await nodes[1].ask(.lockspaces) == .lockspaces([])
        }
      }
    }

    @Test func `commands can follow each other at once in a lockspace of their own`() async throws {
      try await TestCluster.with { cluster in
        let nodes = try await cluster.startAll()
        for _ in 0..<5 {
          let command = try await nodes[0].command("x", .exclusive)
          #expect(try await command.nextReply() == .lockGranted)
          try await command.close()
        }
      }
    }

    @Test func `a command that would not wait is refused and leaves nothing behind`() async throws {
      try await TestCluster.with { cluster in
        let nodes = try await cluster.startAll()
        let holder = try await nodes[0].command("x", .protectedWrite)
        #expect(try await holder.nextReply() == .lockGranted)
        let refused = try await nodes[1].command("x", .exclusive, isNonBlocking: true)
        guard case .failed(let failure) = try await refused.nextReply() else {
          Issue.record("granted although held")
          return
        }
        #expect(failure.reason == .wouldBlock)
        #expect(failure.message.contains("x in lockspace work"))
        try await refused.close()
        try await eventually("node 2 has left the lockspace") {
          try await nodes[1].status().lockspace(Name.space)?.members == [Name.one]
        }
      }
    }

    @Test func `rubbish gets an error or a close, and a second request is refused`() async throws {
      try await TestCluster.with { cluster in
        let node = try await cluster.startAll()[0]
        for bytes in rubbish {
          let client = try await SocketClient.connect(to: node.adminSocket)
          try await client.send(bytes)
          guard let message = try await client.next() else { continue }
          guard case .failed(let failure) = try AdminReply(decoding: message) else {
            Issue.record("rubbish was understood")
            return
          }
          #expect(failure.reason == .invalidRequest)
        }
        let client = try await node.command("x", .exclusive)
        #expect(try await client.nextReply() == .lockGranted)
        try await client.send(AdminRequest.status.encode())
        #expect(try await client.isSilent(for: Self.pause))
        #expect(try await node.status().members == cluster.loopback.nodes)
        #expect(try await node.locks().count == 1)
      }
    }
  }
}
