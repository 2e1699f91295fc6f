import ByteCoding
import ClusterSimulation
import ClusterTypes
import Testing

@testable import KeeperProtocol

@Suite struct KeeperMessageTests {
  static let node1 = NodeInstance(NodeID(1).unsafelyUnwrapped, Incarnation(11))
  static let node2 = NodeInstance(NodeID(2).unsafelyUnwrapped, Incarnation(1 << 40))

  static let space = LockspaceName("A0B1").unsafelyUnwrapped

  static let table = KernelTable(
    local: node1, comms: [node1.node: node1.incarnation, node2.node: node2.incarnation],
    spaces: [
      LockspaceName("A0B1").unsafelyUnwrapped: StartedSpace(
        generation: 7, members: [node1, node2]),
      LockspaceName("lvm_vg").unsafelyUnwrapped: StartedSpace(
        generation: 9, members: [node1],
        next: StartedSpace.Start(generation: 10, members: [node1, node2])),
    ])

  static let requests: [KeeperRequest] = [
    .hello(version: 1, .calls), .hello(version: 9, .events),
    .arm(device: "/dev/watchdog", timeoutMilliseconds: 6000, petMilliseconds: 1000), .control,
    .note(table), .note(KernelTable()), .answer(directory: "A0B1", sequence: 762, result: -5),
    .bind(true), .bind(false), .lease(until: .max), .reset(reason: "evicted"), .farewell,
  ]

  static let replies: [KeeperReply] = [
    .done, .welcome(KeeperState()),
    .welcome(
      KeeperState(
        table: table, isBound: true, isControlling: true,
        watchdog: WatchdogFacts(
          device: "/dev/watchdog0", identity: "iTCO_wdt", timeoutMilliseconds: 6000))),
    .armed(
      WatchdogFacts(
        device: "/dev/watchdog", identity: "Software Watchdog", timeoutMilliseconds: 10_000)),
    .answeredBefore, .refused(reason: "busy"), .announced(Array("online@/x\0".utf8)),
    .announcementsLost,
  ]

  @Test(arguments: requests)
  func `a request comes back as it was`(request: KeeperRequest) throws {
    #expect(try KeeperRequest(decoding: request.encoded) == request)
    try expectTotal(request.encoded) { try KeeperRequest(decoding: $0) }
  }

  @Test(arguments: replies)
  func `a reply comes back as it was`(reply: KeeperReply) throws {
    #expect(try KeeperReply(decoding: reply.encoded) == reply)
    try expectTotal(reply.encoded) { try KeeperReply(decoding: $0) }
  }

  @Test func `the largest table fits into a message`() {
    var table = KernelTable(local: Self.node1)
    let members = (1...KernelTable.maximumNodes).compactMap { number in
      NodeID(Int32(number)).map { NodeInstance($0, Incarnation(.max)) }
    }
    for member in members { table.comms[member.node] = member.incarnation }
    for number in 0..<KernelTable.maximumSpaces {
      let text = String(repeating: "x", count: 62) + (number < 10 ? "0" : "") + "\(number)"
      table.spaces[LockspaceName(text).unsafelyUnwrapped] = StartedSpace(
        generation: .max, members: members,
        next: StartedSpace.Start(generation: .max, members: members))
    }
    #expect(KeeperRequest.note(table).encoded.count <= KeeperProtocol.maximumBytes)
  }

  @Test func `a start that the kernel took counts with all that was written before it`() {
    var table = KernelTable(
      local: Self.node1, comms: [Self.node2.node: Incarnation(3)],
      spaces: [
        Self.space: StartedSpace(
          generation: 4, members: [Self.node1, NodeInstance(Self.node2.node, Incarnation(3))],
          next: StartedSpace.Start(generation: 5, members: [Self.node1, Self.node2]))
      ])
    table.settleStarts { _ in true }
    #expect(
      table.spaces[Self.space]
        == StartedSpace(generation: 5, members: [Self.node1, Self.node2]))
    #expect(table.comms[Self.node2.node] == Self.node2.incarnation)
  }

  @Test func `of a start that the kernel did not take, the new entries are unknown`() {
    let before = StartedSpace(
      generation: 4, members: [Self.node1, NodeInstance(Self.node2.node, Incarnation(3))])
    var table = KernelTable(
      local: Self.node1,
      comms: [Self.node1.node: Self.node1.incarnation, Self.node2.node: Incarnation(3)],
      spaces: [Self.space: before])
    table.spaces[Self.space]?.next = StartedSpace.Start(
      generation: 5, members: [Self.node1, Self.node2])
    table.settleStarts { _ in false }
    #expect(table.spaces[Self.space] == before)
    #expect(table.comms == [Self.node1.node: Self.node1.incarnation])
  }

  /// Cut and damaged bytes are errors, or another whole message; never a trap.
  private func expectTotal<Message>(
    _ bytes: [UInt8], _ decode: ([UInt8]) throws -> Message
  ) throws {
    for count in 0..<bytes.count {
      #expect(throws: ByteDecodingError.self) { try decode(Array(bytes[..<count])) }
    }
    #expect(throws: ByteDecodingError.self) { try decode(bytes + [0]) }
    var random = SeededGenerator(seed: UInt64(bytes.count))
    for _ in 0..<500 {
      var damaged = bytes
      damaged[Int.random(in: damaged.indices, using: &random)] = .random(
        in: 0...255, using: &random)
      _ = try? decode(damaged)
    }
  }
}
