import Testing

@testable import VolumeReports

/// Every cell of every report must be what LVM wrote, for all 231 stages of the recordings.
@Suite struct RecordedReportTests {
  /// Groups that LVM's reports skip, for clvmd and lvmlockd are not there; here they are what it is
  /// all about.
  private static let skippedByLVM: Set<String> = [
    "clustered-text/00-restored", "shared-text-restored/00-restored",
  ]

  /// Between the report and the status of the devices, the images were being synchronized.
  private static let unsteady: [String: Set<String>] = [
    "raid1-options/01-changed": ["copy_percent", "sync_percent"]
  ]

  @Test func allColumnsAgreeWithLVM() throws {
    var cells = 0
    var differences: [String: [String]] = [:]
    for stage in try RecordedReports.all() where !Self.skippedByLVM.contains(stage.description) {
      let source = try stage.source()
      for comparison in Comparison.all {
        cells += try compare(stage, comparison, source, &differences)
      }
    }
    for (field, places) in differences.sorted(by: { $0.key < $1.key }) {
      Issue.record("\(field): \(places.count) differ: \(places.prefix(6).joined(separator: "; "))")
    }
    #expect(cells > 150_000)
  }

  private struct Comparison {
    let recorded: String
    let kind: ReportKind
    let columns: String
    let key: [String]

    static let all = [
      Comparison(recorded: "vg", kind: .volumeGroups, columns: "vg_all", key: ["vg_uuid"]),
      Comparison(
        recorded: "pv", kind: .physicalVolumes, columns: "pv_all,vg_name",
        key: ["pv_name", "pv_uuid"]),
      Comparison(
        recorded: "lv", kind: .logicalVolumes, columns: "lv_all,vg_name", key: ["lv_uuid"]),
      Comparison(
        recorded: "seg", kind: .segments, columns: "lv_name,lv_uuid,seg_all",
        key: ["lv_uuid", "seg_start_pe"]),
      Comparison(
        recorded: "pvseg", kind: .physicalSegments,
        columns: "pv_name,vg_name,pvseg_start,pvseg_size,lv_name,seg_start_pe",
        key: ["pv_name", "pvseg_start"]),
    ]
  }

  /// Compares the rows that LVM wrote, found again by the columns `key`; returns how many cells.
  private func compare(
    _ stage: RecordedReports, _ comparison: Comparison, _ source: ReportSource,
    _ differences: inout [String: [String]]
  ) throws -> Int {
    var request = ReportRequest(comparison.kind)
    request.columns = [comparison.columns]
    let report = try Report(request)
    var style = ReportStyle()
    style.units = try #require(SizeUnits("b"))
    style.hasSuffix = false
    var arguments = ReportArguments()
    arguments.showsAll = comparison.kind != .segments
    arguments.hostSystemID = "lvmlab"
    arguments.leavesOutExported = comparison.kind == .logicalVolumes
    let found = RowBuilder.rows(report, source, arguments)
    var shown: [[String]: [String: String]] = [:]
    for row in found.rows {
      var cells: [String: String] = [:]
      for field in report.fields { cells[field.name] = style.text(field.value(row), source) }
      shown[comparison.key.map { cells[$0] ?? "" }] = cells
    }
    let expected = stage.rows[comparison.recorded] ?? []
    var count = 0
    for wanted in expected {
      let key = comparison.key.map { wanted[$0] ?? "" }
      guard let cells = shown.removeValue(forKey: key) else {
        differences["rows of \(comparison.recorded)", default: []].append("\(stage): no \(key)")
        continue
      }
      for (name, cell) in cells {
        count += 1
        guard name != "vg_name" || comparison.kind != .physicalSegments else { continue }
        let cellOfLVM = wanted[name] ?? ""
        if cell == cellOfLVM || Self.unsteady[stage.description]?.contains(name) == true {
          continue
        }
        differences[name, default: []].append(
          "\(stage) \(wanted["lv_name"] ?? wanted["pv_name"] ?? ""): '\(cell)' not '\(cellOfLVM)'")
      }
    }
    // Not all full reports were made of physical volumes that belong to no group.
    for (key, cells) in shown where comparison.kind != .physicalSegments || cells["vg_name"] != "" {
      differences["rows of \(comparison.recorded)", default: []].append("\(stage): also \(key)")
    }
    return count
  }
}
