/// Makes and unmakes PVs; the order of writes is LVM's (lvm2-metadata 12), with a flush before each
/// write that others depend on.
public enum PhysicalVolumeWriter {
  private static let wipedAreaSize = 4096

  /// Writes empty metadata areas and then the label.
  ///
  /// - Parameters:
  ///   - ignoresAreas: the areas are not to be used.
  ///   - zeroesStart: what else is in the sectors of labels is lost.
  public static func create(
    _ label: PhysicalVolumeLabel, on device: any MetadataDevice, ignoresAreas: Bool = false,
    zeroesStart: Bool = true
  ) throws(MetadataDeviceError) {
    for area in label.metadataAreas {
      let size = min(UInt64(wipedAreaSize), area.size)
      try device.writeSectors(
        [UInt8](repeating: 0, count: Int(size)), at: area.offset)
    }
    if zeroesStart { try removeLabels(from: device) }
    for area in label.metadataAreas {
      var header = MetadataAreaHeader(area: area)
      header.isIgnored = ignoresAreas
      try device.writeSectors(header.encoded(), at: area.offset)
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

  /// Puts a copy of a metadata area elsewhere, its committed text first in it. The label does not
  /// point there yet: until it is replaced, readers find the old one.
  ///
  /// - Parameter place: as large as the area.
  /// - Throws: when the area cannot be read, too.
  public static func copy(
    _ area: ScannedArea, to place: DiskArea, on device: any MetadataDevice
  ) throws(MetadataAreaError) {
    var header = MetadataAreaHeader(area: place)
    var text: [UInt8] = []
    switch area.state {
    case .unusable(let error), .damaged(_, let error): throw error
    case .ignored: header.isIgnored = true
    case .empty: break
    case .text(let old, _, let location):
      text = try CircularText(header: old).read(location, from: device)
      header.committed = TextLocation(
        offset: CircularText.bufferStart, size: location.size, checksum: location.checksum)
    }
    do {
      if !text.isEmpty {
        try CircularText(header: header).write(text, at: CircularText.bufferStart, to: device)
        try device.flush()
      }
      try write(header, on: device)
    } catch {
      throw .device(error)
    }
  }

  /// Replaces the header of a metadata area.
  public static func write(
    _ header: MetadataAreaHeader, on device: any MetadataDevice
  ) throws(MetadataDeviceError) {
    try device.writeSectors(header.encoded(), at: header.start)
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
    try removeLabels(from: device)
    try device.flush()
  }

  private static func removeLabels(
    from device: any MetadataDevice
  ) throws(MetadataDeviceError) {
    try device.writeSectors(
      [UInt8](
        repeating: 0, count: PhysicalVolumeLabel.sectorCount * PhysicalVolumeLabel.sectorSize),
      at: 0)
  }
}

extension ScannedPhysicalVolume {
  /// A PV as `PhysicalVolumeWriter.create` leaves it.
  public init(
    new label: PhysicalVolumeLabel, on device: any MetadataDevice, ignoresAreas: Bool = false
  ) {
    self.init(
      device: device, label: label,
      areas: label.metadataAreas.map { area in
        var header = MetadataAreaHeader(area: area)
        header.isIgnored = ignoresAreas
        return ScannedArea(area: area, state: ignoresAreas ? .ignored(header) : .empty(header))
      })
  }
}
