import Glibc
import LVMFrontends
import Testing

@testable import ClusterDaemon

@Suite struct ClusteredVolumeStoreTests {
  private static let volume = String(repeating: "a", count: 32) + String(repeating: "b", count: 32)
  private static let other = String(repeating: "c", count: 64)

  private func withPath(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/clvmd-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer {
      unlink(folder + "/volumes")
      rmdir(folder)
    }
    try body(folder + "/volumes")
  }

  @Test func whatWasExclusiveIsExclusiveInTheNextLife() throws {
    try withPath { path in
      let store = ClusteredVolumeStore(path: path)
      #expect(try store.load().isEmpty)
      try store.set(.exclusive, of: Self.volume)
      try store.set(.concurrentRead, of: Self.other)
      try store.set(nil, of: Self.other)
      #expect(try ClusteredVolumeStore(path: path).load() == [Self.volume: .exclusive])
    }
  }

  @Test func aRecordThatCannotBeUnderstoodIsNotTakenForNone() throws {
    try withPath { path in
      try replaceFile(path, with: Array("lock0 { volume = \"x\" mode = 9 }\n".utf8))
      #expect(throws: DaemonError.self) { try ClusteredVolumeStore(path: path).load() }
    }
  }

  @Test func aVolumeIsNamedByTwoIdentifiersWithoutHyphens() {
    #expect(VolumeIdentity(Self.volume)?.description == Self.volume)
    #expect(VolumeIdentity(String(Self.volume.dropLast())) == nil)
    #expect(VolumeIdentity("-" + Self.volume.dropFirst()) == nil)
  }
}
