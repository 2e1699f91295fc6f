/// lvextend for linear and striped LVs.
extension VolumeGroup {
  /// The next version of the group with the LV extended; nothing is changed on disk.
  ///
  /// - Throws: what LVM would print, as a refusal.
  public func extendingLogicalVolume(
    named volumeName: String, _ request: ResizeRequest
  ) throws(VolumeGroupRefusal) -> ResizeResult {
    var volume = try resizableVolume(named: volumeName)
    let (map, listedCount) = try freeExtents(request.physicalVolumes)
    var messages: [String] = []
    let target = try targetExtentCount(of: volume, request, map, &messages)
    let stripes = try stripes(for: volume, request, &messages)
    let existing = volume.extentCount
    guard target.extentCount >= existing else {
      throw VolumeGroupRefusal(
        "New size given (\(target.extentCount) extents) not larger than existing size "
          + "(\(existing) extents)")
    }
    guard target.extentCount > existing else {
      throw VolumeGroupRefusal(
        "New size (\(existing) extents) matches existing size (\(existing) extents).")
    }
    let policy = request.allocationPolicy ?? volume.allocationPolicy ?? allocationPolicy
    guard stripes.count <= listedCount || policy == .anywhere else {
      throw VolumeGroupRefusal(
        "Number of stripes (\(stripes.count)) must not exceed number of physical volumes "
          + "(\(listedCount))")
    }
    let added = roundedToStripes(
      target.extentCount - existing, existing, stripes, target.isPercentage, &messages)
    guard added > 0 else {
      throw VolumeGroupRefusal(
        "New size (\(existing) extents) matches existing size (\(existing) extents).")
    }
    guard existing + added <= Int(UInt32.max) else {
      throw VolumeGroupRefusal("Size exceeds the \(UInt32.max) extents that LVM can number.")
    }
    var tags: [LVMIdentifier: [String]] = [:]
    for physicalVolume in physicalVolumes { tags[physicalVolume.id] = physicalVolume.tags }
    var allocator = ExtentAllocator(
      map: map,
      request: .init(
        volumeName: volumeName, segments: volume.segments, extentCount: added,
        stripeCount: stripes.count, policy: policy, isApproximate: target.isApproximate,
        settings: request.settings, tagsByVolume: tags))
    volume.append(try allocator.allocate(), stripeSizeSectors: stripes.sizeSectors)
    if let old = logicalVolume(named: volumeName) {
      messages.append(resizeMessage(old, to: volume.extentCount))
    }
    return ResizeResult(
      volumeGroup: replacing(volume), oldExtentCount: existing,
      newExtentCount: volume.extentCount, messages: messages)
  }

  /// The free extents of the PVs that may be used, and how many PVs were listed.
  private func freeExtents(
    _ choices: [PhysicalVolumeChoice]?
  ) throws(VolumeGroupRefusal) -> (map: FreeExtentMap, listedCount: Int) {
    let used = usedAreasByPhysicalVolume()
    var map = FreeExtentMap()
    for choice in choices ?? physicalVolumes.map({ PhysicalVolumeChoice(id: $0.id) }) {
      guard let index = physicalVolumes.firstIndex(where: { $0.id == choice.id }) else {
        throw VolumeGroupRefusal(
          "Physical Volume \"\(choice.id)\" not found in Volume Group \"\(name)\".")
      }
      let volume = physicalVolumes[index]
      let usedCount = used[index].reduce(0) { $0 + $1.extents.count }
      guard volume.isAllocatable, !volume.isMarkedMissing,
        choices == nil || usedCount < volume.extentCount
      else { continue }
      map.add(volume, used: used[index], ranges: choice.ranges)
    }
    guard choices == nil || !map.volumes.isEmpty else {
      throw VolumeGroupRefusal("No specified PVs have space available.")
    }
    return (map, map.volumes.count)
  }

  private struct Target {
    var extentCount: Int
    var isPercentage: Bool
    var isApproximate: Bool
  }

  private func targetExtentCount(
    of volume: LogicalVolume, _ request: ResizeRequest, _ map: FreeExtentMap,
    _ messages: inout [String]
  ) throws(VolumeGroupRefusal) -> Target {
    let pvsOnly = SizeArgument(sign: .increase, amount: .percentage(100, of: .physicalVolumes))
    guard let size = request.size ?? (request.physicalVolumes == nil ? nil : pvsOnly) else {
      throw VolumeGroupRefusal("Please specify a new size for \(name)/\(volume.name).")
    }
    guard size.sign != .decrease else {
      throw VolumeGroupRefusal("Negative argument not permitted - use lvreduce")
    }
    let existing = volume.extentCount
    var target = Target(extentCount: 0, isPercentage: false, isApproximate: false)
    switch size.amount {
    case .extents(let count): target.extentCount = count
    case .sectors(let sectors):
      target.extentCount = try extents(sectors: sectors, roundingUp: true, messages: &messages)
    case .percentage(let percent, let base):
      let count = try extentCount(of: base, volume, request, map)
      target.extentCount = percentage(percent, of: count, roundingUp: true)
      target.isPercentage = true
      switch base {
      case .free: target.isApproximate = true
      case .volumeGroup, .physicalVolumes: target.isApproximate = size.sign == .absolute
      case .logicalVolume, .origin: break
      }
      let available = existing + freeExtentCount
      if base == .volumeGroup, size.sign == .absolute, target.extentCount > available {
        target.extentCount = available
        messages.append(
          "Reducing \(percent)%VG to remaining free space "
            + "\(DisplayUnit.message(sectors: sectors(extents: available))) in VG.")
      }
    }
    if size.sign == .increase { target.extentCount += existing }
    return target
  }

  /// What a percentage is taken of.
  private func extentCount(
    of base: SizeArgument.Base, _ volume: LogicalVolume, _ request: ResizeRequest,
    _ map: FreeExtentMap
  ) throws(VolumeGroupRefusal) -> Int {
    switch base {
    case .volumeGroup: return extentCount
    case .free: return freeExtentCount
    case .logicalVolume: return volume.extentCount
    case .physicalVolumes:
      return request.physicalVolumes == nil ? extentCount : map.freeExtentCount
    case .origin:
      throw VolumeGroupRefusal("Only snapshots may be sized by their origin.")
    }
  }

  private struct Stripes {
    var count: Int
    var sizeSectors: UInt64
  }

  /// Options first, then what the existing segments agree on.
  private func stripes(
    for volume: LogicalVolume, _ request: ResizeRequest, _ messages: inout [String]
  ) throws(VolumeGroupRefusal) -> Stripes {
    var count = request.stripeCount
    var size = request.stripeSizeSectors ?? 0
    if count == nil || (count ?? 1 > 1 && size == 0) {
      var seen = Stripes(count: 0, sizeSectors: 0)
      for layout in volume.segments.compactMap(\.stripedLayout) {
        let sizesDiffer =
          seen.sizeSectors != 0 && layout.stripeSizeSectors != 0
          && seen.sizeSectors != layout.stripeSizeSectors && size == 0
        let countsDiffer = seen.count != 0 && seen.count != layout.areas.count && count == nil
        guard !sizesDiffer, !countsDiffer else {
          throw VolumeGroupRefusal("Please specify number of stripes (-i) and stripesize (-I)")
        }
        seen = Stripes(count: layout.areas.count, sizeSectors: layout.stripeSizeSectors)
      }
      if count == nil { count = max(seen.count, 1) }
      if size == 0, let count, count > 1 {
        let isKnown = seen.sizeSectors > 0
        size = isKnown ? seen.sizeSectors : request.settings.defaultStripeSizeSectors
        messages.append(
          "Using \(isKnown ? "stripesize of last segment" : "default stripesize") "
            + DisplayUnit.message(sectors: size))
      }
    }
    let stripes = Stripes(count: count ?? 1, sizeSectors: count ?? 1 > 1 ? size : 0)
    guard stripes.count >= 1, stripes.count <= 128 else {
      throw VolumeGroupRefusal("Number of stripes (\(stripes.count)) must be between 1 and 128.")
    }
    guard stripes.count == 1 || (size >= 8 && size & (size - 1) == 0 && size <= extentSizeSectors)
    else {
      throw VolumeGroupRefusal(
        "Invalid stripe size \(DisplayUnit.message(sectors: size)): it must be a power of two from "
          + "4.00 KiB to the extent size.")
    }
    return stripes
  }

  /// `added` in whole stripes: up, or down when a percentage leaves no room for more.
  private func roundedToStripes(
    _ added: Int, _ existing: Int, _ stripes: Stripes, _ isPercentage: Bool,
    _ messages: inout [String]
  ) -> Int {
    guard stripes.count > 1 else { return added }
    let unit = stripes.count * Int(max(1, stripes.sizeSectors / extentSizeSectors))
    let rest = added % unit
    guard rest > 0 else { return added }
    let up = added - rest + unit
    let goesDown = isPercentage && up > freeExtentCount
    let rounded = goesDown ? added - rest : up
    messages.append(
      "Rounding size (\(existing + added) extents) \(goesDown ? "down" : "up") to stripe boundary "
        + "size for segment (\(existing + rounded) extents)\(goesDown ? "" : ".")")
    return rounded
  }

  /// Extents that no LV uses, on any PV.
  public var freeExtentCount: Int {
    usedAreasByPhysicalVolume().joined().reduce(extentCount) { $0 - $1.extents.count }
  }
}

extension LogicalVolume {
  /// Appends what was allocated and joins it with what it continues.
  fileprivate mutating func append(_ found: [ExtentAllocator.Found], stripeSizeSectors: UInt64) {
    for part in found {
      segments.append(
        Segment(
          startExtent: extentCount, extentCount: part.extentCountPerArea * part.areas.count,
          kind: .striped(
            StripedLayout(
              areas: part.areas, stripeSizeSectors: part.areas.count > 1 ? stripeSizeSectors : 0))))
    }
    mergeAdjacentSegments()
  }
}
