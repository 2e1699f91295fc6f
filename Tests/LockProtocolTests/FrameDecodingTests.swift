import ClusterSimulation
import ClusterTypes
import Testing

@testable import LockProtocol

/// What the network may send and no honest peer does.
struct FrameDecodingTests {
  private let node: NodeID
  private let status: [UInt8]
  private let request: [UInt8]

  init() throws {
    node = try #require(NodeID(3))
    let id = LockspaceID(0xBFED_00CE)
    let statusMessage = RecoveryMessage(
      .status(needsSlots: true), lockspaceID: id, sender: node, id: 9, sequence: 4)
    status = Frame(.bare(.recovery(statusMessage)), sender: node).encoded()
    let requestMessage = LockMessage(
      .request, lockspaceID: id, sender: node, requestedMode: .ex, extra: Array("name".utf8))
    request = Frame(.sequenced(5, .lock(requestMessage)), sender: node).encoded()
  }

  private func error(of bytes: [UInt8]) -> FrameDecodingError? {
    do {
      _ = try Frame(decoding: bytes)
      return nil
    } catch {
      return error
    }
  }

  @Test func unknownVersionSenderAndCommandAreNamed() {
    var bytes = status
    bytes[0] = 3
    #expect(error(of: bytes) == .version(ProtocolVersion(rawValue: 0x0003_0003)))
    bytes = status
    bytes[11] = 0x80
    #expect(error(of: bytes) == .sender(Int32.min + 3))
    bytes = status
    bytes[14] = 9
    #expect(error(of: bytes) == .command(9))
    bytes = status
    bytes[14] = 5
    #expect(error(of: bytes) == .malformed("a bare finish message"))
  }

  @Test func lengthFieldMustBeTheLength() {
    #expect(error(of: Array(status.dropLast())) == .length(status.count))
    #expect(error(of: status + [0]) == .length(status.count))
    #expect(error(of: []) != nil)
  }

  @Test func everyShorterRecoveryMessageIsRefusedNotRead() {
    for length in 16..<64 {
      var bytes = Array(status.prefix(length))
      bytes[12] = UInt8(length)
      #expect(error(of: bytes) != nil, "\(length) bytes")
    }
  }

  @Test func envelopeErrorsKeepTheSequenceNumber() {
    var bytes = request
    bytes[40] = 99  // The inner message's type.
    #expect(error(of: bytes) == .envelope(sequence: 5, .malformed("lock message: type 99")))
    bytes = request
    bytes[16] = 2  // Announced as a recovery message.
    #expect(error(of: bytes) == .envelope(sequence: 5, .malformed("command 1 announced as 2")))
    bytes = request
    bytes[18] = 0xFF  // Options longer than the message.
    bytes[19] = 0xFF
    guard case .envelope(5, .malformed) = error(of: bytes) else {
      Issue.record("options past the end were accepted")
      return
    }
  }

  @Test func optionsAreSkipped() throws {
    var bytes = request
    bytes.insert(contentsOf: [1, 0, 0, 0, 0, 0, 0, 0], at: 24)
    bytes[18] = 8
    bytes[12] += 8
    #expect(try Frame(decoding: bytes) == Frame(decoding: request))
  }

  @Test func modesAndQueuesOutsideTheirTablesAreRefused() {
    for (offset, value) in [(24 + 64, 4), (24 + 68, 6), (24 + 72, 0x80), (24 + 76, 0xFF)] {
      var bytes = request
      bytes[offset] = UInt8(value)
      #expect(error(of: bytes) != nil, "offset \(offset)")
    }
  }

  @Test func statusReplyWithMoreSlotsThanBytesIsRefused() {
    let message = RecoveryMessage(
      .statusReply(StatusReply(configuration: LockspaceConfiguration(lvbLength: 32))),
      lockspaceID: LockspaceID(1), sender: node, id: 1, sequence: 1)
    var bytes = Frame(.bare(.recovery(message)), sender: node).encoded()
    bytes[48 + 14] = 0xFF
    bytes[48 + 15] = 0xFF
    #expect(error(of: bytes) != nil)
  }

  @Test func namesReplyWithoutEndOrWithALongNameIsRefused() throws {
    let name = try #require(ResourceName("abc"))
    let message = RecoveryMessage(
      .namesReply(NamesBlock(names: [name], isLast: true)), lockspaceID: LockspaceID(1),
      sender: node, id: 1, sequence: 1, tail: [])
    let bytes = Frame(.bare(.recovery(message)), sender: node).encoded()
    #expect(error(of: bytes) == nil)
    var endless = Array(bytes.dropLast(2))
    endless[12] -= 2
    #expect(error(of: endless) != nil)
    var long = bytes
    long[49] = 65
    #expect(error(of: long) != nil)
  }

  @Test func namesBlocksAreFilledToTheKernelsLimit() throws {
    let names = try (0..<200).map {
      try #require(ResourceName("name-\($0)-" + String(repeating: "x", count: 40)))
    }
    let block = NamesBlock(filling: names)
    #expect(!block.isLast)
    let used = block.names.reduce(0) { $0 + 2 + $1.bytes.count }
    #expect(used + 2 <= NamesBlock.encodedLength)
    #expect(used + 2 + names[block.names.count].bytes.count + 2 > NamesBlock.encodedLength)
    let message = RecoveryMessage(
      .namesReply(block), lockspaceID: LockspaceID(1), sender: node, id: 1, sequence: 1)
    #expect(Frame(.bare(.recovery(message)), sender: node).encoded().count == 4072)
    #expect(
      NamesBlock(filling: names.prefix(3))
        == NamesBlock(names: Array(names.prefix(3)), isLast: true))
  }

  @Test func mutatedRecordingsNeverTrap() throws {
    let seed: UInt64 = 0xD1A5_EED0
    var random = SeededGenerator(seed: seed)
    let frames = try Recording.all().flatMap { $0.messages.map(\.bytes) }
    var refused = 0
    for round in 0..<20_000 {
      var bytes = frames[Int(random.next() % UInt64(frames.count))]
      for _ in 0...(random.next() % 4) {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      if random.next() % 3 == 0 {
        bytes.removeLast(Int(random.next() % UInt64(bytes.count)))
        if bytes.count >= 16 {
          bytes[12] = UInt8(truncatingIfNeeded: bytes.count)
          bytes[13] = UInt8(truncatingIfNeeded: bytes.count >> 8)
        }
      }
      do throws(FrameDecodingError) {
        let frame = try Frame(decoding: bytes)
        let again = frame.encoded()
        #expect(try Frame(decoding: again) == frame, "seed \(seed), round \(round)")
      } catch {
        refused += 1
      }
    }
    #expect(refused > 1000, "seed \(seed)")
  }
}
