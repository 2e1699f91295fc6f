import ByteCoding

/// A label sector as its bytes stand, whatever they are worth: for those who look into a damaged
/// device. Everything else reads `PhysicalVolumeLabel`.
struct InspectedLabel {
  /// Bytes from the start of the device to the sector.
  let offset: UInt64
  let sector: Int
  private let bytes: [UInt8]

  private(set) var lines: [InspectionLine] = []
  private(set) var checks: [String] = []
  /// What does not spoil the label.
  private(set) var warnings: [String] = []
  private(set) var dataAreas: [DiskArea] = []
  private(set) var metadataAreas: [DiskArea] = []

  /// Where LVM always puts what follows the label's header.
  private static let headerSize = 32
  private static let usualFirstArea: UInt64 = 4096

  /// - Parameter bytes: the sector's 512.
  init(_ bytes: [UInt8], sector: Int) throws(ByteDecodingError) {
    self.bytes = bytes
    self.sector = sector
    offset = UInt64(sector * PhysicalVolumeLabel.sectorSize)
    var reader = ByteReader(bytes)
    try readHeader(&reader)
    try readVolume(&reader)
  }

  /// The checksum that the sector should have.
  var checksum: UInt32 { CRC32.lvm(bytes.dropFirst(20)) }

  /// It says of itself that it is a label, in the right place or not.
  var hasIdentity: Bool {
    bytes.starts(with: PhysicalVolumeLabel.magic)
      && bytes[24..<32].elementsEqual(PhysicalVolumeLabel.type)
  }

  /// The sector with a header that fits what follows it.
  var repaired: [UInt8] {
    var writer = ByteWriter(reservingCapacity: bytes.count)
    var tail = ByteWriter(reservingCapacity: bytes.count)
    tail.write(UInt32(Self.headerSize))
    tail.write(PhysicalVolumeLabel.type)
    tail.write(bytes[Self.headerSize...])
    writer.write(PhysicalVolumeLabel.magic)
    writer.write(UInt64(sector))
    writer.write(CRC32.lvm(tail.bytes))
    writer.write(tail.bytes)
    return writer.bytes
  }

  /// The lines that tell what is wrong.
  var findings: [InspectionLine] {
    lines.filter { $0.isError || $0.text.hasPrefix("CHECK: ") }
  }

  private mutating func print(_ text: String) { lines.append(InspectionLine(text)) }

  private mutating func check(_ text: String) {
    checks.append(text)
    lines.append(InspectionLine("CHECK: \(text)"))
  }

  /// Texts with question marks for what cannot be printed.
  private static func shown(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: bytes.map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
  }

  private mutating func readHeader(_ reader: inout ByteReader) throws(ByteDecodingError) {
    let identity = Array(try reader.readBytes(8))
    let storedSector = try reader.read(UInt64.self)
    let storedChecksum = try reader.read(UInt32.self)
    let headerOffset = try reader.read(UInt32.self)
    let type = Array(try reader.readBytes(8))
    print("label_header at \(offset)")
    print("label_header.id \(Self.shown(identity))")
    print("label_header.sector \(storedSector)")
    print("label_header.crc 0x\(String(storedChecksum, radix: 16))")
    print("label_header.offset \(headerOffset)")
    print("label_header.type \(Self.shown(type))")
    if identity != PhysicalVolumeLabel.magic { check("label_header.id expected LABELONE") }
    if storedSector != UInt64(sector) { check("label_header.sector expected \(sector)") }
    if storedChecksum != checksum {
      check("label_header.crc expected 0x\(String(checksum, radix: 16))")
    }
    if headerOffset != UInt32(Self.headerSize) { check("label_header.offset expected 32") }
    if type != PhysicalVolumeLabel.type { check("label_header.type expected LVM2 001") }
  }

  private mutating func readVolume(_ reader: inout ByteReader) throws(ByteDecodingError) {
    let id = Array(try reader.readBytes(32))
    print("pv_header at \(offset + UInt64(Self.headerSize))")
    print("pv_header.pv_uuid \(Self.shown(id))")
    print("pv_header.device_size \(try reader.read(UInt64.self))")
    if LVMIdentifier(bytes: id[...]) == nil { check("pv_header.pv_uuid invalid format") }
    var index = 0
    dataAreas = try readAreas(&reader, "pv_header", "location of data area", &index)
    metadataAreas = try readAreas(&reader, "pv_header", "location of metadata area", &index)
    print("pv_header_extension at \(offset + UInt64(reader.offset))")
    print("pv_header_extension.version \(try reader.read(UInt32.self))")
    print("pv_header_extension.flags \(try reader.read(UInt32.self))")
    index = 0
    _ = try readAreas(&reader, "pv_header_extension", "bootloader area", &index)
  }

  private mutating func readAreas(
    _ reader: inout ByteReader, _ name: String, _ what: String, _ index: inout Int
  ) throws(ByteDecodingError) -> [DiskArea] {
    var areas: [DiskArea] = []
    while true {
      let place = offset + UInt64(reader.offset)
      let area = DiskArea(offset: try reader.read(), size: try reader.read())
      let entry = "\(name).disk_locn[\(index)]"
      index += 1
      print("\(entry) at \(place) # \(area.offset == 0 ? "location list end" : what)")
      print("\(entry).offset \(area.offset)")
      print("\(entry).size \(area.size)")
      if area.offset == 0 { return areas }
      if what == "location of metadata area", areas.isEmpty, area.offset != Self.usualFirstArea {
        let text = "WARNING: \(entry).offset \(area.offset) is unexpected # for first mda"
        warnings.append(text)
        lines.append(InspectionLine(text, isError: true))
      }
      areas.append(area)
    }
  }
}

/// A line that an inspection prints.
public struct InspectionLine: Sendable, Equatable {
  public var text: String
  /// For standard error.
  public var isError: Bool

  init(_ text: String, isError: Bool = false) {
    self.text = text
    self.isError = isError
  }
}
