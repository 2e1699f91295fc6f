import LVMMetadata

/// The attributes that vgchange may change; nil leaves one as it is.
public struct GroupAttributes: Sendable {
  public var addedTags: [String] = []
  public var removedTags: [String] = []
  public var allocation: AllocationChoice?
  public var isResizeable: Bool?
  public var logicalVolumeLimit: UInt32?
  public var physicalVolumeLimit: UInt32?
  public var getsNewIdentifier = false
  /// Empty for none.
  public var systemID: String?
  public var autoactivates: Bool?
  public var extentSizeSectors: UInt64?
  public var metadataCopies: MetadataCopies?
  var profile: ProfileChange?

  public init() {}

  var isEmpty: Bool {
    addedTags.isEmpty && removedTags.isEmpty && allocation == nil && isResizeable == nil
      && logicalVolumeLimit == nil && physicalVolumeLimit == nil && !getsNewIdentifier
      && systemID == nil && autoactivates == nil && extentSizeSectors == nil
      && metadataCopies == nil && profile == nil
  }
}

/// vgchange, but for activation and locks; vgrename.
extension GroupEdit {
  public mutating func change(
    _ attributes: GroupAttributes, isForced: Bool
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    for tag in attributes.addedTags where !group.tags.contains(tag) { group.tags.append(tag) }
    group.tags.removeAll { attributes.removedTags.contains($0) }
    if let allocation = attributes.allocation {
      guard let policy = allocation.policy else {
        throw VolumeGroupRefusal("Volume Group allocation policy cannot inherit from anything")
      }
      guard policy != group.allocationPolicy else {
        throw VolumeGroupRefusal(
          "Volume group allocation policy is already \(policy.rawValue)")
      }
      group.allocationPolicy = policy
    }
    try changeLimits(attributes)
    if let size = attributes.extentSizeSectors { try changeExtentSize(to: size) }
    if let isResizeable = attributes.isResizeable {
      guard isResizeable != group.status.contains(.resizeable) else {
        throw VolumeGroupRefusal(
          "Volume group \"\(group.name)\" is already \(isResizeable ? "" : "not ")resizeable")
      }
      group.status.set(.resizeable, isResizeable)
    }
    if attributes.getsNewIdentifier {
      guard !group.logicalVolumes.contains(where: { context.isActive($0.id) }) else {
        throw VolumeGroupRefusal(
          "Volume group has active logical volumes")
      }
      group.id = context.makeIdentifier()
    }
    if let autoactivates = attributes.autoactivates {
      guard autoactivates == group.flags.contains(.noAutoactivation) else {
        throw VolumeGroupRefusal(
          "Volume group autoactivation is already \(autoactivates ? "yes" : "no").")
      }
      group.flags.set(.noAutoactivation, !autoactivates)
    }
    if let copies = attributes.metadataCopies { change(copies) }
    if let profile = attributes.profile { group.profile = profile.name }
    if let systemID = attributes.systemID { try changeOwner(to: systemID, isForced: isForced) }
    print("Volume group \"\(group.name)\" successfully changed")
  }

  private mutating func change(_ copies: MetadataCopies) {
    let count = copies.storedCount
    if copies == .all {
      for volume in group.physicalVolumes { areaUse[volume.id] = true }
    } else if count == group.metadataCopies ?? 0 {
      let word = count == 0 ? "unmanaged" : "\(count)"
      warn("Number of metadata copies for VG \(group.name) is already \(word).")
    }
    group.metadataCopies = count
  }

  private mutating func changeLimits(
    _ attributes: GroupAttributes
  ) throws(VolumeGroupRefusal) {
    let isResizeable = group.status.contains(.resizeable)
    if let limit = attributes.logicalVolumeLimit {
      guard isResizeable else {
        throw VolumeGroupRefusal(
          "Volume group \"\(group.name)\" must be resizeable to change MaxLogicalVolume")
      }
      let count = group.logicalVolumes.filter(\.isVisible).count
      guard limit == 0 || limit >= count else {
        throw VolumeGroupRefusal(
          "MaxLogicalVolume is less than the current number \(count) of LVs for "
            + "\(group.name)")
      }
      group.logicalVolumeLimit = limit
    }
    if let limit = attributes.physicalVolumeLimit {
      guard isResizeable else {
        throw VolumeGroupRefusal(
          "Volume group \"\(group.name)\" must be resizeable to change MaxPhysicalVolumes")
      }
      guard limit == 0 || limit >= group.physicalVolumes.count else {
        throw VolumeGroupRefusal(
          "MaxPhysicalVolumes is less than the current number \(group.physicalVolumes.count) of "
            + "PVs for \"\(group.name)\"")
      }
      group.physicalVolumeLimit = limit
    }
  }

  private mutating func changeOwner(
    to systemID: String, isForced: Bool
  ) throws(VolumeGroupRefusal) {
    let own = context.settings.systemID
    let shown = systemID.isEmpty ? "no system ID" : "system ID \(systemID)"
    guard group.lockType == nil else {
      throw VolumeGroupRefusal("Volume group \(group.name) is shared and can have no system ID.")
    }
    if systemID != own {
      if systemID.isEmpty {
        warn("WARNING: Removing the system ID allows unsafe access from other hosts.")
      } else {
        if own == nil { warn("WARNING: No local system ID is set.") }
        warn(
          "WARNING: Volume group \(group.name) might become inaccessible from this machine.")
      }
      let question =
        systemID.isEmpty
        ? "Remove system ID \(group.systemID ?? "") from volume group \(group.name)? [y/n]: "
        : "Set foreign \(shown) on volume group \(group.name)? [y/n]: "
      guard isForced || context.confirm(question) else {
        throw VolumeGroupRefusal("Volume group \(group.name) system ID not changed.")
      }
    }
    group.systemID = systemID.isEmpty ? nil : systemID
    markWritability()
  }

  /// Groups with an owner look read-only to versions of LVM that do not know of owners.
  private mutating func markWritability() {
    let looksReadOnly = group.isShared || group.systemID != nil
    if group.isWritable {
      group.status.set(.write, !looksReadOnly)
      group.flags.set(.writeLocked, looksReadOnly)
    }
    for index in group.logicalVolumes.indices where group.logicalVolumes[index].isWritable {
      group.logicalVolumes[index].status.set(.write, !looksReadOnly)
      group.logicalVolumes[index].flags.set(.writeLocked, looksReadOnly)
    }
  }

  // MARK: - Extents of another size

  /// Throws unless every number of extents is a whole one of the new size; LVM goes through them in this
  /// order and names the first that is not.
  private func checkExtents(fit size: UInt64) throws(VolumeGroupRefusal) {
    let old = group.extentSizeSectors
    func check(_ count: Int, _ what: String) throws(VolumeGroupRefusal) {
      let sectors = UInt64(count) * old
      guard sectors.isMultiple(of: size) else {
        throw VolumeGroupRefusal(
          "New size \(sectors) for \(what) not an exact number of new extents.")
      }
      guard sectors / size <= UInt64(UInt32.max) else {
        throw VolumeGroupRefusal("New extent count \(sectors / size) for \(what) exceeds 32 bits.")
      }
    }
    try check(group.extentCount, group.name)
    try check(group.freeExtentCount, "\(group.name) free space")
    for (volume, used) in zip(group.physicalVolumes, group.usedAreasByPhysicalVolume()) {
      let name = context.deviceName(volume.id)
      try check(volume.extentCount, name)
      try check(used.reduce(0) { $0 + $1.extents.count }, "\(name) allocated space")
      var end = 0
      for area in used.map(\.extents) + [volume.extentCount..<volume.extentCount] {
        if area.lowerBound > end {
          try check(end, "\(name) PV segment start")
          try check(area.lowerBound - end, "\(name) PV segment length")
        }
        end = area.upperBound
      }
    }
    for volume in group.logicalVolumes {
      try check(volume.extentCount, volume.name)
      for segment in volume.segments {
        try check(segment.startExtent, "\(volume.name) segment start")
        try check(segment.extentCount, "\(volume.name) segment length")
      }
    }
  }

  private mutating func changeExtentSize(to size: UInt64) throws(VolumeGroupRefusal) {
    guard group.status.contains(.resizeable) else {
      throw VolumeGroupRefusal(
        "Volume group \"\(group.name)\" must be resizeable to change PE size")
    }
    let old = group.extentSizeSectors
    guard size != old else {
      warn(
        "Physical extent size of VG \(group.name) is already "
          + "\(DisplayUnit.message(sectors: size)).")
      return
    }
    try ExtentSize.check(size)
    guard size < old || (UInt64(group.extentCount) * old).isMultiple(of: size) else {
      throw VolumeGroupRefusal("New extent size is not a perfect fit")
    }
    try checkExtents(fit: size)
    for index in group.physicalVolumes.indices {
      group.physicalVolumes[index].extentCount = Int(
        UInt64(group.physicalVolumes[index].extentCount) * old / size)
    }
    group.extentSizeSectors = size
    for index in group.logicalVolumes.indices {
      for place in group.logicalVolumes[index].segments.indices {
        try rescale(&group.logicalVolumes[index].segments[place], from: old, to: size)
      }
    }
    do {
      try group.checkWritable()
    } catch {
      throw VolumeGroupRefusal("New extent size is not usable: \(error.message)")
    }
  }

  private func rescale(
    _ segment: inout Segment, from old: UInt64, to new: UInt64
  ) throws(VolumeGroupRefusal) {
    func scaled(_ count: Int) throws(VolumeGroupRefusal) -> Int {
      let sectors = UInt64(count) * old
      guard sectors % new == 0, sectors / new <= UInt64(UInt32.max) else {
        throw VolumeGroupRefusal(
          "New size \(new) for segment of \(sectors) sectors is not an exact number of new extents."
        )
      }
      return Int(sectors / new)
    }
    let areaCount = try scaled(segment.extentCountPerArea)
    segment.startExtent = try scaled(segment.startExtent)
    segment.extentCount = try scaled(segment.extentCount)
    segment.reshapeCount = try scaled(segment.reshapeCount)
    switch segment.kind {
    case .striped(var layout):
      guard areaCount * layout.areas.count == segment.extentCount else {
        throw VolumeGroupRefusal("New extent size does not divide the stripes of a segment.")
      }
      for index in layout.areas.indices {
        layout.areas[index].firstExtent = try scaled(layout.areas[index].firstExtent)
      }
      segment.kind = .striped(layout)
    case .other:
      guard
        segment.baseType != "mirror"
          || segment.imageLayout?.images.allSatisfy({
            group.logicalVolume(named: $0) != nil
          }) == true, segment.baseType != "vdo", segment.baseType != "vdo-pool"
      else {
        throw VolumeGroupRefusal(
          "The extent size cannot be changed while the group has a segment of type "
            + "\(segment.baseType).")
      }
    }
  }

  // MARK: - Another name

  /// The caller has seen that no other group has the name.
  public mutating func renameGroup(to name: String) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let old = group.name
    for volume in group.logicalVolumes where name.utf8.count + volume.name.utf8.count + 3 >= 128 {
      throw VolumeGroupRefusal(
        "New volume group name is too long with logical volume \(volume.name).")
    }
    group.name = name
    reloads += group.logicalVolumes.filter { context.isActive($0.id) }.map(\.name)
    print("Volume group \"\(old)\" successfully renamed to \"\(name)\"")
  }
}

/// The value of `--vgmetadatacopies`: how many metadata areas of a group are to be in use.
public enum MetadataCopies: Sendable, Equatable {
  /// All, from now on unmanaged.
  case all
  case unmanaged
  case count(UInt32)

  init?(_ text: String) {
    switch text {
    case "all": self = .all
    case "unmanaged", "0": self = .unmanaged
    default:
      guard let count = UInt32(text), count < UInt32(Int32.max) else { return nil }
      self = .count(count)
    }
  }

  /// What the metadata says.
  var storedCount: UInt32 {
    if case .count(let count) = self { count } else { 0 }
  }
}

extension CommandArguments {
  /// `--vgmetadatacopies`, also called `--metadatacopies` where it can mean nothing else.
  func groupMetadataCopies() throws(CommandLineError) -> MetadataCopies? {
    for option in ["vgmetadatacopies", "metadatacopies"] {
      guard let text = value(option) else { continue }
      guard let copies = MetadataCopies(text) else { throw .invalidArgument(option, text) }
      return copies
    }
    return nil
  }
}

/// Which sizes extents may have (lvm2-metadata 9).
public enum ExtentSize {
  public static func check(_ sectors: UInt64) throws(VolumeGroupRefusal) {
    guard sectors >= 2, sectors <= UInt64(UInt32.max) else {
      throw VolumeGroupRefusal("Physical Extent size must be at least 1.00 KiB.")
    }
    guard sectors.nonzeroBitCount == 1 || sectors % 256 == 0 else {
      throw VolumeGroupRefusal(
        "Physical Extent size must be a multiple of 128.00 KiB when not a power of 2.")
    }
  }
}
