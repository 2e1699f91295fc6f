import Glibc
import VolumeCommands
import VolumeReports

/// `fullreport`.
struct FullReportCommand: DiskCommand {
  static let name = "fullreport"
  static let summary = "List everything about volume groups as the disks describe them."
  static let usage = "fullreport [OPTION ...] [VG ...]"
  static let options: [CommandOption] =
    [.flag("all", "a", "Also volumes that LVM made for itself.")] + ReportOptions.options

  private let options: ReportOptions
  private let subjects: ReportArguments

  init(_ arguments: CommandArguments) throws {
    options = try ReportOptions(arguments, command: Self.name)
    var subjects = try VolumeGroupsCommand.subjects(arguments.positional, command: Self.name)
    subjects.showsAll = arguments.has("all")
    self.subjects = subjects
  }

  func run() throws {
    let style = try options.style()
    let source = options.source(
      try options.devices.open(.readOnly), states: DeviceStateCache.states())
    // As with LVM, what is asked of no report in particular is asked of none.
    let report = FullReport(now: Int64(time(nil))) { kind in
      func values(_ option: String) -> [String] {
        options.values(option, about: [kind.fullReportName], isOwn: false)
      }
      return (values("options"), values("sort").last, values("select").last)
    }
    let written: (bytes: [UInt8], failures: [String])
    do {
      written = try report.write(style, source, options.completed(subjects))
    } catch {
      throw CommandFailure(error)
    }
    Output.bytes(written.bytes)
    if !written.failures.isEmpty { throw CommandFailure(written.failures) }
  }
}

extension ReportKind {
  /// What `--configreport` calls this part of a full report.
  fileprivate var fullReportName: String {
    switch self {
    case .volumeGroups: "vg"
    case .physicalVolumes: "pv"
    case .logicalVolumes: "lv"
    case .physicalSegments: "pvseg"
    case .segments: "seg"
    }
  }
}
