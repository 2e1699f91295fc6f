import ByteCoding
import ClusterTypes
import Testing

@testable import ClusterMembership

@Suite struct CorosyncMessageTests {
  private func messages() throws -> [CorosyncMessage] {
    let one = NodeInstance(try #require(NodeID(1)), Incarnation(7))
    let two = NodeInstance(try #require(NodeID(2)), Incarnation(9))
    let member = Member(instance: one, bootID: "b", startedClean: true)
    let entry = Entry(index: 5, sender: two, request: OrderRequest(sequence: 1, payload: [1, 2]))
    let history = ProviderMessage.History(
      view: View(id: 2, members: [member]), delivered: 4, pending: [entry], snapshot: [9],
      removed: [two])
    let noted = ProviderMessage.Proposal(
      ballot: Ballot(round: 3, proposer: one.node), view: View(id: 3, members: [member]),
      base: history)
    let stage = GroupStage(
      ring: GroupRing(representative: 1, sequence: 8),
      processes: [GroupProcess(node: one.node, pid: 10), GroupProcess(node: two.node, pid: 20)])
    return [
      .standing(stage, member, .init(history: history, noted: noted)),
      .standing(stage, member, .init(history: history, noted: nil)),
      .noted(stage, viewID: 3), .submit(viewID: 3, OrderRequest(sequence: 1, payload: [0])),
      .acknowledge(OrderedPlace(viewID: 3, index: 5)), .renew(viewID: 3),
      .expel(stage.processes[1]),
    ]
  }

  @Test func `every kind reads back`() throws {
    for message in try messages() {
      #expect(try CorosyncMessage(decoding: message.encoded) == message)
    }
  }

  @Test func `every truncation is refused, and no changed byte traps`() throws {
    for message in try messages() {
      let bytes = message.encoded
      for count in 0..<bytes.count {
        #expect(throws: ByteDecodingError.self) {
          try CorosyncMessage(decoding: Array(bytes.prefix(count)))
        }
      }
      for index in bytes.indices {
        var changed = bytes
        changed[index] ^= 0xFF
        _ = try? CorosyncMessage(decoding: changed)
      }
    }
  }

  @Test func `numbers from which counting on would overflow are refused`() throws {
    let huge = UInt64.max / 4 + 1
    for message: CorosyncMessage in [
      .renew(viewID: huge), .acknowledge(OrderedPlace(viewID: 1, index: huge)),
      .submit(viewID: huge, OrderRequest(sequence: 1, payload: [])),
    ] {
      #expect(throws: ByteDecodingError.self) { try CorosyncMessage(decoding: message.encoded) }
    }
  }
}
