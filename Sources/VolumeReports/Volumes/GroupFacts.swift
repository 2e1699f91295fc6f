import LVMMetadata

/// A volume group with what its rows ask for again and again, made when first asked for.
final class GroupFacts {
  /// Nil for what stands for the group of physical volumes that belong to none.
  private let scanned: ScannedVolumeGroup?
  let group: VolumeGroup

  private(set) lazy var graph = VolumeGraph(group)
  private(set) lazy var missing = scanned?.missingPhysicalVolumes ?? []
  private(set) lazy var history = VolumeHistory(group, graph)
  /// For each physical volume in order, how its extents are divided.
  private(set) lazy var physicalSegments = PhysicalSegment.all(of: self)
  /// For each physical volume in order, the number of extents in use.
  private(set) lazy var usedExtents = physicalSegments.map { segments in
    segments.reduce(0) { $0 + ($1.user == nil ? 0 : $1.extentCount) }
  }
  private lazy var partialNames = scanned?.partialLogicalVolumes ?? []
  private lazy var deviceNames = members.map { $0.scanned?.device.name ?? "[unknown]" }

  /// The devices as they were found, before metadata that differs was set aside.
  private let found: [String: [ScannedArea]]

  init(_ scanned: ScannedVolumeGroup, in scan: MetadataScan) {
    self.scanned = scanned
    group = scanned.volumeGroup
    // A group without obstacles has nothing that was set aside.
    found =
      scanned.obstacles.isEmpty
      ? [:]
      : Dictionary(
        scan.physicalVolumes.map { ($0.device.name, $0.areas) },
        uniquingKeysWith: { first, _ in first })
  }

  private init(placeholder: VolumeGroup) {
    scanned = nil
    group = placeholder
    found = [:]
  }

  /// Stands for the group of physical volumes that belong to none.
  static var none: GroupFacts {
    guard let id = LVMIdentifier(bytes: repeatElement(UInt8(ascii: "0"), count: 32)) else {
      preconditionFailure("32 digits are an identifier")
    }
    return GroupFacts(placeholder: VolumeGroup(name: "", id: id, seqno: 0, status: []))
  }

  var isPlaceholder: Bool { scanned == nil }

  /// LVM knows a format for the placeholder, but not in rows about extents.
  var hasFormat = true

  /// The PVs of the text with their devices, in order.
  var members: [ScannedVolumeGroup.Member] { scanned?.members ?? [] }

  /// The device of a member, with all metadata areas that LVM counts.
  func device(of member: ScannedVolumeGroup.Member) -> ScannedPhysicalVolume? {
    guard var device = member.scanned else { return nil }
    guard let areas = found[device.device.name], areas.count == device.areas.count else {
      return device
    }
    // Of the areas of a device that hold another text LVM leaves out the first only.
    let differing = device.areas.indices.filter { index in
      if case .unusable(.differs) = device.areas[index].state { true } else { false }
    }
    for index in differing.dropFirst() { device.areas[index] = areas[index] }
    return device
  }

  var freeExtents: Int {
    zip(group.physicalVolumes, usedExtents).reduce(0) { $0 + $1.0.extentCount - $1.1 }
  }

  func sectors(extents: Int) -> UInt64 { UInt64(max(extents, 0)) &* group.extentSizeSectors }

  func isPartial(_ name: String) -> Bool {
    !missing.isEmpty && partialNames.contains(name)
  }

  /// The metadata areas on the PVs that can be reached.
  var areas: [ScannedArea] {
    members.compactMap(device).flatMap(\.areas).filter(\.isCounted)
  }

  /// How a PV is called: its device, or that there is none.
  func deviceName(_ index: Int) -> String { deviceNames[index] }
}

extension ScannedArea {
  /// Free sectors for text as LVM counts them: a change writes the new text beside the old one, so
  /// half of the buffer counts; a sector is kept for what rounding may take.
  var freeSectors: UInt64 {
    guard let header, isInUse, header.size >= 512 else { return 0 }
    let half = (header.size - 512) / 2
    let used = (header.committed?.size ?? 0) &+ 512
    return used >= half ? 0 : (half - used) / 512
  }

  var sizeSectors: UInt64 { (header?.size ?? area.size) / 512 }

  /// LVM does not count areas that it cannot read.
  var isCounted: Bool {
    switch state {
    case .unusable, .damaged: false
    case .ignored, .empty, .text: true
    }
  }

  var isInUse: Bool {
    switch state {
    case .ignored, .unusable, .damaged: false
    case .empty, .text: true
    }
  }
}
