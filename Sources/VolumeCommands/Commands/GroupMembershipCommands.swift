import LVMMetadata

/// vgcreate.
public struct CreateGroupCommand: Sendable {
  public static let name = "vgcreate"
  public static let summary = "Make a volume group."
  public static let usage = "vgcreate [OPTIONS] VG DEVICE …"
  public static let ownOptions =
    PhysicalVolumeOptions.options + [
      .value("physicalextentsize", "s", "Size of extents, MiB if no unit is given."),
      .value("maxlogicalvolumes", "l", "The most logical volumes."),
      .value("maxphysicalvolumes", "p", "The most physical volumes."),
      .value("alloc", nil, "contiguous, cling, normal or anywhere."),
      .value("addtag", nil, "Add a tag."), .value("systemid", nil, "The host that owns it."),
      .value("setautoactivation", nil, "y or n."),
      .value("vgmetadatacopies", nil, "Metadata areas to be in use: all, unmanaged or a number."),
      .value("metadataprofile", nil, "Attach the profile of this name."),
    ]

  public var group: String
  public var devices: [String]
  public var options: PhysicalVolumeOptions
  public var extentSizeSectors: UInt64 = 8192
  public var logicalVolumeLimit: UInt32
  public var physicalVolumeLimit: UInt32
  public var allocation: AllocationChoice?
  public var tags: [String]
  /// Nil takes this host's.
  public var systemID: String?
  public var autoactivates: Bool
  private let profile: String?
  /// Nil takes lvm.conf's.
  private let metadataCopies: MetadataCopies?

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    guard arguments.positional.count >= 2 else { throw .noSyntax(Self.name) }
    metadataCopies = try arguments.groupMetadataCopies()
    group = try CommandArguments.newGroupName(arguments.positional[0], command: Self.name)
    devices = Array(arguments.positional.dropFirst())
    options = try PhysicalVolumeOptions(arguments, Self.name)
    if let size = try arguments.size("physicalextentsize", unit: "m") { extentSizeSectors = size }
    logicalVolumeLimit = UInt32(
      try arguments.number("maxlogicalvolumes", in: 0...Int(UInt32.max)) ?? 0)
    physicalVolumeLimit = UInt32(
      try arguments.number("maxphysicalvolumes", in: 0...Int(UInt32.max)) ?? 0)
    allocation = try arguments.allocationPolicy()
    tags = try arguments.tags("addtag")
    systemID = arguments.value("systemid")
    autoactivates = try arguments.bool("setautoactivation") ?? true
    profile = arguments.metadataProfile
  }

  /// The group without PVs, before its first version.
  public func newGroup(
    id: LVMIdentifier, _ settings: CommandSettings
  ) throws(VolumeGroupRefusal) -> VolumeGroup {
    try ExtentSize.check(extentSizeSectors)
    var volumeGroup = VolumeGroup(
      name: group, id: id, seqno: 0, extentSizeSectors: extentSizeSectors)
    if let policy = allocation?.policy { volumeGroup.allocationPolicy = policy }
    if allocation == .inherit {
      throw VolumeGroupRefusal("Volume Group allocation policy cannot inherit from anything")
    }
    volumeGroup.logicalVolumeLimit = logicalVolumeLimit
    volumeGroup.physicalVolumeLimit = physicalVolumeLimit
    for tag in tags where !volumeGroup.tags.contains(tag) { volumeGroup.tags.append(tag) }
    volumeGroup.profile = profile
    if !autoactivates { volumeGroup.flags.insert(.noAutoactivation) }
    volumeGroup.metadataCopies =
      metadataCopies?.storedCount ?? settings.metadata.groupMetadataCopies
    let owner = systemID ?? settings.systemID ?? ""
    if !owner.isEmpty {
      volumeGroup.systemID = owner
      volumeGroup.status.remove(.write)
      volumeGroup.flags.insert(.writeLocked)
    }
    return volumeGroup
  }
}

/// vgextend.
public struct ExtendGroupCommand: Sendable {
  public static let name = "vgextend"
  public static let summary = "Add physical volumes to a volume group."
  public static let usage = "vgextend [OPTIONS] VG DEVICE …"
  public static let ownOptions =
    PhysicalVolumeOptions.options + [
      .flag("restoremissing", nil, "Take back physical volumes that were missing in a change.")
    ]

  public var group: String
  public var devices: [String]
  public var options: PhysicalVolumeOptions
  /// The devices are PVs of the group already, marked as missing.
  public let restoresMissing: Bool

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    restoresMissing = arguments.has("restoremissing")
    guard arguments.positional.count >= 2 else { throw .noSyntax(Self.name) }
    group = try CommandArguments.existingGroupName(arguments.positional[0])
    devices = Array(arguments.positional.dropFirst())
    options = try PhysicalVolumeOptions(arguments, Self.name)
  }
}

/// vgreduce.
public struct ReduceGroupCommand: Sendable {
  public static let name = "vgreduce"
  public static let summary = "Remove unused physical volumes from a volume group."
  public static let usage = "vgreduce VG DEVICE … | -a VG | --removemissing [--force] VG"
  public static let ownOptions: [CommandOption] = [
    .flag("all", "a", "All that hold nothing."),
    .flag("removemissing", nil, "All that are missing."),
    .flag("force", "f", "With --removemissing: first the logical volumes that lie on them."),
  ]

  public var group: String
  /// Nil stands for all that hold nothing.
  public var devices: [String]?
  /// Those that are missing, and no others.
  public let removesMissing: Bool
  /// Logical volumes on missing PVs go, too.
  public let isForced: Bool

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    guard let first = arguments.positional.first else { throw .noSyntax(Self.name) }
    group = try CommandArguments.existingGroupName(first)
    removesMissing = arguments.has("removemissing")
    isForced = arguments.has("force")
    if removesMissing, arguments.has("mirrorsonly") {
      throw CommandLineError(
        "clvm vgreduce does not do --mirrorsonly: use LVM's own vgreduce.")
    }
    devices = arguments.has("all") ? nil : Array(arguments.positional.dropFirst())
  }
}

/// vgremove.
public struct RemoveGroupCommand: Sendable {
  public static let name = "vgremove"
  public static let summary = "Remove volume groups."
  public static let usage = "vgremove [-f|-y] VG|@TAG …"
  public static let ownOptions: [CommandOption] = [
    .flag("force", "f", "Do not ask."), .select,
  ]

  /// Nil when any group may be meant.
  public var groups: [String]? { selection.groupNames }
  private let selection: GroupSelection
  public var isForced: Bool

  public func isAbout(_ group: VolumeGroup) -> Bool { selection.contains(group) }

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    selection = try GroupSelection(arguments.positional, Self.name)
    isForced = arguments.has("force") || arguments.has("yes")
  }
}

extension VolumeGroup {
  /// Adds a PV as the last one.
  public mutating func addPhysicalVolume(
    _ label: PhysicalVolumeLabel, device: String
  ) throws(VolumeGroupRefusal) {
    let count = label.extentCount(extentSizeSectors: extentSizeSectors)
    guard let start = label.extentStartSectors, count > 0 else {
      throw VolumeGroupRefusal(
        "Physical volume \(device) has no room for an extent of "
          + "\(DisplayUnit.message(sectors: extentSizeSectors)).")
    }
    guard physicalVolumeLimit == 0 || physicalVolumes.count < physicalVolumeLimit else {
      throw VolumeGroupRefusal(
        "No space for '\(device)' - volume group '\(name)' holds max \(physicalVolumeLimit) "
          + "physical volume(s).")
    }
    var volume = PhysicalVolume(
      label: "pv\(physicalVolumes.count)", id: label.id, device: device,
      deviceSizeSectors: label.deviceSizeBytes / 512, extentStartSectors: start,
      extentCount: count)
    if let area = label.bootloaderAreas.first {
      volume.bootloaderAreaStartSectors = area.offset / 512
      volume.bootloaderAreaSizeSectors = area.size / 512
    }
    physicalVolumes.append(volume)
  }

  /// Removes a PV that holds nothing; the others are numbered anew, as LVM does.
  public mutating func removePhysicalVolume(
    _ id: LVMIdentifier, device: String
  ) throws(VolumeGroupRefusal) {
    guard let index = physicalVolumes.firstIndex(where: { $0.id == id }) else {
      throw VolumeGroupRefusal("Failed to find physical volume \"\(device)\".")
    }
    guard usedAreasByPhysicalVolume()[index].isEmpty else {
      throw VolumeGroupRefusal("Physical volume \"\(device)\" still in use")
    }
    guard physicalVolumes.count > 1 else {
      throw VolumeGroupRefusal(
        "Can't remove final physical volume \"\(device)\" from volume group \"\(name)\"")
    }
    guard !logicalVolumes.contains(where: { $0.status.contains(.pvmove) }) else {
      throw VolumeGroupRefusal("A pvmove is under way in volume group \(name).")
    }
    physicalVolumes.remove(at: index)
    for index in physicalVolumes.indices { physicalVolumes[index].label = "pv\(index)" }
  }
}
