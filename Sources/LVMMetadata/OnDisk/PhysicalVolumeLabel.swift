import ByteCoding

/// A run of bytes on a device. In a label a size of 0 means "to the end of the device".
public struct DiskArea: Sendable, Hashable {
  /// Bytes from the start of the device.
  public var offset: UInt64
  /// Bytes.
  public var size: UInt64

  public init(offset: UInt64, size: UInt64) {
    self.offset = offset
    self.size = size
  }
}

/// The sector that makes a device a physical volume (lvm2-metadata 1.2 to 1.4).
public struct PhysicalVolumeLabel: Sendable, Equatable {
  /// The sector it is in, 0 to 3.
  public var sector: Int
  public var id: LVMIdentifier
  /// The device's size in bytes as LVM uses it.
  public var deviceSizeBytes: UInt64
  public var dataAreas: [DiskArea]
  /// LVM examines the first two only.
  public var metadataAreas: [DiskArea]
  public var bootloaderAreas: [DiskArea]
  /// 0 when there is no extension; LVM 2.03 writes 2.
  public var extensionVersion: UInt32
  public var extensionFlags: UInt32

  public init(
    sector: Int = 1, id: LVMIdentifier, deviceSizeBytes: UInt64, dataAreas: [DiskArea],
    metadataAreas: [DiskArea], bootloaderAreas: [DiskArea] = [], isUsed: Bool
  ) {
    self.sector = sector
    self.id = id
    self.deviceSizeBytes = deviceSizeBytes
    self.dataAreas = dataAreas
    self.metadataAreas = metadataAreas
    self.bootloaderAreas = bootloaderAreas
    self.extensionVersion = 2
    self.extensionFlags = isUsed ? Self.usedFlag : 0
  }

  /// Belongs to a volume group. False as well when the extension is too old to say so.
  public var isUsed: Bool {
    get { extensionVersion >= 2 && extensionFlags & Self.usedFlag != 0 }
    set {
      extensionVersion = max(extensionVersion, 2)
      extensionFlags = newValue ? extensionFlags | Self.usedFlag : extensionFlags & ~Self.usedFlag
    }
  }

  static let usedFlag: UInt32 = 1
  static let magic = Array("LABELONE".utf8)
  static let type = Array("LVM2 001".utf8)
  /// Sectors in which a label may be.
  static let sectorCount = 4
  static let sectorSize = 512
}

extension PhysicalVolumeLabel {
  /// Reads one sector. Nil when it holds no label: other contents, a wrong checksum, or (with a
  /// `strayLabel` warning) a label that was written for another sector.
  static func read(
    _ bytes: ArraySlice<UInt8>, sector: Int, device: String, warnings: inout [MetadataWarning]
  ) -> PhysicalVolumeLabel? {
    guard bytes.starts(with: magic) else { return nil }
    do throws(ByteDecodingError) {
      var reader = ByteReader(bytes)
      try reader.skip(8)
      let storedSector = try reader.read(UInt64.self)
      let checksum = try reader.read(UInt32.self)
      let headerOffset = Int(try reader.read(UInt32.self))
      guard storedSector == UInt64(sector) else {
        warnings.append(.strayLabel(device: device, found: sector, stored: storedSector))
        return nil
      }
      guard CRC32.lvm(bytes.dropFirst(20)) == checksum else { return nil }
      guard Array(try reader.readBytes(8)) == type else { return nil }
      try reader.skip(headerOffset - reader.offset)
      return try readHeader(&reader, sector: sector)
    } catch {
      warnings.append(.malformedLabel(device: device, sector: sector))
      return nil
    }
  }

  private static func readHeader(
    _ reader: inout ByteReader, sector: Int
  ) throws(ByteDecodingError) -> PhysicalVolumeLabel {
    guard let id = LVMIdentifier(bytes: try reader.readBytes(32)) else {
      throw .invalid("PV UUID")
    }
    let size = try reader.read(UInt64.self)
    let dataAreas = try readAreas(&reader)
    let metadataAreas = try readAreas(&reader)
    var label = PhysicalVolumeLabel(
      sector: sector, id: id, deviceSizeBytes: size, dataAreas: dataAreas,
      metadataAreas: metadataAreas, isUsed: false)
    label.extensionVersion = try reader.read(UInt32.self)
    label.extensionFlags = 0
    if label.extensionVersion >= 1 {
      label.extensionFlags = try reader.read(UInt32.self)
      label.bootloaderAreas = try readAreas(&reader)
    }
    return label
  }

  /// Areas up to the first whose offset is 0.
  private static func readAreas(
    _ reader: inout ByteReader
  ) throws(ByteDecodingError) -> [DiskArea] {
    var areas: [DiskArea] = []
    while true {
      let area = DiskArea(offset: try reader.read(), size: try reader.read())
      if area.offset == 0 { return areas }
      areas.append(area)
    }
  }

  /// Finds the label in the first four sectors of a device.
  static func find(
    in firstSectors: [UInt8], device: String, warnings: inout [MetadataWarning]
  ) -> PhysicalVolumeLabel? {
    var found: PhysicalVolumeLabel?
    for sector in 0..<min(sectorCount, firstSectors.count / sectorSize) {
      let bytes = firstSectors[(sector * sectorSize)..<((sector + 1) * sectorSize)]
      guard let label = read(bytes, sector: sector, device: device, warnings: &warnings) else {
        continue
      }
      if found == nil {
        found = label
      } else {
        warnings.append(.additionalLabel(device: device, sector: sector))
      }
    }
    return found
  }

  /// True when the lists have room in the sector. Those of a label that was read do, but a label
  /// of an old form may be too full for the present one.
  public var fitsItsSector: Bool {
    let areaCount = dataAreas.count + metadataAreas.count + bootloaderAreas.count
    // The header, the areas with the ends of their three lists, and the extension.
    return 32 + 40 + 16 * (areaCount + 3) + 8 <= Self.sectorSize
  }

  /// The 512 bytes of the sector. The lists must fit: `fitsItsSector`.
  public func encoded() -> [UInt8] {
    var body = ByteWriter(reservingCapacity: Self.sectorSize)
    body.write(UInt32(32))
    body.write(Self.type)
    body.write(id.plain.utf8)
    body.write(deviceSizeBytes)
    Self.write(dataAreas, to: &body)
    Self.write(metadataAreas, to: &body)
    body.write(extensionVersion)
    body.write(extensionFlags)
    Self.write(bootloaderAreas, to: &body)
    precondition(fitsItsSector, "a label has room for one sector only")
    body.writeZeros(Self.sectorSize - 20 - body.count)
    var sectorBytes = ByteWriter(reservingCapacity: Self.sectorSize)
    sectorBytes.write(Self.magic)
    sectorBytes.write(UInt64(sector))
    sectorBytes.write(CRC32.lvm(body.bytes))
    sectorBytes.write(body.bytes)
    return sectorBytes.bytes
  }

  private static func write(_ areas: [DiskArea], to body: inout ByteWriter) {
    for area in areas {
      body.write(area.offset)
      body.write(area.size)
    }
    body.writeZeros(16)
  }
}
