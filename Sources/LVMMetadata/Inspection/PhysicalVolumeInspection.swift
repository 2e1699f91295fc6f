import ByteCoding

/// Looks at what a device holds of LVM's, right or wrong: pvck.
///
/// Texts are LVM's, without the two blanks before them.
public struct PhysicalVolumeInspection {
  public enum Dump: String, Sendable, CaseIterable {
    case headers
    /// The text that counts.
    case metadata
    /// All texts in the metadata area, old ones included.
    case metadataAll = "metadata_all"
    /// The area byte for byte.
    case metadataArea = "metadata_area"
    /// As `metadataAll`, where headers say nothing of use.
    case metadataSearch = "metadata_search"
  }

  let device: any MetadataDevice
  private(set) var label: InspectedLabel?
  private(set) var areas: [InspectedArea] = []
  public private(set) var lines: [InspectionLine] = []
  /// What is to be written to a file, or printed without blanks before it.
  public private(set) var content: [UInt8] = []
  public private(set) var isGood = true

  /// LVM's usual first area on a device of its usual alignment.
  private static let usualArea = DiskArea(offset: 4096, size: (1 << 20) - 4096)
  /// More than any area that is searched at once.
  private static let areaSizeMax: UInt64 = 1 << 30

  /// - Parameter labelSector: 0 to 3.
  public init(
    _ device: any MetadataDevice, labelSector: Int = 1
  ) throws(MetadataDeviceError) {
    self.device = device
    let offset = UInt64(labelSector * PhysicalVolumeLabel.sectorSize)
    let bytes = try device.read(at: offset, count: PhysicalVolumeLabel.sectorSize)
    do throws(ByteDecodingError) {
      label = try InspectedLabel(bytes, sector: labelSector)
    } catch {
      // Lists of areas without an end.
      isGood = false
      lines.append(
        InspectionLine("CHECK: the lists of areas have no end: \(error)"))
    }
    for (index, area) in (label?.metadataAreas ?? []).prefix(2).enumerated() {
      areas.append(try InspectedArea(area, number: index + 1, on: device))
    }
    if label?.checks.isEmpty == false
      || areas.contains(where: { !$0.checks.isEmpty || !$0.textChecks.isEmpty })
    {
      isGood = false
    }
  }

  private mutating func print(_ text: String) { lines.append(InspectionLine(text)) }

  private mutating func fail(_ text: String) {
    isGood = false
    lines.append(InspectionLine(text, isError: true))
  }

  private var hasSoundHeaders: Bool {
    label?.checks.isEmpty == true && areas.allSatisfy(\.checks.isEmpty)
  }

  private mutating func showChecks(withTexts: Bool = true) {
    lines += label?.findings ?? []
    for area in areas { lines += area.checks + (withTexts ? area.textChecks : []) }
  }

  /// pvck without `--dump`.
  public mutating func check() {
    showChecks()
    guard let label, label.hasIdentity else {
      return fail("Could not find LVM label on \(device.name)")
    }
    print("Found label on \(device.name), sector \(label.sector), type=LVM2 001")
    for area in areas where area.isRecognized {
      print("Found text metadata area: offset=\(area.area.offset), size=\(area.area.size)")
    }
  }

  /// - Parameter areaNumber: 1 or 2: which of the metadata areas.
  public mutating func dump(_ dump: Dump, areaNumber: Int = 1) throws(MetadataDeviceError) {
    switch dump {
    case .headers: dumpHeaders()
    case .metadata: try dumpArea(areaNumber) { inspection, area in inspection.dumpText(area) }
    case .metadataAll:
      isGood = hasSoundHeaders
      try dumpArea(areaNumber, withTexts: false) { inspection, area throws(MetadataDeviceError) in
        inspection.show(try inspection.texts(in: area.area))
      }
    case .metadataArea:
      try dumpArea(areaNumber) { inspection, area throws(MetadataDeviceError) in
        inspection.content = try inspection.read(inspection.contents(of: area.area))
      }
    case .metadataSearch:
      lines += label?.findings ?? []
      let hasLabel = label?.hasIdentity ?? false
      let known = hasLabel ? areas.first { $0.number == areaNumber && $0.isRecognized }?.area : nil
      if !hasLabel {
        print(
          "Using common defaults for first mda: offset \(Self.usualArea.offset) size "
            + "\(Self.usualArea.size).")
        print("Override defaults with --settings \"mda_offset=<bytes> mda_size=<bytes>\"")
      }
      let area = contents(of: known ?? Self.usualArea)
      isGood = true
      print("Searching for metadata at offset \(area.offset) size \(area.size)")
      show(try texts(in: area))
    }
    if !isGood { fail("Found bad header or metadata values.") }
  }

  private mutating func dumpHeaders() {
    lines += label?.lines ?? []
    for area in areas {
      lines += area.lines + area.textChecks
      if let line = area.textLine { lines.append(line) }
    }
    if areas.isEmpty { print("zero metadata copies") }
  }

  private mutating func dumpArea(
    _ number: Int, withTexts: Bool = true,
    _ body: (inout PhysicalVolumeInspection, InspectedArea) throws(MetadataDeviceError) -> Void
  ) throws(MetadataDeviceError) {
    showChecks(withTexts: withTexts)
    guard let area = areas.first(where: { $0.number == number }) else {
      if number == 2 { return fail("CHECK: second mda not found") }
      return print("zero metadata copies")
    }
    try body(&self, area)
  }

  private mutating func dumpText(_ area: InspectedArea) {
    guard let line = area.textLine, let text = area.text else { return }
    lines.append(line)
    content = text.bytes.last == 0 ? Array(text.bytes.dropLast()) : text.bytes
  }

  // MARK: - Searching

  /// The area as far as the device has it.
  private func contents(of area: DiskArea) -> DiskArea {
    let size = min(area.size, Self.areaSizeMax)
    guard area.offset < device.sizeBytes else { return DiskArea(offset: area.offset, size: 0) }
    return DiskArea(offset: area.offset, size: min(size, device.sizeBytes - area.offset))
  }

  private func read(_ area: DiskArea) throws(MetadataDeviceError) -> [UInt8] {
    try device.read(at: area.offset, count: Int(area.size))
  }

  private struct OldText {
    let offset: UInt64
    let bytes: [UInt8]
    let summary: TextSummary
  }

  /// Every text that begins on a sector of the area, up to the NUL behind it.
  private func texts(in wanted: DiskArea) throws(MetadataDeviceError) -> [OldText] {
    let area = contents(of: wanted)
    let bytes = try read(area)
    let start = Int(CircularText.bufferStart)
    guard bytes.count > start else { return [] }
    var found: [OldText] = []
    for offset in stride(from: start, to: bytes.count, by: 512) {
      guard let summary = TextSummary(bytes[offset...]) else { continue }
      // A text that reaches the end goes on at the beginning.
      let rest: [UInt8]
      if let end = bytes[offset...].firstIndex(of: 0) {
        rest = Array(bytes[offset...end])
      } else {
        let end = bytes[start..<offset].firstIndex(of: 0) ?? offset - 1
        rest = Array(bytes[offset...]) + bytes[start...end]
      }
      found.append(
        OldText(offset: area.offset + UInt64(offset), bytes: rest, summary: summary))
    }
    return found
  }

  private mutating func show(_ texts: [OldText]) {
    if Set(texts.map(\.summary.id)).count > 1 {
      print("WARNING: metadata from multiple VGs was found.")
    }
    for text in texts {
      let digits = String(CRC32.lvm(text.bytes), radix: 16)
      let checksum = String(repeating: "0", count: 8 - digits.count) + digits
      print(
        "metadata at \(text.offset) length \(text.bytes.count) crc \(checksum) vg "
          + "\(text.summary.group) seqno \(text.summary.seqno) id \(text.summary.id)")
      content += (text.bytes.last == 0 ? text.bytes.dropLast() : text.bytes[...])
    }
  }
}
