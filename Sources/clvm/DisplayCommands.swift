import ArgumentParser
import BlockDevices
import Glibc
import LVMMetadata
import VolumeReports

/// What `pvdisplay`, `vgdisplay` and `lvdisplay` have in common. With `-C` they are `pvs`, `vgs` and
/// `lvs`.
struct DisplayOptions: ParsableArguments {
  @Flag(name: [.customShort("c"), .long], help: "Values between colons.")
  var colon = false

  @Flag(name: [.customShort("C"), .long], help: "Columns, as pvs, vgs and lvs print them.")
  var columns = false

  @OptionGroup var report: ReportOptions

  /// Throws for options that only go with -C.
  func check(_ command: String) throws {
    let isReport =
      !report.columns.isEmpty || !report.sort.isEmpty || report.noheadings
      || !report.separator.isEmpty || report.aligned || report.unbuffered || report.rows
      || report.binary || report.nameprefixes || report.unquoted || report.reportformat != nil
    guard !isReport || columns else {
      throw Self.incompatible("Incompatible options selected.", command)
    }
    guard !colon || !columns else {
      throw Self.incompatible("Option -c is not allowed with option -C", command)
    }
  }

  /// Prints what `body` shows of the devices.
  func print(
    _ kind: ReportKind, _ arguments: ([BlockDevice]) throws -> ReportArguments,
    _ body: (inout VolumeDisplay, ReportArguments) -> Void
  ) throws {
    let style = try report.style()
    let opened = try report.devices.open(.readOnly)
    let arguments = try report.completed(try arguments(opened))
    let source = report.source(opened, states: DeviceStateCache.states())
    var display: VolumeDisplay
    do throws(ReportError) {
      display = try VolumeDisplay(
        source, units: style.units, selection: report.select.last, kind: kind,
        now: Int64(time(nil)))
    } catch {
      throw CommandFailure(error)
    }
    body(&display, arguments)
    Output.lines(display.lines.map { "  \($0)" })
    if !display.failures.isEmpty { throw CommandFailure(display.failures) }
  }

  static func incompatible(_ message: String, _ command: String) -> CommandFailure {
    CommandFailure(
      message, "Run `\(command) --help' for more information.", status: .invalidCommandLine)
  }
}

struct PhysicalVolumeDisplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pvdisplay", abstract: "Show physical volumes as the disks describe them.")

  @Flag(name: [.short, .long], help: "What is free, in a line.")
  var short = false

  @Flag(name: [.short, .customLong("maps")], help: "Also which volumes have the extents.")
  var maps = false

  @Flag(name: [.short, .long], help: "With -C: also devices that are no physical volumes.")
  var all = false

  @OptionGroup var options: DisplayOptions

  @Argument(help: "Only these devices, or physical volumes with these @TAGs.")
  var names: [String] = []

  func run() throws {
    try options.check("pvdisplay")
    if options.columns {
      var command = PhysicalVolumesCommand()
      command.options = options.report
      command.all = all
      command.segments = false
      command.names = names
      return try command.run()
    }
    if options.colon, short {
      throw DisplayOptions.incompatible("Option -c is not allowed with option -s", "pvdisplay")
    }
    if options.colon, maps {
      throw DisplayOptions.incompatible("Option -c not allowed with option -m", "pvdisplay")
    }
    let style: VolumeDisplay.Style =
      short ? .short : options.colon ? .colons : maps ? .maps : .full
    try options.print(.physicalVolumes) { devices in
      PhysicalVolumesCommand.arguments(names, among: devices)
    } _: { display, arguments in
      display.showPhysicalVolumes(style, arguments)
    }
  }
}

struct VolumeGroupDisplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vgdisplay", abstract: "Show volume groups as the disks describe them.")

  @Flag(name: [.short, .long], help: "Sizes, in a line.")
  var short = false

  @Flag(name: [.customShort("A"), .long], help: "Only groups with active volumes.")
  var activevolumegroups = false

  @OptionGroup var options: DisplayOptions

  @Argument(help: "Only these volume groups, or those with these @TAGs.")
  var names: [String] = []

  func run() throws {
    try options.check("vgdisplay")
    if options.columns {
      var command = VolumeGroupsCommand()
      command.options = options.report
      command.all = false
      command.names = names
      return try command.run()
    }
    if options.colon, short {
      throw DisplayOptions.incompatible("Option -c is not allowed with option -s", "vgdisplay")
    }
    let style: VolumeDisplay.Style = short ? .short : options.colon ? .colons : .full
    try options.print(.volumeGroups) { _ in
      try VolumeGroupsCommand.arguments(names)
    } _: { display, arguments in
      display.showVolumeGroups(
        style, activeOnly: activevolumegroups, isVerbose: options.report.verbose > 0, arguments)
    }
  }
}

struct LogicalVolumeDisplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lvdisplay", abstract: "Show logical volumes as the disks describe them.")

  @Flag(name: [.short, .customLong("maps")], help: "Also where the segments lie.")
  var maps = false

  @Flag(name: [.short, .long], help: "Also volumes that LVM made for itself.")
  var all = false

  @Flag(name: [.customShort("H"), .customLong("history")], help: "Also volumes that are gone.")
  var history = false

  @OptionGroup var options: DisplayOptions

  @Argument(help: "Only these volume groups or logical volumes (VG/LV), or those with these @TAGs.")
  var names: [String] = []

  func run() throws {
    try options.check("lvdisplay")
    if options.columns {
      var command = LogicalVolumesCommand()
      command.options = options.report
      command.all = all
      command.segments = false
      command.history = history
      command.names = names
      return try command.run()
    }
    if options.colon, maps {
      throw DisplayOptions.incompatible("Options -c and -m are incompatible.", "lvdisplay")
    }
    let style: VolumeDisplay.Style = options.colon ? .colons : maps ? .maps : .full
    try options.print(.logicalVolumes) { _ in
      var arguments = try LogicalVolumesCommand.arguments(names)
      arguments.showsAll = all
      arguments.showsHistory = history
      return arguments
    } _: { display, arguments in
      display.showLogicalVolumes(style, arguments)
    }
  }
}
