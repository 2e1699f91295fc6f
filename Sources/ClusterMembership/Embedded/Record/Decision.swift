import ByteCoding
import ClusterTypes

/// What proves that a removed incarnation cannot write any more (membership design, section 8).
public enum Evidence: UInt8, Hashable, Sendable {
  /// It held nothing: a decided `clean`, or a life that never carried out a start.
  case clean = 1
  case fenceAgent
  case reservation
  case watchdog
  /// It is back after a reboot.
  case reboot
  case externalAuthority
  case administrator
}

/// An event that all members see at the same place of the common order.
public struct ControlMessage: Hashable, Sendable {
  public enum Payload: Hashable, Sendable {
    /// From the layer above, for the layer above.
    case message([UInt8])
    /// A request of `origin` was refused.
    case refused(sequence: UInt64, reason: String)
    /// The death of a removed incarnation is proven; `by` says by whom or what.
    case proven(NodeSlot, Incarnation, Evidence, by: String)
  }

  public static let maximumPayload = 2048
  public static let maximumText = 256

  public var origin: NodeSlot
  public var incarnation: Incarnation
  public var payload: Payload

  var size: Int {
    switch payload {
    case .message(let bytes): bytes.count + 24
    case .refused(_, let reason): reason.utf8.count + 32
    case .proven(_, _, _, let by): by.utf8.count + 40
    }
  }
}

/// One decision: it replaces the record whole.
public struct Decision: Hashable, Sendable {
  public static let maximumBatch = 64
  public static let maximumBatchBytes = 16 * 1024

  public var term: UInt64
  public var index: UInt64
  public var record: Record
  public var batch: [ControlMessage]

  /// Only the names: equal names are equal decisions.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(term)
    hasher.combine(index)
  }

  /// Whether a voter that holds this may follow somebody who holds (`term`, `index`).
  func isAtMost(_ term: UInt64, _ index: UInt64) -> Bool {
    (self.term, self.index) <= (term, index)
  }
}

/// The batch of an earlier decision.
public struct HistoryEntry: Hashable, Sendable {
  public var index: UInt64
  public var batch: [ControlMessage]
}

extension ByteWriter {
  mutating func write(_ message: ControlMessage) {
    write(message.origin.index)
    write(message.incarnation.rawValue)
    switch message.payload {
    case .message(let bytes):
      write(UInt8(1))
      writeCounted(bytes)
    case .refused(let sequence, let reason):
      write(UInt8(2))
      write(sequence)
      writeString(reason)
    case .proven(let slot, let incarnation, let evidence, let by):
      write(UInt8(3))
      write(slot.index)
      write(incarnation.rawValue)
      write(evidence.rawValue)
      writeString(by)
    }
  }

  mutating func write(_ decision: Decision) {
    write(decision.term)
    write(decision.index)
    write(decision.record)
    writeList(decision.batch) { $0.write($1) }
  }

  mutating func write(_ entry: HistoryEntry) {
    write(entry.index)
    writeList(entry.batch) { $0.write($1) }
  }
}

extension ByteReader {
  mutating func readControlMessage() throws(ByteDecodingError) -> ControlMessage {
    let origin = try readSlot()
    let incarnation = Incarnation(try read())
    let payload: ControlMessage.Payload
    switch try read(UInt8.self) {
    case 1:
      payload = .message(Array(try readCounted(limit: ControlMessage.maximumPayload)))
    case 2:
      payload = .refused(
        sequence: try readNumber(), reason: try readString(limit: ControlMessage.maximumText))
    case 3:
      let slot = try readSlot()
      let victim = Incarnation(try read())
      guard let evidence = Evidence(rawValue: try read()) else { throw .invalid("evidence") }
      payload = .proven(
        slot, victim, evidence, by: try readString(limit: ControlMessage.maximumText))
    default: throw .invalid("kind of control message")
    }
    return ControlMessage(origin: origin, incarnation: incarnation, payload: payload)
  }

  mutating func readBatch() throws(ByteDecodingError) -> [ControlMessage] {
    try readList(limit: Decision.maximumBatch) { r throws(ByteDecodingError) in
      try r.readControlMessage()
    }
  }

  mutating func readDecision() throws(ByteDecodingError) -> Decision {
    Decision(
      term: try readNumber(), index: try readNumber(), record: try readRecord(),
      batch: try readBatch())
  }

  mutating func readHistoryEntry() throws(ByteDecodingError) -> HistoryEntry {
    HistoryEntry(index: try readNumber(), batch: try readBatch())
  }
}
