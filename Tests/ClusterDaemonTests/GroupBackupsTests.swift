import Glibc
import LVMMetadata
import LVMSystemDirectory
import Logging
import Testing

@testable import ClusterDaemon

/// What the daemon's changes leave under /etc/lvm.
struct GroupBackupsTests {
  private static func folder() throws -> String {
    var template = Array("/tmp/group-backups-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func files(_ folder: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }

  private static func change(settings: String) throws -> (archive: [String], backup: [String]) {
    let folder = try folder()
    defer { for path in ["archive", "backup", ""] { removeAll("\(folder)/\(path)") } }
    let file = try #require(fopen("\(folder)/lvm.conf", "w"))
    fputs("backup { \(settings) }", file)
    fclose(file)
    var group = VolumeGroup(
      name: "vg", id: try #require(LVMIdentifier("rfAf87-jeC2-CzGT-G91b-FGYa-nEWj-cgBNpH")),
      seqno: 4, extentSizeSectors: 2048)
    let old = group
    group.seqno = 5
    let text = MetadataText(
      volumeGroup: group,
      provenance: MetadataProvenance(
        generator: "clvmd", description: "Write from clvm lvextend -l +1 vg/a.",
        creationHost: "host", creationTime: 1))
    let backups = GroupBackups(systemDirectory: folder, logger: Logger(label: "test"))
    try backups.archive(old, before: text)
    backups.backUp(text, replacing: "vg")
    let kept = files("\(folder)/backup")
    if let name = kept.first {
      let read = try MetadataText(parsing: MetadataBackups.read("\(folder)/backup/\(name)"))
      #expect(read.volumeGroup.seqno == 5)
      #expect(
        read.provenance.description == "Created *after* executing 'clvm lvextend -l +1 vg/a'")
    }
    return (files("\(folder)/archive"), kept)
  }

  private static func removeAll(_ folder: String) {
    for name in files(folder) { unlink("\(folder)/\(name)") }
    rmdir(folder)
  }

  @Test func theOldVersionIsArchivedAndTheNewOneBackedUp() throws {
    let kept = try Self.change(settings: "")
    #expect(kept.archive.count == 1)
    #expect(kept.archive.first?.hasPrefix("vg_00000-") == true)
    #expect(kept.backup == ["vg"])
  }

  @Test func switchesOfLVMCount() throws {
    let kept = try Self.change(settings: "archive = 0 backup = 0")
    #expect(kept.archive.isEmpty)
    #expect(kept.backup.isEmpty)
  }
}
