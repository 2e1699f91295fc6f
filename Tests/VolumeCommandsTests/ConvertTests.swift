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
    let command = try ConvertCommand(words: line.split(separator: " ").map(String.init))
    var generator = SystemRandomNumberGenerator()
    let context = CommandContext(
      settings: CommandSettings(), hostName: "host", now: 1,
      makeIdentifier: { LVMIdentifier(using: &generator) }, physicalVolume: { _ in nil },
      deviceName: { _ in "" },
      isActive: { id in group.logicalVolume(id: id).map { active.contains($0.name) } ?? false })
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
      "--type raid5 vg/o", "--repair vg/o", "--type cache vg/o", "--merge --splitcache vg/o",
      "--type cache --cachevol fast --cachemetadataformat 1 vg/o",
      "--type writecache --cachevol fast --cachesettings foo=1 vg/o", "--merge vg/o vg/p",
    ] {
      #expect(throws: CommandLineError.self, "\(line)") {
        try ConvertCommand(words: line.split(separator: " ").map(String.init))
      }
    }
  }
}
