import ConfigText

/// Reads the VG section of a metadata text (lvm2-metadata 6.1 and 6.2).
enum VolumeGroupParser {
  static func parse(
    name: String, _ section: ConfigSection
  ) throws(MetadataTextError) -> VolumeGroup {
    var reader = SectionReader(path: name, section: section)
    var group = VolumeGroup(
      name: name, id: try reader.identifier("id"), seqno: try reader.requiredUnsigned32("seqno"),
      status: try reader.status(VolumeGroupFlag.self), flags: reader.flags(VolumeGroupFlag.self),
      extentSizeSectors: UInt64(try reader.requiredUnsigned32("extent_size")))
    group.format = reader.string("format")
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
    group.metadataCopies = reader.unsigned32("metadata_copies")
    guard let physicalVolumes = reader.subsection("physical_volumes") else {
      throw reader.failure("section 'physical_volumes' is missing")
    }
    group.physicalVolumes = try parsePhysicalVolumes(physicalVolumes, path: name)
    let logicalVolumes = reader.subsection("logical_volumes")
    group.historicalLogicalVolumes = reader.subsection("historical_logical_volumes")
    group.unknownEntries = reader.untaken
    if let logicalVolumes {
      let parser = try LogicalVolumeParser(
        physicalVolumes: group.physicalVolumes, path: "\(name)/logical_volumes")
      group.logicalVolumes = try parser.parse(logicalVolumes)
    }
    try group.checkExtents()
    return group
  }

  private static func parsePhysicalVolumes(
    _ section: ConfigSection, path: String
  ) throws(MetadataTextError) -> [PhysicalVolume] {
    var volumes: [PhysicalVolume] = []
    for entry in section.entries {
      let path = "\(path)/physical_volumes/\(entry.name)"
      guard case .section(let inner) = entry.content else {
        throw MetadataTextError(path: path, problem: "is not a section")
      }
      volumes.append(try parsePhysicalVolume(SectionReader(path: path, section: inner), entry.name))
    }
    return volumes
  }

  private static func parsePhysicalVolume(
    _ reader: SectionReader, _ label: String
  ) throws(MetadataTextError) -> PhysicalVolume {
    var reader = reader
    var volume = PhysicalVolume(
      label: label, id: try reader.identifier("id"), device: reader.string("device"),
      status: try reader.status(PhysicalVolumeFlag.self),
      flags: reader.flags(PhysicalVolumeFlag.self),
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
    volume.unknownEntries = reader.untaken
    return volume
  }
}
