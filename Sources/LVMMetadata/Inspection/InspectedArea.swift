import ByteCoding
import ConfigText

/// The header of a metadata area as its bytes stand, and the text that it points to.
struct InspectedArea {
  /// 1 or 2.
  let number: Int
  let area: DiskArea
  private(set) var lines: [InspectionLine] = []
  private(set) var checks: [InspectionLine] = []
  private(set) var textChecks: [InspectionLine] = []
  /// It has the magic number of a metadata area.
  private(set) var isRecognized = true
  private(set) var text: FoundText?
  private var start: UInt64 = 0
  private var size: UInt64 = 0

  /// A text, and where it lies.
  struct FoundText {
    /// Bytes from the start of the device.
    let offset: UInt64
    let checksum: UInt32
    /// With the closing NUL.
    let bytes: [UInt8]
    let isChecksumRight: Bool

    var summary: TextSummary? { TextSummary(bytes) }
  }

  init(_ area: DiskArea, number: Int, on device: any MetadataDevice) throws(MetadataDeviceError) {
    self.number = number
    self.area = area
    guard area.offset < device.sizeBytes, device.sizeBytes - area.offset >= 512 else {
      isRecognized = false
      check("failed to read mda_header at \(area.offset)")
      return
    }
    let bytes = try device.read(at: area.offset, count: MetadataAreaHeader.encodedSize)
    do throws(ByteDecodingError) {
      try read(bytes, device)
    } catch {
      isRecognized = false
      check("failed to read mda_header at \(area.offset)")
    }
  }

  private var name: String { "mda_header_\(number)" }

  private mutating func print(_ text: String) { lines.append(InspectionLine(text)) }

  private mutating func check(_ text: String) {
    let line = InspectionLine("CHECK: \(text)")
    lines.append(line)
    checks.append(line)
  }

  private mutating func checkText(_ text: String) {
    textChecks.append(InspectionLine("CHECK: \(text)"))
  }

  private struct Slot {
    let offset: UInt64
    let size: UInt64
    let checksum: UInt32
    let flags: UInt32
  }

  private mutating func read(
    _ bytes: [UInt8], _ device: any MetadataDevice
  ) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    let stored = try reader.read(UInt32.self)
    let magic = Array(try reader.readBytes(16))
    let version = try reader.read(UInt32.self)
    start = try reader.read()
    size = try reader.read()
    print("\(name) at \(area.offset) # metadata area")
    print("\(name).checksum 0x\(String(stored, radix: 16))")
    print("\(name).magic 0x\(Self.hexadecimal(magic))")
    print("\(name).version \(version)")
    print("\(name).start \(start)")
    print("\(name).size \(size)")
    var slots: [Slot] = []
    for (index, what) in ["commit", "precommit"].enumerated() {
      let place = area.offset + UInt64(reader.offset)
      let slot = Slot(
        offset: try reader.read(), size: try reader.read(), checksum: try reader.read(),
        flags: try reader.read())
      let entry = "\(name).raw_locn[\(index)]"
      print("\(entry) at \(place) # \(what)")
      print("\(entry).offset \(slot.offset)")
      print("\(entry).size \(slot.size)")
      print("\(entry).checksum 0x\(String(slot.checksum, radix: 16))")
      let ignored = slot.flags & 1 != 0 ? " # RAW_LOCN_IGNORED" : ""
      print("\(entry).flags 0x\(String(slot.flags, radix: 16))\(ignored)")
      slots.append(slot)
    }
    let checksum = CRC32.lvm(bytes.dropFirst(4))
    if stored != checksum {
      check("\(name).checksum expected 0x\(String(checksum, radix: 16))")
    }
    if magic != MetadataAreaHeader.magic {
      isRecognized = false
      check("\(name).magic expected 0x\(Self.hexadecimal(MetadataAreaHeader.magic))")
    }
    if version != 1 {
      check("\(name).version expected 1")
    }
    if start != area.offset {
      check("\(name).start does not match pv_header.disk_locn.offset \(area.offset)")
    }
    if size != area.size {
      check("\(name).size does not match pv_header.disk_locn.size \(area.size)")
    }
    if let slot = slots.first, slot.offset != 0, slot.flags & 1 == 0 {
      readText(slot, device)
    }
  }

  /// Empty when there cannot be a text.
  private static func run(_ slot: Slot) -> [Range<UInt64>] {
    let (end, overflow) = slot.offset.addingReportingOverflow(slot.size)
    return overflow || slot.size > CircularText.sizeMax ? [] : [slot.offset..<end]
  }

  private mutating func readText(_ slot: Slot, _ device: any MetadataDevice) {
    let location = TextLocation(offset: slot.offset, size: slot.size, checksum: slot.checksum)
    let circle = CircularText(header: MetadataAreaHeader(area: area))
    let place = area.offset &+ slot.offset
    var bytes: [UInt8] = []
    do throws(MetadataDeviceError) {
      // Where the slot points out of the area, whatever lies there is looked at.
      let runs =
        circle.isInside(location)
        ? circle.runs(offset: slot.offset, size: slot.size) : Self.run(slot)
      for run in runs where run.count <= Int(CircularText.sizeMax) {
        bytes += try device.read(at: area.offset &+ run.lowerBound, count: run.count)
      }
    } catch {
      return check("\(error)")
    }
    let found = FoundText(
      offset: place, checksum: CRC32.lvm(bytes), bytes: bytes,
      isChecksumRight: CRC32.lvm(bytes) == slot.checksum)
    text = found
    if !found.isChecksumRight {
      checkText("metadata text at \(place) crc does not match \(name).raw_locn[0].checksum")
    }
    let content = bytes.last == 0 ? Array(bytes.dropLast()) : bytes
    // Zeros are no text, although nothing in them is wrong.
    if (try? ConfigSection(parsing: content))?.entries.isEmpty ?? true {
      checkText("failed to parse metadata text at \(place) size \(slot.size)")
    }
  }

  /// What `--dump headers` and `--dump metadata` say of the text.
  var textLine: InspectionLine? {
    guard let text else { return nil }
    let summary =
      text.summary.map { " # vgname \($0.group) seqno \($0.seqno)" } ?? " # vgname ? seqno 0"
    return InspectionLine(
      "metadata text at \(text.offset) crc 0x\(String(text.checksum, radix: 16))\(summary)")
  }

  /// As LVM prints it, without the zeros before small ones.
  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { String($0, radix: 16) }.joined()
  }
}

/// What the first lines of a text say, without parsing the rest: it may be cut off.
struct TextSummary {
  let group: String
  let id: String
  let seqno: UInt32

  /// Nil when the bytes do not begin as LVM's texts do.
  init?(_ bytes: some Collection<UInt8>) {
    let lines = bytes.prefix(1024).split(
      separator: UInt8(ascii: "\n"), maxSplits: 3, omittingEmptySubsequences: false)
    guard lines.count >= 3 else { return nil }
    let texts = lines.prefix(3).map { String(decoding: $0, as: UTF8.self) }
    guard texts[0].hasSuffix(" {"), VolumeName.isValid(String(texts[0].dropLast(2))),
      texts[1].hasPrefix("id = \""), texts[1].hasSuffix("\""),
      texts[2].hasPrefix("seqno = "), let seqno = UInt32(texts[2].dropFirst("seqno = ".count))
    else { return nil }
    group = String(texts[0].dropLast(2))
    id = String(texts[1].dropFirst("id = \"".count).dropLast())
    self.seqno = seqno
  }
}
