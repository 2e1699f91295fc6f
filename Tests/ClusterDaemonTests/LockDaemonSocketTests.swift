import AdminProtocol
import ClusterDaemon
import Testing

extension ClusterTests {
  @Suite struct LockDaemonSocketTests {
    private static let pause = Duration.milliseconds(150)
    private static let startFields: KeyValuePairs = [
      "vg_name": "vg1", "vg_lock_type": "dlm", "vg_lock_args": "1.0.0:loopback",
      "vg_uuid": "5uuLBz-szSm-X9Cx-aiak-WF0J-6NdO-lndBns",
    ]
    private static let volumeFields: KeyValuePairs = [
      "mode": "ex", "opts": "persistent", "vg_name": "vg1", "lv_name": "lv1",
      "lv_uuid": "pg3gJ7-szSm-X9Cx-aiak-WF0J-6NdO-lndBns",
    ]
    private static let noLockspace: Int64 = -210

    /// Commands on two nodes, on which the volume group vg1 has been started.
    private func withStarted(
      _ body: (_ nodes: [LoopbackNode], _ here: LockDaemonCommand, _ there: LockDaemonCommand)
        async throws -> Void
    ) async throws {
      try await TestCluster.with { cluster in
        let nodes = try await cluster.startAll()
        let commands = [
          try await LockDaemonCommand(on: nodes[0]), try await LockDaemonCommand(on: nodes[1]),
        ]
        for command in commands {
          #expect(try await command.ask("start_vg", Self.startFields) == 0)
          #expect(try await command.ask("start_wait") == 0)
        }
        try await body(nodes, commands[0], commands[1])
      }
    }

    @Test(arguments: ["lock_gl", "lock_vg"])
    func `ex on one node keeps sh on another waiting, sh and sh do not`(
      request: String
    ) async throws {
      try await withStarted { _, here, there in
        #expect(try await here.ask(request, ["mode": "ex", "vg_name": "vg1"]) == 0)
        try await there.send(request, ["mode": "sh", "vg_name": "vg1"])
        #expect(try await there.isWaiting(after: Self.pause))
        #expect(try await here.ask(request, ["mode": "un", "vg_name": "vg1"]) == 0)
        #expect(try await there.result() == 0)
        #expect(try await here.ask(request, ["mode": "sh", "vg_name": "vg1"]) == 0)
      }
    }

    @Test func `the ex lock of a command that dies is free for the other node`() async throws {
      try await withStarted { _, here, there in
        #expect(try await here.ask("lock_vg", ["mode": "ex", "vg_name": "vg1"]) == 0)
        try await there.send("lock_vg", ["mode": "ex", "vg_name": "vg1"])
        #expect(try await there.isWaiting(after: Self.pause))
        try await here.close()
        #expect(try await there.result() == 0)
      }
    }

    @Test func `a command that dies while it waits takes no lock`() async throws {
      try await withStarted { nodes, here, there in
        #expect(try await here.ask("lock_vg", ["mode": "ex", "vg_name": "vg1"]) == 0)
        let dying = try await LockDaemonCommand(on: nodes[1])
        try await dying.send("lock_vg", ["mode": "ex", "vg_name": "vg1"])
        #expect(try await dying.isWaiting(after: Self.pause))
        try await dying.close()
        #expect(try await here.ask("lock_vg", ["mode": "un", "vg_name": "vg1"]) == 0)
        #expect(try await there.ask("lock_vg", ["mode": "ex", "vg_name": "vg1"]) == 0)
      }
    }

    @Test func `an LV that is active exclusively is refused elsewhere at once`() async throws {
      try await withStarted { _, here, there in
        let locked = try await here.ask("lock_lv", Self.volumeFields)
        #expect(locked == 0)
        try await there.send("lock_lv", Self.volumeFields)
        let refusal = try await there.reply()
        #expect(refusal.integer("op_result") == -11)
        #expect(refusal.integer("owner_host_id") == 1)
        #expect(refusal.string("owner_name")?.hasSuffix("for active volume lv1") == true)
        // It outlives the command, and keeps the volume group started.
        #expect(try await here.ask("stop_vg", ["vg_name": "vg1"]) == -16)
      }
    }

    @Test func `a volume group is busy as long as another node has it started`() async throws {
      try await withStarted { nodes, here, there in
        #expect(try await here.ask("busy_vg", ["vg_name": "vg1"]) == -16)
        #expect(try await there.ask("stop_vg", ["vg_name": "vg1"]) == 0)
        #expect(try await here.ask("busy_vg", ["vg_name": "vg1"]) == 0)
        let stopped = try await there.ask("lock_vg", ["mode": "ex", "vg_name": "vg1"])
        #expect(stopped == Self.noLockspace)
        #expect(try await there.ask("stop_vg", ["vg_name": "vg1"]) == Self.noLockspace)
        #expect(try await nodes[0].status().volumeGroups.map(\.name) == ["vg1"])
        #expect(try await nodes[1].status().volumeGroups.isEmpty)
      }
    }

    @Test func `a volume group starts again on a node where it was just stopped`() async throws {
      try await withStarted { _, here, there in
        for _ in 0..<3 {
          #expect(try await there.ask("stop_vg", ["vg_name": "vg1"]) == 0)
          #expect(try await there.ask("start_vg", Self.startFields) == 0)
        }
        #expect(try await there.ask("lock_vg", ["mode": "ex", "vg_name": "vg1"]) == 0)
        try await here.send("lock_vg", ["mode": "sh", "vg_name": "vg1"])
        #expect(try await here.isWaiting(after: Self.pause))
      }
    }

    @Test func `a volume group of another cluster is not started`() async throws {
      try await TestCluster.with { cluster in
        let nodes = try await cluster.startAll()
        let command = try await LockDaemonCommand(on: nodes[0])
        let result = try await command.ask(
          "start_vg",
          ["vg_name": "vg1", "vg_lock_type": "dlm", "vg_lock_args": "1.0.0:elsewhere"])
        #expect(result == -212)
        #expect(
          try await command.ask("lock_vg", ["mode": "sh", "vg_name": "vg1"]) == Self.noLockspace)
      }
    }

    @Test func `without quorum a command hears at once that there is no lock manager`() async throws
    {
      try await TestCluster.with { cluster in
        let node = try await cluster.start(Name.one)
        let command = try await LockDaemonCommand(on: node)
        #expect(try await command.ask("start_vg", Self.startFields) == -214)
        #expect(try await command.ask("lock_gl", ["mode": "ex"]) == Self.noLockspace)
      }
    }

    @Test func `rubbish is answered or ends the connection, and harms nobody`() async throws {
      try await withStarted { nodes, here, there in
        #expect(try await here.ask("lock_vg", ["mode": "ex", "vg_name": "vg1"]) == 0)
        let unknown = try await LockDaemonCommand(on: nodes[0])
        #expect(try await unknown.ask("dance") == -22)
        #expect(try await unknown.ask("lock_vg", ["mode": "ex", "vg_name": "../etc"]) == -22)
        #expect(try await unknown.ask("lock_vg", ["mode": "sideways", "vg_name": "vg1"]) == -22)
        for bytes in rubbish {
          let client = try await SocketClient.connect(to: nodes[0].lockDaemonSocket)
          try await client.send(bytes)
          _ = try await client.next()
        }
        try await there.send("lock_vg", ["mode": "ex", "vg_name": "vg1"])
        #expect(try await there.isWaiting(after: Self.pause))
        #expect(try await here.ask("lock_vg", ["mode": "un", "vg_name": "vg1"]) == 0)
        #expect(try await there.result() == 0)
      }
    }
  }
}

/// Messages that are none, and one that never ends.
let rubbish: [[UInt8]] = [
  Array("\n##\n".utf8),
  Array("request = [[[[\n##\n".utf8),
  Array("}}}} = \"\n##\n".utf8),
  [0, 255, 254, 0, 13, 10] + Array("\n##\n".utf8),
  Array(repeating: UInt8(ascii: "a"), count: 200 << 10),
]
