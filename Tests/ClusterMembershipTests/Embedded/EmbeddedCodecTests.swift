import ByteCoding
import ClusterTypes
import Testing

@testable import ClusterMembership

/// Messages, the record, the persisted slots and the quorum disk: what is encoded decodes to the
/// same, and whatever is damaged is an error value.
@Suite struct EmbeddedCodecTests {
  @Test func everyMessageDecodesToItself() throws {
    var random = RandomRecords(seed: 1)
    for round in 0..<500 {
      let message = random.message()
      let bytes = message.encoded
      guard bytes.count <= MembershipMessage.maximumBytes else { continue }
      #expect(try MembershipMessage(decoding: bytes) == message, "round \(round)")
    }
  }

  @Test func noTruncatedOrAlteredMessageTraps() throws {
    var random = RandomRecords(seed: 2)
    for _ in 0..<150 {
      let bytes = random.message().encoded
      for length in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 30)) {
        #expect(throws: ByteDecodingError.self) {
          try MembershipMessage(decoding: Array(bytes[..<length]))
        }
      }
      for _ in 0..<30 {
        var damaged = bytes
        damaged[Int(random.number(0...UInt64(bytes.count - 1)))] = UInt8(random.number(0...255))
        _ = try? MembershipMessage(decoding: damaged)
      }
    }
  }

  @Test func messageAboveTheLimitIsRefused() {
    #expect(throws: ByteDecodingError.self) {
      try MembershipMessage(
        decoding: [UInt8](repeating: 0, count: MembershipMessage.maximumBytes + 1))
    }
  }

  @Test func largestRecordThatIsAllowedFitsAMessageAndASlot() {
    // The header of a decision, a full batch and the record's limit.
    let decision = RecordLimits.bytes + Decision.maximumBatchBytes + 64 * 24 + 64
    #expect(decision + 256 <= MembershipMessage.maximumBytes)
    #expect(decision + 512 <= PersistentSlots.maximumBytes)
  }

  private func state(_ random: inout RandomRecords) -> PersistentState {
    var state = PersistentState(
      slot: random.slot(), genesis: random.record(), incarnation: random.incarnation(),
      bootID: random.bootID(), amnesia: random.number())
    state.promisedTerm = random.number()
    state.votedFor = random.flag() ? random.slot() : nil
    state.accepted = random.decision()
    state.life = random.small()
    state.wasDirty = random.flag()
    state.neverStarted = random.list(16) { $0.incarnation() }
    return state
  }

  @Test func newerOfTwoWholeSlotsCountsAndATornOneNever() throws {
    var random = RandomRecords(seed: 3)
    for _ in 0..<50 {
      let (old, new) = (state(&random), state(&random))
      let first = PersistentSlots.encode(old, number: 6)
      let second = PersistentSlots.encode(new, number: 7)
      let whole = try #require(PersistentSlots.newest(first, second + [0, 0]))
      #expect(whole.state == new && whole.number == 7)
      var torn = second
      torn[Int(random.number(24...UInt64(torn.count - 1)))] ^= 1
      #expect(PersistentSlots.newest(first, torn)?.state == old)
      #expect(PersistentSlots.newest([], torn) == nil)
    }
  }

  @Test func quorumDiskSlotDecodesAndATornOneIsNoEmptyOne() throws {
    var random = RandomRecords(seed: 4)
    let layout = try #require(QuorumDiskLayout(clusterID: 5, blockSize: 512))
    #expect(try QuorumDiskLayout(regionHeader: layout.regionHeader) == layout)
    let zeros = [UInt8](repeating: 0, count: 512)
    let slot = try #require(NodeSlot(3))
    #expect(try layout.decode(slot, headers: [zeros, zeros]) { _ in nil } == nil)
    for counter in UInt64(1)...20 {
      var content = DiskSlot(slot: slot, incarnation: random.incarnation())
      content.counter = counter
      content.ballot = random.number()
      content.acceptedBallot = random.number()
      content.decision = random.decision()
      let (header, body) = layout.encode(content)
      #expect(try layout.decode(slot, headers: [zeros, header]) { _ in body } == content)
      var torn = header
      torn[Int(random.number(0...511))] ^= 4
      #expect(throws: ByteDecodingError.self) {
        try layout.decode(slot, headers: [torn, zeros]) { _ in body }
      }
      var damaged = body
      damaged[Int(random.number(0...15))] ^= 4
      #expect(throws: ByteDecodingError.self) {
        try layout.decode(slot, headers: [header, zeros]) { _ in damaged }
      }
    }
  }

  @Test func mailIsReadOrIgnored() throws {
    let layout = try #require(QuorumDiskLayout(clusterID: 5, blockSize: 4096))
    let mail = DiskMail(
      victim: try #require(NodeSlot(1)), incarnation: Incarnation(9), viewID: 4)
    var bytes = layout.encode(mail)
    #expect(layout.decodeMail(bytes) == mail)
    bytes[20] ^= 1
    #expect(layout.decodeMail(bytes) == nil)
    #expect(layout.decodeMail([]) == nil)
  }

  @Test func regionsOnTheDiskDoNotOverlap() throws {
    let layout = try #require(QuorumDiskLayout(clusterID: 5, blockSize: 512))
    var regions: [(Int, Int)] = [(0, 512)]
    for index in 0..<NodeSlot.limit {
      let slot = try #require(NodeSlot(index))
      for counter in UInt64(0)...1 {
        regions.append((layout.headerOffset(slot, counter: counter), 512))
        regions.append((layout.bodyOffset(slot, counter: counter), QuorumDiskLayout.bodyBytes))
      }
      regions.append((layout.mailOffset(slot), 512))
    }
    regions.sort { $0.0 < $1.0 }
    for (one, next) in zip(regions, regions.dropFirst()) { #expect(one.0 + one.1 <= next.0) }
    #expect(regions.last.map { $0.0 + $0.1 } == layout.byteCount)
  }

  @Test func bootIDIsTheKernelsText() throws {
    let text = "6f1d0e5c-00aa-4b7c-8f00-0123456789ab"
    #expect(try #require(BootID(text)).description == text)
    #expect(BootID("6f1d0e5c") == nil)
    #expect(BootID("zf1d0e5c-00aa-4b7c-8f00-0123456789ab") == nil)
  }
}
