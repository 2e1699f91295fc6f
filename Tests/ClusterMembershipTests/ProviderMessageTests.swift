import ByteCoding
import ClusterTypes
import Testing

@testable import ClusterMembership

@Suite struct ProviderMessageTests {
  private let one = NodeInstance(NodeID(1)!, Incarnation(7))
  private let two = NodeInstance(NodeID(2)!, Incarnation(9))

  private var messages: [ProviderMessage] {
    let member = Member(instance: one, bootID: "b", startedClean: true)
    let ballot = Ballot(round: 3, proposer: one.node)
    let entry = Entry(index: 5, sender: two, sequence: 1, payload: [1, 2])
    let history = ProviderMessage.History(
      view: View(id: 2, members: [member]), delivered: 4, pending: [entry], snapshot: [9],
      removed: [two])
    let proposal = ProviderMessage.Proposal(
      ballot: ballot, view: View(id: 3, members: [member]), base: history)
    let standing = ProviderMessage.Standing(history: history, noted: proposal)
    return [
      .links([one, two]), .propose(ballot, candidates: [member]), .accept(ballot, standing),
      .install(proposal), .noted(ballot), .commit(ballot),
      .submit(viewID: 3, sequence: 1, payload: [0]), .order(viewID: 3, entry),
      .acknowledge(viewID: 3, index: 5), .stable(viewID: 3, index: 5),
      .evicted(Incarnation(1), viewID: 8),
    ]
  }

  @Test func everyKindReadsBack() throws {
    for message in messages { #expect(try ProviderMessage(decoding: message.encoded) == message) }
  }

  @Test func everyTruncationAndEveryByteFlipIsAValueOrAnError() {
    for message in messages {
      let bytes = message.encoded
      for count in 0..<bytes.count {
        #expect(throws: ByteDecodingError.self) {
          try ProviderMessage(decoding: Array(bytes.prefix(count)))
        }
      }
      for index in bytes.indices {
        var changed = bytes
        changed[index] ^= 0xFF
        _ = try? ProviderMessage(decoding: changed)
      }
    }
  }
}
