import ByteCoding

/// Where a text lies in a metadata area.
public struct TextLocation: Sendable, Equatable {
  /// Bytes from the start of the area, at least 512.
  public var offset: UInt64
  /// Bytes, the closing NUL included.
  public var size: UInt64
  /// LVM's CRC of exactly those bytes.
  public var checksum: UInt32

  public init(offset: UInt64, size: UInt64, checksum: UInt32) {
    self.offset = offset
    self.size = size
    self.checksum = checksum
  }
}

/// The first sector of a metadata area: it says which text counts (lvm2-metadata 2.1).
public struct MetadataAreaHeader: Sendable, Equatable {
  /// Bytes from the start of the device to the area.
  public var start: UInt64
  /// Bytes of the whole area, header included.
  public var size: UInt64
  /// Slot 0: the text that counts. Nil in a fresh area.
  public var committed: TextLocation?
  /// Slot 1: a text of a change under way; readers that do not take part in it ignore it.
  public var precommitted: TextLocation?
  /// The area is not used, whatever its slots show.
  public var isIgnored: Bool

  public init(area: DiskArea) {
    start = area.offset
    size = area.size
    isIgnored = false
  }

  /// The checksum under which `text` is stored.
  static func checksum(of text: [UInt8]) -> UInt32 { CRC32.lvm(text) }

  static let encodedSize = 512
  /// An area has room for its header and at least as much text.
  static let areaSizeMin: UInt64 = 1024
  static let magic: [UInt8] = [
    0x20, 0x4C, 0x56, 0x4D, 0x32, 0x20, 0x78, 0x5B, 0x35, 0x41, 0x25, 0x72, 0x30, 0x4E, 0x2A, 0x3E,
  ]
  private static let ignoredFlag: UInt32 = 1

  /// Reads the header of the area that a label places at `start`.
  init(parsing bytes: [UInt8], start: UInt64) throws(MetadataAreaError) {
    let fields: Fields
    do {
      fields = try Fields(bytes)
    } catch {
      throw .headerChecksum
    }
    guard CRC32.lvm(bytes.dropFirst(4)) == fields.checksum else { throw .headerChecksum }
    guard fields.magic == Self.magic else { throw .magic }
    guard fields.version == 1 else { throw .version(fields.version) }
    guard fields.start == start else { throw .wrongStart(fields.start) }
    guard fields.size >= Self.areaSizeMin, fields.size <= 1 << 62, start <= 1 << 62
    else { throw .wrongSize(fields.size) }
    self.start = start
    self.size = fields.size
    self.committed = fields.slots[0].location
    self.precommitted = fields.slots[1].location
    self.isIgnored = fields.slots[0].flags & Self.ignoredFlag != 0
  }

  /// The fields as they stand on disk.
  private struct Fields {
    let checksum: UInt32
    let magic: [UInt8]
    let version: UInt32
    let start: UInt64
    let size: UInt64
    var slots: [(location: TextLocation?, flags: UInt32)] = []

    init(_ bytes: [UInt8]) throws(ByteDecodingError) {
      var reader = ByteReader(bytes)
      checksum = try reader.read()
      magic = Array(try reader.readBytes(16))
      version = try reader.read()
      start = try reader.read()
      size = try reader.read()
      for _ in 0..<2 {
        let location = TextLocation(
          offset: try reader.read(), size: try reader.read(), checksum: try reader.read())
        let flags = try reader.read(UInt32.self)
        slots.append((location.offset == 0 ? nil : location, flags))
      }
    }
  }

  public func encoded() -> [UInt8] {
    var body = ByteWriter(reservingCapacity: Self.encodedSize)
    body.write(Self.magic)
    body.write(UInt32(1))
    body.write(start)
    body.write(size)
    Self.write(committed, flags: isIgnored ? Self.ignoredFlag : 0, to: &body)
    Self.write(precommitted, flags: 0, to: &body)
    body.writeZeros(Self.encodedSize - 4 - body.count)
    var bytes = ByteWriter(reservingCapacity: Self.encodedSize)
    bytes.write(CRC32.lvm(body.bytes))
    bytes.write(body.bytes)
    return bytes.bytes
  }

  private static func write(_ location: TextLocation?, flags: UInt32, to body: inout ByteWriter) {
    body.write(location?.offset ?? 0)
    body.write(location?.size ?? 0)
    body.write(location?.checksum ?? 0)
    body.write(flags)
  }
}

/// What is wrong with a metadata area.
public enum MetadataAreaError: Error, Sendable, Equatable, CustomStringConvertible {
  case device(MetadataDeviceError)
  case headerChecksum
  case magic
  case version(UInt32)
  /// The header was written for another place on the device.
  case wrongStart(UInt64)
  case wrongSize(UInt64)
  /// A slot points outside of the area, or to more text than anyone writes.
  case location(TextLocation)
  case textChecksum
  case text(MetadataTextError)
  /// Somebody else wrote to the area although its lock is held.
  case changedMeanwhile
  /// What was written is not what is read.
  case notReadBack
  /// Another area has a different text with the same seqno.
  case differs(from: String)

  public var description: String {
    switch self {
    case .device(let error): "\(error)"
    case .headerChecksum: "incorrect checksum in the metadata area header"
    case .magic: "wrong magic number in the metadata area header"
    case .version(let version): "unknown version \(version) of the metadata area header"
    case .wrongStart(let start): "the metadata area header says that it starts at byte \(start)"
    case .wrongSize(let size): "the metadata area header says that it has \(size) bytes"
    case .location(let location):
      "the metadata area header points to \(location.size) bytes at \(location.offset)"
    case .textChecksum: "incorrect checksum of the metadata text"
    case .text(let error): "bad metadata text: \(error)"
    case .changedMeanwhile: "somebody else changed the metadata although its lock is held"
    case .notReadBack: "what was written is not what is read"
    case .differs(let device): "its metadata differs from that on \(device) with the same seqno"
    }
  }
}
