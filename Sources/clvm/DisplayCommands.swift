import VolumeCommands
import VolumeReports

/// What `pvdisplay`, `vgdisplay` and `lvdisplay` have in common. With `-C` they are `pvs`, `vgs` and
/// `lvs`.
struct DisplayOptions {
  static let options: [CommandOption] =
    [
      .flag("colon", "c", "Values between colons."),
      .flag("columns", "C", "Columns, as pvs, vgs and lvs print them."),
    ] + ReportOptions.options

  private let command: String
  let arguments: CommandArguments
  let report: ReportOptions

  /// Throws for options that do not go with `-C`, or only with it.
  init(_ arguments: CommandArguments, command: String) throws {
    self.command = command
    self.arguments = arguments
    report = try ReportOptions(arguments, command: command)
    guard !report.wantsColumns || arguments.has("columns") else {
      throw CommandLineError.usage(command, "Incompatible options selected.")
    }
    for option in ["colon", "maps", "short", "activevolumegroups"] {
      try refuse(["columns", option], "Incompatible options selected")
    }
  }

  /// Throws when both options are given.
  func refuse(_ options: [String], _ message: String) throws {
    guard !options.allSatisfy(arguments.has) else {
      throw CommandLineError.usage(command, message)
    }
  }
}

/// `pvdisplay`.
struct PhysicalVolumeDisplayCommand: DiskCommand {
  static let name = "pvdisplay"
  static let summary = "Show physical volumes as the disks describe them."
  static let usage = "pvdisplay [OPTION ...] [DEVICE|@TAG ...]"
  static let options: [CommandOption] =
    [
      .flag("short", "s", "What is free, in a line."),
      .flag("maps", "m", "Also which volumes have the extents."),
      .flag("all", "a", "With -C: also devices that are no physical volumes."),
      .flag("segments", nil, "With -C: one row for each run of extents."),
    ] + DisplayOptions.options

  private let options: DisplayOptions

  init(_ arguments: CommandArguments) throws {
    options = try DisplayOptions(arguments, command: Self.name)
    try options.refuse(["colon", "short"], "Option -c is not allowed with option -s")
    try options.refuse(["colon", "maps"], "Option -c not allowed with option -m")
  }

  func run() throws {
    let arguments = options.arguments
    if arguments.has("columns") {
      return try PhysicalVolumesCommand(arguments, command: Self.name).run()
    }
    let style: VolumeDisplay.Style =
      arguments.has("short")
      ? .short : arguments.has("colon") ? .colons : arguments.has("maps") ? .maps : .full
    try options.report.display(.physicalVolumes) { devices in
      PhysicalVolumesCommand.subjects(arguments.positional, among: devices)
    } _: { display, subjects in
      display.showPhysicalVolumes(style, subjects)
    }
  }
}

/// `vgdisplay`.
struct VolumeGroupDisplayCommand: DiskCommand {
  static let name = "vgdisplay"
  static let summary = "Show volume groups as the disks describe them."
  static let usage = "vgdisplay [OPTION ...] [VG|@TAG ...]"
  static let options: [CommandOption] =
    [
      .flag("short", "s", "Sizes, in a line."),
      .flag("activevolumegroups", "A", "Only groups with active volumes."),
    ] + DisplayOptions.options

  private let options: DisplayOptions

  init(_ arguments: CommandArguments) throws {
    options = try DisplayOptions(arguments, command: Self.name)
    try options.refuse(["colon", "short"], "Option -c is not allowed with option -s")
  }

  func run() throws {
    let arguments = options.arguments
    if arguments.has("columns") {
      return try VolumeGroupsCommand(arguments, command: Self.name).run()
    }
    let style: VolumeDisplay.Style =
      arguments.has("short") ? .short : arguments.has("colon") ? .colons : .full
    try options.report.display(.volumeGroups) { _ in
      try VolumeGroupsCommand.subjects(arguments.positional, command: Self.name)
    } _: { display, subjects in
      display.showVolumeGroups(
        style, activeOnly: arguments.has("activevolumegroups"),
        isVerbose: options.report.isVerbose, subjects)
    }
  }
}

/// `lvdisplay`.
struct LogicalVolumeDisplayCommand: DiskCommand {
  static let name = "lvdisplay"
  static let summary = "Show logical volumes as the disks describe them."
  static let usage = "lvdisplay [OPTION ...] [VG|VG/LV|@TAG ...]"
  static let options: [CommandOption] =
    [
      .flag("maps", "m", "Also where the segments lie."),
      .flag("all", "a", "Also volumes that LVM made for itself."),
      .flag("history", "H", "Also volumes that are gone."),
      .flag("segments", nil, "With -C: one row for each segment."),
    ] + DisplayOptions.options

  private let options: DisplayOptions

  init(_ arguments: CommandArguments) throws {
    options = try DisplayOptions(arguments, command: Self.name)
    try options.refuse(["colon", "maps"], "Options -c and -m are incompatible.")
  }

  func run() throws {
    let arguments = options.arguments
    if arguments.has("columns") {
      return try LogicalVolumesCommand(arguments, command: Self.name).run()
    }
    let style: VolumeDisplay.Style =
      arguments.has("colon") ? .colons : arguments.has("maps") ? .maps : .full
    try options.report.display(.logicalVolumes) { _ in
      try LogicalVolumesCommand.subjects(arguments)
    } _: { display, subjects in
      display.showLogicalVolumes(style, subjects)
    }
  }
}
