import VolumeCommands
import VolumeReports

/// What `pvscan`, `vgscan` and `lvscan` have in common: they list, and leave no trace. There is no
/// cache that they would renew, and nothing is activated by them.
struct ScanOptions {
  static let options: [CommandOption] =
    [
      .flag("mknodes", nil, "No effect."), .flag("notifydbus", nil, "No effect."),
      .flag("blockdevice", "b", "No effect."),
    ] + ReportOptions.common

  private let report: ReportOptions

  init(_ arguments: CommandArguments, command: String) throws {
    if let word = arguments.positional.first {
      throw CommandLineError("Command does not accept argument: \(word).")
    }
    report = try ReportOptions(arguments, command: command)
  }

  func print(
    _ kind: ReportKind, _ subjects: ReportArguments = ReportArguments(),
    _ body: (inout VolumeDisplay, ReportArguments) -> Void
  ) throws {
    try report.display(kind, { _ in subjects }, body)
  }
}

/// `pvscan`.
struct PhysicalVolumeScanCommand: DiskCommand {
  static let name = "pvscan"
  static let summary = "List physical volumes."
  static let usage = "pvscan [OPTION ...]"
  static let options: [CommandOption] =
    [
      .flag("exported", "e", "Only those of exported volume groups."),
      .flag("novolumegroup", "n", "Only those of no volume group."),
      .flag("short", "s", "Only the devices' names."),
      .flag("uuid", "u", "Also the identifiers."),
      .flag("cache", nil, "Refused: clvm keeps no record of devices that are online."),
    ] + ScanOptions.options

  private let options: ScanOptions
  private let shown: VolumeDisplay.ScanOptions

  init(_ arguments: CommandArguments) throws {
    guard !arguments.has("cache") else {
      throw CommandLineError.usage(
        Self.name,
        "clvm pvscan keeps no record of devices that are online: pvscan --cache is LVM's own.")
    }
    options = try ScanOptions(arguments, command: Self.name)
    var shown = VolumeDisplay.ScanOptions()
    shown.onlyExported = arguments.has("exported")
    shown.onlyOrphans = arguments.has("novolumegroup")
    shown.isShort = arguments.has("short")
    shown.showsUUIDs = arguments.has("uuid")
    self.shown = shown
    guard !shown.onlyExported || !shown.onlyOrphans else {
      throw CommandLineError.usage(Self.name, "Options -e and -n are incompatible")
    }
  }

  func run() throws {
    if shown.onlyExported || shown.onlyOrphans {
      let which = shown.onlyExported ? "of exported volume group(s)" : "in no volume group"
      Output.error("  WARNING: only considering physical volumes \(which)")
    }
    try options.print(.physicalVolumes) { display, _ in display.scanPhysicalVolumes(shown) }
  }
}

/// `vgscan`.
struct VolumeGroupScanCommand: DiskCommand {
  static let name = "vgscan"
  static let summary = "List volume groups."
  static let usage = "vgscan [OPTION ...]"
  static let options = ScanOptions.options

  private let options: ScanOptions

  init(_ arguments: CommandArguments) throws {
    options = try ScanOptions(arguments, command: Self.name)
  }

  func run() throws {
    try options.print(.volumeGroups) { display, _ in display.scanVolumeGroups() }
  }
}

/// `lvscan`.
struct LogicalVolumeScanCommand: DiskCommand {
  static let name = "lvscan"
  static let summary = "List logical volumes."
  static let usage = "lvscan [OPTION ...]"
  static let options: [CommandOption] =
    [.flag("all", "a", "Also volumes that LVM made for itself.")] + ScanOptions.options

  private let options: ScanOptions
  private let subjects: ReportArguments

  init(_ arguments: CommandArguments) throws {
    options = try ScanOptions(arguments, command: Self.name)
    subjects = try LogicalVolumesCommand.subjects(arguments)
  }

  func run() throws {
    try options.print(.logicalVolumes, subjects) { display, subjects in
      display.scanLogicalVolumes(subjects)
    }
  }
}
