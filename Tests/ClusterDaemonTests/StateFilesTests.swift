import ClusterMembership
import ClusterTypes
import Glibc
import Testing

@testable import ClusterDaemon

@Suite struct StateFilesTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/clvmd-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer {
      for name in ["state.0", "state.1"] { unlink("\(folder)/\(name)") }
      rmdir(folder)
    }
    try body(folder)
  }

  private func state(promised: UInt64) throws -> PersistentState {
    let slot = try #require(NodeSlot(0))
    let id = try #require(NodeID(1))
    let configuration = ClusterConfiguration(
      nodes: [ConfiguredNode(slot: slot, id: id, name: "n1", addresses: [])], timers: .standard)
    var state = PersistentState(
      slot: slot, genesis: Record(clusterID: 7, configuration: configuration),
      incarnation: Incarnation(1), bootID: BootID(high: 1, low: 2), amnesia: 3)
    state.promisedTerm = promised
    return state
  }

  private func truncate(_ path: String, to size: Int) throws {
    try #require(Glibc.truncate(path, off_t(size)) == 0)
  }

  @Test func `a node without files has no memory, and is not damaged`() throws {
    try withFolder { folder in
      let files = try StateFiles(directory: folder)
      #expect(files.found == nil)
      #expect(!files.isDamaged)
    }
  }

  @Test func `the newest state comes back, whichever file holds it`() throws {
    try withFolder { folder in
      for promised in 1...5 {
        let files = try StateFiles(directory: folder)
        try files.write(try state(promised: UInt64(promised)))
        #expect(try StateFiles(directory: folder).found?.promisedTerm == UInt64(promised))
      }
    }
  }

  @Test(arguments: [0, 1, 20, 100])
  func `a torn write leaves the state before it`(size: Int) throws {
    try withFolder { folder in
      let files = try StateFiles(directory: folder)
      for promised in 1...4 { try files.write(try state(promised: UInt64(promised))) }
      // Write number 4 went to the first file.
      try truncate(folder + "/state.0", to: size)
      let found = try StateFiles(directory: folder)
      #expect(found.found?.promisedTerm == 3)
      #expect(!found.isDamaged)
      // The torn file is written again, the whole one kept.
      try found.write(try state(promised: 9))
      #expect(try StateFiles(directory: folder).found?.promisedTerm == 9)
      try truncate(folder + "/state.0", to: size)
      #expect(try StateFiles(directory: folder).found?.promisedTerm == 3)
    }
  }

  @Test func `two damaged files are a lost memory, and known as such`() throws {
    try withFolder { folder in
      let files = try StateFiles(directory: folder)
      for promised in 1...2 { try files.write(try state(promised: UInt64(promised))) }
      for name in ["state.0", "state.1"] { try truncate("\(folder)/\(name)", to: 30) }
      let found = try StateFiles(directory: folder)
      #expect(found.found == nil)
      #expect(found.isDamaged)
    }
  }

  @Test func `a write that fails is told, and the state before it stays`() throws {
    try withFolder { folder in
      let files = try StateFiles(directory: folder)
      try files.write(try state(promised: 1))
      // The next file in turn cannot be opened.
      try #require(mkdir(folder + "/state.0", 0o700) == 0)
      defer { rmdir(folder + "/state.0") }
      #expect(throws: DaemonError.self) { try files.write(try state(promised: 2)) }
      rmdir(folder + "/state.0")
      #expect(try StateFiles(directory: folder).found?.promisedTerm == 1)
      try files.write(try state(promised: 3))
      #expect(try StateFiles(directory: folder).found?.promisedTerm == 3)
    }
  }
}
