import Testing

/// What others would take a new volume or PV for, in LVM's words.
@Suite(
  .serialized,
  .enabled(
    if: ComparedDisks.obstacle == nil,
    "SKIPPED, not compared with LVM itself: \(ComparedDisks.obstacle ?? "")"))
struct SignatureTests {
  private static let swapMagic = Array("SWAPSPACE2".utf8)

  private func run(_ disks: ComparedDisks, _ line: String) throws -> ComparedDisks.Result {
    try disks.ours(line.split(separator: " ").map(String.init))
  }

  /// As much of a swap header as libblkid wants.
  private func writeSwap(_ disks: ComparedDisks, on index: Int) throws {
    try disks.write(Self.swapMagic, at: 4086, on: index)
    try disks.write([1, 0, 0, 0, 255, 0, 0, 0], at: 1024, on: index)
  }

  @Test(arguments: [
    "pvcreate pv0", "vgcreate vg pv0", "pvcreate -y pv0", "pvcreate -f pv0", "vgcreate -y vg pv0",
    "pvcreate pv1",
  ]) func devicesAreAskedAboutAlike(line: String) throws {
    let disks = try ComparedDisks(sizes: [16, 16])
    try writeSwap(disks, on: 0)
    let words = line.split(separator: " ").map(String.init)
    let theirs = try disks.lvm(words)
    let ours = try disks.ours(words)
    #expect(ours == theirs)
    let isKept = line == "pvcreate pv1" || ours.status != 0
    let magic = try disks.ourBytes(at: 4086, count: 10, on: 0)
    #expect((magic == Self.swapMagic) == isKept)
  }

  /// The words are LVM's on a machine with device-mapper. The header of a swap space for pages of
  /// 64 KiB begins on one PV, and its magic is on another.
  @Test func newVolumesAreAskedAbout() throws {
    let disks = try ComparedDisks(sizes: [16, 16])
    #expect(try run(disks, "vgcreate -s 16k vg pv0 pv1").status == 0)
    let start: UInt64 = 1 << 20
    let magicPlace = start + 11 * 16384 + 16374
    try disks.write([1, 0, 0, 0, 255, 0, 0, 0], at: start + 1024, on: 0)
    try disks.write(Self.swapMagic, at: magicPlace, on: 1)
    let line = "-l 4 -n b vg pv0:0-1 pv1:10-11"
    let refused = try run(disks, "lvcreate \(line)")
    #expect(refused.status == 5)
    #expect(
      refused.errors == [
        "WARNING: swap signature detected on /dev/vg/b at offset 65526. Wipe it? [y/n]: [n]",
        "Aborted wiping of swap.", "1 existing signature left on the device.",
        "Failed to wipe signatures on logical volume vg/b.",
        "Aborting. Failed to wipe start of new LV.",
      ])
    #expect(!refused.text.contains("b {"))
    #expect(try disks.ourBytes(at: magicPlace, count: 10, on: 1) == Self.swapMagic)
    try disks.write([7], at: magicPlace - 1, on: 1)
    let made = try run(disks, "lvcreate -y \(line)")
    #expect(
      made.output == ["Wiping swap signature on /dev/vg/b.", "Logical volume \"b\" created."])
    let left = try disks.ourBytes(at: magicPlace - 1, count: 11, on: 1)
    #expect(left == [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "what is beside it stays")
  }

  /// A swap signature lies across the stripes of all volumes whose stripes are of 4 KiB or less.
  @Test(arguments: ["", "--type raid1 -m 1 ", "-i 2 -I 4k ", "--type raid5 -i 2 -I 4k "])
  func signaturesAreFoundBelowEveryType(type: String) throws {
    let disks = try ComparedDisks(sizes: [32, 32, 32])
    #expect(try run(disks, "vgcreate -s 1m vg pv0 pv1 pv2").status == 0)
    let metadata = type.contains("raid") ? 1 : 0
    for index in 0..<3 {
      let start = UInt64(1 + metadata) << 20
      try disks.write(Self.swapMagic, at: start + 4086, on: index)
      try disks.write([1, 0, 0, 0, 255, 0, 0, 0], at: start + 1024, on: index)
    }
    let kept = try run(disks, "lvcreate -Wn -Zn -l 4 \(type)-n a vg")
    #expect(kept.status == 0 && !kept.output.contains { $0.contains("signature") })
    #expect(try run(disks, "lvremove -y vg/a").status == 0)
    let made = try run(disks, "lvcreate -y -l 4 \(type)-n a vg")
    #expect(made.output.contains("Wiping swap signature on /dev/vg/a."), "\(made)")
    let place = UInt64(1 + metadata) << 20 + 4086
    #expect(try disks.ourBytes(at: place, count: 10, on: 0).allSatisfy { $0 == 0 })
  }

  @Test func optionsDecide() throws {
    let disks = try ComparedDisks(sizes: [16])
    #expect(try run(disks, "vgcreate -s 1m vg pv0").status == 0)
    try disks.write(Self.swapMagic, at: 1 << 20 + 4086, on: 0)
    try disks.write([1, 0, 0, 0, 255, 0, 0, 0], at: 1 << 20 + 1024, on: 0)
    for (options, asks) in [("-Zn", false), ("-Zn -Wy", true), ("-an -Wy -Zn", false)] {
      let made = try run(disks, "lvcreate -l 4 \(options) -n a vg")
      #expect((made.status != 0) == asks, "\(options)")
      if made.status == 0 { #expect(try run(disks, "lvremove -y vg/a").status == 0) }
    }
    #expect(try disks.ourBytes(at: 1 << 20 + 4086, count: 10, on: 0) == Self.swapMagic)
  }
}
