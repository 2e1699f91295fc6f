import ConfigText
import Glibc
import LVMMetadata
import Testing
import VolumeCommands

/// What lvconvert makes of the metadata, against what LVM wrote.
@Suite struct ConvertTests {
  private func group(_ stage: String) throws -> VolumeGroup {
    var parts = #filePath.split(separator: "/").dropLast()
    while let last = parts.last, last != "Tests" { parts.removeLast() }
    let path = "/\(parts.dropLast().joined(separator: "/"))/Fixtures/lvm2/texts/\(stage).vg.disk"
    let file = try #require(fopen(path, "r"), "\(path)")
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
      bytes += buffer[..<count]
    }
    return try MetadataText(parsing: bytes).volumeGroup
  }

  private func convert(
    _ group: VolumeGroup, _ line: String, active: Set<String> = []
  ) throws -> GroupEdit {
    let words = line.split(separator: " ").map(String.init)
    let command: any GroupCommand =
      switch words.first {
      case "lvcreate": try CreateCommand(words: Array(words.dropFirst()))
      case "lvchange": try ChangeCommand(words: Array(words.dropFirst()))
      default: try ConvertCommand(words: words)
      }
    var generator = SystemRandomNumberGenerator()
    let context = CommandContext(
      settings: CommandSettings(), hostName: "host", now: 1,
      makeIdentifier: { LVMIdentifier(using: &generator) }, physicalVolume: { _ in nil },
      deviceName: { _ in "" },
      isActive: { id in group.logicalVolume(id: id).map { active.contains($0.name) } ?? false },
      confirm: { _ in words.contains("-y") })
    switch command.edit(group, context) {
    case .success(let edit):
      try edit.group.checkWritable()
      return edit
    case .failure(let failure): throw Refused(messages: failure.messages.map(\.text))
    }
  }

  private struct Refused: Error {
    let messages: [String]
  }

  /// The text without ids, times and the number of the version.
  private func text(_ group: VolumeGroup) -> [String] {
    String(decoding: group.sectionBytes(form: .disk), as: UTF8.self).split(separator: "\n")
      .map(String.init).filter { line in
        !["id = ", "creation_", "seqno", "device = "].contains { line.hasPrefix($0) }
      }
  }

  private func expectSame(_ group: VolumeGroup, _ stage: String) throws {
    let expected = text(try self.group(stage))
    #expect(text(group).difference(from: expected).isEmpty, "\(stage)")
  }

  @Test func snapshotIsNotedForMerging() throws {
    let edit = try convert(try group("snapshot-merge/00-before"), "--merge vg/s")
    try expectSame(edit.group, "snapshot-merge/01-deferred")
    #expect(
      edit.messages.map(\.text)
        == ["Merging of snapshot vg/s will occur on next activation of vg/o."])
    for name in ["s", "o", "none"] {
      #expect(throws: Refused.self) { try convert(edit.group, "--merge vg/\(name)") }
    }
    #expect(throws: Refused.self) {
      try convert(try group("snapshot-merge/00-before"), "--merge vg/s", active: ["o"])
    }
  }

  @Test func thinSnapshotIsNotedForMerging() throws {
    let before = try group("thin-basic/02-snaps")
    let snapshot = try #require(
      before.logicalVolumes.first { volume in
        guard case .other("thin", let section)? = volume.segments.first?.kind else { return false }
        return section.string("origin") != nil
      })
    let edit = try convert(before, "--merge vg/\(snapshot.name)")
    let merged = try #require(edit.group.logicalVolume(id: snapshot.id))
    guard case .other(_, let section)? = merged.segments.first?.kind else {
      Issue.record("no thin volume any more")
      return
    }
    #expect(section.string("merge") == section.string("origin"))
    #expect(!merged.isVisible)
  }

  /// Blocks that the volume has never written are the external origin's, in its snapshot as well.
  @Test func thinSnapshotKeepsTheExternalOrigin() throws {
    let before = try group("thin-external-origin/00-external")
    let volume = try #require(
      before.logicalVolumes.first {
        $0.segments.first?.section?.string("external_origin") != nil
      })
    let edit = try convert(before, "lvcreate -s -n copy vg/\(volume.name)")
    let copy = try #require(edit.group.logicalVolume(named: "copy")?.segments.first?.section)
    #expect(copy.string("origin") == volume.name)
    #expect(
      copy.string("external_origin") == volume.segments.first?.section?.string("external_origin"))
  }

  @Test func cacheVolumeComesAndGoes() throws {
    let cached = try group("cache-vol/00-cached")
    let split = try convert(cached, "--splitcache vg/o")
    #expect(split.group.logicalVolumes.map(\.name) == ["o", "fast"])
    #expect(split.group.logicalVolumes.allSatisfy { $0.isVisible && $0.isLinearOrStriped })
    #expect(
      split.messages.map(\.text) == ["Logical volume vg/o is not cached and vg/fast is unused."])
    let again = try convert(
      split.group, "-y --type cache --cachevol fast --chunksize 64k vg/o")
    #expect(text(again.group).difference(from: text(cached)).isEmpty)
    // The old superblock would be taken for this cache's.
    let fast = try #require(cached.logicalVolume(named: "fast_cvol"))
    let area = try #require(fast.segments.first?.stripedLayout?.areas.first)
    #expect(again.wipes.map(\.firstExtent) == [area.firstExtent])
    #expect(again.wipes.map(\.volume) == [area.physicalVolume])
    #expect(again.wipes.map(\.givenUpBy) == ["fast"])
    let uncached = try convert(cached, "--uncache vg/o")
    #expect(uncached.group.logicalVolumes.map(\.name) == ["o"])
    #expect(
      uncached.messages.map(\.text) == [
        "Logical volume \"fast\" successfully removed.",
        "Logical volume vg/o is not cached and vg/fast is removed.",
      ])
  }

  @Test func cachePoolIsTakenAway() throws {
    let split = try convert(try group("cache-pool/01-cached"), "--splitcache vg/o")
    #expect(
      split.group.logicalVolumes.map(\.name).sorted()
        == ["cp", "cp_cdata", "cp_cmeta", "lvol0_pmspare", "o"])
    let after = try group("cache-pool/03-split")
    #expect(
      split.group.logicalVolumes.map(\.name) == after.logicalVolumes.map(\.name))
    #expect(
      split.group.logicalVolume(named: "o")?.segments
        == after.logicalVolume(named: "o")?.segments)
    // What only the kernel can write back is not given up.
    #expect(throws: Refused.self) {
      try convert(try group("cache-pool/02-writeback"), "--splitcache vg/o")
    }
    #expect(throws: Refused.self) {
      try convert(try group("cache-pool/01-cached"), "--splitcache vg/o", active: ["o"])
    }
  }

  @Test func cachePoolIsMadeAndAttached() throws {
    let after = try group("cache-pool/00-pool")
    var before = after
    before.logicalVolumes.removeAll { $0.name != "o" }
    let made = try convert(before, "lvcreate --type cache-pool -L 12m -n cp vg")
    let volumes = made.group.logicalVolumes
    #expect(volumes.map(\.name) == after.logicalVolumes.map(\.name))
    #expect(volumes.map(\.extentCount) == after.logicalVolumes.map(\.extentCount))
    #expect(
      made.group.logicalVolume(named: "cp")?.segments
        == after.logicalVolume(named: "cp")?.segments)
    #expect(made.activations.isEmpty, "pools of caches are not activated")
    let attached = try convert(after, "-y --type cache --cachepool cp vg/o")
    try expectSame(attached.group, "cache-pool/01-cached")
    #expect(attached.messages.map(\.text) == ["Logical volume vg/o is now cached."])
    #expect(attached.wipes.map(\.givenUpBy) == ["cp_cmeta"], "other blocks were cached there")
    let kept = try convert(after, "-Zn --type cache --cachepool cp vg/o")
    #expect(kept.wipes.isEmpty)
    #expect(throws: Refused.self, "nobody has answered") {
      try convert(after, "--type cache --cachepool cp vg/o")
    }
    #expect(throws: Refused.self) { try convert(after, "-y --type cache --cachepool cp vg/cp") }
    #expect(throws: Refused.self) {
      try convert(attached.group, "-y --type cache --cachepool cp_cpool vg/o")
    }
  }

  @Test func cacheComesWithItsPool() throws {
    var before = try group("cache-pool/00-pool")
    before.logicalVolumes.removeAll { $0.name != "o" }
    let made = try convert(before, "lvcreate --type cache -l 3 -n c vg/o")
    #expect(
      made.group.logicalVolumes.map(\.name)
        == ["o", "lvol0_pmspare", "c_cpool", "c_cpool_cmeta", "c_cpool_cdata", "o_corig"])
    #expect(made.messages.map(\.text) == ["Logical volume vg/o is now cached."])
    let pool = try convert(before, "lvcreate --type cache-pool -l 3 -n pp vg").group
    let cached = try convert(pool, "lvcreate --type cache -l 2 -n c --cachepool pp vg")
    #expect(
      cached.group.logicalVolumes.map(\.name)
        == ["o", "c", "pp_cpool", "lvol0_pmspare", "pp_cpool_cmeta", "pp_cpool_cdata", "c_corig"])
    #expect(cached.activations == ["c"])
    #expect(throws: Refused.self) { try convert(pool, "lvcreate --type cache -l 2 vg/pp") }
    #expect(throws: CommandLineError.self) {
      try convert(before, "lvcreate --type cache -l 2 -n c vg")
    }
    #expect(throws: CommandLineError.self) {
      try convert(before, "lvcreate --type cache-pool -l 3 -c 20k -n pp vg")
    }
    #expect(throws: CommandLineError.self) { try convert(before, "lvcreate --type vdo -l 3 vg") }
  }

  @Test func volumesBecomePools() throws {
    let before = try group("cache-pool/00-pool")
    let thin = try convert(before, "-y --type thin-pool -c 128k -Zn vg/o")
    #expect(
      thin.group.logicalVolumes.map(\.name)
        == ["cp", "o", "o_tdata", "lvol0_pmspare", "cp_cmeta", "cp_cdata", "o_tmeta"])
    #expect(thin.messages.last?.text == "Converted vg/o to thin pool.")
    #expect(thin.group.logicalVolume(named: "o_tdata")?.id == before.logicalVolume(named: "o")?.id)
    #expect(thin.wipes.map(\.givenUpBy) == [nil], "the new metadata's start, and nothing else")
    let other = try convert(before, "lvcreate -an -Zn -l 2 -n m vg").group
    let given = try convert(other, "-y --type cache-pool --poolmetadata m vg/o")
    #expect(
      given.group.logicalVolumes.map(\.name)
        == ["cp", "o", "o_cdata", "o_cmeta", "lvol0_pmspare", "cp_cmeta", "cp_cdata"])
    #expect(given.wipes.map(\.givenUpBy) == ["m"])
    for line in [
      "--type thin-pool vg/o", "-y --type thin-pool vg/cp", "-y --type thin-pool vg/none",
      "-y --type thin-pool --poolmetadata o vg/o",
    ] {
      #expect(throws: Refused.self, "\(line)") { try convert(before, line) }
    }
    #expect(throws: Refused.self) {
      try convert(before, "-y --type thin-pool vg/o", active: ["o"])
    }
  }

  @Test func poolMetadataChangesPlaces() throws {
    let before = try convert(
      try group("cache-pool/00-pool"), "lvcreate -an -Zn -l 2 -n m vg"
    ).group
    let swapped = try convert(before, "-y --swapmetadata --poolmetadata m vg/cp").group
    #expect(
      swapped.logicalVolume(named: "m")?.segments
        == before.logicalVolume(named: "cp_cmeta")?.segments)
    #expect(
      swapped.logicalVolume(named: "cp_cmeta")?.segments
        == before.logicalVolume(named: "m")?.segments)
    #expect(swapped.logicalVolume(named: "m")?.isVisible == true)
    #expect(throws: Refused.self) {
      try convert(before, "-y --swapmetadata --poolmetadata m vg/cp", active: ["m"])
    }
  }

  @Test func volumeGoesOnAsThinOne() throws {
    let before = try convert(
      try group("thin-external-origin/00-external"), "lvcreate -an -Zn -l 4 -n conv vg"
    ).group
    var made = try convert(
      before, "-y --type thin --thinpool vg/p --originname conv_o vg/conv"
    ).group
    #expect(made.logicalVolume(named: "conv")?.id == before.logicalVolume(named: "conv")?.id)
    for index in made.logicalVolumes.indices where made.logicalVolumes[index].name == "p" {
      guard case .other(let type, var section) = made.logicalVolumes[index].segments[0].kind else {
        continue
      }
      #expect(section.section("message1")?.string("create") == "conv")
      section.entries.removeAll { $0.name == "message1" }
      made.logicalVolumes[index].segments[0].kind = .other(type: type, section)
    }
    try expectSame(made, "thin-external-origin/01-converted")
    let inherited = try convert(made, "lvcreate -s -n later vg/conv").group
    #expect(
      inherited.logicalVolume(named: "later")?.segments.first?.volumeName("external_origin")
        == "conv_o", "blocks that nobody has written still come from there")
    let snapshot = try convert(made, "lvcreate -s --thinpool p -n again vg/e").group
    #expect(
      snapshot.logicalVolume(named: "again")?.segments.first?.typeName == "thin")
    #expect(throws: Refused.self, "its blocks could change") {
      try convert(before, "lvcreate -s --thinpool p -n again vg/conv")
    }
  }

  @Test func cachesAreChanged() throws {
    let before = try group("cache-pool/01-cached")
    let changed = try convert(before, "lvchange --cachemode writeback vg/o", active: ["o"])
    #expect(changed.messages.map(\.text) == ["Logical volume vg/o changed."])
    #expect(changed.reloads == ["o"])
    let settled = try convert(
      changed.group, "lvchange --cachesettings migration_threshold=4096 vg/o")
    try expectSame(settled.group, "cache-pool/02-writeback")
    let again = try convert(
      settled.group, "lvchange --cachesettings migration_threshold=default vg/o")
    #expect(text(again.group).difference(from: text(changed.group)).isEmpty)
    // The cache may have what the origin lacks.
    let refused = try convert(changed.group, "lvchange --cachemode writethrough vg/o")
    #expect(refused.messages.first?.text.contains("refusing to switch cache mode") == true)
    #expect(text(refused.group).difference(from: text(changed.group)).isEmpty)
    let volume = try group("cache-vol/00-cached")
    let cleaner = try convert(
      volume, "lvchange --cachepolicy cleaner --cachesettings a=1 vg/o"
    ).group
    guard case .other(_, let section)? = cleaner.logicalVolume(named: "o")?.segments.first?.kind
    else {
      Issue.record("no cache")
      return
    }
    #expect(
      section.entries.map(\.name) == [
        "cache_pool", "origin", "metadata_format", "chunk_size", "cache_mode", "policy",
        "policy_settings", "metadata_start", "metadata_len", "data_start", "data_len",
      ])
    for name in ["vg/none", "vg/fast_cvol"] {
      let refused = try convert(volume, "lvchange --cachemode writeback \(name)")
      #expect(refused.messages.last?.stream == .error, "\(name)")
      #expect(text(refused.group).difference(from: text(volume)).isEmpty, "\(name)")
    }
  }

  @Test func snapshotIsSplitAndGivenBack() throws {
    let before = try group("snapshot-merge/00-before")
    let split = try convert(before, "--splitsnapshot vg/s")
    #expect(split.messages.map(\.text) == ["Logical Volume vg/s split from its origin."])
    #expect(Set(split.group.logicalVolumes.map(\.name)) == ["o", "s"])
    let again = try convert(split.group, "-y -s vg/o s")
    #expect(text(again.group).difference(from: text(before)).isEmpty)
    #expect(again.wipes.map(\.givenUpBy) == ["s"], "an old exception table would be believed")
    #expect(try convert(split.group, "-y -s -Zn vg/o s").wipes.isEmpty)
    for line in ["-s vg/o s", "-y -s vg/o o", "-y -s vg/o none", "--splitsnapshot vg/o"] {
      #expect(throws: Refused.self, "\(line)") { try convert(split.group, line) }
    }
    #expect(throws: Refused.self) {
      try convert(split.group, "-y -s vg/o s", active: ["s"])
    }
  }

  @Test func mirrorsLoseLogAndImages() throws {
    let before = try group("mirror-to-raid1/00-mirror")
    let core = try convert(before, "-y --mirrorlog core vg/m").group
    #expect(throws: Refused.self) { try convert(before, "--mirrorlog core vg/m") }
    #expect(core.logicalVolume(named: "m_mlog") == nil)
    let disk = try convert(core, "--mirrorlog disk vg/m").group
    #expect(text(disk).difference(from: text(before)).isEmpty)
    let linear = try convert(before, "-m 0 vg/m")
    #expect(linear.group.logicalVolumes.map(\.name) == ["m"])
    #expect(linear.messages.map(\.text) == ["Logical volume vg/m converted."])
    let mirror = try convert(linear.group, "--type mirror -m 1 vg/m")
    #expect(
      mirror.group.logicalVolumes.map(\.name) == ["m", "m_mlog", "m_mimage_0", "m_mimage_1"])
    #expect(mirror.messages.last?.text == "Conversion starts after activation.")
    #expect(throws: Refused.self) { try convert(before, "-m 2 vg/m") }
    #expect(throws: Refused.self) { try convert(before, "-m 0 vg/m", active: ["m"]) }
  }

  /// What LVM says of inactive RAID volumes, whose images the kernel knows.
  @Test(arguments: [
    ("--repair vg/r", "vg/r must be active to perform this operation."),
    ("--replace /dev/a vg/r", "vg/r must be active to perform this operation."),
    ("-m 0 vg/r", "vg/r must be active to perform this operation."),
    ("--type striped vg/r", "vg/r must be active to perform this operation."),
    ("--splitmirrors 1 -n x vg/r", "Unable to split vg/r while it is not in-sync."),
    (
      "--splitmirrors 1 --trackchanges vg/r",
      "Unable to split image from vg/r while not in-sync."
    ),
    ("-y -R 1m vg/r", "Unable to change region size on raid1 LV vg/r while it is not in-sync."),
  ]) func arraysAreLeftToTheKernel(line: String, words: String) throws {
    let before = try group("raid1-convert/01-raid1")
    let refused = #expect(throws: Refused.self) { try convert(before, line) }
    #expect(refused?.messages.last == words)
    let active = #expect(throws: Refused.self) { try convert(before, line, active: ["r"]) }
    #expect(active?.messages.last?.contains("LVM's own lvconvert") == true)
  }

  @Test func imagesBelowACacheAreRenamed() throws {
    let raid = try convert(
      try group("raid1-convert/01-raid1"), "lvcreate -an -Zn -l 5 -n fast vg"
    ).group
    let cached = try convert(raid, "-y --type cache --cachevol fast vg/r").group
    #expect(cached.logicalVolume(named: "r_corig_rimage_1") != nil)
    #expect(cached.logicalVolume(named: "r_rimage_1") == nil)
    let again = try convert(cached, "--splitcache vg/r").group
    #expect(
      again.logicalVolume(named: "r")?.segments == raid.logicalVolume(named: "r")?.segments)
  }

  @Test func writecacheIsAttached() throws {
    let before = try group("writecache/02-detached")
    let settings = [
      "block_size=4096", "high_watermark=60", "low_watermark=40", "writeback_jobs=128",
      "autocommit_blocks=1024", "autocommit_time=2000",
    ].map { "--cachesettings \($0)" }.joined(separator: " ")
    let edit = try convert(
      before, "-y --type writecache --cachevol fast \(settings) vg/o")
    try expectSame(edit.group, "writecache/00-attached")
    #expect(throws: Refused.self) { try convert(edit.group, "--splitcache vg/o") }
    let block = "--cachesettings block_size=512"
    #expect(throws: Refused.self) {
      try convert(before, "-y --type writecache --cachevol fast \(block) vg/o", active: ["fast"])
    }
    #expect(throws: Refused.self) {
      try convert(before, "-y --type writecache --cachevol o \(block) vg/o")
    }
    #expect(throws: Refused.self) {
      try convert(before, "--type writecache --cachevol fast \(block) vg/o")
    }
    #expect(throws: Refused.self, "the file system above could have smaller blocks") {
      try convert(before, "-y --type writecache --cachevol fast vg/o")
    }
  }

  @Test func restIsRefusedByName() {
    for line in [
      "--stripes 3 vg/o", "--type vdo-pool vg/o", "--type cache vg/o", "--merge --splitcache vg/o",
      "--type thin vg/o", "--swapmetadata vg/o", "-s vg/o", "--raidintegrity y vg/o",
      "--type cache --cachevol fast --cachemetadataformat 1 vg/o",
      "--type writecache --cachevol fast --cachesettings foo=1 vg/o", "--merge vg/o vg/p",
    ] {
      #expect(throws: CommandLineError.self, "\(line)") {
        try ConvertCommand(words: line.split(separator: " ").map(String.init))
      }
    }
  }
}

extension Segment {
  /// What a type that is kept as text has.
  fileprivate var section: ConfigSection? {
    guard case .other(_, let section) = kind else { return nil }
    return section
  }
}
