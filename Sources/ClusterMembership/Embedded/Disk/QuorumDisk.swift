import ByteCoding
import ClusterTypes

// The quorum disk as a voter, in the manner of Disk Paxos (membership design, section 10). Each node
// writes only its own slot and reads all. One round is: write the own slot, then read every slot.
//
// Layout: a header block; then per slot two header blocks written in turn, a mailbox block that
// others may write, and two bodies written in turn, body before header. A block is the device's
// physical block, at least 512 bytes.

/// What one node has on the quorum disk.
public struct DiskSlot: Hashable, Sendable {
  public var slot: NodeSlot
  public var incarnation: Incarnation
  /// Grows with every write.
  public var counter: UInt64
  /// The highest term that the slot's owner has stood for.
  public var ballot: UInt64
  /// The term in which `decision` was written; equal to `ballot` while its owner leads.
  public var acceptedBallot: UInt64
  public var decision: Decision?

  public init(slot: NodeSlot, incarnation: Incarnation) {
    self.slot = slot
    self.incarnation = incarnation
    counter = 0
    ballot = 0
    acceptedBallot = 0
    decision = nil
  }
}

/// One write of the own slot (none at all for a mere look) and one reading of all slots.
public struct DiskRound: Hashable, Sendable {
  public var id: UInt64
  public var write: DiskSlot?
}

public enum DiskRoundResult: Hashable, Sendable {
  /// Every slot that was ever written, and this node's mailbox.
  case read([DiskSlot], mailbox: DiskMail?)
  /// A write or a reading failed, or a slot is torn on both sides: never taken for an empty one.
  case failed
}

/// A poison pill: advice to a node that it was removed.
public struct DiskMail: Hashable, Sendable {
  public var victim: NodeSlot
  public var incarnation: Incarnation
  public var viewID: UInt64
}

/// Where things are on the quorum disk, and their bytes.
public struct QuorumDiskLayout: Hashable, Sendable {
  static let magic: UInt64 = 0x6b73_6964_6d76_6c63
  static let slotMagic: UInt64 = 0x746f_6c73_6d76_6c63
  static let mailMagic: UInt64 = 0x6c69_616d_6d76_6c63
  static let version: UInt32 = 1
  public static let bodyBytes = 40 * 1024

  public let clusterID: UInt64
  /// 512 to 4096 bytes, a power of two.
  public let blockSize: Int

  /// Nil for an impossible block size.
  public init?(clusterID: UInt64, blockSize: Int) {
    guard [512, 1024, 2048, 4096].contains(blockSize) else { return nil }
    self.clusterID = clusterID
    self.blockSize = blockSize
  }

  var slotBytes: Int { 3 * blockSize + 2 * Self.bodyBytes }
  /// The whole region.
  public var byteCount: Int { blockSize + NodeSlot.limit * slotBytes }

  public func headerOffset(_ slot: NodeSlot, counter: UInt64) -> Int {
    blockSize + slot.number * slotBytes + Int(counter % 2) * blockSize
  }
  public func mailOffset(_ slot: NodeSlot) -> Int {
    blockSize + slot.number * slotBytes + 2 * blockSize
  }
  public func bodyOffset(_ slot: NodeSlot, counter: UInt64) -> Int {
    blockSize + slot.number * slotBytes + 3 * blockSize + Int(counter % 2) * Self.bodyBytes
  }

  // MARK: - Region header

  public var regionHeader: [UInt8] {
    var writer = ByteWriter(reservingCapacity: blockSize)
    writer.write(Self.magic)
    writer.write(Self.version)
    writer.write(clusterID)
    writer.write(UInt32(blockSize))
    writer.write(UInt32(NodeSlot.limit))
    return sealed(writer, length: blockSize)
  }

  /// From the first block of a device; throws if it is not a quorum disk, or of another version.
  public init(regionHeader bytes: [UInt8]) throws(ByteDecodingError) {
    var reader = ByteReader(try Self.unsealed(bytes))
    guard try reader.read(UInt64.self) == Self.magic else { throw .invalid("no quorum disk") }
    guard try reader.read(UInt32.self) == Self.version else { throw .invalid("version") }
    let clusterID: UInt64 = try reader.read()
    let blockSize = Int(try reader.read(UInt32.self))
    guard try reader.read(UInt32.self) == UInt32(NodeSlot.limit),
      let layout = Self(clusterID: clusterID, blockSize: blockSize)
    else { throw .invalid("geometry") }
    self = layout
  }

  // MARK: - Slots

  /// The body (written first) and the header of a slot.
  public func encode(_ slot: DiskSlot) -> (header: [UInt8], body: [UInt8]) {
    var bodyWriter = ByteWriter(reservingCapacity: Self.bodyBytes)
    if let decision = slot.decision { bodyWriter.write(decision) }
    let length = bodyWriter.count
    var writer = ByteWriter(reservingCapacity: blockSize)
    writer.write(Self.slotMagic)
    writer.write(slot.slot.index)
    writer.write(slot.incarnation.rawValue)
    writer.write(slot.counter)
    writer.write(slot.ballot)
    writer.write(slot.acceptedBallot)
    writer.write(UInt32(length))
    writer.write(CRC32.zlib(bodyWriter.bytes))
    let padding = (blockSize - length % blockSize) % blockSize
    bodyWriter.writeZeros(padding)
    return (sealed(writer, length: blockSize), bodyWriter.bytes)
  }

  /// What a node's slot says; nil if it was never written, that is: if both headers are all zeros.
  /// A torn header or body is an error, never an empty slot.
  public func decode(
    _ slot: NodeSlot, headers: [[UInt8]], body: (_ counter: UInt64) -> [UInt8]?
  ) throws(ByteDecodingError) -> DiskSlot? {
    if headers.allSatisfy({ $0.allSatisfy { $0 == 0 } }) { return nil }
    var newest: (slot: DiskSlot, length: Int, checksum: UInt32)?
    for bytes in headers {
      guard let header = try? decodeHeader(bytes), header.slot.slot == slot else { continue }
      if newest == nil || header.slot.counter > newest?.slot.counter ?? 0 { newest = header }
    }
    guard var newest else { throw .invalid("both headers of slot \(slot)") }
    if newest.length > 0 {
      guard let bytes = body(newest.slot.counter), bytes.count >= newest.length,
        CRC32.zlib(bytes[..<newest.length]) == newest.checksum
      else { throw .invalid("body of slot \(slot)") }
      var reader = ByteReader(bytes[..<newest.length])
      newest.slot.decision = try reader.readDecision()
      try reader.expectEnd()
    }
    return newest.slot
  }

  private func decodeHeader(
    _ bytes: [UInt8]
  ) throws(ByteDecodingError) -> (slot: DiskSlot, length: Int, checksum: UInt32) {
    var reader = ByteReader(try Self.unsealed(bytes))
    guard try reader.read(UInt64.self) == Self.slotMagic else { throw .invalid("slot header") }
    var slot = DiskSlot(slot: try reader.readSlot(), incarnation: Incarnation(try reader.read()))
    slot.counter = try reader.readNumber()
    slot.ballot = try reader.readNumber()
    slot.acceptedBallot = try reader.readNumber()
    let length = Int(try reader.read(UInt32.self))
    guard length <= Self.bodyBytes else { throw .invalid("length of a body") }
    return (slot, length, try reader.read())
  }

  // MARK: - Mailbox

  public func encode(_ mail: DiskMail) -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: blockSize)
    writer.write(Self.mailMagic)
    writer.write(mail.victim.index)
    writer.write(mail.incarnation.rawValue)
    writer.write(mail.viewID)
    return sealed(writer, length: blockSize)
  }

  /// Nil for anything that is not a whole mail: a mailbox is advice only.
  public func decodeMail(_ bytes: [UInt8]) -> DiskMail? {
    guard let payload = try? Self.unsealed(bytes) else { return nil }
    var reader = ByteReader(payload)
    guard (try? reader.read(UInt64.self)) == Self.mailMagic, let slot = try? reader.readSlot(),
      let incarnation = try? reader.read(UInt64.self), let viewID = try? reader.readNumber()
    else { return nil }
    return DiskMail(victim: slot, incarnation: Incarnation(incarnation), viewID: viewID)
  }

  /// Padded with zeros; the last four bytes are the checksum of all before.
  private func sealed(_ writer: ByteWriter, length: Int) -> [UInt8] {
    var writer = writer
    writer.writeZeros(length - 4 - writer.count)
    writer.write(CRC32.zlib(writer.bytes))
    return writer.bytes
  }

  private static func unsealed(_ bytes: [UInt8]) throws(ByteDecodingError) -> ArraySlice<UInt8> {
    guard bytes.count >= 512 else { throw .invalid("a block that is too short") }
    var reader = ByteReader(bytes[(bytes.count - 4)...])
    guard try reader.read(UInt32.self) == CRC32.zlib(bytes[..<(bytes.count - 4)]) else {
      throw .invalid("checksum of a block")
    }
    return bytes[..<(bytes.count - 4)]
  }
}
