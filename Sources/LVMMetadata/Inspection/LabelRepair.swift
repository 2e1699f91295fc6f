/// A label whose header does not fit what follows it, and the header that does.
public struct LabelRepair {
  public let checksum: UInt32
  private let device: any MetadataDevice
  private let sector: Int
  private let bytes: [UInt8]

  init(_ label: InspectedLabel, on device: any MetadataDevice, checksum: UInt32) {
    self.device = device
    self.checksum = checksum
    sector = label.sector
    bytes = label.repaired
  }

  /// Writes the sector, durably.
  public func write() throws(MetadataDeviceError) {
    try device.writeSectors(bytes, at: UInt64(sector * PhysicalVolumeLabel.sectorSize))
    try device.flush()
  }
}

extension PhysicalVolumeInspection {
  /// What is wrong with the label.
  public var labelFindings: [InspectionLine] { label?.findings ?? [] }

  /// Nil when the label needs no repair, or when what follows its header is no label's either: a
  /// new header would only lend it credit.
  public var labelRepair: LabelRepair? {
    guard let label, !label.checks.isEmpty else { return nil }
    var warnings: [MetadataWarning] = []
    let repaired = label.repaired
    guard
      let parsed = PhysicalVolumeLabel.read(
        repaired[...], sector: label.sector, device: device.name, warnings: &warnings),
      parsed.deviceSizeBytes > 0,
      parsed.metadataAreas.prefix(2).allSatisfy({ area in
        (try? MetadataScanner.readHeader(of: area, on: device)) != nil
      })
    else { return nil }
    let checksum = repaired[16..<20].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    return LabelRepair(label, on: device, checksum: checksum)
  }
}
