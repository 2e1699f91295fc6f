import ArgumentParser
import BlockDevices
import Glibc
import LVMMetadata
import LVMSystemDirectory
import VolumeReports

/// What `pvs`, `vgs` and `lvs` have in common: they read the disks, and ask no daemon.
struct ReportOptions: ParsableArguments {
  @Option(
    name: [.customShort("o", allowingJoined: true), .customLong("options")],
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Columns, separated by commas; +LIST adds to the usual ones, -LIST takes away, #LIST leaves "
        + "out if empty. 'help' lists them.", valueName: "list"))
  var columns: [String] = []

  @Option(
    name: [.customShort("O", allowingJoined: true), .customLong("sort")],
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Columns to sort by, separated by commas; -COLUMN sorts downwards.", valueName: "list"))
  var sort: [String] = []

  @Option(
    name: [.customShort("S", allowingJoined: true), .customLong("select")],
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("Only rows for which this holds. 'help' tells more.", valueName: "selection")
  )
  var select: [String] = []

  @Option(name: .long, help: "Unit of sizes: r, h, b, s, k, m, g, t, p, e or a capital.")
  var units: String?

  @Flag(name: .long, help: "Leave the unit's letter away.")
  var nosuffix = false

  @Flag(name: .long, help: "Leave the headings away.")
  var noheadings = false

  @Option(name: .long, help: "basic, json or json_std.")
  var reportformat: String?

  @Option(
    name: .long, parsing: .unconditionalSingleValue,
    help: "What stands between columns; they are not aligned then.")
  var separator: [String] = []

  @Flag(name: .long, help: "Align columns although a separator is given.")
  var aligned = false

  @Flag(name: .long, help: "Print rows as they are found, unsorted.")
  var unbuffered = false

  @Flag(name: .long, help: "Print 1 and 0 in the place of words and nothing.")
  var binary = false

  @Flag(name: .long, help: "Print LVM2_COLUMN='VALUE'.")
  var nameprefixes = false

  @Flag(name: .long, help: "With --nameprefixes: without the quotes.")
  var unquoted = false

  @Flag(name: .long, help: "Print each column as a row.")
  var rows = false

  @Flag(name: .long, help: "Also volume groups that another host owns.")
  var foreign = false

  @Flag(name: [.customShort("v"), .customLong("verbose")], help: "More columns.")
  var verbose: Int

  @Flag(
    name: [
      .customShort("q"), .customLong("quiet"), .customShort("y"), .customLong("yes"),
      .customShort("t"), .customLong("test"), .customShort("d"), .customLong("debug"),
      .customLong("ignorelockingfailure"), .customLong("nolocking"), .customLong("readonly"),
      .customLong("shared"), .customLong("nohints"),
    ],
    help: ArgumentHelp(
      "Taken as LVM takes them, of no consequence: reports lock and change nothing.",
      visibility: .hidden))
  var ignored: Int

  @OptionGroup var devices: DeviceOptions

  /// How rows are printed: as the command line says, or else lvm.conf.
  func style() throws -> ReportStyle {
    let settings = try devices.settings.configuration()
    func flag(_ name: String) -> Bool? { settings.boolean("report/\(name)") }
    var style = ReportStyle()
    let formatName =
      reportformat ?? settings.string("report/output_format")
      ?? ReportStyle.Format.basic.rawValue
    guard let format = ReportStyle.Format(rawValue: formatName) else {
      throw ValidationError("Invalid argument for --reportformat: \(formatName)")
    }
    let unitName = units ?? settings.string("global/units") ?? "r"
    guard let units = SizeUnits(unitName) else {
      throw ValidationError("Invalid units specification")
    }
    style.format = format
    style.units = units
    style.hasSuffix = !nosuffix && settings.boolean("global/suffix") ?? true
    style.hasHeadings = !noheadings && flag("headings") ?? true
    style.separator = separator.last ?? settings.string("report/separator") ?? style.separator
    style.hasNamePrefixes = nameprefixes || flag("prefixes") ?? false
    style.isAligned =
      (separator.isEmpty ? flag("aligned") ?? true : aligned) && !style.hasNamePrefixes
    style.isQuoted = !unquoted && flag("quoted") ?? true
    style.showsColumnsAsRows = rows || flag("columns_as_rows") ?? false
    style.showsFlagsAsNumbers = binary || flag("binary_values_as_numeric") ?? false
    return style
  }

  /// Columns or sort keys of lvm.conf for a kind of report.
  private func setting(_ kind: ReportKind, _ what: String, _ settings: LVMConfiguration) -> String?
  {
    let name =
      switch kind {
      case .volumeGroups: "vgs"
      case .physicalVolumes: "pvs"
      case .logicalVolumes: "lvs"
      case .physicalSegments: "pvsegs"
      case .segments: "segs"
      }
    let suffix = what == "cols" && verbose > 0 ? "_verbose" : ""
    return settings.string("report/\(name)_\(what)\(suffix)")
  }

  /// The report that is asked for.
  ///
  /// - Parameter needsGroups: rows are about members of groups, whatever the columns are.
  func report(_ kind: ReportKind, needsGroups: Bool = false) throws -> Report {
    var request = ReportRequest(kind)
    let settings = try devices.settings.configuration()
    request.columns = columns
    if let usual = setting(kind, "cols", settings) { request.columns.insert(usual, at: 0) }
    request.keys = sort.last ?? setting(kind, "sort", settings)
    request.selection = select.last
    request.isVerbose = verbose > 0
    request.needsGroups = needsGroups
    request.now = Int64(time(nil))
    let report: Report
    do {
      report = try Report(request)
    } catch {
      throw CommandFailure(error)
    }
    for warning in report.warnings { Output.error("  \(warning)") }
    return report
  }

  /// Prints the report, or help if that was asked for.
  ///
  /// - Parameter arguments: what the report is to be about, given the devices found.
  func print(_ report: Report, _ arguments: ([BlockDevice]) throws -> ReportArguments) throws {
    let style = try style()
    if let help = report.help {
      for line in help { Output.error("  \(line)") }
      return
    }
    let opened = try devices.open(.readOnly)
    let arguments = try completed(try arguments(opened))
    let source = source(opened, states: report.needsKernel ? DeviceStateCache.states() : .unknown)
    var writer = ReportWriter(style, source, isBuffered: !unbuffered || !sort.isEmpty)
    let failures = writer.write(report, arguments)
    Output.bytes(writer.bytes)
    if !failures.isEmpty { throw CommandFailure(failures) }
  }

  /// With what the options say.
  func completed(_ arguments: ReportArguments) throws -> ReportArguments {
    var arguments = arguments
    // Whoever lists devices wants to see what is on them, whoever owns it.
    arguments.showsForeign = foreign || devices.isGiven
    if !arguments.showsForeign { arguments.hostSystemID = try hostSystemID() }
    return arguments
  }

  private func hostSystemID() throws -> String? {
    HostSystemID(try devices.settings.configuration()).value
  }

  /// What the devices hold. Warnings go to standard error.
  func source(_ opened: [BlockDevice], states: DeviceStates) -> ReportSource {
    let scan = MetadataScanner.scan(opened)
    for warning in scan.warnings { Output.error("  WARNING: \(warning)") }
    var numbers: [String: (major: UInt32, minor: UInt32)] = [:]
    for device in opened {
      if let number = device.number { numbers[device.name] = (number.major, number.minor) }
    }
    var source = ReportSource(
      scan: scan, states: states, deviceNumbers: numbers, formatTime: Self.localTime)
    let labelled = Set(scan.physicalVolumes.map(\.device.name))
    source.otherDevices = opened.filter { !labelled.contains($0.name) }.map {
      ($0.name, $0.sizeBytes)
    }
    return source
  }

  /// "2024-01-31 12:00:00 +0100", in the time zone of the user.
  private static func localTime(_ seconds: UInt64) -> String {
    var moment = time_t(clamping: seconds)
    var parts = tm()
    guard localtime_r(&moment, &parts) != nil else { return "" }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      let length = strftime(buffer.baseAddress, buffer.count, "%Y-%m-%d %H:%M:%S %z", &parts)
      return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}

extension CommandFailure {
  init(_ messages: [String]) {
    self.init()
    self.messages = messages
  }

  init(_ error: ReportError) { self.init(error.help + [error.message] + error.advice) }
}
