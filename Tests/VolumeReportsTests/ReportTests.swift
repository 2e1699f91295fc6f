import Testing

@testable import VolumeReports

@Suite struct ReportTests {
  /// Three physical volumes and two logical ones, as LVM itself printed them.
  let stage: RecordedReports

  init() throws { stage = try RecordedReports("linear-life/03-extended-gap") }

  private func lines(
    _ kind: Report.Kind, _ columns: [String] = [], _ change: (inout ReportStyle) -> Void = { _ in }
  ) throws -> [String] {
    var style = ReportStyle()
    change(&style)
    var source = stage.source
    source.states = .unknown
    return try Report(kind, columns: columns).lines(source, style: style)
  }

  @Test func defaultReportsLookLikeLVMs() throws {
    #expect(
      try lines(.physicalVolumes) == [
        "  PV         VG Fmt  Attr PSize  PFree ",
        "  /dev/ubda  vg lvm2 a--  60.00m 20.00m",
        "  /dev/ubdb  vg lvm2 a--  60.00m 60.00m",
        "  /dev/ubdc  vg lvm2 a--  60.00m 60.00m",
      ])
    #expect(
      try lines(.volumeGroups) == [
        "  VG #PV #LV #SN Attr   VSize   VFree  ",
        "  vg   3   2   0 wz--n- 180.00m 140.00m",
      ])
    #expect(
      try lines(.logicalVolumes) == [
        "  LV   VG Attr       LSize  Pool Origin Data%  Meta%  Move Log Cpy%Sync Convert",
        "  a    vg -wi-XX---- 32.00m                                                    ",
        "  b    vg -wi-XX----  8.00m                                                    ",
      ])
    #expect(
      try lines(.segments) == [
        "  LV   VG Attr       #Str Type   SSize ",
        "  a    vg -wi-XX----    1 linear 20.00m",
        "  a    vg -wi-XX----    1 linear 12.00m",
        "  b    vg -wi-XX----    1 linear  8.00m",
      ])
  }

  @Test func columnsAreAddedTakenAwayAndReplaced() throws {
    #expect(try Report(.volumeGroups, columns: ["+vg_seqno,tags"]).fields.count == 9)
    #expect(try Report(.volumeGroups, columns: ["-vg_attr,vg_size"]).fields.count == 5)
    #expect(
      try Report(.logicalVolumes, columns: ["name,size", "+segcount"]).fields.map(\.name)
        == ["lv_name", "lv_size", "seg_count"])
    #expect(throws: ReportError(message: "Unrecognised field: colour")) {
      try Report(.volumeGroups, columns: ["colour"])
    }
    #expect(throws: ReportError.self) { try Report(.physicalVolumes, columns: ["+lv_name"]) }
  }

  @Test func headingsCountForTheWidthAlsoWhenTheyAreNotShown() throws {
    #expect(
      try lines(.logicalVolumes, ["lv_name,seg_count"]) { $0.hasHeadings = false }
        == ["  a       2", "  b       1"])
  }

  @Test func jsonIsLaidOutAsLVMDoes() throws {
    #expect(
      try lines(.volumeGroups, ["vg_name,vg_seqno,vg_tags,vg_size"]) { $0.format = .json } == [
        "  {", "      \"report\": [", "          {", "              \"vg\": [",
        "                  {\"vg_name\":\"vg\", \"vg_seqno\":\"5\", \"vg_tags\":\"\", "
          + "\"vg_size\":\"180.00m\"}",
        "              ]", "          }", "      ]", "  }",
      ])
    #expect(
      try lines(.volumeGroups, ["vg_seqno,vg_tags"]) { $0.format = .jsonStandard }[4]
        == "                  {\"vg_seqno\":5, \"vg_tags\":[]}")
  }

  @Test func rowsAreThoseThatTheColumnsAreAbout() throws {
    #expect(try lines(.volumeGroups, ["vg_name,lv_name"]).count == 3)
    #expect(try lines(.volumeGroups, ["vg_name,pv_name"]).count == 4)
    #expect(try lines(.logicalVolumes, ["lv_name,devices"]).count == 4)
  }

  @Test func namedVolumesOnly() throws {
    var selection = ReportSelection()
    selection.logicalVolumes = [("vg", "b")]
    let report = try Report(.logicalVolumes, columns: ["lv_name"])
    #expect(report.lines(stage.source, selection: selection) == ["  LV  ", "  b   "])
  }
}
