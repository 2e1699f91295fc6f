import ConfigText
import LVMMetadata
import Testing

/// Every text of the corpus, in both forms, read and written again.
@Suite struct CorpusTextTests {
  /// Stages whose text on disk was not laid out by LVM but by a foreign writer that leaves out
  /// optional keys, hints and blank lines; LVM reads them, and so do we, but writing them again
  /// gives LVM's layout.
  private static let foreignLayouts: Set<String> = [
    "foreign-writer/01-minimal.vg", "foreign-writer/02-no-nul.vg", "foreign-writer/04-unaligned.vg",
    "foreign-writer/05-active.vg", "foreign-writer/07-seqno-jump.vg",
    "foreign-writer/08-same-seqno-different-text.vg",
  ]

  private static let stages: [(name: String, file: String, disk: String?)] = {
    guard let cases = try? Fixture.names(in: "lvm2/texts") else { return [] }
    return cases.flatMap { name -> [(String, String, String?)] in
      let files = (try? Fixture.names(in: "lvm2/texts/\(name)")) ?? []
      return files.filter { $0.hasSuffix(".file") }.map { file in
        let stem = String(file.dropLast(5))
        let path = "lvm2/texts/\(name)/\(stem)"
        return (
          "\(name)/\(stem)", path + ".file", files.contains(stem + ".disk") ? path + ".disk" : nil
        )
      }
    }
  }()

  @Test func theCorpusIsThere() { #expect(Self.stages.count == 227) }

  @Test func backupTextsKeepTheirMeaningWhenWrittenAgain() throws {
    for stage in Self.stages {
      let original = try Fixture.bytes(stage.file)
      let text = try MetadataText(parsing: original)
      let section = try ConfigSection(parsing: original)
      for form in [MetadataTextForm.disk, .file] {
        let again = try ConfigSection(parsing: text.bytes(form: form))
        #expect(
          again.section(text.volumeGroup.name) == section.section(text.volumeGroup.name),
          "\(stage.name), \(form)")
      }
    }
  }

  @Test func textsOnDiskAreWrittenAgainByteForByte() throws {
    var differing: Set<String> = []
    for stage in Self.stages {
      guard let disk = stage.disk else { continue }
      let original = try Fixture.bytes(disk)
      let written = try MetadataText(parsing: original).volumeGroup.sectionBytes(form: .disk)
      if !original.starts(with: written) { differing.insert(stage.name) }
    }
    #expect(differing == Self.foreignLayouts)
  }

  @Test func backupFilesAreWrittenAgainByteForByte() throws {
    var differing: [String] = []
    for stage in Self.stages {
      let original = try Fixture.bytes(stage.file)
      let text = try MetadataText(parsing: original)
      let written = text.volumeGroup.sectionBytes(form: .file)
      if original.suffix(written.count) != written[...] { differing.append(stage.name) }
    }
    #expect(differing == [])
  }

  /// Found by fuzzing: the empty list that is always written hid what was kept of the other.
  @Test func flagsThatAreNoListOfWordsAreRefused() throws {
    let text = String(
      decoding: try Fixture.bytes("lvm2/texts/linear-life/01-created.vg.file"), as: UTF8.self)
    for flags in ["7", "{}", "[7]"] {
      let changed = text.replacing("flags = []", with: "flags = \(flags)", maxReplacements: 1)
      #expect(throws: MetadataTextError.self, "\(flags)") {
        _ = try MetadataText(parsing: changed.utf8)
      }
    }
  }

  /// Found by fuzzing: the value that stands for what is left out hid what was kept.
  @Test(
    "what is left out is filled in, what has another type is kept",
    arguments: [
      "", "format = 7\nmetadata_copies = e0", "metadata_copies { }", "format { }",
    ])
  func fillsInWhatIsLeftOut(lines: String) throws {
    let text = String(
      decoding: try Fixture.bytes("lvm2/texts/linear-life/01-created.vg.disk"), as: UTF8.self)
    let changed = text.replacing("format = \"lvm2\"\n", with: "")
      .replacing("metadata_copies = 0", with: lines)
    #expect(changed != text)
    let group = try MetadataText(parsing: changed.utf8).volumeGroup
    #expect(group.format == (lines.contains("format") ? nil : "lvm2"))
    #expect(group.metadataCopies == (lines.contains("metadata_copies") ? nil : 0))
    let again = try MetadataText(
      parsing: try MetadataText(parsing: changed.utf8).bytes(form: .disk))
    #expect(again.volumeGroup == group)
  }

  /// Found by fuzzing.
  @Test func lockArgumentsWithoutALockTypeAreNotLost() throws {
    let text = String(
      decoding: try Fixture.bytes("lvm2/texts/shared-lockd/01-lvs.vgs.disk"), as: UTF8.self)
    let read = try MetadataText(parsing: text.replacing("lock_type", with: "lucktype").utf8)
    let again = try MetadataText(parsing: read.bytes(form: .disk))
    let group = read.volumeGroup
    #expect(group.lockArguments != nil)
    #expect(again.volumeGroup == group)
    #expect(throws: VolumeGroupRefusal.self) { try group.checkWritable() }
  }
}
