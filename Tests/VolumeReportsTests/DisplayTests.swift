import Glibc
import LVMMetadata
import RealLVM
import Testing

@testable import VolumeReports

/// Debian's lvm and this module show the same devices to people: the same lines.
@Suite(
  .serialized,
  .enabled(
    if: RealLVM.obstacle == nil,
    "SKIPPED, not compared with LVM itself: \(RealLVM.obstacle ?? "")"))
struct DisplayTests {
  @Test(
    arguments: [
      "snapshot-merge/01-deferred", "cache-pool/01-cached", "writecache/00-attached",
      "vdo-text/00-restored", "mirror-disk/01-extended", "pvmove-linear/01-moving",
      "thin-external-origin/01-converted", "thin-basic/02-snaps", "raid-raid10/01-extended",
      "raid1-integrity/00-created", "linear-attrs/01-changed", "raid5-reshape/01-reshaping",
    ])
  func everyKindOfVolume(stage: String) throws {
    let comparison = try Comparison(stage)
    for words in Self.invocations { try comparison.expectSameDisplay(words) }
  }

  private static let invocations = [
    "pvdisplay", "pvdisplay -c", "pvdisplay -s", "pvdisplay -m", "pvdisplay --units k",
    "vgdisplay", "vgdisplay -c", "vgdisplay -s", "vgdisplay -v", "lvdisplay", "lvdisplay -c",
    "lvdisplay -a", "lvdisplay -a -c", "lvdisplay -a -m", "lvdisplay --units s", "pvscan",
    "pvscan -s", "pvscan -u", "pvscan -n", "pvscan -e", "vgscan", "lvscan", "lvscan -a",
    "lvdisplay -S lv_size>8m -c", "lvdisplay vg/none", "vgdisplay none", "lvdisplay none",
  ]

  @Test func withoutAnything() throws {
    let comparison = try Comparison([MemoryDevice(name: "empty", sizeBytes: 8 << 20)], "nothing")
    for words in ["pvdisplay", "vgdisplay -s", "lvdisplay", "pvscan", "vgscan", "lvscan"] {
      try comparison.expectSameDisplay(words)
    }
  }
}

extension Comparison {
  func expectSameDisplay(_ invocation: String) throws {
    let words = invocation.split(separator: " ").map(String.init)
    let theirs = try oracle(words)
    let expected = theirs.output.split(separator: "\n").map(String.init).filter {
      !$0.contains("Ignoring supplied major")
    }
    var arguments = ReportArguments()
    arguments.showsAll = words.contains("-a")
    arguments.leavesOutExported = words[0].hasPrefix("lv")
    for word in words.dropFirst() where word.hasPrefix("none") || word.hasPrefix("vg/") {
      if word.contains("/") {
        arguments.logicalVolumes.append(("vg", String(word.dropFirst(3))))
      } else {
        arguments.volumeGroups.append(word)
      }
    }
    func value(_ option: String) -> String? {
      words.firstIndex(of: option).map { words[$0 + 1] }
    }
    let style: VolumeDisplay.Style =
      words.contains("-c")
      ? .colons : words.contains("-s") ? .short : words.contains("-m") ? .maps : .full
    let kind: ReportKind =
      words[0].hasPrefix("pv")
      ? .physicalVolumes : words[0].hasPrefix("vg") ? .volumeGroups : .logicalVolumes
    var display = try VolumeDisplay(
      source, units: try #require(SizeUnits(value("--units") ?? "r")), selection: value("-S"),
      kind: kind, now: Int64(time(nil)))
    switch words[0] {
    case "pvdisplay": display.showPhysicalVolumes(style, arguments)
    case "vgdisplay":
      display.showVolumeGroups(style, isVerbose: words.contains("-v"), arguments)
    case "lvdisplay": display.showLogicalVolumes(style, arguments)
    case "vgscan": display.scanVolumeGroups()
    case "lvscan": display.scanLogicalVolumes(arguments)
    default:
      var options = VolumeDisplay.ScanOptions()
      options.onlyExported = words.contains("-e")
      options.onlyOrphans = words.contains("-n")
      options.isShort = words.contains("-s")
      options.showsUUIDs = words.contains("-u")
      display.scanPhysicalVolumes(options)
    }
    let place = "\(stage): \(invocation)"
    #expect((display.failures.isEmpty ? 0 : 5) == theirs.status, "\(place)")
    let shown = display.lines.map { "  \($0)" }
    guard shown != expected else { return }
    let different = zip(shown, expected).first { $0 != $1 }
    Issue.record(
      "\(place): '\(different?.0 ?? "")' not '\(different?.1 ?? "")' (\(shown.count) lines, \(expected.count) lines)"
    )
  }
}
