import LVMMetadata

/// The device of a physical volume as this machine sees it.
public struct PhysicalVolumeDevice: Hashable, Sendable {
  public let number: DeviceNumber
  /// In 512-byte sectors.
  public let sizeSectors: UInt64

  public init(number: DeviceNumber, sizeSectors: UInt64) {
    self.number = number
    self.sizeSectors = sizeSectors
  }
}

/// Computes what the mapped devices of a group's volumes must look like.
///
/// Linear and striped volumes are planned, each as one device. Whatever needs more is refused, and
/// so is what is not there in full: a table over missing or short devices would lose data later.
public struct ActivationPlanner: Sendable {
  public let volumeGroup: VolumeGroup
  private let devices: [LVMIdentifier: PhysicalVolumeDevice]
  private let groupRefusal: ActivationRefusal?
  /// The volumes that are parts of others, each with one that uses it. Segments of a part may look
  /// like those of a linear volume, but its devices do not.
  private let users: [String: LogicalVolume]

  /// - Parameters:
  ///   - devices: the devices of the group's physical volumes, as far as they were found.
  ///   - hostSystemID: this host's LVM system id; nil when it has none.
  ///   - acceptingClustered: whether groups with LVM 2.02's CLUSTERED mark may be active here.
  public init(
    _ volumeGroup: VolumeGroup, devices: [LVMIdentifier: PhysicalVolumeDevice],
    hostSystemID: String? = nil, acceptingClustered: Bool = false
  ) {
    self.volumeGroup = volumeGroup
    self.devices = devices
    users = Dictionary(
      volumeGroup.logicalVolumes.flatMap { user in
        volumeGroup.logicalVolumesBelow(user).map { ($0, user) }
      }, uniquingKeysWith: { first, _ in first })
    let reason: ActivationRefusal.Reason? =
      switch volumeGroup.accessClass(hostSystemID: hostSystemID) {
      case .exported: .exportedGroup
      case .foreign(let systemID): .foreignGroup(systemID: systemID)
      case .clustered: acceptingClustered ? nil : .clusteredGroup
      case .shared, .local: nil
      }
    groupRefusal = reason.map { ActivationRefusal(volumeGroup.name, $0) }
  }

  /// The plan for the volume called `name`.
  ///
  /// - Parameter readOnly: activates a writable volume without permission to write.
  public func plan(
    named name: String, readOnly: Bool = false
  ) throws(ActivationRefusal) -> PlannedVolume {
    guard let volume = volumeGroup.logicalVolume(named: name) else {
      throw groupRefusal ?? ActivationRefusal("\(volumeGroup.name)/\(name)", .unknownVolume)
    }
    return try plan(volume, readOnly: readOnly)
  }

  /// The plan for `volume`, which is one of the group's.
  public func plan(
    _ volume: LogicalVolume, readOnly: Bool = false
  ) throws(ActivationRefusal) -> PlannedVolume {
    if let groupRefusal { throw groupRefusal }
    let title = "\(volumeGroup.name)/\(volume.name)"
    guard volume.isVisible else { throw ActivationRefusal(title, .hiddenVolume) }
    if let user = users[volume.name] {
      throw ActivationRefusal(
        title,
        .usedBy(
          volume: "\(volumeGroup.name)/\(user.name)",
          segmentType: user.segments.first?.typeName ?? "unknown"))
    }
    guard
      let name = MappedDeviceName(
        volumeGroup: volumeGroup.name, logicalVolume: volume.name)
    else { throw ActivationRefusal(title, .malformed("its name is not legal or too long")) }
    return PlannedVolume(
      volume: title,
      uuid: MappedDeviceUUID(volumeGroup: volumeGroup.id, logicalVolume: volume.id),
      name: name, table: try table(of: volume, title: title),
      isReadOnly: readOnly || !volume.isWritable, readAhead: Self.readAhead(of: volume),
      fixedMinor: Self.fixedMinor(of: volume))
  }

  private func table(
    of volume: LogicalVolume, title: String
  ) throws(ActivationRefusal) -> DeviceTable {
    guard !volume.segments.isEmpty else {
      throw ActivationRefusal(title, .malformed("it has no segments"))
    }
    var lines: [TableLine] = []
    for segment in volume.segments {
      switch segment.kind {
      case .striped(let layout):
        lines.append(try line(for: segment, layout, title: title))
      case .other(let type, _):
        throw ActivationRefusal(title, .segmentType(type))
      }
    }
    do {
      return try DeviceTable(lines)
    } catch {
      throw ActivationRefusal(title, .malformed(error.description))
    }
  }

  private func line(
    for segment: Segment, _ layout: StripedLayout, title: String
  ) throws(ActivationRefusal) -> TableLine {
    let count = layout.areas.count
    guard count > 0, segment.extentCount > 0, segment.startExtent >= 0,
      segment.extentCount.isMultiple(of: count)
    else {
      throw ActivationRefusal(
        title,
        .malformed("a segment of \(segment.extentCount) extents has \(count) stripes"))
    }
    var areas: [TableArea] = []
    for area in layout.areas {
      areas.append(try tableArea(area, extentCount: segment.extentCount / count, title: title))
    }
    if !layout.isLinear && layout.stripeSizeSectors == 0 {
      throw ActivationRefusal(title, .malformed("a striped segment has no stripe size"))
    }
    return TableLine(
      start: try sectors(segment.startExtent, title),
      length: try sectors(segment.extentCount, title),
      target: layout.isLinear
        ? .linear(areas[0])
        : .striped(StripedTarget(stripeSize: layout.stripeSizeSectors, areas: areas)))
  }

  /// Where an area lies on its device, if the device is there and reaches to the area's end.
  private func tableArea(
    _ area: SegmentArea, extentCount: Int, title: String
  ) throws(ActivationRefusal) -> TableArea {
    guard let id = area.physicalVolume else {
      throw ActivationRefusal(title, .segmentType("striped over other volumes"))
    }
    guard let physicalVolume = volumeGroup.physicalVolume(id: id) else {
      throw ActivationRefusal(title, .malformed("it refers to an unknown physical volume \(id)"))
    }
    guard let device = devices[id] else {
      throw ActivationRefusal(title, .missingDevice(id, lastSeen: physicalVolume.device))
    }
    guard !physicalVolume.isMarkedMissing else {
      throw ActivationRefusal(title, .staleDevice(id, lastSeen: physicalVolume.device))
    }
    let (offset, overflow) = physicalVolume.extentStartSectors.addingReportingOverflow(
      try sectors(area.firstExtent, title))
    let (end, endOverflow) = offset.addingReportingOverflow(try sectors(extentCount, title))
    guard !overflow, !endOverflow else {
      throw ActivationRefusal(title, .malformed("an area ends beyond the largest sector number"))
    }
    guard end <= device.sizeSectors else {
      throw ActivationRefusal(
        title, .deviceTooSmall(device.number, needed: end, found: device.sizeSectors))
    }
    return TableArea(device: device.number, offset: offset)
  }

  private func sectors(_ extentCount: Int, _ title: String) throws(ActivationRefusal) -> UInt64 {
    guard let count = UInt64(exactly: extentCount) else {
      throw ActivationRefusal(title, .malformed("an extent number is negative"))
    }
    let (sectors, overflow) = count.multipliedReportingOverflow(by: volumeGroup.extentSizeSectors)
    guard !overflow else {
      throw ActivationRefusal(title, .malformed("an extent is beyond the largest sector number"))
    }
    return sectors
  }

  /// dm-activation 8: automatic means at least two stripes of every area of the widest segment.
  private static func readAhead(of volume: LogicalVolume) -> ReadAhead {
    switch volume.readAheadSectors {
    case .some(let sectors) where sectors < 0:
      .none
    case .some(let sectors) where sectors > 0:
      .exactly(UInt32(sectors))
    default:
      .atLeast(
        volume.segments.compactMap(\.stripedLayout).filter { !$0.isLinear }
          .map { UInt32(clamping: 2 * min($0.stripeSizeSectors, 1 << 32) * UInt64($0.areas.count)) }
          .max() ?? 0)
    }
  }

  private static func fixedMinor(of volume: LogicalVolume) -> UInt32? {
    guard volume.status.contains(.fixedMinor) else { return nil }
    return volume.minor.flatMap(UInt32.init(exactly:))
  }
}
