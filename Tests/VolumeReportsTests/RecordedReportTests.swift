import Testing

@testable import VolumeReports

/// Every cell of every report must be what LVM wrote.
@Suite struct RecordedReportTests {
  /// Facts that only the kernel's status lines tell, and that no metadata holds.
  static let unknowable: Set<String> = [
    "data_percent", "snap_percent", "metadata_percent", "copy_percent", "sync_percent",
  ]

  @Test func allColumnsAgreeWithLVM() throws {
    var cells = 0
    for stage in try RecordedReports.all() {
      let source = stage.source
      cells += try compare(
        stage, .physicalVolumes, "pv_all,vg_name", "pv_uuid", stage.physicalVolumes, source)
      cells += try compare(stage, .volumeGroups, "vg_all", "vg_uuid", stage.volumeGroups, source)
      cells += try compare(
        stage, .logicalVolumes, "lv_all,vg_all", "lv_uuid", stage.logicalVolumes, source)
      cells += try compare(
        stage, .segments, "lv_uuid,seg_all", "lv_uuid,seg_start", stage.segments, source)
    }
    #expect(cells > 7000)
  }

  /// Compares the rows that LVM wrote, found again by the columns `key`; returns how many cells.
  private func compare(
    _ stage: RecordedReports, _ kind: Report.Kind, _ columns: String, _ key: String,
    _ expected: [RecordedReports.Row], _ source: ReportSource
  ) throws -> Int {
    let report = try Report(kind, columns: [columns])
    var style = ReportStyle()
    style.units = try #require(SizeUnits("b"))
    style.hasSuffix = false
    var selection = ReportSelection()
    selection.showsHidden = true
    var rows: [[String]: [String: String]] = [:]
    let keys = key.split(separator: ",").map(String.init)
    for row in report.rows(source, selection) {
      let cells = report.fields.map { ($0.name, style.text($0.value(row))) }
      let named = Dictionary(cells, uniquingKeysWith: { first, _ in first })
      rows[keys.map { named[$0] ?? "" }] = named
    }
    var count = 0
    // `pvs -a` lists devices that are no physical volumes, too; they have no UUID.
    for wanted in expected where wanted[keys[0]] != "" {
      let found = rows[keys.map { wanted[$0] ?? "" }]
      #expect(found != nil, "\(stage): no row for \(keys.map { wanted[$0] ?? "" })")
      for (name, cell) in found ?? [:] where !Self.unknowable.contains(name) {
        guard let cellOfLVM = wanted[name] else { continue }
        count += 1
        #expect(cell == cellOfLVM, "\(stage): \(name) of \(wanted["lv_name"] ?? "")")
      }
    }
    return count
  }
}
