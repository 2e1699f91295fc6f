import BlockDevices
import Glibc
import LVMMetadata
import LVMSystemDirectory
import VolumeCommands
import VolumeReports

/// What `pvs`, `vgs`, `lvs` and their kin have in common: they read the disks, and ask no daemon.
struct ReportOptions {
  /// Those of every command that reads disks.
  static let common: [CommandOption] = [
    .value("devices", nil, "Only use these devices, separated by commas; NAME=FILE."),
    .value("devicesfile", nil, "The devices file; empty for none."),
    .value("config", nil, "Settings that go before those of lvm.conf."),
    .value("commandprofile", nil, "A profile, whose settings go before those of lvm.conf."),
    .value("profile", nil, "The same."), .flag("help", "h", "Show the options."),
    .flag("verbose", "v", "More columns."), .flag("quiet", "q", "No effect."),
    .flag("yes", "y", "No effect."), .flag("test", "t", "No effect."),
    .flag("debug", "d", "No effect."), .flag("ignorelockingfailure", nil, "No effect."),
    .flag("nolocking", nil, "No effect: reports lock nothing."),
    .flag("readonly", nil, "No effect."), .flag("nohints", nil, "No effect."),
  ]

  static let options: [CommandOption] =
    [
      .value("options", "o", "Columns: a list, or +LIST, -LIST, #LIST; 'help' lists them."),
      .value("sort", "O", "Columns to sort by; -COLUMN sorts downwards."),
      .value("select", "S", "Only rows for which this holds; 'help' tells more."),
      .value("configreport", nil, "What -o, -O, -S behind it are about: vg, lv, pv, pvseg, seg."),
      .value("units", nil, "Unit of sizes: r, h, b, s, k, m, g, t, p, e or a capital."),
      .flag("nosuffix", nil, "Leave the unit's letter away."),
      .flag("noheadings", nil, "Leave the headings away."),
      .value("reportformat", nil, "basic, json or json_std."),
      .value("separator", nil, "What stands between columns; they are not aligned then."),
      .flag("aligned", nil, "Align columns although a separator is given."),
      .flag("unbuffered", nil, "Print rows as they are found, unsorted."),
      .flag("binary", nil, "Print 1 and 0 in the place of words and nothing."),
      .flag("nameprefixes", nil, "Print LVM2_COLUMN='VALUE'."),
      .flag("unquoted", nil, "With --nameprefixes: without the quotes."),
      .flag("rows", nil, "Print each column as a row."),
      .flag("foreign", nil, "Also volume groups that another host owns."),
      .flag("shared", nil, "No effect: shared groups are shown."),
      .flag("partial", "P", "No effect: partial groups are shown."),
    ] + common

  /// Those that say how a report looks; the display commands take them with `-C` only.
  private static let columnsOnly = [
    "options", "sort", "noheadings", "separator", "aligned", "unbuffered", "rows", "binary",
    "nameprefixes", "unquoted", "reportformat",
  ]

  private let command: String
  private let arguments: CommandArguments
  let devices: DeviceChoice

  init(_ arguments: CommandArguments, command: String) throws {
    self.command = command
    self.arguments = arguments
    for name in arguments.allValues("configreport") {
      guard ["log", "vg", "lv", "pv", "pvseg", "seg"].contains(name) else {
        throw CommandLineError.invalidArgument("configreport", name)
      }
    }
    devices = try DeviceChoice(arguments)
  }

  private var settings: LVMConfiguration { devices.configuration }

  var isVerbose: Bool { arguments.has("verbose") }

  /// Some option is of no use but for rows and columns.
  var wantsColumns: Bool { Self.columnsOnly.contains { arguments.has($0) } }

  /// How rows are printed: as the command line says, or else lvm.conf.
  func style() throws -> ReportStyle {
    func flag(_ name: String) -> Bool? { settings.boolean("report/\(name)") }
    var style = ReportStyle()
    let formatName =
      arguments.value("reportformat") ?? settings.string("report/output_format")
      ?? ReportStyle.Format.basic.rawValue
    guard let format = ReportStyle.Format(rawValue: formatName) else {
      throw CommandLineError.invalidArgument("reportformat", formatName)
    }
    let unitName = arguments.value("units") ?? settings.string("global/units") ?? "r"
    guard let units = SizeUnits(unitName) else {
      throw CommandLineError.usage(command, "Invalid units specification")
    }
    let separator = arguments.value("separator")
    style.format = format
    style.units = units
    style.hasSuffix = !arguments.has("nosuffix") && settings.boolean("global/suffix") ?? true
    style.hasHeadings = !arguments.has("noheadings") && flag("headings") ?? true
    style.separator = separator ?? settings.string("report/separator") ?? style.separator
    style.hasNamePrefixes = arguments.has("nameprefixes") || flag("prefixes") ?? false
    style.isAligned =
      (separator == nil ? flag("aligned") ?? true : arguments.has("aligned"))
      && !style.hasNamePrefixes
    style.isQuoted = !arguments.has("unquoted") && flag("quoted") ?? true
    style.showsColumnsAsRows = arguments.has("rows") || flag("columns_as_rows") ?? false
    style.showsFlagsAsNumbers =
      arguments.has("binary") || flag("binary_values_as_numeric") ?? false
    return style
  }

  /// The values of `-o`, `-O` or `-S` that are about reports of these names: `--configreport` says
  /// what those behind it are about.
  ///
  /// - Parameter isOwn: the command has no other report, so that what stands before any
  ///   `--configreport` is about it.
  func values(_ option: String, about reports: [String], isOwn: Bool) -> [String] {
    var isMeant = isOwn
    var values: [String] = []
    for given in arguments.inOrder {
      if given.name == "configreport" { isMeant = reports.contains(given.value) }
      if given.name == option, isMeant { values.append(given.value) }
    }
    return values
  }

  /// The last `-S` about the command's own report.
  func selection(_ kind: ReportKind) -> String? {
    values("select", about: kind.reportNames, isOwn: true).last
  }

  /// Columns or sort keys of lvm.conf for a kind of report.
  private func setting(_ kind: ReportKind, _ what: String) -> String? {
    let suffix = what == "cols" && isVerbose ? "_verbose" : ""
    return settings.string("report/\(kind.settingName)_\(what)\(suffix)")
  }

  /// The report that is asked for.
  ///
  /// - Parameter needsGroups: rows are about members of groups, whatever the columns are.
  func report(_ kind: ReportKind, needsGroups: Bool = false) throws -> Report {
    let style = try style()
    var request = ReportRequest(kind)
    request.columns = values("options", about: kind.reportNames, isOwn: true)
    if let usual = setting(kind, "cols") { request.columns.insert(usual, at: 0) }
    request.keys =
      values("sort", about: kind.reportNames, isOwn: true).last ?? setting(kind, "sort")
    request.selection = selection(kind)
    request.isVerbose = isVerbose
    request.needsGroups = needsGroups
    request.now = Int64(time(nil))
    let report: Report
    do {
      report = try Report(request)
    } catch {
      Output.bytes(ReportWriter.empty(style))
      throw CommandFailure(error)
    }
    for warning in report.warnings { Output.error("  \(warning)") }
    return report
  }

  /// Prints the report, or help if that was asked for.
  ///
  /// - Parameter subjects: what the report is to be about, given the devices found.
  func print(_ report: Report, _ subjects: ([BlockDevice]) throws -> ReportArguments) throws {
    let style = try style()
    if let help = report.help {
      for line in help { Output.error("  \(line)") }
      return
    }
    let opened = try devices.open(.readOnly)
    let subjects = completed(try subjects(opened))
    let source = source(opened, states: report.needsKernel ? DeviceStateCache.states() : .unknown)
    let isBuffered = !arguments.has("unbuffered") || arguments.has("sort")
    var writer = ReportWriter(style, source, isBuffered: isBuffered)
    let failures = writer.write(report, subjects)
    Output.bytes(writer.bytes)
    if !failures.isEmpty { throw CommandFailure(failures) }
  }

  /// Prints what `body` shows of the devices, in the way of the display and scan commands.
  func display(
    _ kind: ReportKind, _ subjects: ([BlockDevice]) throws -> ReportArguments,
    _ body: (inout VolumeDisplay, ReportArguments) -> Void
  ) throws {
    let style = try style()
    let opened = try devices.open(.readOnly)
    let subjects = completed(try subjects(opened))
    var display: VolumeDisplay
    do throws(ReportError) {
      display = try VolumeDisplay(
        source(opened, states: DeviceStateCache.states()), units: style.units,
        selection: selection(kind), kind: kind, now: Int64(time(nil)))
    } catch {
      throw CommandFailure(error)
    }
    body(&display, subjects)
    Output.lines(display.lines.map { "  \($0)" })
    if !display.failures.isEmpty { throw CommandFailure(display.failures) }
  }

  /// With what the options say.
  func completed(_ subjects: ReportArguments) -> ReportArguments {
    var subjects = subjects
    // Whoever lists devices wants to see what is on them, whoever owns it.
    subjects.showsForeign = arguments.has("foreign") || devices.isGiven
    if !subjects.showsForeign { subjects.hostSystemID = HostSystemID(settings).value }
    return subjects
  }

  /// What the devices hold. Warnings go to standard error.
  func source(_ opened: [BlockDevice], states: DeviceStates) -> ReportSource {
    let scan = MetadataScanner.scan(opened)
    for warning in scan.warnings { Output.error("  WARNING: \(warning)") }
    var numbers: [String: (major: UInt32, minor: UInt32)] = [:]
    for device in opened {
      if let number = device.number { numbers[device.name] = (number.major, number.minor) }
    }
    let labelled = Set(scan.physicalVolumes.map(\.device.name))
    let others = opened.filter { !labelled.contains($0.name) }
    return ReportSource(
      scan: scan, states: states, deviceNumbers: numbers,
      otherDevices: others.map { ($0.name, $0.sizeBytes) }, formatTime: Self.localTime)
  }

  /// "2024-01-31 12:00:00 +0100", in the time zone of the user.
  static func localTime(_ seconds: UInt64) -> String {
    var moment = time_t(clamping: seconds)
    var parts = tm()
    guard localtime_r(&moment, &parts) != nil else { return "" }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      let length = strftime(buffer.baseAddress, buffer.count, "%Y-%m-%d %H:%M:%S %z", &parts)
      return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}

extension ReportKind {
  /// What `--configreport` calls the report; one about segments goes by the volumes' name, too.
  fileprivate var reportNames: [String] {
    switch self {
    case .volumeGroups: ["vg"]
    case .physicalVolumes: ["pv"]
    case .logicalVolumes: ["lv"]
    case .physicalSegments: ["pvseg", "pv"]
    case .segments: ["seg", "lv"]
    }
  }

  /// What lvm.conf calls it.
  fileprivate var settingName: String {
    switch self {
    case .volumeGroups: "vgs"
    case .physicalVolumes: "pvs"
    case .logicalVolumes: "lvs"
    case .physicalSegments: "pvsegs"
    case .segments: "segs"
    }
  }
}

extension CommandFailure {
  init(_ error: ReportError) { self.init(error.help + [error.message] + error.advice) }
}
