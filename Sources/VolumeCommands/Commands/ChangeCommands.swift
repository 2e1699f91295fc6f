import LVMMetadata

extension CommandLineError {
  /// LVM's answer to a command line that has all its words but lacks sense.
  /// Options that do not go together, or a value that LVM looks at late.
  public static func usage(_ command: String, _ message: String) -> CommandLineError {
    CommandLineError(message, "Run `\(command) --help' for more information.")
  }

  /// lvrename's words on a path that names no group.
  fileprivate static func invalidGroup(_ command: String, _ reason: String?) -> CommandLineError {
    var error = usage(command, "Please provide a valid volume group name")
    if let reason { error.messages.insert(reason, at: 0) }
    return error
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
    try checkNotReserved(name, command: command)
  }

  static func checkNotReserved(_ name: String, command: String) throws(CommandLineError) {
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
    .flag("force", "f", "Do not ask."), .flag("nohistory", nil, "No effect."), .select,
  ]

  public var groupNames: [String]? { selection.groupNames }
  private let selection: VolumeSelection
  private let isForced: Bool

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    selection = try VolumeSelection(arguments.positional)
    isForced = arguments.has("force") || arguments.has("yes")
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    let meant = selection.volumes(in: edit.group, where: edit.context.isSelected)
    let before = edit.group
    edit.forEach(meant) { edit, volume throws(VolumeGroupRefusal) in
      // Gone with one before it.
      if before.logicalVolume(named: volume.name) != nil,
        edit.group.logicalVolume(named: volume.name) == nil
      {
        return true
      }
      try edit.remove([volume.name], isForced: isForced)
      return true
    }
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
    guard words.count == 2 || words.count == 3 else { throw .noSyntax(Self.name) }
    let (old, new) = (words[words.count - 2], words[words.count - 1])
    let oldGroup = try Self.group(of: old)
    if words.count == 3 {
      let named = CommandArguments.volumeGroup(words[0]) ?? words[0]
      if let oldGroup, oldGroup != named {
        throw .usage(
          Self.name,
          "Please use a single volume group name (\"\(named)\" or \"\(oldGroup)\")")
      }
      group = named
    } else {
      guard let oldGroup else {
        throw .invalidGroup(Self.name, "Path required for Logical Volume \"\(old)\".")
      }
      group = oldGroup
    }
    guard VolumeName.isValid(group) else { throw .invalidGroup(Self.name, nil) }
    if let newGroup = try Self.group(of: new), newGroup != group {
      throw .usage(
        Self.name,
        "Logical volume names must have the same volume group (\"\(group)\" or \"\(newGroup)\")")
    }
    oldName = Self.bareName(old)
    newName = Self.bareName(new)
    try Self.check(newName: newName, group: group)
    guard oldName != newName else {
      throw .usage(Self.name, "Old and new logical volume names must differ")
    }
  }

  private static func check(newName: String, group: String) throws(CommandLineError) {
    let most = VolumeName.byteCountMax + 1 - group.utf8.count - 2
    guard newName.utf8.count <= most else {
      throw .usage(
        name, "New logical volume name \"\(newName)\" may not exceed \(most) characters.")
    }
    guard !newName.isEmpty else {
      throw .usage(name, "New logical volume name may not be blank")
    }
    try CommandLineError.checkNotReserved(newName, command: name)
    guard VolumeName.isValid(newName) else {
      throw .usage(name, "New logical volume name \"\(newName)\" is invalid")
    }
  }

  /// The group that a path names; nil for a bare name.
  private static func group(of text: String) throws(CommandLineError) -> String? {
    guard text.contains("/") else { return nil }
    guard let parts = CommandArguments.volumePath(text) else {
      throw .invalidGroup(name, "\"\(text)\": Invalid path for Logical Volume.")
    }
    return parts.group
  }

  private static func bareName(_ text: String) -> String {
    CommandArguments.volumePath(text)?.name ?? text
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
  public static let ownOptions: [CommandOption] =
    [
      .value("addtag", nil, "Add a tag."), .value("deltag", nil, "Remove a tag."),
      .value("permission", "p", "r or rw."),
      .value("alloc", nil, "contiguous, cling, cling_by_tags, normal, anywhere or inherit."),
      .value("contiguous", "C", "y or n."), .value("readahead", "r", "auto, none or sectors."),
      .value("setactivationskip", "k", "y or n."), .value("setautoactivation", nil, "y or n."),
      .value("persistent", "M", "y or n: fixed minor number."), .value("minor", nil, "The number."),
      .value("major", nil, "Ignored, as by LVM."), .value("errorwhenfull", nil, "y or n."),
      .value("zero", "Z", "y or n, of a thin pool."),
      .value("discards", nil, "passdown, nopassdown or ignore, of a thin pool."),
      .value("cachemode", nil, "writethrough, writeback or passthrough, of a cache."),
      .value("cachepolicy", nil, "The policy of a cache."),
      .value("cachesettings", nil, "Settings of a cache: KEY=NUMBER …, or KEY=default."),
      .value("minrecoveryrate", nil, "Of a RAID volume, KiB a second and device; 0 for none."),
      .value("maxrecoveryrate", nil, "The same."),
      .value("activate", "a", "y, n, ay, ey, sy …: whether they are active afterwards."),
      .flag("force", "f", "Do not ask."), .select,
    ] + CommandOption.profileOptions

  public var groupNames: [String]? { selection.groupNames }
  private let selection: VolumeSelection
  private var attributes = VolumeAttributes()

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    selection = try VolumeSelection(arguments.positional)
    attributes.options = arguments.optionNames.map {
      $0 == "persistent" && arguments.value($0) == "y" ? GroupEdit.fixedMinor : $0
    }
    attributes.addedTags = try arguments.tags("addtag")
    attributes.removedTags = try arguments.tags("deltag")
    attributes.isWritable = arguments.value("permission").map { $0 != "r" }
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
    attributes.discards = arguments.value("discards")?.lowercased()
    attributes.recoveryRates = (
      try arguments.rate("minrecoveryrate"), try arguments.rate("maxrecoveryrate")
    )
    attributes.profile = arguments.profileChange
    attributes.cache = try arguments.cacheChange()
    guard !attributes.isEmpty else { throw .notDone(arguments) }
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    let meant = selection.volumes(in: edit.group, where: edit.context.isSelected)
    edit.forEach(meant) { edit, volume throws(VolumeGroupRefusal) in
      try edit.change(volume.name, isNamed: volume.isNamed, attributes)
    }
  }
}

/// vgchange, but for activation and locks.
public struct ChangeGroupCommand: GroupCommand {
  public static let name = "vgchange"
  public static let summary = "Change attributes of volume groups."
  public static let usage = "vgchange OPTIONS [VG …]"
  public static let ownOptions: [CommandOption] =
    [
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
      .flag("force", "f", "Do not ask."), .select,
    ] + CommandOption.profileOptions

  public var groupNames: [String]? { selection.groupNames }
  private let selection: GroupSelection
  private var attributes = GroupAttributes()
  private let isForced: Bool

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    selection = try GroupSelection(arguments.positional, Self.name)
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
    attributes.profile = arguments.profileChange
    guard !attributes.isEmpty else { throw .notDone(arguments) }
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    guard selection.contains(edit.group), edit.context.isSelected(edit.group.id) else {
      edit.isUnchanged = true
      return
    }
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
    guard arguments.positional.count == 2 else { throw .noSyntax(Self.name) }
    oldName = try CommandArguments.existingGroupName(arguments.positional[0])
    do throws(CommandLineError) {
      newName = try CommandArguments.newGroupName(arguments.positional[1], command: Self.name)
    } catch {
      // LVM has begun its work when it looks at the new name.
      var error = error
      error.messages.removeLast()
      error.status = CommandLineError.failedStatus
      throw error
    }
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
    if let problem = VolumeName.problem(name) {
      var error = CommandLineError.usage(
        command, "New volume group name \"\(name)\" is invalid.")
      error.messages.insert(problem, at: 0)
      throw error
    }
    return name
  }

  /// The name of a group that the command changes.
  static func existingGroupName(_ text: String) throws(CommandLineError) -> String {
    let name = volumeGroup(text) ?? text
    guard VolumeName.isValid(name) else {
      var error = CommandLineError(
        "Volume group name \"\(name)\" has invalid characters.",
        "Cannot process volume group \(name)")
      error.status = CommandLineError.failedStatus
      throw error
    }
    return name
  }
}
