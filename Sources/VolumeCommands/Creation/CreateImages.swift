import ConfigText
import LVMMetadata

/// RAID volumes and mirrors.
extension GroupEdit {
  mutating func createRAID(
    _ typeName: String, _ request: CreateRequest, name: String, _ parameters: StripeParameters,
    _ size: CreateSize, _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) {
    guard let type = RAIDType(typeName) else {
      throw VolumeGroupRefusal("\(typeName) is no RAID type.")
    }
    let isPlain = type.isRAID0
    let region = regionSectors(
      request, size: group.sectors(extents: size.extentCount),
      stripe: isPlain ? 0 : parameters.stripeSectors, type: typeName, isQuiet: isPlain)
    let isSynchronised = request.isSynchronised || isPlain
    if !isSynchronised { warnOfMissingSync(typeName) }
    try checkFreeSpace(size)
    let metadataCount =
      type.hasMetadata
      ? raidMetadataExtentCount(
        imageExtentCount: size.extentCount / parameters.multiple, regionSectors: region) : 0
    var allocation = AllocationRequest(
      extentCount: size.extentCount, areaCount: parameters.areaCount,
      multiple: parameters.multiple,
      policy: request.allocation?.policy ?? group.allocationPolicy,
      settings: settings.allocation)
    allocation.volumeName = name
    allocation.parityCount = parameters.parityCount
    allocation.metadataExtentCount = metadataCount
    allocation.isRAID1 = type.isRAID1
    allocation.isApproximate = size.isApproximate
    let found = try group.allocate(allocation, from: extents)

    let count = parameters.areaCount + parameters.parityCount
    var volume = topVolume(request, name: name)
    if !isSynchronised { volume.status.insert(.notSynced) }
    var section = ConfigSection()
    if type.isRAID0 {
      section.append("stripe_count", number: count)
    } else {
      section.append("device_count", number: count)
      if type.isRAID10 { section.append("data_copies", number: parameters.copyCount) }
      section.append("region_size", number: region)
    }
    if type.isStriped { section.append("stripe_size", number: parameters.stripeSectors) }
    if !isPlain, let rate = request.recoveryRates.minimum, rate > 0 {
      section.append("min_recovery_rate", number: rate)
    }
    if !isPlain, let rate = request.recoveryRates.maximum, rate > 0 {
      section.append("max_recovery_rate", number: rate)
    }
    var names: [ConfigValue] = []
    for index in 0..<count {
      if type.hasMetadata { names.append(.string("\(name)_rmeta_\(index)")) }
      names.append(.string("\(name)_rimage_\(index)"))
    }
    section.append(type.hasMetadata ? "raids" : "raid0_lvs", .list(names))
    volume.segments = [
      .whole(
        type.name, extentCount: found.extentCountPerSlot * parameters.multiple, section)
    ]
    add(volume)
    for index in 0..<count {
      addImage(
        "\(name)_rimage_\(index)", found.parts, slots: index..<(index + 1), 0,
        volume.allocationPolicy)
      guard type.hasMetadata else { continue }
      addRAIDMetadata(
        "\(name)_rmeta_\(index)", found.metadata[index], extentCount: metadataCount,
        policy: volume.allocationPolicy)
      // LVM activates it for a moment, which a list of tags in lvm.conf may forbid.
      update("\(name)_rmeta_\(index)") { $0.tags = volume.tags }
    }
    try prepareStart(of: volume, request)
  }

  private mutating func addImage(
    _ name: String, _ parts: [FoundExtents.Part], slots: Range<Int>, _ stripeSectors: UInt64,
    _ policy: AllocationPolicy?
  ) {
    var image = makeVolume(name, isVisible: false, policy: policy)
    image.append(parts, slots: slots, stripeSectors: stripeSectors)
    add(image)
  }

  /// Its first bytes would be taken for an array's if they were not zero.
  mutating func addRAIDMetadata(
    _ name: String, _ area: SegmentArea, extentCount: Int, policy: AllocationPolicy?
  ) {
    var metadata = makeVolume(name, isVisible: false, policy: policy)
    metadata.append(area, extentCount: extentCount)
    wipe(area, byteCount: Self.wipedByteCount)
    add(metadata)
  }

  /// Extents for a superblock and a bitmap with one bit a region (lvm2-allocation 10).
  func raidMetadataExtentCount(imageExtentCount: Int, regionSectors: UInt64) -> Int {
    let imageSectors = group.sectors(extents: imageExtentCount)
    let regions = (imageSectors + regionSectors - 1) / regionSectors
    let sectors = (8192 + (regions + 7) / 8 + 511) / 512
    return Int((sectors + group.extentSizeSectors - 1) / group.extentSizeSectors)
  }

  /// The default is halved until it is not larger than the LV, and a RAID volume's is doubled until
  /// 2²¹ regions cover it.
  mutating func regionSectors(
    _ request: CreateRequest, size: UInt64, stripe: UInt64, type: String, isQuiet: Bool = false
  ) -> UInt64 {
    var region = request.regionSectors ?? settings.allocation.defaultRegionSizeSectors
    if region < stripe {
      print(
        "Adjusting \(type) \(DisplayUnit.message(sectors: region)) region size to required minimum "
          + "of stripe size \(DisplayUnit.message(sectors: stripe)).")
      region = stripe
    }
    if region > size, size > 0, size < UInt64(UInt32.max) {
      region = 1 << UInt64(63 - size.leadingZeroBitCount)
      if !isQuiet {
        print("Using reduced mirror region size of \(DisplayUnit.message(sectors: region))")
      }
    }
    if type != "mirror" { while size > region << 21 { region *= 2 } }
    return region
  }

  private mutating func warnOfMissingSync(_ type: String) {
    warn("WARNING: New \(type) won't be synchronised. Don't read what you didn't write!")
  }

  // MARK: - Mirrors

  mutating func createMirror(
    _ log: CreateRequest.MirrorLog, _ request: CreateRequest, name: String,
    _ parameters: StripeParameters, _ size: CreateSize, _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) {
    let region = regionSectors(
      request, size: group.sectors(extents: size.extentCount), stripe: 0, type: "mirror")
    if !request.isSynchronised { warnOfMissingSync("mirror") }
    try checkFreeSpace(size)
    var allocation = AllocationRequest(
      extentCount: size.extentCount, areaCount: parameters.areaCount,
      multiple: parameters.stripeCount,
      policy: request.allocation?.policy ?? group.allocationPolicy,
      settings: settings.allocation)
    allocation.volumeName = name
    allocation.isApproximate = size.isApproximate
    let found = try group.allocate(allocation, from: extents)
    let extentCount = found.extentCountPerSlot * parameters.stripeCount

    var volume = topVolume(request, name: name)
    if !request.isSynchronised { volume.status.insert(.notSynced) }
    volume.segments = [
      .mirror(
        name, copyCount: parameters.copyCount, log: log, region: region, extentCount: extentCount)
    ]
    add(volume)
    for index in 0..<parameters.copyCount {
      let first = index * parameters.stripeCount
      addImage(
        "\(name)_mimage_\(index)", found.parts, slots: first..<(first + parameters.stripeCount),
        parameters.stripeSectors, volume.allocationPolicy)
    }
    if log == .disk {
      // LVM leaves room for the log when the legs have taken all there was.
      let isFull = group.freeExtentCount == 0 && extentCount > 1
      if isFull { shorten(name, to: extentCount - 1) }
      // It looks at the first extents only for the PVs that the log should not lie on.
      try addMirrorLog(
        to: name, region: region, extentCount: isFull ? extentCount - 1 : extentCount, request,
        avoiding: found.parts.first?.areas.compactMap(\.physicalVolume) ?? [])
    }
    try prepareStart(of: volume, request)
  }

  /// A header, and a bitmap with one bit a region in whole words (lvm2-allocation 10).
  func mirrorLogSize(extentCount: Int, region: UInt64) -> (extentCount: Int, sectors: UInt64) {
    let regions = (group.sectors(extents: extentCount) + region - 1) / region
    let sectors = (1024 + (regions + 31) / 32 * 4 + 511) / 512
    return (self.extentCount(sectors: sectors), sectors)
  }

  mutating func addMirrorLog(
    to name: String, region: UInt64, extentCount: Int, _ request: CreateRequest,
    avoiding volumes: [LVMIdentifier]
  ) throws(VolumeGroupRefusal) {
    let (count, sectors) = mirrorLogSize(extentCount: extentCount, region: region)
    var allocation = AllocationRequest(
      extentCount: 0, areaCount: 0, multiple: 1,
      policy: request.allocation?.policy ?? group.allocationPolicy, settings: settings.allocation)
    allocation.logExtentCount = count
    allocation.needsSeparateLog = settings.allocation.separatesMirrorLogs
    allocation.parallelAreas = [.init(extents: 0..<extentCount, avoided: Set(volumes))]
    do throws(VolumeGroupRefusal) {
      let extents = try allocatableExtents(request.physicalVolumes)
      guard let area = try group.allocate(allocation, from: extents).log else { return }
      var log = makeVolume(
        "\(name)_mlog", isVisible: false, policy: request.allocation?.policy)
      log.append(area, extentCount: count)
      wipe(area, byteCount: Int(sectors) * 512)
      add(log)
    } catch {
      var refusal = error
      refusal.messages.append("Unable to allocate extents for mirror log.")
      throw refusal
    }
  }
}
