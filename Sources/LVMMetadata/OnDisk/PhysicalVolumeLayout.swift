/// Where a new PV has its metadata areas and its first extent (lvm2-metadata 2.3).
public struct PhysicalVolumeLayout: Sendable, Equatable {
  /// What the command line and lvm.conf ask for; sizes in sectors.
  public struct Parameters: Sendable, Equatable {
    public var alignment: UInt64 = 2048
    public var alignmentOffset: UInt64 = 0
    /// Nil fills the first mebibyte.
    public var metadataSize: UInt64?
    /// 0 to 2.
    public var metadataCopies = 1
    public var bootloaderSize: UInt64 = 0
    /// Instead of the device's own.
    public var deviceSize: UInt64?

    public init() {}
  }

  /// As LVM is to use it, in sectors.
  public var deviceSizeSectors: UInt64
  public var extentStartSectors: UInt64
  /// In bytes.
  public var metadataAreas: [DiskArea] = []
  public var bootloaderArea: DiskArea?

  /// Sectors of a page: nothing of a metadata area lies before the second one.
  private static let page: UInt64 = 8
  private static let smallestMetadataSize: UInt64 = 64
  /// `devices/pv_min_size`.
  private static let smallestDevice: UInt64 = 4096

  public init(
    deviceSizeSectors size: UInt64, _ parameters: Parameters
  ) throws(VolumeGroupRefusal) {
    deviceSizeSectors = parameters.deviceSize ?? size
    let alignment = max(parameters.alignment, 1)
    guard parameters.alignmentOffset <= alignment, alignment < 1 << 40 else {
      throw VolumeGroupRefusal(
        "The alignment offset \(DisplayUnit.message(sectors: parameters.alignmentOffset)) is "
          + "beyond the alignment of \(DisplayUnit.message(sectors: alignment)).")
    }
    guard deviceSizeSectors >= Self.smallestDevice else {
      throw VolumeGroupRefusal(
        "Physical volumes have at least \(DisplayUnit.message(sectors: Self.smallestDevice)).")
    }
    var end = alignment + parameters.alignmentOffset
    let wanted = max(
      parameters.metadataSize ?? 2048 - Self.page, Self.smallestMetadataSize)
    guard wanted < 1 << 40 else {
      throw VolumeGroupRefusal("The metadata areas would be too large.")
    }
    if parameters.metadataCopies > 0 {
      let least =
        Self.roundedUp(Self.page + wanted, to: alignment) + parameters.alignmentOffset
      end = max(end, least)
      metadataAreas.append(
        DiskArea(offset: Self.page * 512, size: (end - Self.page) * 512))
    }
    extentStartSectors = end
    if parameters.bootloaderSize > 0 {
      let size = Self.roundedUp(parameters.bootloaderSize, to: alignment)
      bootloaderArea = DiskArea(offset: end * 512, size: size * 512)
      extentStartSectors += size
    }
    if parameters.metadataCopies > 1, deviceSizeSectors > wanted {
      let start = (deviceSizeSectors - wanted) / alignment * alignment
      guard start >= extentStartSectors else {
        throw VolumeGroupRefusal("There is no room for a second metadata area.")
      }
      metadataAreas.append(
        DiskArea(offset: start * 512, size: (deviceSizeSectors - start) * 512))
    }
    guard extentStartSectors < deviceSizeSectors else {
      throw VolumeGroupRefusal(
        "Data would start at sector \(extentStartSectors), beyond the end of the device at "
          + "\(deviceSizeSectors).")
    }
  }

  private static func roundedUp(_ value: UInt64, to unit: UInt64) -> UInt64 {
    (value + unit - 1) / unit * unit
  }

  /// What the label of the PV says.
  public func label(id: LVMIdentifier, isUsed: Bool, sector: Int = 1) -> PhysicalVolumeLabel {
    PhysicalVolumeLabel(
      sector: sector, id: id, deviceSizeBytes: deviceSizeSectors * 512,
      dataAreas: [DiskArea(offset: extentStartSectors * 512, size: 0)],
      metadataAreas: metadataAreas, bootloaderAreas: bootloaderArea.map { [$0] } ?? [],
      isUsed: isUsed)
  }
}

extension PhysicalVolumeLabel {
  /// Where extent 0 begins, in sectors; nil when the label does not say.
  public var extentStartSectors: UInt64? { dataAreas.first.map { $0.offset / 512 } }

  /// The place in `metadataAreas` of the area behind the extents, which goes along with the end of the
  /// device; nil when there is none.
  public var endArea: Int? {
    let start = dataAreas.first?.offset ?? 0
    return metadataAreas.indices.first { metadataAreas[$0].offset >= start }
  }

  /// How many extents of a size fit before the end, or before the metadata area there.
  public func extentCount(extentSizeSectors size: UInt64) -> Int {
    guard let start = extentStartSectors, size > 0 else { return 0 }
    var end = deviceSizeBytes / 512
    for area in metadataAreas where area.offset / 512 >= start { end = min(end, area.offset / 512) }
    return end > start ? Int(clamping: min((end - start) / size, UInt64(UInt32.max))) : 0
  }
}
