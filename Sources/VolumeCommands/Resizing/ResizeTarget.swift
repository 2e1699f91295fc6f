import LVMMetadata

/// What a resize comes to, before extents are chosen.
struct ResizeTarget: Equatable {
  var extentCount: Int
  var stripeCount = 1
  var stripeSectors: UInt64 = 0
  /// 1 unless the LV is a mirror, raid1 or raid10.
  var copyCount = 1
  var isApproximate = false
}

/// The size that was asked for, in extents.
private struct ResizeAmount {
  var sign: SizeArgument.Sign
  var count: Int
  var isPercentage = false
  /// Counts extents of PVs: images and logs are included.
  var isPhysical = false
  var isApproximate = false
}

extension GroupEdit {
  mutating func resizeTarget(
    _ request: ResizeRequest, _ size: SizeArgument, of volume: LogicalVolume,
    _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) -> ResizeTarget {
    guard let last = volume.segments.last else {
      throw VolumeGroupRefusal("Logical volume \(group.name)/\(volume.name) has no segments.")
    }
    var amount = try resizeAmount(request, size, of: volume, extents)
    let existing = volume.extentCount
    var existingExtents = existing
    if amount.isPhysical {
      let physical = physicalExtentCount(of: volume)
      if physical == 0 { amount.isPhysical = false } else { existingExtents = physical }
    }
    let isReduction =
      amount.sign == .decrease || (amount.sign == .absolute && amount.count < existingExtents)
    var target = ResizeTarget(extentCount: 0, isApproximate: amount.isApproximate)
    var segmentSize: Int
    if isReduction {
      (target, segmentSize) = try reduced(volume, by: amount, existingExtents, request)
    } else {
      try adoptLayout(of: volume, request, &target)
      segmentSize = amount.sign == .increase ? amount.count : amount.count - existingExtents
      if amount.isPhysical, last.stripedLayout == nil, let layout = last.imageLayout,
        layout.raid?.isRAID0 != true
      {
        let multiple = layout.multiple
        let divisor = layout.images.count - (layout.raid?.parityCount ?? 0)
        segmentSize = segmentSize * multiple / divisor / multiple * multiple
      }
      guard segmentSize < Int(UInt32.max) - existing else {
        throw VolumeGroupRefusal(
          "Unable to extend \(group.name)/\(volume.name) by \(segmentSize) logical extents: "
            + "exceeds limit (\(UInt32.max)).")
      }
      target.extentCount = existing + segmentSize
      try limitCOW(volume, &target, &segmentSize)
    }
    guard target.extentCount > 0 else { throw VolumeGroupRefusal("New size of 0 not permitted.") }
    guard target.extentCount != existing else {
      throw VolumeGroupRefusal(
        "New size (\(existing) extents) matches existing size (\(existing) extents).")
    }
    roundToStripes(&target, segmentSize, existing, isPercentage: amount.isPercentage)
    return target
  }

  private mutating func resizeAmount(
    _ request: ResizeRequest, _ size: SizeArgument, of volume: LogicalVolume,
    _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) -> ResizeAmount {
    var amount = ResizeAmount(sign: size.sign, count: 0)
    switch size.amount {
    case .extents(let count):
      amount.count = count
      roundToRAIDStripes(&amount.count, of: volume, request)
    case .sectors(let sectors):
      let (whole, rest) = sectors.quotientAndRemainder(dividingBy: group.extentSizeSectors)
      guard whole < UInt32.max else {
        throw VolumeGroupRefusal("Size exceeds the \(UInt32.max) extents that LVM can number.")
      }
      amount.count = Int(whole) + (rest > 0 && size.sign != .decrease ? 1 : 0)
      if rest > 0 {
        print(
          "Rounding size to boundary between physical extents: "
            + "\(self.size(extents: amount.count)).")
      }
      roundToRAIDStripes(&amount.count, of: volume, request)
    case .percentage(let percent, let base):
      amount.isPercentage = true
      amount.count = percentage(
        percent, of: try extentCount(of: base, volume, request, extents),
        roundingUp: size.sign != .decrease)
      switch base {
      case .volumeGroup, .free, .physicalVolumes:
        amount.isPhysical = true
        amount.isApproximate =
          size.sign == .absolute || (size.sign == .increase && base == .free)
      case .logicalVolume, .origin: break
      }
      let available = volume.extentCount + group.freeExtentCount
      if base == .volumeGroup, size.sign == .absolute, amount.count > available {
        amount.count = available
        print(
          "Reducing \(percent)%VG to remaining free space \(self.size(extents: available)) in VG.")
      }
    }
    return amount
  }

  /// What a percentage is taken of.
  private func extentCount(
    of base: SizeArgument.Base, _ volume: LogicalVolume, _ request: ResizeRequest,
    _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) -> Int {
    switch base {
    case .volumeGroup: return group.extentCount
    case .free: return group.freeExtentCount
    case .logicalVolume: return volume.extentCount
    case .physicalVolumes:
      return request.physicalVolumes == nil ? group.extentCount : extents.freeExtentCount
    case .origin:
      guard let binding = group.snapshotBinding(ofStore: volume.name),
        let origin = binding.segments.first?.volumeName("origin"),
        let count = group.logicalVolume(named: origin)?.extentCount
      else {
        throw VolumeGroupRefusal("Specified LV does not have an origin LV.")
      }
      return count
    }
  }

  /// Whole stripes of the data of a RAID volume, as far as the size itself goes.
  private mutating func roundToRAIDStripes(
    _ count: inout Int, of volume: LogicalVolume, _ request: ResizeRequest
  ) {
    guard let layout = volume.segments.first?.imageLayout, let raid = layout.raid, !raid.isRAID1,
      count > 0
    else { return }
    let rest = count % layout.multiple
    guard rest > 0 else { return }
    let goesDown = request.direction == .reduce
    let rounded = count - rest + (goesDown ? 0 : layout.multiple)
    print(
      "Rounding size \(size(extents: count)) (\(count) extents) \(goesDown ? "down" : "up") to "
        + "stripe boundary size \(size(extents: rounded)) (\(rounded) extents).")
    count = rounded
  }

  /// Extents of PVs below an LV: its images, logs and metadata.
  private func physicalExtentCount(of volume: LogicalVolume) -> Int {
    var sum = 0
    for segment in volume.segments {
      if segment.stripedLayout?.areas.contains(where: { $0.physicalVolume != nil }) == true {
        sum += segment.extentCount
      }
      guard let layout = segment.imageLayout else { continue }
      for name in layout.images + layout.metadata + [layout.log].compactMap({ $0 }) {
        sum += group.logicalVolume(named: name).map { physicalExtentCount(of: $0) } ?? 0
      }
    }
    return sum
  }

  // MARK: - Growing

  /// Stripes and copies: the options, else what the segments agree on.
  private mutating func adoptLayout(
    of volume: LogicalVolume, _ request: ResizeRequest, _ target: inout ResizeTarget
  ) throws(VolumeGroupRefusal) {
    guard let last = volume.segments.last else { return }
    let layout = last.imageLayout
    if let layout, layout.raid.map({ $0.isRAID1 || $0.isRAID10 }) ?? true {
      target.copyCount = layout.raid?.isRAID10 == true ? 2 : layout.images.count
      if request.copyCount == nil { print("Extending \(target.copyCount) mirror images.") }
    }
    if let copies = request.copyCount, copies != target.copyCount {
      throw VolumeGroupRefusal("Cannot vary number of mirrors in LV yet.")
    }
    if let layout, layout.raid?.isRAID10 == true {
      target.stripeCount = layout.images.count / 2
      target.stripeSectors = layout.stripeSizeSectors
      return
    }
    if let raid = layout?.raid, let layout, let given = request.stripeCount,
      given != (raid.isRAID1 ? 1 : layout.multiple)
    {
      throw VolumeGroupRefusal(
        "Unable to extend \"\(last.baseType)\" segment type with different number of stripes.")
    }
    let given = request.stripeCount
    var size = request.stripeSectors ?? 0
    var count = given
    if given != 1, given == nil || size == 0 {
      let seen = try agreedStripes(of: volume, request)
      if given == nil { count = seen.count }
      if size == 0, let count, count > 1 {
        size = seen.sectors > 0 ? seen.sectors : settings.allocation.defaultStripeSizeSectors
        print(
          "Using \(seen.sectors > 0 ? "stripesize of last segment" : "default stripesize") "
            + DisplayUnit.message(sectors: size))
      }
    }
    target.stripeCount = max(count ?? 1, 1)
    target.stripeSectors = target.stripeCount > 1 ? size : 0
    guard target.stripeCount <= 128 else {
      throw VolumeGroupRefusal(
        "Number of stripes (\(target.stripeCount)) must be between 1 and 128.")
    }
    guard target.stripeCount == 1 || (size >= 8 && size.nonzeroBitCount == 1) else {
      throw VolumeGroupRefusal("Invalid stripe size \(DisplayUnit.message(sectors: size)).")
    }
  }

  private func agreedStripes(
    of volume: LogicalVolume, _ request: ResizeRequest
  ) throws(VolumeGroupRefusal) -> (count: Int, sectors: UInt64) {
    var segments = volume.segments
    if let layout = segments.last?.imageLayout, layout.raid?.isRAID1 ?? true,
      let image = layout.images.first.flatMap({ group.logicalVolume(named: $0) })
    {
      segments = image.segments
    }
    var seen: (count: Int, sectors: UInt64) = (0, 0)
    for segment in segments {
      let sectors: UInt64
      let count: Int
      if let layout = segment.stripedLayout {
        (count, sectors) = (layout.areas.count, layout.stripeSizeSectors)
      } else if let layout = segment.imageLayout, let raid = layout.raid {
        (count, sectors) = (layout.images.count - raid.parityCount, layout.stripeSizeSectors)
      } else {
        continue
      }
      let sizesDiffer =
        seen.sectors != 0 && sectors != 0 && seen.sectors != sectors && request.stripeSectors == nil
      guard !sizesDiffer, seen.count == 0 || seen.count == count || request.stripeCount != nil
      else {
        throw VolumeGroupRefusal("Please specify number of stripes (-i) and stripesize (-I)")
      }
      seen = (count, sectors)
    }
    return seen
  }

  /// A COW store needs no more than room for every chunk of its origin.
  private mutating func limitCOW(
    _ volume: LogicalVolume, _ target: inout ResizeTarget, _ segmentSize: inout Int
  ) throws(VolumeGroupRefusal) {
    guard let binding = group.snapshotBinding(ofStore: volume.name),
      case .other(_, let section)? = binding.segments.first?.kind,
      let origin = section.string("origin").flatMap({ group.logicalVolume(named: $0) }),
      let chunk = section.integer("chunk_size").flatMap({ UInt64(exactly: $0) })
    else { return }
    let most = maximumCOWExtentCount(of: origin, chunkSectors: chunk)
    guard most < target.extentCount else { return }
    print("Reached maximum COW size \(size(extents: most)) (\(most) extents).")
    target.extentCount = most
    segmentSize = most - volume.extentCount
  }

  // MARK: - Shrinking

  private mutating func reduced(
    _ volume: LogicalVolume, by amount: ResizeAmount, _ existingExtents: Int,
    _ request: ResizeRequest
  ) throws(VolumeGroupRefusal) -> (ResizeTarget, segmentSize: Int) {
    if request.stripeCount != nil || request.stripeSectors != nil || request.copyCount != nil {
      print("Ignoring stripes, stripesize and mirrors arguments when reducing.")
    }
    guard amount.sign != .decrease || amount.count < existingExtents else {
      throw VolumeGroupRefusal("Unable to reduce \(group.name)/\(volume.name) below 1 extent.")
    }
    let wanted = amount.sign == .decrease ? existingExtents - amount.count : amount.count
    var target = ResizeTarget(extentCount: wanted)
    var logical = 0
    var physical = 0
    var segmentSize = 0
    for segment in volume.segments {
      let layout = segment.imageLayout
      let copies = layout.map { $0.raid?.isRAID10 == true ? 2 : $0.images.count } ?? 1
      let isMirrored = layout != nil && layout?.raid.map { $0.isRAID1 || $0.isRAID10 } ?? true
      (target.stripeCount, target.stripeSectors) = stripes(of: segment)
      target.copyCount = isMirrored ? copies : 1
      let inSegment = physicalExtents(of: segment)
      if amount.isPhysical {
        if wanted <= physical + inSegment {
          segmentSize = (wanted - physical) / (isMirrored ? copies : 1)
          target.extentCount = logical + segmentSize
          break
        }
      } else if wanted <= logical + segment.extentCount {
        segmentSize = wanted - logical
        break
      }
      logical += segment.extentCount
      physical += inSegment
    }
    return (target, segmentSize)
  }

  private func physicalExtents(of segment: Segment) -> Int {
    guard let layout = segment.imageLayout else { return segment.extentCount }
    return segment.extentCount / layout.multiple * layout.images.count
  }

  private func stripes(of segment: Segment) -> (count: Int, sectors: UInt64) {
    if let layout = segment.stripedLayout { return (layout.areas.count, layout.stripeSizeSectors) }
    if let layout = segment.imageLayout, let raid = layout.raid, !raid.isRAID1 {
      return (layout.multiple, layout.stripeSizeSectors)
    }
    if let image = segment.imageLayout?.images.first.flatMap({ group.logicalVolume(named: $0) }),
      let layout = image.segments.last?.stripedLayout
    {
      return (layout.areas.count, layout.stripeSizeSectors)
    }
    return (1, 0)
  }

  private mutating func roundToStripes(
    _ target: inout ResizeTarget, _ segmentSize: Int, _ existing: Int, isPercentage: Bool
  ) {
    guard target.stripeCount > 1 else { return }
    let unit = target.stripeCount * Int(max(1, target.stripeSectors / group.extentSizeSectors))
    let rest = segmentSize % unit
    guard rest > 0 else { return }
    let count = target.extentCount
    let goesUp =
      count < existing || !isPercentage
      || group.freeExtentCount >= count - existing - rest + unit
    target.extentCount = count - rest + (goesUp ? unit : 0)
    print(
      "Rounding size (\(count) extents) \(goesUp ? "up" : "down") to stripe boundary size for "
        + "segment (\(target.extentCount) extents)\(goesUp ? "." : "")")
  }
}

extension VolumeGroup {
  /// The LV that binds a COW store to its origin.
  func snapshotBinding(ofStore name: String) -> LogicalVolume? {
    logicalVolumes.first { volume in
      guard let segment = volume.segments.first, segment.baseType == "snapshot" else {
        return false
      }
      return segment.volumeName("cow_store") == name || segment.volumeName("merging_store") == name
    }
  }

  /// The LVs that bind an origin to its snapshots.
  func snapshotBindings(ofOrigin name: String) -> [LogicalVolume] {
    logicalVolumes.filter {
      $0.segments.first?.baseType == "snapshot" && $0.segments.first?.volumeName("origin") == name
    }
  }
}
