import ArgumentParser
import Glibc
import VolumeReports

struct FullReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fullreport",
    abstract: "List everything about volume groups as the disks describe them.")

  @OptionGroup var options: ReportOptions

  @Flag(name: [.short, .long], help: "Also volumes that LVM made for itself.")
  var all = false

  @Argument(help: "Only these volume groups.")
  var names: [String] = []

  func run() throws {
    guard options.columns.isEmpty, options.sort.isEmpty, options.select.isEmpty else {
      throw ValidationError(
        "fullreport takes no columns, sort keys or selection; use pvs, vgs or lvs for these.")
    }
    let style = try options.style()
    var arguments = ReportArguments()
    for name in names {
      guard let group = VolumePath.volumeGroup(name) else {
        throw ValidationError("\(name) is not the name of a volume group.")
      }
      arguments.volumeGroups.append(group)
    }
    arguments.showsAll = all
    let source = options.source(
      try options.devices.open(.readOnly), states: DeviceStateCache.states())
    let report = FullReport(now: Int64(time(nil))) { _ in ([], nil, nil) }
    let written: (bytes: [UInt8], failures: [String])
    do {
      written = try report.write(style, source, try options.completed(arguments))
    } catch let error as ReportError {
      throw CommandFailure(error)
    }
    Output.bytes(written.bytes)
    if !written.failures.isEmpty { throw CommandFailure(written.failures) }
  }
}
