import ByteCoding
import ClusterTypes
import Testing

@testable import PosixLocks

@Suite struct PosixLockRecordTests {
  /// As a Linux 6.1 kernel writes it for F_SETLKW of bytes 16 to 31.
  private static let bytes: [UInt8] =
    [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0] + [1, 1, 1, 0] + [0x39, 5, 0, 0] + [0, 0, 0, 0]
    + [0, 0, 0, 0] + [0xEF, 0xBE, 0xAD, 0xDE] + [7, 1, 0, 0, 0, 0, 0, 0]
    + [16, 0, 0, 0, 0, 0, 0, 0] + [31, 0, 0, 0, 0, 0, 0, 0]
    + [0x80, 0x70, 0x60, 0x50, 0x40, 0x88, 0xFF, 0xFF]

  @Test func `a record of the kernel is read field by field`() throws {
    let record = try PosixLockRecord(Self.bytes)
    #expect(record.lockspace == 0xDEAD_BEEF)
    #expect(
      record.request
        == PosixLockRequest(
          .lock, inode: 263, start: 16, end: 31, owner: 0xFFFF_8840_5060_7080, isExclusive: true,
          waits: true, processID: 1337))
  }

  @Test func `an answer has the fields by which the kernel finds who waits`() throws {
    let answer = try PosixLockRecord(Self.bytes).answered(.failure(.wouldBlock))
    #expect(answer[24..<28] == [0xF5, 0xFF, 0xFF, 0xFF])
    #expect(answer[12..<24] == Self.bytes[12..<24])
    #expect(answer[28...] == Self.bytes[28...])
    #expect(answer[0] == 1)
    #expect(answer[4] <= Self.bytes[4], "a kernel takes no answer of a newer version than its own")
  }

  @Test func `the answer to a question tells the lock that is in the way`() throws {
    let record = PosixLockRecord(
      lockspace: 1, request: PosixLockRequest(.get, inode: 2, owner: 3, isExclusive: true))
    let holder = PosixLockHolder(node: NodeInstance(NodeID(2)!, Incarnation(1)), owner: 9)
    let answer = record.answered(
      .conflict(
        HeldPosixLock(start: 4, end: 5, isExclusive: false, holder: holder, processID: 66)))
    #expect(answer[13] == 0)
    #expect(answer[16] == 66)
    #expect(answer[20] == 2)
    #expect(answer[24] == 1)
    #expect(answer[40] == 4)
    #expect(answer[48] == 5)
    #expect(answer[56] == 3)
  }

  @Test func `what cannot be a record is refused, what cannot be served is answered`() throws {
    #expect(throws: ByteDecodingError.self) { try PosixLockRecord(Self.bytes.dropLast()) }
    #expect(throws: ByteDecodingError.self) { try PosixLockRecord([2] + Self.bytes.dropFirst()) }
    var unknown = Self.bytes
    unknown[12] = 77
    #expect(try PosixLockRecord(unknown).request.operation == .unsupported)
    var backwards = Self.bytes
    backwards[41] = 1
    #expect(try PosixLockRecord(backwards).request.operation == .unsupported)
  }
}

@Suite struct PosixLockMessageTests {
  private static let node = NodeInstance(NodeID(3)!, Incarnation(7))
  private static let request = PosixLockRequest(
    .lock, inode: 5, start: 1, end: 2, owner: 4, isExclusive: false, waits: true, processID: 9)

  private static let messages: [PosixLockMessage] = [
    .hello(
      .init(
        generation: 4, isEnabled: true, standing: .known(generation: 3, index: 8), applied: nil,
        wantsReply: true)),
    .hello(
      .init(generation: 4, isEnabled: false, standing: .lost, applied: 3, wantsReply: false)),
    .fetch(generation: 4, offset: 99),
    .part(generation: 4, offset: 1, total: 9, checksum: 77, bytes: [1, 2, 3]),
    .submit(generation: 4, sequence: 2, applied: 1, request: request),
    .ordered(
      generation: 4,
      OrderedPosixLockRequest(
        index: 1, origin: node, sequence: 2, originIndex: 0, request: request)),
    .acknowledged(generation: 4, applied: 64),
  ]

  @Test(arguments: messages) func `a message survives its bytes`(message: PosixLockMessage) throws {
    #expect(try PosixLockMessage(decoding: message.encoded) == message)
    #expect(throws: ByteDecodingError.self) {
      try PosixLockMessage(decoding: message.encoded.dropLast())
    }
    #expect(throws: ByteDecodingError.self) {
      try PosixLockMessage(decoding: message.encoded + [0])
    }
  }

  @Test func `entries of a journal end where one was cut off`() {
    let entries: [PosixLockJournalEntry] = [
      .image([1, 2]), .request(sequence: 3, Self.request), .answered(sequence: 3),
    ]
    let bytes = entries.flatMap(\.encoded)
    #expect(PosixLockJournalEntry.entries(in: bytes) == entries)
    #expect(PosixLockJournalEntry.entries(in: bytes.dropLast()) == Array(entries.dropLast()))
    var damaged = bytes
    damaged[entries[0].encoded.count + 12] ^= 1
    #expect(PosixLockJournalEntry.entries(in: damaged) == [entries[0]])
  }
}

@Suite struct PosixLockRateTests {
  @Test func `no more are taken a second than the limit`() {
    var rate = PosixLockRate(limit: 2)
    let now = Timestamp(milliseconds: 5000)
    #expect(rate.take(at: now) == nil)
    #expect(rate.take(at: now + .milliseconds(300)) == nil)
    rate.giveBack()
    #expect(rate.take(at: now + .milliseconds(400)) == nil)
    #expect(rate.take(at: now + .milliseconds(600)) == .milliseconds(400))
    #expect(rate.take(at: now + .milliseconds(1000)) == nil)
    var free = PosixLockRate(limit: 0)
    for _ in 0..<100 { #expect(free.take(at: now) == nil) }
  }
}
