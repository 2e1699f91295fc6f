import ConfigText
import LVMMetadata

/// lvconvert -m of a linear LV (lvm2-allocation 10).
extension GroupEdit {
  /// Makes a raid1 of a linear LV, which becomes its first image: the kernel copies it to the others
  /// when the array first runs.
  public mutating func convertToRAID1(
    _ name: String, copyCount: Int, policy: AllocationChoice?, regionSectors: UInt64?,
    physicalVolumes: [PhysicalVolumeArgument]?
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let volume = try convertibleVolume(name)
    var request = CreateRequest()
    request.regionSectors = regionSectors
    let region = self.regionSectors(
      request, size: group.sizeSectors(of: volume), stripe: 0, type: "raid1",
      isQuiet: true)
    let metadataCount = raidMetadataExtentCount(
      imageExtentCount: volume.extentCount, regionSectors: region)
    let own = volume.segments.flatMap { $0.stripedLayout?.areas ?? [] }
      .compactMap(\.physicalVolume)
    let chosenPolicy = policy?.policy ?? volume.allocationPolicy ?? group.allocationPolicy

    let first = try metadataBeside(own, extentCount: metadataCount, chosenPolicy)
    addRAIDMetadata(
      "\(name)_rmeta_0", first, extentCount: metadataCount, policy: nil)

    var allocation = AllocationRequest(
      extentCount: volume.extentCount, areaCount: copyCount - 1, multiple: 1,
      policy: chosenPolicy, settings: settings.allocation)
    allocation.metadataExtentCount = metadataCount
    allocation.isRAID1 = true
    allocation.parallelAreas = [.init(extents: 0..<volume.extentCount, avoided: Set(own))]
    let found = try group.allocate(allocation, from: try allocatableExtents(physicalVolumes))
    for index in 1..<copyCount {
      addRAIDMetadata(
        "\(name)_rmeta_\(index)", found.metadata[index - 1], extentCount: metadataCount,
        policy: nil)
      var image = makeVolume("\(name)_rimage_\(index)", isVisible: false)
      image.append(found.parts, slots: (index - 1)..<index, stripeSectors: 0)
      add(image)
    }
    var image = makeVolume(
      "\(name)_rimage_0", isVisible: false, isWritable: volume.isWritable)
    image.segments = volume.segments
    add(image)
    update(name) { volume in
      var section = ConfigSection()
      section.append("device_count", number: copyCount)
      section.append("region_size", number: region)
      section.append(
        "raids",
        .list(
          (0..<copyCount).flatMap {
            [ConfigValue.string("\(name)_rmeta_\($0)"), .string("\(name)_rimage_\($0)")]
          }))
      volume.segments = [.whole("raid1", extentCount: volume.extentCount, section)]
    }
    if context.isActive(volume.id) { reloads.append(name) }
    print("Logical volume \(group.name)/\(name) successfully converted.")
  }

  func convertibleVolume(_ name: String) throws(VolumeGroupRefusal) -> LogicalVolume {
    guard let volume = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(group.name)/\(name)\"")
    }
    let isLinear = volume.segments.allSatisfy { segment in
      segment.stripedLayout.map { $0.isLinear && $0.areas[0].physicalVolume != nil } ?? false
    }
    guard volume.isVisible, isLinear, !volume.status.contains(.locked),
      !group.logicalVolumes.contains(where: { $0.referencedNames.contains(name) })
    else {
      throw VolumeGroupRefusal(
        "Can't convert \(group.name)/\(name): only a linear volume that no other is built on can "
          + "become raid1. Use LVM's own lvconvert.")
    }
    return volume
  }

  /// Metadata of the image that is there: on one of its own PVs.
  private mutating func metadataBeside(
    _ volumes: [LVMIdentifier], extentCount: Int, _ policy: AllocationPolicy
  ) throws(VolumeGroupRefusal) -> SegmentArea {
    var choices: [PhysicalVolumeChoice] = []
    for id in volumes where !choices.contains(where: { $0.id == id }) {
      choices.append(PhysicalVolumeChoice(id: id))
    }
    var request = AllocationRequest(
      extentCount: extentCount, areaCount: 1, multiple: 1, policy: policy,
      settings: settings.allocation)
    request.volumeName = ""
    let extents = try group.allocatableExtents(choices, requiringAny: false)
    let found = try group.allocate(request, from: extents)
    guard let part = found.parts.first, part.extentCountPerArea == extentCount else {
      throw VolumeGroupRefusal("Metadata does not fit on a single PV.")
    }
    return part.areas[0]
  }
}
