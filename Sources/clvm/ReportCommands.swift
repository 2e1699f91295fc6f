import BlockDevices
import VolumeCommands
import VolumeReports

/// `pvs`.
struct PhysicalVolumesCommand: DiskCommand {
  static let name = "pvs"
  static let summary = "List physical volumes as the disks describe them."
  static let usage = "pvs [OPTION ...] [DEVICE|@TAG ...]"
  static let options: [CommandOption] =
    [
      .flag("all", "a", "Also devices that are no physical volumes."),
      .flag("segments", nil, "One row for each run of extents."),
    ] + ReportOptions.options

  private let options: ReportOptions
  private let kind: ReportKind
  private let showsAll: Bool
  private let names: [String]

  init(_ arguments: CommandArguments) throws {
    try self.init(arguments, command: Self.name)
  }

  init(_ arguments: CommandArguments, command: String) throws {
    options = try ReportOptions(arguments, command: command)
    kind = arguments.has("segments") ? .physicalSegments : .physicalVolumes
    showsAll = arguments.has("all")
    names = arguments.positional
  }

  func run() throws {
    let hasTags = names.contains { $0.hasPrefix("@") }
    try options.print(try options.report(kind, needsGroups: hasTags)) { devices in
      var subjects = Self.subjects(names, among: devices)
      subjects.showsAll = showsAll
      return subjects
    }
  }

  /// What devices and tags on the command line mean.
  static func subjects(_ names: [String], among devices: [BlockDevice]) -> ReportArguments {
    var subjects = ReportArguments()
    for name in names {
      if name.hasPrefix("@") {
        subjects.tags.append(String(name.dropFirst()))
      } else {
        subjects.devices.append(DeviceChoice.device(name, among: devices)?.name ?? name)
      }
    }
    return subjects
  }
}

/// `vgs`.
struct VolumeGroupsCommand: DiskCommand {
  static let name = "vgs"
  static let summary = "List volume groups as the disks describe them."
  static let usage = "vgs [OPTION ...] [VG|@TAG ...]"
  static let options: [CommandOption] =
    [.flag("all", "a", "With columns about logical volumes: also internal ones.")]
    + ReportOptions.options

  private let options: ReportOptions
  private let showsAll: Bool
  private let subjects: ReportArguments

  init(_ arguments: CommandArguments) throws {
    try self.init(arguments, command: Self.name)
  }

  init(_ arguments: CommandArguments, command: String) throws {
    options = try ReportOptions(arguments, command: command)
    showsAll = arguments.has("all")
    subjects = try Self.subjects(arguments.positional, command: command)
  }

  func run() throws {
    try options.print(try options.report(.volumeGroups)) { _ in
      var subjects = subjects
      subjects.showsAll = showsAll
      return subjects
    }
  }

  /// What groups and tags on the command line mean.
  static func subjects(_ names: [String], command: String) throws -> ReportArguments {
    var subjects = ReportArguments()
    for name in names {
      if name.hasPrefix("@") {
        subjects.tags.append(String(name.dropFirst()))
      } else if let group = VolumePath.volumeGroup(name) {
        subjects.volumeGroups.append(group)
      } else {
        throw CommandLineError.usage(command, "Invalid volume group name \(name).")
      }
    }
    return subjects
  }
}

/// `lvs`.
struct LogicalVolumesCommand: DiskCommand {
  static let name = "lvs"
  static let summary = "List logical volumes as the disks describe them."
  static let usage = "lvs [OPTION ...] [VG|VG/LV|@TAG ...]"
  static let options: [CommandOption] =
    [
      .flag("all", "a", "Also volumes that LVM made for itself."),
      .flag("segments", nil, "One row for each segment."),
      .flag("history", "H", "Also volumes that are gone."),
    ] + ReportOptions.options

  private let options: ReportOptions
  private let kind: ReportKind
  private let subjects: ReportArguments

  init(_ arguments: CommandArguments) throws {
    try self.init(arguments, command: Self.name)
  }

  init(_ arguments: CommandArguments, command: String) throws {
    options = try ReportOptions(arguments, command: command)
    kind = arguments.has("segments") ? .segments : .logicalVolumes
    subjects = try Self.subjects(arguments)
  }

  func run() throws {
    try options.print(try options.report(kind)) { _ in subjects }
  }

  /// What volumes, groups and tags on the command line mean; exported groups are left out.
  static func subjects(_ arguments: CommandArguments) throws -> ReportArguments {
    var subjects = ReportArguments()
    subjects.leavesOutExported = true
    subjects.showsAll = arguments.has("all")
    subjects.showsHistory = arguments.has("history")
    for name in arguments.positional {
      if name.hasPrefix("@") {
        subjects.tags.append(String(name.dropFirst()))
      } else if let group = VolumePath.volumeGroup(name) {
        subjects.volumeGroups.append(group)
      } else if let path = try? VolumePath.parse(name) {
        subjects.logicalVolumes.append(path)
      } else {
        throw CommandFailure("\"\(name)\": Invalid path for Logical Volume.")
      }
    }
    return subjects
  }
}
