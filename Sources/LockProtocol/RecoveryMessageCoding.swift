import ByteCoding
import ClusterTypes

extension RecoveryMessage {
  /// Reads what follows the header (dlm-wire 14.1).
  init(
    lockspaceID: LockspaceID, sender: NodeID, from reader: inout ByteReader
  ) throws(ByteDecodingError) {
    self.lockspaceID = lockspaceID
    self.sender = sender
    let typeNumber = try reader.read(UInt32.self)
    guard let type = RecoveryMessageType(rawValue: typeNumber) else {
      throw .invalid("type \(typeNumber)")
    }
    result = try reader.read()
    id = try reader.read()
    sequence = try reader.read()
    sequenceReply = try reader.read()
    body = try Body(type, from: &reader)
    tail = Array(reader.readRemaining())
  }

  func encodeBody(into writer: inout ByteWriter) {
    writer.write(type.rawValue)
    writer.write(result)
    writer.write(id)
    writer.write(sequence)
    writer.write(sequenceReply)
    body.encode(into: &writer)
    writer.write(tail)
  }
}

extension RecoveryMessage.Body {
  fileprivate init(
    _ type: RecoveryMessageType, from reader: inout ByteReader
  ) throws(ByteDecodingError) {
    switch type {
    case .status:
      let flags = try reader.read(UInt32.self)
      try reader.skip(12)
      self = .status(needsSlots: flags & Self.needsSlotsFlag != 0)
    case .names:
      self = .names(
        after: reader.isAtEnd ? nil : try reader.readResourceName(reader.remaining))
    case .lookup: self = .lookup(try reader.readResourceName(reader.remaining))
    case .lock: self = .lock(try RecoveredLock(from: &reader))
    case .statusReply: self = .statusReply(try StatusReply(from: &reader))
    case .namesReply: self = .namesReply(try NamesBlock(from: &reader))
    case .lookupReply: self = .lookupReply
    case .lockReply: self = .lockReply(try RecoveredLock(from: &reader))
    }
  }

  private static let needsSlotsFlag: UInt32 = 1

  fileprivate func encode(into writer: inout ByteWriter) {
    switch self {
    case .status(let needsSlots):
      writer.write(needsSlots ? Self.needsSlotsFlag : 0)
      writer.writeZeros(12)
    case .names(let name): writer.write(name?.bytes ?? [])
    case .lookup(let name): writer.write(name.bytes)
    case .lock(let lock), .lockReply(let lock): lock.encode(into: &writer)
    case .statusReply(let reply): reply.encode(into: &writer)
    case .namesReply(let block): block.encode(into: &writer)
    case .lookupReply: break
    }
  }
}

extension StatusReply {
  fileprivate init(from reader: inout ByteReader) throws(ByteDecodingError) {
    configuration = LockspaceConfiguration(lvbLength: try reader.read(), flags: try reader.read())
    try reader.skip(4)
    ourSlot = try reader.read()
    let slotCount = Int(try reader.read(UInt16.self))
    generation = try reader.read()
    try reader.skip(12)
    // Checked before the slots take memory.
    guard slotCount * Self.slotLength <= reader.remaining else {
      throw .invalid("\(slotCount) slots announced in \(reader.remaining) bytes")
    }
    slots = []
    for _ in 0..<slotCount {
      let number = try reader.read(Int32.self)
      guard let node = NodeID(number) else { throw .invalid("slot of node id \(number)") }
      slots.append(LockspaceSlot(node: node, slot: try reader.read()))
      try reader.skip(10)
    }
  }

  private static let slotLength = 16

  fileprivate func encode(into writer: inout ByteWriter) {
    writer.write(configuration.lvbLength)
    writer.write(configuration.flags)
    writer.writeZeros(4)
    writer.write(ourSlot)
    writer.write(UInt16(slots.count))
    writer.write(generation)
    writer.writeZeros(12)
    for slot in slots {
      writer.write(slot.node.rawValue)
      writer.write(slot.slot)
      writer.writeZeros(10)
    }
  }
}

extension NamesBlock {
  /// The two marks that end a block, in the place of a name's length.
  private static let moreMark: UInt16 = 0
  private static let lastMark: UInt16 = 0xFFFF

  /// The only big-endian numbers of the protocol are these lengths.
  fileprivate init(from reader: inout ByteReader) throws(ByteDecodingError) {
    names = []
    while true {
      let length = try reader.readBigEndian(UInt16.self)
      if length == Self.moreMark || length == Self.lastMark {
        isLast = length == Self.lastMark
        return
      }
      names.append(try reader.readResourceName(Int(length)))
    }
  }

  fileprivate func encode(into writer: inout ByteWriter) {
    for name in names {
      writer.writeBigEndian(UInt16(name.bytes.count))
      writer.write(name.bytes)
    }
    writer.writeBigEndian(isLast ? Self.lastMark : Self.moreMark)
  }
}
