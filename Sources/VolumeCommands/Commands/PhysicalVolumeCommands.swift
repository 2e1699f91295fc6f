import LVMMetadata

/// How new PVs are laid out: the options of pvcreate, vgcreate and vgextend.
public struct PhysicalVolumeOptions: Sendable {
  public var layout = PhysicalVolumeLayout.Parameters()
  public var labelSector = 1
  public var identifier: LVMIdentifier?
  /// `-f`, twice for a PV that a group uses.
  public var forceCount = 0
  public var isForced: Bool { forceCount > 0 || answersYes }
  public var answersYes = false
  public var ignoresAreas = false
  /// `-Z n`: the first sectors are left as they are, but for the label.
  public var zeroesStart = true

  static let options: [CommandOption] = [
    .value("metadatasize", nil, "Size of a metadata area, MiB if no unit is given."),
    .value("pvmetadatacopies", nil, "Metadata areas: 0, 1 or 2."),
    .value("metadatacopies", nil, "The same; of vgcreate, those of the group to be in use."),
    .value("metadataignore", nil, "y or n: leave the metadata areas unused."),
    .value("dataalignment", nil, "Alignment of extents, KiB if no unit is given."),
    .value("dataalignmentoffset", nil, "Added to the alignment, KiB if no unit is given."),
    .value("bootloaderareasize", nil, "Room before the extents, MiB if no unit is given."),
    .value("labelsector", nil, "Sector of the label: 0 to 3."),
    .value("metadatatype", "M", "lvm2, which is all there is."),
    .value("zero", "Z", "y or n: zero the first sectors."),
    .flag("force", "f", "Do not ask; twice: even if a group uses the device."),
  ]

  init(_ arguments: CommandArguments, _ command: String) throws(CommandLineError) {
    layout.metadataSize = try arguments.size("metadatasize", unit: "m")
    let isOfGroup = command == CreateGroupCommand.name
    let copies = isOfGroup ? nil : try arguments.number("metadatacopies", in: 0...2)
    hasMetadataCopies = copies != nil || arguments.has("pvmetadatacopies")
    ignoresAreas = try arguments.bool("metadataignore") ?? false
    layout.metadataCopies =
      try arguments.number("pvmetadatacopies", in: 0...2) ?? copies ?? 1
    hasAlignment = arguments.has("dataalignment")
    if let alignment = try arguments.size("dataalignment", unit: "k"), alignment > 0 {
      layout.alignment = alignment
    }
    layout.alignmentOffset = try arguments.size("dataalignmentoffset", unit: "k") ?? 0
    layout.bootloaderSize = try arguments.size("bootloaderareasize", unit: "m") ?? 0
    labelSector = try arguments.number("labelsector", in: 0...Int(Int32.max)) ?? 1
    guard labelSector < 4 else { throw .usage(command, "labelsector must be less than 4.") }
    guard (arguments.value("metadatatype") ?? "2").hasSuffix("2") else {
      throw .invalidArgument("metadatatype", arguments.value("metadatatype") ?? "")
    }
    zeroesStart = try arguments.bool("zero") ?? !arguments.has("uuid")
    forceCount = arguments.allValues("force").count
    answersYes = arguments.has("yes")
  }

  private let hasAlignment: Bool
  private let hasMetadataCopies: Bool

  /// With what lvm.conf says where the command line is silent.
  public func completed(by defaults: PhysicalVolumeDefaults) -> PhysicalVolumeOptions {
    var options = self
    if !hasAlignment { options.layout.alignment = defaults.alignmentSectors }
    if !hasMetadataCopies { options.layout.metadataCopies = defaults.metadataCopies }
    if layout.metadataSize == nil { options.layout.metadataSize = defaults.metadataSizeSectors }
    return options
  }
}

/// pvcreate.
public struct CreatePhysicalVolumesCommand: Sendable {
  public static let name = "pvcreate"
  public static let summary = "Make physical volumes."
  public static let usage = "pvcreate [OPTIONS] DEVICE …"
  public static let ownOptions =
    PhysicalVolumeOptions.options + [
      .value("uuid", "u", "The id it is to have."),
      .flag("norestorefile", nil, "With --uuid: no backup says what was on it."),
      .value("setphysicalvolumesize", nil, "Pretend that the device has this size."),
    ]

  public var devices: [String]
  public var options: PhysicalVolumeOptions

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    devices = arguments.positional
    guard !devices.isEmpty else { throw .noSyntax(Self.name) }
    options = try PhysicalVolumeOptions(arguments, Self.name)
    options.layout.deviceSize = try arguments.size("setphysicalvolumesize", unit: "m")
    if let text = arguments.value("uuid") {
      guard arguments.has("norestorefile") else {
        throw .usage(Self.name, "--restorefile is required with --uuid")
      }
      guard let identifier = LVMIdentifier(text) else { throw .invalidArgument("uuid", text) }
      guard devices.count == 1 else {
        throw .usage(Self.name, "Can only set uuid on one volume at once")
      }
      options.identifier = identifier
    }
  }
}

/// pvremove.
public struct RemovePhysicalVolumesCommand: Sendable {
  public static let name = "pvremove"
  public static let summary = "Make devices physical volumes no more."
  public static let usage = "pvremove [-f] DEVICE …"
  public static let ownOptions: [CommandOption] = [.flag("force", "f", "Twice: even if used.")]

  public var devices: [String]
  public var forceCount: Int

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    devices = arguments.positional
    forceCount = arguments.allValues("force").count
    guard !devices.isEmpty else { throw .noSyntax(Self.name) }
  }
}

/// pvresize.
public struct ResizePhysicalVolumesCommand: Sendable {
  public static let name = "pvresize"
  public static let summary = "Let physical volumes follow the sizes of their devices."
  public static let usage = "pvresize [--setphysicalvolumesize SIZE] DEVICE …"
  public static let ownOptions: [CommandOption] = [
    .value("setphysicalvolumesize", nil, "Pretend that the device has this size.")
  ]

  public var devices: [String]
  public var sizeSectors: UInt64?
  public var answersYes: Bool

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    devices = arguments.positional
    sizeSectors = try arguments.size("setphysicalvolumesize", unit: "m")
    answersYes = arguments.has("yes")
    guard !devices.isEmpty else { throw .noSyntax(Self.name) }
  }
}

/// pvchange.
public struct ChangePhysicalVolumesCommand: Sendable {
  public static let name = "pvchange"
  public static let summary = "Change attributes of physical volumes."
  public static let usage = "pvchange OPTIONS --all|DEVICE|@TAG …"
  public static let ownOptions: [CommandOption] = [
    .value("allocatable", "x", "y or n."), .value("addtag", nil, "Add a tag."),
    .value("deltag", nil, "Remove a tag."), .flag("uuid", "u", "Give it a new id."),
    .value("metadataignore", nil, "y or n: leave the metadata areas unused."),
    .flag("all", "a", "All there are."), .flag("force", "f", "Do not ask."), .select,
  ]

  /// Without tags.
  public var devices: [String]
  /// PVs with one of these are meant, and all of groups that have one.
  public var tags: [String]
  /// All PVs are meant, or those of them that are selected.
  public var isAboutAll: Bool
  public var isAllocatable: Bool?
  public var addedTags: [String]
  public var removedTags: [String]
  public var getsNewIdentifier: Bool
  public var ignoresAreas: Bool?
  public var isForced: Bool

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    devices = arguments.positional.filter { !$0.hasPrefix("@") }
    tags = arguments.positional.filter { $0.hasPrefix("@") }.map { String($0.dropFirst()) }
    isAboutAll = arguments.positional.isEmpty
    if arguments.has("all"), let argument = arguments.positional.first {
      throw .usage(Self.name, "Command does not accept argument: \(argument).")
    }
    isAllocatable = try arguments.bool("allocatable")
    addedTags = try arguments.tags("addtag")
    removedTags = try arguments.tags("deltag")
    getsNewIdentifier = arguments.has("uuid")
    ignoresAreas = try arguments.bool("metadataignore")
    isForced = arguments.has("force") || arguments.has("yes")
    guard
      isAllocatable != nil || !addedTags.isEmpty || !removedTags.isEmpty || getsNewIdentifier
        || ignoresAreas != nil
    else { throw .noSyntax(Self.name) }
  }
}
