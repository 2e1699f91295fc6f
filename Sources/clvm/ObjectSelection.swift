import Glibc
import LVMMetadata
import VolumeCommands
import VolumeReports

/// What `--select` leaves for a command that changes something: LVs, groups or PVs for which it holds.
struct ObjectSelection {
  private let report: Report

  /// Nil when the command line has no `--select`.
  ///
  /// - Throws: what is wrong with it, as a report says it.
  init?(_ arguments: CommandArguments) throws {
    guard let text = arguments.value("select") else { return nil }
    let kind: ReportKind =
      switch arguments.command.prefix(2) {
      case "lv": .logicalVolumes
      case "vg": .volumeGroups
      default: .physicalVolumes
      }
    var request = ReportRequest(kind)
    let column =
      switch kind {
      case .volumeGroups: "vg_uuid"
      case .physicalVolumes, .physicalSegments: "pv_uuid"
      case .logicalVolumes, .segments: "lv_uuid"
      }
    request.columns = [column]
    request.selection = text
    request.now = Int64(time(nil))
    do throws(ReportError) {
      report = try Report(request)
    } catch {
      throw CommandFailure(error)
    }
  }

  func identifiers(in scan: MetadataScan) -> Set<LVMIdentifier> {
    let source = ReportSource(
      scan: scan, states: report.needsKernel ? DeviceStateCache.states() : .unknown,
      deviceNumbers: [:], otherDevices: [], formatTime: ReportOptions.localTime)
    var style = ReportStyle()
    style.hasHeadings = false
    var subjects = ReportArguments()
    subjects.showsAll = true
    subjects.showsForeign = true
    var writer = ReportWriter(style, source)
    _ = writer.write(report, subjects)
    let lines = String(decoding: writer.bytes, as: UTF8.self).split(separator: "\n")
    return Set(lines.compactMap { LVMIdentifier(String($0.filter { $0 != " " })) })
  }
}
