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
    let entry = Entry(index: 5, sender: two, request: OrderRequest(sequence: 1, payload: [1, 2]))
    let history = ProviderMessage.History(
      view: View(id: 2, members: [member]), delivered: 4, pending: [entry], snapshot: [9],
      removed: [two])
    let proposal = ProviderMessage.Proposal(
      ballot: ballot, view: View(id: 3, members: [member]), base: history)
    let standing = ProviderMessage.Standing(history: history, noted: proposal)
    return [
      .links([one, two]), .propose(ballot, candidates: [member]), .accept(ballot, standing),
      .outpaced(ballot), .install(proposal), .noted(ballot), .commit(ballot),
      .submit(viewID: 3, OrderRequest(sequence: 1, payload: [0])), .order(viewID: 3, entry),
      .acknowledge(OrderedPlace(viewID: 3, index: 5)), .stable(OrderedPlace(viewID: 3, index: 5)),
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

  @Test func numbersFromWhichCountingOnWouldOverflowAreRefused() {
    let huge = UInt64.max / 4 + 1
    let entry = Entry(index: huge, sender: two, request: OrderRequest(sequence: 1, payload: []))
    let history = ProviderMessage.History(
      view: View(id: huge, members: []), delivered: 0, pending: [], snapshot: [], removed: [])
    let late = ProviderMessage.History(
      view: .none, delivered: huge, pending: [], snapshot: [], removed: [])
    let ballot = Ballot(round: 1, proposer: one.node)
    for message in [
      .propose(Ballot(round: huge, proposer: one.node), candidates: []),
      .order(viewID: 1, entry), .stable(OrderedPlace(viewID: 1, index: huge)),
      .accept(ballot, ProviderMessage.Standing(history: history, noted: nil)),
      .accept(ballot, ProviderMessage.Standing(history: late, noted: nil)),
    ] as [ProviderMessage] {
      #expect(throws: ByteDecodingError.self) { try ProviderMessage(decoding: message.encoded) }
    }
  }

  @Test func theLargestMessageFitsAFrame() throws {
    let boot = String(repeating: "b", count: Member.maximumBootIDLength)
    let members = (1...Int32(ProviderLimits.nodes)).map {
      Member(instance: NodeInstance(NodeID($0)!, Incarnation(1)), bootID: boot, startedClean: true)
    }
    let payload = [UInt8](repeating: 1, count: ProviderLimits.payload)
    let entries = (1...ProviderLimits.pendingEntries).map {
      Entry(index: UInt64($0), sender: one, request: OrderRequest(sequence: 1, payload: payload))
    }
    let history = ProviderMessage.History(
      view: View(id: 1, members: members), delivered: 0, pending: entries,
      snapshot: [UInt8](repeating: 2, count: ProviderLimits.snapshot),
      removed: members.map(\.instance))
    let ballot = Ballot(round: 1, proposer: one.node)
    let proposal = ProviderMessage.Proposal(ballot: ballot, view: history.view, base: history)
    let message = ProviderMessage.accept(
      ballot, ProviderMessage.Standing(history: history, noted: proposal))
    #expect(message.encoded.count <= ProviderLimits.message)
    #expect(try ProviderMessage(decoding: message.encoded) == message)
    for count in 1...ProviderLimits.nodes {
      #expect(
        ProviderLimits.submissionsInFlight(members: count) * count <= ProviderLimits.pendingEntries)
    }
  }

  @Test func whatIsTooLargeIsReportedAndNotSent() {
    let local = Member(instance: one, bootID: "b", startedClean: true)
    var provider = ExternalProvider(
      .init(
        local: local, nodes: [one.node], settle: .zero, linkGrace: .zero,
        roundTimeout: .seconds(1)))
    var effects: [MembershipEffect] = []
    let isReport = { (effect: MembershipEffect) in
      if case .report = effect { true } else { false }
    }
    provider.handle(
      .submit([UInt8](repeating: 0, count: ProviderLimits.payload + 1)),
      at: Timestamp(milliseconds: 1), effects: &effects)
    #expect(effects.contains(where: isReport))
    #expect(effects.contains(.snapshotNeeded))
    effects = []
    provider.handle(
      .snapshot([UInt8](repeating: 0, count: ProviderLimits.snapshot + 1)),
      at: Timestamp(milliseconds: 1), effects: &effects)
    #expect(effects.contains(where: isReport))
    #expect(provider.view == .none)
  }
}
