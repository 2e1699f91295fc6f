import ByteCoding
import ClusterTypes

/// What a node must not forget (membership design, section 3): written and synced before the message
/// that depends on it leaves.
public struct PersistentState: Hashable, Sendable {
  public var slot: NodeSlot
  public var promisedTerm: UInt64
  public var votedFor: NodeSlot?
  public var accepted: Decision
  public var incarnation: Incarnation
  /// Starts of the daemon within this incarnation.
  public var life: UInt32
  public var bootID: BootID
  /// Set before the first lockspace starts, cleared after the last is gone.
  public var wasDirty: Bool
  /// A number drawn when the node began without memory, zero before it ever did; its vote counts once
  /// the record names it (`ConfiguredNode.amnesia`).
  public var amnesia: UInt64
  /// The cluster has not taken the node back as a voter since its memory was lost.
  public var isBlank: Bool
  /// Of two nodes without a third vote: a decision with this node as the only member is committed, and
  /// it has accepted no later one with another, so that it decides without its peer.
  public var isAlone = false
  /// Incarnations of this boot that never carried out a start.
  public var neverStarted: [Incarnation]

  public init(
    slot: NodeSlot, genesis: Record, incarnation: Incarnation, bootID: BootID, amnesia: UInt64
  ) {
    self.slot = slot
    promisedTerm = 0
    votedFor = nil
    accepted = Decision(term: 0, index: 0, record: genesis, batch: [])
    self.incarnation = incarnation
    life = 1
    self.bootID = bootID
    wasDirty = false
    self.amnesia = amnesia
    isBlank = amnesia != 0
    neverStarted = []
  }
}

/// Two files or blocks written in turn, each with a checksum: one of them is always whole.
public enum PersistentSlots {
  static let magic: UInt64 = 0x3130_6d76_6c63_6d65
  public static let maximumBytes = 56 * 1024

  /// The bytes of write number `number`; even ones go to the first place, odd ones to the second.
  public static func encode(_ state: PersistentState, number: UInt64) -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: 4096)
    writer.write(magic)
    writer.write(number)
    writer.write(UInt32(0))
    writer.write(UInt32(0))
    writer.write(state.slot.index)
    writer.write(state.promisedTerm)
    writer.write(state.votedFor?.index ?? 0xFF)
    writer.write(state.accepted)
    writer.write(state.incarnation.rawValue)
    writer.write(state.life)
    writer.write(state.bootID)
    writer.write(flags: [state.wasDirty, state.isBlank, state.isAlone])
    writer.write(state.amnesia)
    writer.writeList(state.neverStarted) { $0.write($1.rawValue) }
    writer.overwrite(UInt32(writer.count), at: 16)
    writer.overwrite(CRC32.zlib(writer.bytes), at: 20)
    return writer.bytes
  }

  /// A state and the number of its write, from bytes that may have more after it.
  public static func decode(
    _ bytes: [UInt8]
  ) throws(ByteDecodingError) -> (state: PersistentState, number: UInt64) {
    var header = ByteReader(bytes)
    guard try header.read(UInt64.self) == magic else { throw .invalid("magic number") }
    let number = try header.readNumber()
    let length = Int(try header.read(UInt32.self))
    let checksum: UInt32 = try header.read()
    guard length >= 24, length <= min(maximumBytes, bytes.count) else { throw .invalid("length") }
    var copy = Array(bytes[..<length])
    for index in 20..<24 { copy[index] = 0 }
    guard CRC32.zlib(copy) == checksum else { throw .invalid("checksum") }
    var reader = ByteReader(bytes[24..<length])
    let slot = try reader.readSlot()
    let promised = try reader.readNumber()
    let votedFor = NodeSlot(Int(try reader.read(UInt8.self)))
    let accepted = try reader.readDecision()
    var state = PersistentState(
      slot: slot, genesis: accepted.record, incarnation: Incarnation(try reader.read()),
      bootID: BootID(high: 0, low: 0), amnesia: 0)
    state.promisedTerm = promised
    state.votedFor = votedFor
    state.accepted = accepted
    state.life = try reader.read()
    state.bootID = try reader.readBootID()
    let flags = try reader.readFlags(3)
    state.wasDirty = flags[0]
    state.isBlank = flags[1]
    state.isAlone = flags[2]
    state.amnesia = try reader.read()
    state.neverStarted = try reader.readList(limit: MembershipMessage.neverStartedLimit) {
      r throws(ByteDecodingError) in Incarnation(try r.read())
    }
    try reader.expectEnd()
    return (state, number)
  }

  /// The newer of the two that are whole; nil when neither is: the node's memory is lost.
  public static func newest(
    _ first: [UInt8], _ second: [UInt8]
  ) -> (state: PersistentState, number: UInt64)? {
    let one = try? decode(first)
    let two = try? decode(second)
    guard let one, let two else { return one ?? two }
    return one.number >= two.number ? one : two
  }
}
