import Testing

@testable import VolumeReports

/// What LVM 2.03.16 prints for the same devices, byte for byte.
@Suite struct ReportTests {
  /// Three physical volumes and two logical ones, as LVM itself printed them.
  let source: ReportSource

  init() throws {
    source = try RecordedReports("linear-life/03-extended-gap").source()
    source.states = .unknown
  }

  private func lines(
    _ kind: ReportKind, _ columns: [String] = [], keys: String? = nil, selection: String? = nil,
    _ arguments: ReportArguments = ReportArguments(),
    _ change: (inout ReportStyle) -> Void = { _ in }
  ) throws -> [String] {
    var style = ReportStyle()
    change(&style)
    var request = ReportRequest(kind)
    request.columns = columns
    request.keys = keys
    request.selection = selection
    var writer = ReportWriter(style, source)
    #expect(writer.write(try Report(request), arguments).isEmpty)
    return String(decoding: writer.bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false
    ).dropLast().map(String.init)
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
    #expect(
      try lines(.physicalSegments, ["pv_name,pvseg_all,lv_name"]).prefix(3) == [
        "  PV         Start SSize LV  ", "  /dev/ubda      0     5 a   ",
        "  /dev/ubda      5     2 b   ",
      ])
  }

  private func names(_ kind: ReportKind, _ columns: String...) throws -> [String] {
    var request = ReportRequest(kind)
    request.columns = columns
    return try Report(request).fields.map(\.name)
  }

  @Test func columnsAreAddedTakenAwayAndReplaced() throws {
    #expect(try names(.volumeGroups, "+vg_seqno,tags").count == 9)
    #expect(try names(.volumeGroups, "-vg_attr,vg_size").count == 5)
    #expect(try names(.volumeGroups, "-attr,size").count == 5)
    #expect(
      try names(.logicalVolumes, "name,,lvsize,", "+segcount", "-lv_size")
        == ["lv_name", "seg_count"])
    #expect(try names(.physicalSegments, "pvseg_all") == ["pvseg_start", "pvseg_size"])
    #expect(try names(.logicalVolumes, "all").contains("vg_name"))
    #expect(throws: ReportError.self) { try names(.volumeGroups, "colour") }
    #expect(throws: ReportError("Invalid options string: ")) { try names(.volumeGroups, "") }
  }

  @Test func columnsAboutDifferentThingsDoNotMix() {
    let message = "Can't report LV and PV fields at the same time in report type \"lv\"."
    #expect(throws: ReportError(message)) { try names(.logicalVolumes, "+pv_name") }
    #expect(throws: Never.self) { try names(.physicalVolumes, "+lv_name") }
  }

  @Test func emptyColumnsAreLeftOutWhereThatIsWanted() throws {
    #expect(
      try lines(.logicalVolumes, ["lv_name,origin,lv_size", "#origin,lv_size"])[0]
        == "  LV   LSize ")
  }

  @Test func headingsCountForTheWidthAlsoWhenTheyAreNotShown() throws {
    #expect(
      try lines(.logicalVolumes, ["lv_name,seg_count"]) { $0.hasHeadings = false }
        == ["  a       2", "  b       1"])
  }

  @Test func sortsByAnyColumn() throws {
    #expect(
      try lines(.logicalVolumes, ["lv_name"], keys: "-size") == ["  LV  ", "  a   ", "  b   "])
    #expect(
      try lines(.logicalVolumes, ["lv_name"], keys: "lv_size") == ["  LV  ", "  b   ", "  a   "])
  }

  @Test func stylesAreLVMs() throws {
    let columns = ["lv_name,lv_size"]
    #expect(
      try lines(.logicalVolumes, columns) {
        $0.isAligned = false
        $0.separator = ":"
      } == ["  LV:LSize", "  a:32.00m", "  b:8.00m"])
    #expect(
      try lines(.logicalVolumes, columns) {
        $0.hasNamePrefixes = true
        $0.hasHeadings = false
      }[0] == "  LVM2_LV_NAME='a' LVM2_LV_SIZE='32.00m'")
    #expect(
      try lines(.logicalVolumes, columns) { $0.showsColumnsAsRows = true }
        == ["  LV a b", "  LSize 32.00m 8.00m"])
    #expect(
      try lines(.logicalVolumes, ["lv_name,lv_fixed_minor,lv_autoactivation"]) {
        $0.showsFlagsAsNumbers = true
      }[1] == "  a             0       1")
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
      try lines(.logicalVolumes, ["vg_seqno,lv_tags,lv_size,raid_write_behind,lv_fixed_minor"]) {
        $0.format = .jsonStandard
      }[4] == "                  {\"vg_seqno\":5, \"lv_tags\":[], \"lv_size\":\"32.00m\", "
        + "\"raid_write_behind\":null, \"lv_fixed_minor\":0},")
  }

  @Test func rowsAreThoseThatTheColumnsAreAbout() throws {
    #expect(try lines(.volumeGroups, ["vg_name,lv_name"]).count == 3)
    #expect(try lines(.volumeGroups, ["vg_name,pv_name"]).count == 4)
    #expect(try lines(.logicalVolumes, ["lv_name,devices"]).count == 4)
  }

  @Test func namedVolumesOnly() throws {
    var arguments = ReportArguments()
    arguments.logicalVolumes = [("vg", "b")]
    #expect(try lines(.logicalVolumes, ["lv_name"], arguments) == ["  LV  ", "  b   "])
    arguments.logicalVolumes = [("vg", "x"), ("other", "y")]
    var writer = ReportWriter(ReportStyle(), source)
    #expect(
      writer.write(try Report(ReportRequest(.logicalVolumes)), arguments) == [
        "Failed to find logical volume \"vg/x\"", "Volume group \"other\" not found",
        "Cannot process volume group other",
      ])
  }

  @Test func helpNamesEveryColumn() throws {
    var request = ReportRequest(.logicalVolumes)
    request.columns = ["help"]
    let help = try #require(try Report(request).help)
    for field in ReportField.all {
      #expect(help.contains { $0.hasPrefix("  \(field.name) ") }, "\(field.name)")
    }
  }
}
