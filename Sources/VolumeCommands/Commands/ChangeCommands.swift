import LVMMetadata

/// LVs of several groups as the arguments name them: `VG/LV …` or whole groups.
struct VolumeSelection: Sendable {
  /// In the order of the command line; nil LVs stand for all of the group.
  private(set) var groups: [(name: String, volumes: [String]?)] = []

  init(_ arguments: [String], command: String) throws(CommandLineError) {
    for text in arguments {
      guard !text.hasPrefix("@") else {
        throw CommandLineError("clvm \(command) does not select by tags: \(text)")
      }
      if let group = CommandArguments.volumeGroup(text) {
        if let index = groups.firstIndex(where: { $0.name == group }) {
          groups[index].volumes = nil
        } else {
          groups.append((group, nil))
        }
        continue
      }
      let (group, volume) = try CommandArguments.logicalVolume(text)
      guard let index = groups.firstIndex(where: { $0.name == group }) else {
        groups.append((group, [volume]))
        continue
      }
      if groups[index].volumes?.contains(volume) == false { groups[index].volumes?.append(volume) }
    }
  }

  var groupNames: [String] { groups.map(\.name) }

  /// Nil stands for all.
  func volumes(of group: String) -> [String]? {
    groups.first { $0.name == group }?.volumes
  }
}

extension CommandLineError {
  /// LVM's answer to a command line that has all its words but lacks sense.
  /// Options that do not go together, or a value that LVM looks at late.
  public static func usage(_ command: String, _ message: String) -> CommandLineError {
    CommandLineError(message, "Run `\(command) --help' for more information.")
  }

  static func noSyntax(_ command: String) -> CommandLineError {
    CommandLineError(
      "No command with matching syntax recognised.  Run '\(command) --help' for more information.")
  }

  /// Throws unless users may give an LV the name.
  static func checkNewName(_ name: String, command: String) throws(CommandLineError) {
    guard VolumeName.isValid(name) else {
      throw .usage(command, "Logical volume name \"\(name)\" is invalid.")
    }
    guard let part = VolumeName.reservedPart(of: name) else { return }
    let how = name.hasPrefix(part) && !part.hasPrefix("_") ? "starting" : "including"
    throw .usage(
      command, "Names \(how) \"\(part)\" are reserved. Please choose a different LV name.")
  }
}

/// lvremove.
public struct RemoveCommand: GroupCommand {
  public static let name = "lvremove"
  public static let summary = "Remove logical volumes."
  public static let usage = "lvremove [-f|-y] VG|VG/LV …"
  public static let ownOptions: [CommandOption] = [
    .flag("force", "f", "Do not ask."), .flag("nohistory", nil, "No effect."),
  ]

  public var groupNames: [String]? { selection.groupNames }
  private let selection: VolumeSelection
  private let isForced: Bool

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    guard !arguments.positional.isEmpty else { throw .noSyntax(Self.name) }
    selection = try VolumeSelection(arguments.positional, command: Self.name)
    isForced = arguments.has("force") || arguments.has("yes")
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    try edit.remove(selection.volumes(of: edit.group.name), isForced: isForced)
  }
}

/// lvrename.
public struct RenameCommand: GroupCommand {
  public static let name = "lvrename"
  public static let summary = "Rename a logical volume."
  public static let usage = "lvrename VG OLD NEW | VG/OLD [VG/]NEW"
  public static let ownOptions: [CommandOption] = []

  public var groupNames: [String]? { [group] }
  private let group: String
  private let oldName: String
  private let newName: String

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    let words = arguments.positional
    switch words.count {
    case 3:
      guard let group = CommandArguments.volumeGroup(words[0]) else { throw .noSyntax(Self.name) }
      self.group = group
      oldName = try Self.name(words[1], in: group)
      newName = try Self.name(words[2], in: group)
    case 2:
      (group, oldName) = try CommandArguments.logicalVolume(words[0])
      newName = try Self.name(words[1], in: group)
    default: throw .noSyntax(Self.name)
    }
    try CommandLineError.checkNewName(newName, command: Self.name)
    guard oldName != newName else {
      throw .usage(Self.name, "Old and new logical volume names must differ")
    }
  }

  private static func name(_ text: String, in group: String) throws(CommandLineError) -> String {
    guard text.contains("/") else { return text }
    let parts = try CommandArguments.logicalVolume(text)
    guard parts.group == group else {
      throw .usage(
        name,
        "Logical volume names must have the same volume group (\"\(group)\" or \"\(parts.group)\")")
    }
    return parts.name
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    try edit.rename(oldName, to: newName)
  }
}

/// lvchange, but for activation.
public struct ChangeCommand: GroupCommand {
  public static let name = "lvchange"
  public static let summary = "Change attributes of logical volumes, or activate them."
  public static let usage = "lvchange OPTIONS VG|VG/LV …"
  public static let ownOptions: [CommandOption] = [
    .value("addtag", nil, "Add a tag."), .value("deltag", nil, "Remove a tag."),
    .value("permission", "p", "r or rw."),
    .value("alloc", nil, "contiguous, cling, cling_by_tags, normal, anywhere or inherit."),
    .value("contiguous", "C", "y or n."), .value("readahead", "r", "auto, none or sectors."),
    .value("setactivationskip", "k", "y or n."), .value("setautoactivation", nil, "y or n."),
    .value("persistent", "M", "y or n: fixed minor number."), .value("minor", nil, "The number."),
    .value("major", nil, "Ignored, as by LVM."), .value("errorwhenfull", nil, "y or n."),
    .value("zero", "Z", "y or n, of a thin pool."),
    .value("discards", nil, "passdown, nopassdown or ignore, of a thin pool."),
    .flag("force", "f", "Do not ask."),
  ]

  public var groupNames: [String]? { selection.groupNames }
  private let selection: VolumeSelection
  private var attributes = VolumeAttributes()

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    selection = try VolumeSelection(arguments.positional, command: Self.name)
    attributes.addedTags = try arguments.tags("addtag")
    attributes.removedTags = try arguments.tags("deltag")
    switch arguments.value("permission") {
    case nil: break
    case "r": attributes.isWritable = false
    case "rw": attributes.isWritable = true
    case let text?: throw .invalidArgument("permission", text)
    }
    attributes.allocation = try arguments.allocationPolicy()
    attributes.readAhead = try arguments.readAhead()
    attributes.skipsActivation = try arguments.bool("setactivationskip")
    attributes.autoactivates = try arguments.bool("setautoactivation")
    if let persistent = try arguments.bool("persistent") {
      let minor = try arguments.number("minor", in: 0...1_048_575)
      guard !persistent || minor != nil else {
        throw .usage(Self.name, "Minor number must be specified with -My")
      }
      attributes.minor = .some(persistent ? minor.map(Int32.init) : nil)
    }
    attributes.failsWhenFull = try arguments.bool("errorwhenfull")
    attributes.zeroesNewBlocks = try arguments.bool("zero")
    attributes.discards = arguments.value("discards")
    if let discards = attributes.discards,
      !["passdown", "nopassdown", "ignore"].contains(discards)
    {
      throw .invalidArgument("discards", discards)
    }
    guard !attributes.isEmpty, !selection.groups.isEmpty else { throw .noSyntax(Self.name) }
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    try edit.change(selection.volumes(of: edit.group.name), attributes)
  }
}

/// vgchange, but for activation and locks.
public struct ChangeGroupCommand: GroupCommand {
  public static let name = "vgchange"
  public static let summary = "Change attributes of volume groups."
  public static let usage = "vgchange OPTIONS [VG …]"
  public static let ownOptions: [CommandOption] = [
    .value("addtag", nil, "Add a tag."), .value("deltag", nil, "Remove a tag."),
    .value("alloc", nil, "contiguous, cling, normal or anywhere."),
    .value("resizeable", "x", "y or n."),
    .value("logicalvolume", "l", "The most logical volumes; 0 for any number."),
    .value("maxphysicalvolumes", "p", "The most physical volumes; 0 for any number."),
    .flag("uuid", "u", "Give the group a new id."),
    .value("systemid", nil, "The host that owns the group."),
    .value("setautoactivation", nil, "y or n."),
    .value("physicalextentsize", "s", "Size of extents, MiB if no unit is given."),
    .value("vgmetadatacopies", nil, "Metadata areas to be in use: all, unmanaged or a number."),
    .value("metadatacopies", nil, "The same."),
    .flag("force", "f", "Do not ask."),
  ]

  public let groupNames: [String]?
  private var attributes = GroupAttributes()
  private let isForced: Bool

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    var names: [String] = []
    for text in arguments.positional {
      guard let name = CommandArguments.volumeGroup(text), !text.hasPrefix("@") else {
        throw CommandLineError("Invalid volume group name \(text).")
      }
      if !names.contains(name) { names.append(name) }
    }
    groupNames = names.isEmpty ? nil : names
    attributes.addedTags = try arguments.tags("addtag")
    attributes.removedTags = try arguments.tags("deltag")
    attributes.allocation = try arguments.allocationPolicy()
    attributes.isResizeable = try arguments.bool("resizeable")
    attributes.logicalVolumeLimit = try arguments.number(
      "logicalvolume", in: 0...Int(UInt32.max)
    ).map(UInt32.init)
    attributes.physicalVolumeLimit = try arguments.number(
      "maxphysicalvolumes", in: 0...Int(UInt32.max)
    ).map(UInt32.init)
    attributes.getsNewIdentifier = arguments.has("uuid")
    attributes.systemID = arguments.value("systemid")
    attributes.autoactivates = try arguments.bool("setautoactivation")
    attributes.extentSizeSectors = try arguments.size("physicalextentsize", unit: "m")
    attributes.metadataCopies = try arguments.groupMetadataCopies()
    isForced = arguments.has("force") || arguments.has("yes")
    guard !attributes.isEmpty else { throw .noSyntax(Self.name) }
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    try edit.change(attributes, isForced: isForced)
  }
}

/// vgrename.
public struct RenameGroupCommand: GroupCommand {
  public static let name = "vgrename"
  public static let summary = "Rename a volume group."
  public static let usage = "vgrename OLD NEW"
  public static let ownOptions: [CommandOption] = [.flag("force", "f", "No effect.")]

  public var groupNames: [String]? { [oldName] }
  public let oldName: String
  /// No other group may have it.
  public let newName: String

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    guard arguments.positional.count == 2,
      let old = CommandArguments.volumeGroup(arguments.positional[0])
    else { throw .noSyntax(Self.name) }
    oldName = old
    newName = try CommandArguments.newGroupName(arguments.positional[1], command: Self.name)
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    guard newName != edit.group.name else {
      throw VolumeGroupRefusal("Old and new volume group names must differ")
    }
    try edit.renameGroup(to: newName)
  }
}

extension CommandArguments {
  static func newGroupName(_ text: String, command: String) throws(CommandLineError) -> String {
    let name = volumeGroup(text) ?? text
    guard VolumeName.isValid(name) else {
      throw .usage(command, "New volume group name \"\(name)\" is invalid.")
    }
    return name
  }
}
