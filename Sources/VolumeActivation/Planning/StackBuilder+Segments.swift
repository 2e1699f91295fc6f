import LVMMetadata

// The devices that hold a volume's own segments, and the targets of the simple types.
extension StackBuilder {
  /// What the tables of a volume's segments need besides the segments.
  struct Part {
    let index: Index
    let layer: String?
    /// The volume's name and id decide those of devices that stand in for missing ones.
    let volume: LogicalVolume
  }

  mutating func addSegments(
    _ index: Index, layer: String?, _ uuid: MappedDeviceUUID
  ) throws(ActivationRefusal) -> MappedDeviceUUID {
    let roles = topology.roles[index]
    var source = index
    if roles.contains(.usedCachePool) {
      throw refusal(.noDevice(of: group.logicalVolumes[index].name))
    }
    // Of a cache pool that is not used, the metadata is made accessible.
    if case .cachePool(let layout) = try mappings(index).first {
      guard let metadata = topology.index(named: layout.metadata) else {
        throw malformed("it refers to an unknown volume '\(layout.metadata)'")
      }
      source = metadata
    }
    let part = Part(index: index, layer: layer, volume: group.logicalVolumes[source])
    let mappings = try mappings(source)
    guard mappings.count == part.volume.segments.count else {
      throw malformed("a segment of \(part.volume.name) cannot be read")
    }
    var table = PlannedTable()
    var widestStripe: UInt64 = 0
    var traits = DeviceTraits()
    var nextExtent = 0
    for (number, segment) in part.volume.segments.enumerated() {
      let mapping = mappings[number]
      guard segment.startExtent == nextExtent else {
        throw malformed("a segment begins at extent \(segment.startExtent), not \(nextExtent)")
      }
      nextExtent = segment.endExtent
      let target = try target(for: segment, mapping, number, part, &traits)
      let length = try lengthSectors(of: segment, mapping)
      guard table.append(target, sectors: length) else {
        throw malformed("a segment is empty or ends beyond the largest sector number")
      }
      widestStripe = max(widestStripe, mapping.stripeSectors)
    }
    return try append(
      index, layer: layer, uuid, table,
      readAhead: readAhead(of: group.logicalVolumes[index], widestStripe: widestStripe),
      resumption: traits.resumption, isSecret: traits.isSecret, thinPool: traits.thinPool,
      check: traits.check)
  }

  /// What a segment's type asks of the device as a whole.
  struct DeviceTraits {
    var resumption = PlannedDevice.Resumption.early
    var isSecret = false
    var thinPool: PlannedThinPool?
    var check: MetadataCheck?
  }

  /// A reshape keeps room beside the data, which is not mapped; integrity tells its own size.
  private func lengthSectors(
    of segment: Segment, _ mapping: SegmentMapping
  ) throws(ActivationRefusal) -> UInt64 {
    switch mapping {
    case .raid(let layout):
      let (reserved, overflow) = segment.reshapeCount.multipliedReportingOverflow(
        by: layout.dataImageCount)
      guard !overflow else { throw malformed("its reshape space has no size") }
      return try sectors(segment.extentCount - reserved)
    case .integrity(let layout): return layout.dataSectors
    case .vdoPool(let layout):
      return try sectors(Int(layout.virtualExtents)) + 2 * UInt64(layout.headerSize)
    default: return try sectors(segment.extentCount)
    }
  }

  private mutating func target(
    for segment: Segment, _ mapping: SegmentMapping, _ number: Int, _ part: Part,
    _ traits: inout DeviceTraits
  ) throws(ActivationRefusal) -> PlannedTarget {
    switch mapping {
    case .striped(let layout): try striped(layout, segment, number, part)
    case .error: .other(type: "error", [])
    case .zero: .other(type: "zero", [])
    case .mirror(let layout): try mirror(layout, segment, number, part, &traits)
    case .raid(let layout): try raid(layout, segment)
    case .thinPool(let layout): try thinPool(layout, segment, &traits)
    case .thin(let layout): try thin(layout, part)
    case .cache(let layout): try cache(layout, part, &traits)
    case .writeCache(let layout): try writeCache(layout)
    case .integrity(let layout): try integrity(layout, &traits)
    case .vdoPool(let layout): try vdoPool(layout, part)
    case .vdo(let layout): try vdo(layout)
    case .snapshot, .cachePool: throw refusal(.noDevice(of: part.volume.name))
    case .unknown(let type): throw refusal(.segmentType(type))
    }
  }

  // MARK: - Linear and striped

  private mutating func striped(
    _ layout: StripedLayout, _ segment: Segment, _ number: Int, _ part: Part
  ) throws(ActivationRefusal) -> PlannedTarget {
    let count = layout.areas.count
    guard count > 0, segment.extentCount > 0, segment.extentCount.isMultiple(of: count)
    else { throw malformed("a segment of \(segment.extentCount) extents has \(count) stripes") }
    let extentCount = segment.extentCount / count
    if layout.isLinear {
      return .linear(
        try area(layout.areas[0], extentCount, of: segment, number: number, areaNumber: 0, part))
    }
    guard layout.stripeSizeSectors > 0 else {
      throw malformed("a striped segment has no stripe size")
    }
    var areas: [PlannedArea] = []
    for (areaNumber, place) in layout.areas.enumerated() {
      areas.append(
        try area(
          place, extentCount, of: segment, number: number, areaNumber: areaNumber, part))
    }
    return .striped(stripeSize: layout.stripeSizeSectors, areas)
  }

  /// Where an area lies, with all that has to lie below it.
  mutating func area(
    _ area: SegmentArea, _ extentCount: Int, of segment: Segment, number: Int, areaNumber: Int,
    _ part: Part
  ) throws(ActivationRefusal) -> PlannedArea {
    let offset = try sectors(area.firstExtent)
    switch area.source {
    case .logicalVolume(let name):
      return PlannedArea(device: .mapped(try add(named: name)), offset: offset)
    case .physicalVolume(let id):
      do {
        return PlannedArea(
          device: .physicalVolume(id, number: physicalDevices[id]?.number),
          offset: try offsetOnDevice(id, offset, extentCount))
      } catch {
        guard error.isMissingDevice, mayReplaceMissing(in: part) else { throw error }
        return try replacement(for: segment, number: number, areaNumber: areaNumber, part)
      }
    }
  }

  /// The offset on the device, if that is there and reaches to the area's end.
  private func offsetOnDevice(
    _ id: LVMIdentifier, _ offset: UInt64, _ extentCount: Int
  ) throws(ActivationRefusal) -> UInt64 {
    guard let physicalVolume = topology.physicalVolume(id) else {
      throw malformed("it refers to an unknown physical volume \(id)")
    }
    guard let device = physicalDevices[id] else {
      throw refusal(.missingDevice(id, lastSeen: physicalVolume.device))
    }
    guard !physicalVolume.isMarkedMissing else {
      throw refusal(.staleDevice(id, lastSeen: physicalVolume.device))
    }
    let (start, overflow) = physicalVolume.extentStartSectors.addingReportingOverflow(offset)
    let (end, endOverflow) = start.addingReportingOverflow(try sectors(extentCount))
    guard !overflow, !endOverflow else {
      throw malformed("an area ends beyond the largest sector number")
    }
    guard end <= device.sizeSectors else {
      throw refusal(
        .deviceTooSmall(id, lastSeen: physicalVolume.device, needed: end, found: device.sizeSectors)
      )
    }
    return start
  }
}

extension SegmentMapping {
  /// The bytes of one stripe over all areas, in sectors, for read-ahead.
  fileprivate var stripeSectors: UInt64 {
    switch self {
    case .striped(let layout) where !layout.isLinear:
      UInt64(UInt32(clamping: layout.stripeSizeSectors)) * UInt64(layout.areas.count)
    case .raid(let layout): UInt64(layout.stripeSize) * UInt64(layout.images.count)
    default: 0
    }
  }
}

extension SegmentArea.Source {
  var logicalVolumeName: String? {
    if case .logicalVolume(let name) = self { name } else { nil }
  }
}
