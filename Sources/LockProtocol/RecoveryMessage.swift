import ClusterTypes

/// What a recovery message asks or answers (dlm-wire 14.1).
public enum RecoveryMessageType: UInt32, CaseIterable, Sendable {
  case status = 1
  case names = 2
  case lookup = 3
  case lock = 4
  case statusReply = 5
  case namesReply = 6
  case lookupReply = 7
  case lockReply = 8

  /// Status and names travel outside the sequence, so that they pass before two nodes have one;
  /// what is lost is asked again (dlm-wire 3, 15.9).
  public var isBare: Bool {
    switch self {
    case .status, .names, .statusReply, .namesReply: true
    case .lookup, .lock, .lookupReply, .lockReply: false
    }
  }

  public var isReply: Bool {
    switch self {
    case .status, .names, .lookup, .lock: false
    case .statusReply, .namesReply, .lookupReply, .lockReply: true
    }
  }
}

/// A message of the recovery of one lockspace: DLM_RCOM (dlm-wire 14).
public struct RecoveryMessage: Hashable, Sendable {
  public enum Body: Hashable, Sendable {
    /// How far are you, and how are you configured? With the table of slots if wanted.
    case status(needsSlots: Bool)
    /// Which names do you master whose directory node am I, after this one (nil: from the first)?
    case names(after: ResourceName?)
    /// Who is the new master?
    case lookup(ResourceName)
    /// Take this lock of mine.
    case lock(RecoveredLock)
    /// The status itself is in the message's `result`.
    case statusReply(StatusReply)
    case namesReply(NamesBlock)
    /// The new master is in the message's `result`.
    case lookupReply
    case lockReply(RecoveredLock)
  }

  public var lockspaceID: LockspaceID
  public var sender: NodeID
  /// Meaning by type: status bits or a negative errno (`statusReply`), the new master's node id
  /// or a negative errno (`lookupReply`), otherwise 0.
  public var result: Int32
  /// Chosen by who asks, echoed in the reply.
  public var id: UInt64
  /// The sender's own recovery counter.
  public var sequence: UInt64
  /// In replies the `sequence` of the question; otherwise 0.
  public var sequenceReply: UInt64
  public var body: Body
  /// Bytes behind what the body needs: padding, or what a later version added.
  public var tail: [UInt8]

  /// - Parameter tail: nil for what a kernel would write: nothing, or a names reply's padding.
  public init(
    _ body: Body, lockspaceID: LockspaceID, sender: NodeID, result: Int32 = 0, id: UInt64,
    sequence: UInt64, sequenceReply: UInt64 = 0, tail: [UInt8]? = nil
  ) {
    self.lockspaceID = lockspaceID
    self.sender = sender
    self.result = result
    self.id = id
    self.sequence = sequence
    self.sequenceReply = sequenceReply
    self.body = body
    self.tail = tail ?? body.padding
  }

  public var type: RecoveryMessageType {
    switch body {
    case .status: .status
    case .names: .names
    case .lookup: .lookup
    case .lock: .lock
    case .statusReply: .statusReply
    case .namesReply: .namesReply
    case .lookupReply: .lookupReply
    case .lockReply: .lockReply
    }
  }

  /// The status bits of a `statusReply`. A node without the lockspace counts as one that has not
  /// begun (dlm-wire 14.3).
  public var recoveryStatus: RecoveryStatus {
    result < 0 ? [] : RecoveryStatus(rawValue: UInt32(result))
  }
}

extension RecoveryMessage.Body {
  /// What brings a names reply to the length that kernels always send; empty for all others.
  var padding: [UInt8] {
    guard case .namesReply(let block) = self else { return [] }
    let used = block.names.reduce(2) { $0 + 2 + $1.bytes.count }
    return Array(repeating: 0, count: max(0, NamesBlock.encodedLength - used))
  }
}
