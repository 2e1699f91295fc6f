import FoundationEssentials

/// One line of output.
enum PeerOutput: Sendable {
  case answer(PeerAnswer)
  case event(PeerEvent)

  /// The line as JSON, with its end.
  var line: [UInt8] {
    switch self {
    case .answer(let answer): Self.encode(answer)
    case .event(let event): Self.encode(event)
    }
  }

  private static func encode(_ value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    do {
      return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    } catch {
      preconditionFailure("numbers and strings are always JSON: \(error)")
    }
  }
}

/// What a request is answered at once.
struct PeerAnswer: Encodable, Equatable, Sendable {
  /// Nil when the line was so wrong that none could be read.
  var id: RequestID?
  var ok: Bool
  var lkid: UInt64?
  var error: String?
  /// With `error`: a negative errno.
  var status: Int32?
  var dump: LockspaceDump?

  private enum CodingKeys: CodingKey {
    case id, ok, lkid, error, status
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(id, forKey: .id)
    try container.encode(ok, forKey: .ok)
    try container.encodeIfPresent(lkid, forKey: .lkid)
    try container.encodeIfPresent(error, forKey: .error)
    try container.encodeIfPresent(status, forKey: .status)
    try dump?.encode(to: encoder)
  }
}

/// Something that happened later, or by itself.
struct PeerEvent: Encodable, Equatable, Sendable {
  enum Kind: String, Encodable, Sendable {
    /// A lock, convert or unlock call has ended.
    case completion
    /// A lock is in the way of another that wants `mode`.
    case blocking
    /// The recovery after a start is complete, locking is enabled.
    case started
    /// The lockspace was left, and all other members agreed; or they did not in time.
    case left
    case error
  }

  struct Slot: Encodable, Equatable, Sendable {
    var node: Int32
    var slot: UInt16
  }

  var event: Kind
  /// The call that has ended.
  var id: RequestID?
  var lkid: UInt64?
  /// 0, or a negative errno as the kernel has it.
  var status: Int32?
  /// A completion: the mode that is held now, IV when the lock is gone. A blocking notice: the mode
  /// that is wanted.
  var mode: String?
  /// Hexadecimal; only when the call used VALBLK.
  var lvb: String?
  /// Names of status flags.
  var flags: [String]?
  var generation: UInt32?
  var slots: [Slot]?
  /// Nodes that did not answer this node's leaving.
  var silent: [Int32]?
  var error: String?
}
