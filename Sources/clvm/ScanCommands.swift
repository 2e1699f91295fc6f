import ArgumentParser
import LVMMetadata
import VolumeReports

/// What `pvscan`, `vgscan` and `lvscan` have in common: they list, and leave no trace. There is no
/// cache that they would renew, and nothing is activated by them.
struct ScanOptions: ParsableArguments {
  @OptionGroup var devices: DeviceOptions

  @Flag(
    name: [
      .customShort("q"), .customLong("quiet"), .customShort("v"), .customLong("verbose"),
      .customShort("y"), .customLong("yes"), .customShort("t"), .customLong("test"),
      .customShort("d"), .customLong("debug"), .customLong("ignorelockingfailure"),
      .customLong("nolocking"), .customLong("readonly"), .customLong("nohints"),
      .customLong("mknodes"), .customLong("notifydbus"), .customShort("b"),
      .customLong("blockdevice"),
    ],
    help: ArgumentHelp("Taken as LVM takes them, of no consequence.", visibility: .hidden))
  var ignored: Int

  func print(
    _ kind: ReportKind, _ arguments: ReportArguments,
    _ body: (inout VolumeDisplay, ReportArguments) -> Void
  ) throws {
    var display = try DisplayOptions.parse([])
    display.report.devices = devices
    try display.print(kind, { _ in arguments }, body)
  }
}

struct PhysicalVolumeScanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pvscan", abstract: "List physical volumes.")

  @Flag(name: [.short, .long], help: "Only those of exported volume groups.")
  var exported = false

  @Flag(name: [.short, .long], help: "Only those of no volume group.")
  var novolumegroup = false

  @Flag(name: [.short, .long], help: "Only the devices' names.")
  var short = false

  @Flag(name: [.short, .long], help: "Also the identifiers.")
  var uuid = false

  @Flag(help: .hidden)
  var cache = false

  @OptionGroup var options: ScanOptions

  func run() throws {
    guard !cache else {
      throw DisplayOptions.incompatible(
        "clvm pvscan keeps no record of devices that are online: pvscan --cache is LVM's own.",
        "pvscan")
    }
    guard !exported || !novolumegroup else {
      throw DisplayOptions.incompatible("Options -e and -n are incompatible", "pvscan")
    }
    if exported || novolumegroup {
      let which = exported ? "of exported volume group(s)" : "in no volume group"
      Output.error("  WARNING: only considering physical volumes \(which)")
    }
    var shown = VolumeDisplay.ScanOptions()
    shown.onlyExported = exported
    shown.onlyOrphans = novolumegroup
    shown.isShort = short
    shown.showsUUIDs = uuid
    try options.print(.physicalVolumes, ReportArguments()) { [shown] display, _ in
      display.scanPhysicalVolumes(shown)
    }
  }
}

struct VolumeGroupScanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vgscan", abstract: "List volume groups.")

  @OptionGroup var options: ScanOptions

  func run() throws {
    try options.print(.volumeGroups, ReportArguments()) { display, _ in
      display.scanVolumeGroups()
    }
  }
}

struct LogicalVolumeScanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lvscan", abstract: "List logical volumes.")

  @Flag(name: [.short, .long], help: "Also volumes that LVM made for itself.")
  var all = false

  @OptionGroup var options: ScanOptions

  func run() throws {
    var arguments = ReportArguments()
    arguments.showsAll = all
    arguments.leavesOutExported = true
    try options.print(.logicalVolumes, arguments) { display, arguments in
      display.scanLogicalVolumes(arguments)
    }
  }
}
