import ClusterTypes
import Testing

@testable import LockProtocol

/// The recorded conversations of real kernels, message by message.
struct RecordedFrameTests {
  /// One recorded message is a probe with an unknown type; the kernel that got it ignored it.
  private static let probeType = Recording.Field.number(99)

  @Test func everyRecordedMessageDecodesAndEncodesToTheSameBytes() throws {
    var count = 0
    for recording in try Recording.all() {
      for message in recording.messages {
        count += 1
        let bytes = message.bytes
        if message.decoded["type"] == Self.probeType {
          #expect(throws: FrameDecodingError.self) { try Frame(decoding: bytes) }
          continue
        }
        let frame = try Frame(decoding: bytes)
        #expect(frame.encoded() == bytes, "\(recording.name): \(message.raw)")
        #expect(frame.sender.rawValue == message.from)
      }
    }
    #expect(count == 2436)
  }

  @Test func fieldsAgreeWithAnIndependentDecoder() throws {
    for recording in try Recording.all() {
      for message in recording.messages where message.decoded["type"] != Self.probeType {
        let expected = message.decoded
        let frame = try Frame(decoding: message.bytes)
        func check(_ field: String, _ value: any BinaryInteger) {
          #expect(
            expected[field]?.number == UInt64(truncatingIfNeeded: value),
            "\(recording.name): \(field) of \(expected)")
        }
        switch frame.content {
        case .acknowledgement(let next): check("ack_seq", next)
        case .finish(let sequence): check("opts_seq", sequence)
        case .bare(let packet):
          #expect(expected["opts_seq"] == nil)
          Self.fields(of: packet, check)
        case .sequenced(let sequence, let packet):
          check("opts_seq", sequence)
          Self.fields(of: packet, check)
        }
      }
    }
  }

  private static func fields(of packet: Packet, _ check: (String, any BinaryInteger) -> Void) {
    switch packet {
    case .lock(let message):
      check("nodeid", message.nodeID)
      check("pid", message.processID)
      check("lkid", message.lockID.rawValue)
      check("remid", message.remoteID.rawValue)
      check("exflags", message.lockFlags.rawValue)
      check("sbflags", message.statusFlags.rawValue)
      check("flags", message.messageFlags.rawValue)
      check("lvbseq", message.lvbSequence)
      check("hash", message.hash)
      check("status", message.status.rawValue)
      check("asts", message.callbacks.rawValue)
      check("length", 88 + message.extra.count)
    case .recovery(let message):
      check("id", message.id)
      check("seq", message.sequence)
      check("seq_reply", message.sequenceReply)
      fields(of: message.body, check)
    }
  }

  private static func fields(
    of body: RecoveryMessage.Body, _ check: (String, any BinaryInteger) -> Void
  ) {
    switch body {
    case .status(let needsSlots): check("rs_flags", needsSlots ? 1 : 0)
    case .statusReply(let reply):
      check("lvblen", Int32(bitPattern: reply.configuration.lvbLength))
      check("lsflags", reply.configuration.flags)
      check("our_slot", reply.ourSlot)
      check("num_slots", reply.slots.count)
      check("generation", reply.generation)
    case .namesReply(let block): check("end", block.isLast ? 0xFFFF : 0)
    case .lock(let lock), .lockReply(let lock):
      check("ownpid", lock.ownerProcessID)
      check("lkid", lock.lockID.rawValue)
      check("remid", lock.remoteID.rawValue)
      check("exflags", lock.lockFlags.rawValue)
      check("lflags", lock.messageFlags.rawValue)
      check("lvbseq", lock.lvbSequence)
      check("status", lock.status.rawValue)
      check("asts", lock.callbacks.rawValue)
      check("namelen", lock.resourceName.bytes.count)
    case .names, .lookup, .lookupReply: break
    }
  }

  @Test func namedFieldsAgreeWithAnIndependentDecoder() throws {
    for recording in try Recording.all() {
      for message in recording.messages where message.decoded["type"] != Self.probeType {
        let expected = message.decoded
        switch try Frame(decoding: message.bytes).content {
        case .acknowledgement, .finish: break
        case .bare(let packet), .sequenced(_, let packet):
          for (field, value) in Self.names(of: packet) {
            #expect(expected[field] == value, "\(recording.name): \(field) of \(expected)")
          }
        }
      }
    }
  }

  private static func names(of packet: Packet) -> [(String, Recording.Field)] {
    switch packet {
    case .lock(let message):
      let result: String =
        switch message.result {
        case .cancelled: "-DLM_ECANCEL"
        case .unlocked: "-DLM_EUNLOCK"
        case .granted: "0"
        default: "-\(message.result)"
        }
      return [
        ("type", .text(typeNames[message.type] ?? "")),
        ("grmode", .text("\(message.grantedMode)")),
        ("rqmode", .text("\(message.requestedMode)")),
        ("bastmode", .text("\(message.blockingMode)")),
        ("result", .text(result)),
      ]
    case .recovery(let message):
      switch message.body {
      case .lock(let lock), .lockReply(let lock):
        return [
          ("rqmode", .text("\(lock.requestedMode)")), ("grmode", .text("\(lock.grantedMode)")),
          ("name", .text("\(lock.resourceName)")),
          ("wait_type", lock.waitType == 2 ? .text("CONVERT") : .number(0)),
        ]
      case .namesReply(let block): return [("names", .list(block.names.map(\.description)))]
      case .statusReply(let reply):
        return [("slots", .list(reply.slots.map { "slot \($0.slot)=node \($0.node)" }))]
      case .names(let name): return [("name", .text(name?.description ?? ""))]
      case .lookup(let name): return [("name", .text("\(name)"))]
      case .lookupReply: return [("result", .text("\(message.result)"))]
      case .status: return []
      }
    }
  }

  private static let typeNames: [LockMessageType: String] = [
    .request: "REQUEST", .convert: "CONVERT", .unlock: "UNLOCK", .cancel: "CANCEL",
    .requestReply: "REQUEST_REPLY", .convertReply: "CONVERT_REPLY",
    .unlockReply: "UNLOCK_REPLY", .cancelReply: "CANCEL_REPLY", .grant: "GRANT",
    .blocking: "BAST", .lookup: "LOOKUP", .remove: "REMOVE", .lookupReply: "LOOKUP_REPLY",
    .purge: "PURGE",
  ]

  @Test func recordedTrafficKeepsTheRulesOfItsTypes() throws {
    for recording in try Recording.all() {
      for message in recording.messages where message.decoded["type"] != Self.probeType {
        let note = Comment(rawValue: "\(recording.name): \(message.raw)")
        switch try Frame(decoding: message.bytes).content {
        case .acknowledgement, .finish: break
        case .bare(let packet):
          // Old peers, of which capture 22 has one, number nothing.
          #expect(packet.isBare || recording.name.hasPrefix("22"), note)
          Self.check(packet, from: message.from, note)
        case .sequenced(_, let packet):
          #expect(!packet.isBare || Self.isNotReadyReply(packet), note)
          Self.check(packet, from: message.from, note)
        }
      }
    }
  }

  private static func isNotReadyReply(_ packet: Packet) -> Bool {
    guard case .recovery(let message) = packet, case .statusReply(let reply) = message.body
    else { return false }
    return LockResult(rawValue: message.result) == .unknownLockspace
      && reply.configuration == .unknownLockspace
  }

  private static func check(_ packet: Packet, from node: Int32, _ note: Comment) {
    #expect(packet.sender.rawValue == node, note)
    switch packet {
    case .lock(let message):
      switch message.type {
      case .request, .lookup, .remove:
        #expect(message.resourceName?.hash == message.hash, note)
      case .cancel, .unlockReply, .cancelReply, .blocking, .lookupReply, .purge:
        #expect(message.extra.isEmpty, note)
      case .convert, .unlock, .requestReply, .convertReply, .grant:
        #expect([0, 32, 64].contains(message.extra.count), note)
      }
    case .recovery(let message):
      #expect(message.type.isReply || message.sequenceReply == 0, note)
      if case .namesReply(let block) = message.body {
        #expect(
          message.tail == RecoveryMessage.Body.namesReply(block).padding,
          "a kernel's padding is ours, \(note)")
      } else {
        #expect(message.tail.isEmpty, note)
      }
    }
  }
}
