import ConfigText

/// Reads the VG section of a metadata text (lvm2-metadata 6.1 and 6.2).
struct VolumeGroupParser {
  private let document: ConfigDocument
  private var physicalVolumeStatus = Memo<StatusWords<PhysicalVolumeFlag>>()
  private var physicalVolumeFlags = Memo<StatusWords<PhysicalVolumeFlag>>()

  init(_ document: ConfigDocument) { self.document = document }

  /// - Parameter section: the node of the VG.
  mutating func parse(_ section: Int) throws(MetadataTextError) -> VolumeGroup {
    var reader = SectionReader(document, section)
    var status = Memo<StatusWords<VolumeGroupFlag>>()
    var flags = Memo<StatusWords<VolumeGroupFlag>>()
    var group = VolumeGroup(
      name: reader.name, id: try reader.identifier("id"),
      seqno: try reader.requiredUnsigned32("seqno"), status: try reader.status(&status),
      flags: try reader.flags(&flags),
      extentSizeSectors: UInt64(try reader.requiredUnsigned32("extent_size")))
    // What a text leaves out, LVM writes the next time; what has another type is kept as it is.
    group.format = reader.has("format") ? reader.string("format") : "lvm2"
    if let format = group.format, format != "lvm2" {
      throw reader.failure("the format '\(format)' is unknown")
    }
    guard group.extentSizeSectors > 0 else { throw reader.failure("extent_size is 0") }
    group.tags = reader.strings("tags") ?? []
    group.systemID = reader.string("system_id")
    if group.systemID?.isEmpty == true { group.systemID = nil }
    group.lockType = reader.string("lock_type")
    if group.lockType == "none" { group.lockType = nil }
    group.lockArguments = reader.string("lock_args")
    group.logicalVolumeLimit = try reader.requiredUnsigned32("max_lv")
    group.physicalVolumeLimit = try reader.requiredUnsigned32("max_pv")
    group.allocationPolicy = try reader.allocationPolicy() ?? .normal
    group.profile = reader.string("profile")
    group.metadataCopies = reader.has("metadata_copies") ? reader.unsigned32("metadata_copies") : 0
    guard let physicalVolumes = reader.subsection("physical_volumes") else {
      throw reader.failure("section 'physical_volumes' is missing")
    }
    group.physicalVolumes = try parsePhysicalVolumes(physicalVolumes)
    let logicalVolumes = reader.subsection("logical_volumes")
    group.historicalLogicalVolumes = reader.subsection("historical_logical_volumes")
      .map { document.section(document.children(of: $0)) }
    group.unknownEntries = reader.untakenEntries
    if let logicalVolumes {
      var parser = try LogicalVolumeParser(
        document, physicalVolumes: group.physicalVolumes, of: group.name)
      group.logicalVolumes = try parser.parse(logicalVolumes)
    }
    try group.checkExtents()
    return group
  }

  private mutating func parsePhysicalVolumes(
    _ section: Int
  ) throws(MetadataTextError) -> [PhysicalVolume] {
    let children = document.children(of: section)
    var volumes: [PhysicalVolume] = []
    var node = children.lowerBound
    while node < children.upperBound {
      guard document.isSection(node) else {
        throw MetadataTextError(path: document.path(to: node), problem: "is not a section")
      }
      volumes.append(try parsePhysicalVolume(node))
      node = document.next(node)
    }
    return volumes
  }

  private mutating func parsePhysicalVolume(
    _ node: Int
  ) throws(MetadataTextError) -> PhysicalVolume {
    var reader = SectionReader(document, node)
    var volume = PhysicalVolume(
      label: reader.name, id: try reader.identifier("id"), device: reader.string("device"),
      status: try reader.status(&physicalVolumeStatus),
      flags: try reader.flags(&physicalVolumeFlags),
      deviceSizeSectors: try reader.unsigned64("dev_size"),
      extentStartSectors: try reader.requiredUnsigned64("pe_start"),
      extentCount: Int(try reader.requiredUnsigned32("pe_count")))
    volume.deviceIDType = reader.string("device_id_type")
    volume.deviceID = reader.string("device_id")
    volume.tags = reader.strings("tags") ?? []
    volume.bootloaderAreaStartSectors = try reader.unsigned64("ba_start")
    volume.bootloaderAreaSizeSectors = try reader.unsigned64("ba_size")
    guard
      (volume.bootloaderAreaStartSectors == nil) == (volume.bootloaderAreaSizeSectors == nil)
    else {
      throw reader.failure("only one of 'ba_start' and 'ba_size' is given")
    }
    volume.unknownEntries = reader.untakenEntries
    return volume
  }
}
