import BlockDevices
import Glibc
import LVMMetadata
import RealLVM
import Testing

@testable import VolumeReports

/// Debian's lvm and this module report about the same devices, asked in many ways: the same bytes,
/// and the same exit status.
@Suite(
  .serialized,
  .enabled(
    if: RealLVM.obstacle == nil,
    "SKIPPED, not compared with LVM itself: \(RealLVM.obstacle ?? "")"))
struct LVMDifferentialTests {
  /// Every kind of volume, by stages of the recordings.
  @Test(
    arguments: [
      "snapshot-merge/01-deferred", "cache-pool/01-cached", "writecache/00-attached",
      "vdo-text/00-restored", "mirror-disk/01-extended", "pvmove-linear/01-moving",
      "thin-external-origin/01-converted", "raid-raid10/01-extended", "raid5-reshape/01-reshaping",
      "unknown-segtype/01-rewritten", "raid1-integrity/00-created", "linear-attrs/01-changed",
    ])
  func everyColumnOfEveryKindOfVolume(stage: String) throws {
    let comparison = try Comparison(stage)
    for invocation in [
      "lvs -a -o all --reportformat json", "lvs -a --segments -o all --units s",
      "pvs -o pv_all,pvseg_all,lv_all,seg_all,vg_all --reportformat json", "vgs -o vg_all -v",
      "lvs -a -o+devices --units b --nosuffix", "lvs", "pvs --segments -v",
    ] {
      try comparison.expectSame(invocation)
    }
  }

  @Test func columnsSortingAndStyles() throws {
    let comparison = try Comparison("thin-basic/02-snaps")
    for invocation in Self.styles { try comparison.expectSame(invocation) }
  }

  @Test func groupsComeInTheOrderOfTheirDevices() throws {
    let comparison = try Comparison("vg-split-merge/01-split")
    for invocation in [
      "vgs --unbuffered", "lvs --unbuffered", "pvs --unbuffered", "vgs -O vg_extent_size",
      "vgs --unbuffered vg vg2", "vgs --unbuffered vg2 vg", "lvs --rows --unbuffered vg vg2",
    ] {
      try comparison.expectSame(invocation)
    }
  }

  /// The header of the only metadata area is gone.
  @Test func volumesOfAGroupThatIsNotFound() throws {
    let devices = try RecordedReports("linear-life/03-extended-gap").devices()
    for device in devices { device.store([UInt8](repeating: 0, count: 512), at: 4096) }
    let comparison = try Comparison(devices, "no metadata")
    for invocation in [
      "pvs", "pvs -v", "pvs --segments", "pvs -o+vg_attr,vg_fmt -S vg_name=[unknown]", "vgs",
    ] {
      try comparison.expectSame(invocation)
    }
  }

  @Test func selections() throws {
    let comparison = try Comparison("linear-attrs/01-changed")
    for selection in Self.selections {
      try comparison.expectSame(["lvs", "-a", "-o", "name,size,tags", "-S", selection])
    }
  }

  private static let styles = [
    "lvs -v", "vgs -v", "pvs -v", "lvs --segments -v", "lvs -o name,lvsize,LV_TIME",
    "lvs -o+tags -o-lv_attr", "lvs -o name,origin,data_percent -o #origin,data_percent",
    "lvs -o foo", "lvs -O foo", "lvs -O -size,name", "lvs -a -O pool_lv,-lv_name",
    "lvs --units k", "lvs --units K", "lvs --units H", "lvs --units 3m", "lvs --units 1.5m",
    "lvs --units g --nosuffix", "lvs --nosuffix", "lvs --separator :",
    "lvs --separator | --aligned",
    "lvs --noheadings", "lvs --nameprefixes --noheadings", "lvs --nameprefixes --unquoted",
    "lvs --rows", "lvs --rows --separator , --noheadings", "lvs --unbuffered -o name,size",
    "lvs -a --binary -o name,zero,lv_fixed_minor,lv_skip_activation,lv_suspended",
    "vgs -o vg_name,lv_name", "vgs -o+pv_name", "vgs -o vg_name,lv_name,pv_name",
    "lvs -o+pv_name", "pvs -o pv_name", "pvs -o pv_uuid,pv_mda_free -O -pv_name",
    "lvs -a -o+selected -S lv_size>20m", "lvs -S lv_name=none --reportformat json",
    "lvs vg", "lvs vg/t1", "lvs vg/none", "lvs none", "lvs @none", "vgs none", "vgs vg",
    "lvs vg/p_tmeta", "lvs -a --unbuffered", "lvs -a --unbuffered --rows",
    "lvs -a --unbuffered --reportformat json",
    "lvs -o name,origin -o #origin,data_percent --unbuffered", "pvs -O -pv_minor",
    "lvs -o pv_size,lv_size --reportformat json", "lvs -O foo --reportformat json",
  ]

  private static let selections = [
    "lv_size=12m", "lv_size>8", "lv_size<0.01g", "lv_size>=16384s", "lv_name=~^l && lv_size>4m",
    "!(lv_name=~[lm]) || seg_count>1", "lv_name=~(fixed|ro)", "lv_name!~[a-m]+", "lv_name=~\"(a\"",
    "lv_name=\"lv1", "lv_name", "=x", "foo=1", "lv_name>1", "lv_size=foo", "seg_count=1m",
    "lv_major=undef", "lv_minor<100", "lv_fixed_minor=yes", "lv_fixed_minor=0", "tags=\"\"",
    "tags!=\"\"", "tags={a}", "tags=[a,b]", "tags={a||b}", "tags=[a", "tags={a]", "tags=~a",
    "lv_role=public", "lv_layout=[linear]", "lv_read_ahead=auto", "lv_read_ahead>1",
    "lv_permissions=ro", "lv_skip_activation=skip", "copy_percent!=100", "copy_percent>1m",
    "lv_suspended=unknown", "vg_extent_size=4m", "vg_tags=\"\"", "devices=~loop",
    "lv_time>\"2 days ago\"", "lv_time<\"2 days ago\"", "lv_time since 2026", "lv_time=2026-11-22",
    "lv_time before \"22 Nov 2026\"", "lv_time>\"2026-11-22 20:00 +0100\"", "lv_time>@1000",
    "lv_time=garbage", "lv_name=~\"\"", "all", "(lv_name=a", "lv_name=a lv_name=b",
    "lv_allocation_policy=inherit",
  ]
}

/// Runs both on the devices of a stage.
struct Comparison {
  /// What is compared, for messages.
  let stage: String
  let oracle: RealLVM
  let source: ReportSource

  init(_ stage: String) throws {
    try self.init(RecordedReports(stage).devices(), stage)
  }

  init(_ devices: [MemoryDevice], _ stage: String) throws {
    // Times in selections are local times.
    setenv("TZ", "UTC", 1)
    tzset()
    self.stage = stage
    oracle = try RealLVM(devices)
    let renamed = zip(devices, oracle.paths).map { device, path in
      Self.copy(device, named: path)
    }
    var numbers: [String: (major: UInt32, minor: UInt32)] = [:]
    for path in oracle.paths {
      guard let number = DeviceNodes.number(ofBlockDevice: path) else { continue }
      numbers[path] = (number.major, number.minor)
    }
    source = ReportSource(
      scan: MetadataScanner.scan(renamed), deviceNumbers: numbers,
      formatTime: RecordedReports.universalTime)
  }

  private static func copy(_ device: MemoryDevice, named name: String) -> MemoryDevice {
    let copy = MemoryDevice(name: name, sizeBytes: device.sizeBytes)
    for page in device.writtenPages { copy.store(page.bytes, at: page.offset) }
    return copy
  }

  /// LVM says some things in the midst of a report.
  private static func withoutRemarks(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).filter {
      !$0.contains("Ignoring supplied major")
    }.joined(separator: "\n")
  }

  /// Whether LVM finds the groups fit to be shown.
  func isReadByLVM() throws -> Bool {
    let shown = try oracle(["vgs", "--noheadings"])
    return shown.status == 0 && !Self.withoutRemarks(shown.output).isEmpty
  }

  func expectSame(_ invocation: String) throws {
    try expectSame(invocation.split(separator: " ").map(String.init))
  }

  func expectSame(_ invocation: [String]) throws {
    let theirs = try oracle(invocation)
    let ours = try Invocation(invocation).run(source)
    let place = "\(stage): \(invocation.joined(separator: " "))"
    #expect(ours.status == theirs.status, "\(place)")
    let expected = Self.withoutRemarks(theirs.output)
    guard ours.output != expected else { return }
    let lines = zip(
      ours.output.split(separator: "\n", omittingEmptySubsequences: false),
      expected.split(separator: "\n", omittingEmptySubsequences: false))
    let different = lines.first { $0 != $1 }
    Issue.record(
      "\(place): '\(different?.0 ?? "")' not '\(different?.1 ?? "")' (\(ours.output.utf8.count) bytes, \(theirs.output.utf8.count) bytes)"
    )
  }
}

/// The options of lvm's command line that the comparisons use.
private struct Invocation {
  private var request: ReportRequest
  private var style = ReportStyle()
  private var arguments = ReportArguments()
  private var isUnbuffered = false

  init(_ words: [String]) throws {
    let isSegments = words.contains("--segments")
    switch words[0] {
    case "pvs": request = ReportRequest(isSegments ? .physicalSegments : .physicalVolumes)
    case "vgs": request = ReportRequest(.volumeGroups)
    default: request = ReportRequest(isSegments ? .segments : .logicalVolumes)
    }
    arguments.leavesOutExported = words[0] == "lvs"
    request.now = Int64(time(nil))
    var rest = words.dropFirst()
    while let word = rest.popFirst() {
      switch word {
      case "-o": request.columns.append(rest.popFirst() ?? "")
      case "-O": request.keys = rest.popFirst()
      case "-S": request.selection = rest.popFirst()
      case "-a": arguments.showsAll = true
      case "-v": request.isVerbose = true
      case "--segments": break
      case "--units": style.units = try #require(SizeUnits(rest.popFirst() ?? ""))
      case "--reportformat":
        style.format = .json
        _ = rest.popFirst()
      case "--separator":
        style.separator = rest.popFirst() ?? ""
        style.isAligned = false
      case "--aligned": style.isAligned = true
      case "--nosuffix": style.hasSuffix = false
      case "--noheadings": style.hasHeadings = false
      case "--nameprefixes": style.hasNamePrefixes = true
      case "--unquoted": style.isQuoted = false
      case "--rows": style.showsColumnsAsRows = true
      case "--binary": style.showsFlagsAsNumbers = true
      case "--unbuffered": isUnbuffered = true
      case let word where word.hasPrefix("-o"): request.columns.append(String(word.dropFirst(2)))
      case let word where word.hasPrefix("@"): arguments.tags.append(String(word.dropFirst()))
      case let word where word.contains("/"):
        let parts = word.split(separator: "/")
        arguments.logicalVolumes.append((String(parts[0]), String(parts[1])))
      case let word: arguments.volumeGroups.append(word)
      }
    }
  }

  func run(_ source: ReportSource) throws -> RealLVM.Output {
    do throws(ReportError) {
      var writer = ReportWriter(style, source, isBuffered: !isUnbuffered)
      let failures = writer.write(try Report(request), arguments)
      return RealLVM.Output(
        status: failures.isEmpty ? 0 : 5,
        output: String(decoding: writer.bytes, as: UTF8.self), errors: "")
    } catch {
      let output = String(decoding: ReportWriter.empty(style), as: UTF8.self)
      return RealLVM.Output(status: 5, output: output, errors: "")
    }
  }
}
