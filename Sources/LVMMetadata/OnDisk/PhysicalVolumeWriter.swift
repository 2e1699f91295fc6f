/// Makes and unmakes PVs; the order of writes is LVM's (lvm2-metadata 12), with a flush before each
/// write that others depend on.
public enum PhysicalVolumeWriter {
  private static let wipedAreaSize = 4096

  /// Writes empty metadata areas and then the label. What was in the first sectors is lost.
  public static func create(
    _ label: PhysicalVolumeLabel, on device: any MetadataDevice
  ) throws(MetadataDeviceError) {
    for area in label.metadataAreas {
      let size = min(UInt64(wipedAreaSize), area.size)
      try device.writeSectors(
        [UInt8](repeating: 0, count: Int(size)), at: area.offset)
    }
    try device.writeSectors(
      [UInt8](
        repeating: 0, count: PhysicalVolumeLabel.sectorCount * PhysicalVolumeLabel.sectorSize),
      at: 0)
    for area in label.metadataAreas {
      try device.writeSectors(MetadataAreaHeader(area: area).encoded(), at: area.offset)
    }
    try device.flush()
    try write(label, on: device)
  }

  /// Replaces the label alone.
  public static func write(
    _ label: PhysicalVolumeLabel, on device: any MetadataDevice
  ) throws(MetadataDeviceError) {
    try device.writeSectors(
      label.encoded(), at: UInt64(label.sector * PhysicalVolumeLabel.sectorSize))
    try device.flush()
  }

  /// Lets the areas of a PV that has left its group point nowhere; the texts stay as they are.
  public static func clearAreas(
    of volume: ScannedPhysicalVolume
  ) throws(MetadataDeviceError) {
    for area in volume.areas {
      guard var header = area.header else { continue }
      header.committed = nil
      header.precommitted = nil
      try volume.device.writeSectors(header.encoded(), at: area.area.offset)
    }
    try volume.device.flush()
  }

  /// Makes a device no PV any more: all places of labels are zeroed.
  public static func removeLabel(
    from device: any MetadataDevice
  ) throws(MetadataDeviceError) {
    try device.writeSectors(
      [UInt8](
        repeating: 0, count: PhysicalVolumeLabel.sectorCount * PhysicalVolumeLabel.sectorSize),
      at: 0)
    try device.flush()
  }
}

extension ScannedPhysicalVolume {
  /// A PV as `PhysicalVolumeWriter.create` leaves it.
  public init(new label: PhysicalVolumeLabel, on device: any MetadataDevice) {
    self.init(
      device: device, label: label,
      areas: label.metadataAreas.map {
        ScannedArea(area: $0, state: .empty(MetadataAreaHeader(area: $0)))
      })
  }
}
