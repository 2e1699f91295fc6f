import Glibc
import Testing

@testable import LVMSystemDirectory

@Suite struct HostLocksTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func locks(
    _ more: String = "", _ mode: HostLocks.Mode = .files, maySkip: Bool = false
  ) throws -> HostLocks {
    let text = "global { locking_dir = \"\(folder.path)/locks\" wait_for_locks = 0 \(more) }"
    return try HostLocks(
      LVMConfiguration(systemDirectory: folder.path, override: text), mode, maySkip: maySkip)
  }

  private var files: [String] { TemporaryFolder.names(in: "\(folder.path)/locks") }

  @Test func oneWriterOrManyReadersHaveAGroup() throws {
    let first = try locks()
    let second = try locks()
    try first.acquire(.volumeGroup("vg"), .exclusive)
    let refusal = #expect(throws: HostLockError.self) {
      try second.acquire(.volumeGroup("vg"), .shared)
    }
    let reason = "flock failed: Resource temporarily unavailable"
    #expect(refusal?.messages == ["\(folder.path)/locks/V_vg: \(reason)"])
    try second.acquire(.volumeGroup("other"), .exclusive)
    try second.acquire(.global, .exclusive)
    first.release(.volumeGroup("vg"))
    second.release(.volumeGroup("other"))
    try first.acquire(.volumeGroup("vg"), .shared)
    try second.acquire(.volumeGroup("vg"), .shared)
    #expect(files == ["P_global", "V_vg"])
  }

  @Test func theLastOneRemovesTheFile() throws {
    let first = try locks()
    do {
      let second = try locks()
      try first.acquire(.volumeGroup("vg"), .shared)
      try second.acquire(.volumeGroup("vg"), .shared)
    }
    #expect(files == ["V_vg"])
    first.release(.volumeGroup("vg"))
    #expect(files == [])
  }

  /// Somebody who waited for a file that is removed meanwhile locks the one that others find.
  @Test func aFileThatWasRemovedIsNoLock() throws {
    let first = try locks()
    try first.acquire(.volumeGroup("vg"), .exclusive)
    unlink("\(folder.path)/locks/V_vg")
    let second = try locks()
    try second.acquire(.volumeGroup("vg"), .exclusive)
    first.release(.volumeGroup("vg"))
    #expect(files == ["V_vg"])
  }

  @Test func withoutLockingNothingIsLocked() throws {
    let first = try locks()
    try first.acquire(.volumeGroup("vg"), .exclusive)
    try locks("", .none).acquire(.volumeGroup("vg"), .exclusive)
    try locks("locking_type = 0").acquire(.volumeGroup("vg"), .exclusive)
    #expect(
      try locks("locking_type = 0").warnings == [
        "WARNING: locking_type (0) is deprecated, using --nolocking."
      ])
  }

  @Test func readersOnlyAreNotLockedAndChangeNothing() throws {
    let reader = try locks("", .readOnly)
    try reader.acquire(.volumeGroup("vg"), .shared)
    #expect(files == [])
    let refusal = #expect(throws: HostLockError.self) {
      try reader.acquire(.volumeGroup("other"), .exclusive)
    }
    #expect(refusal?.messages == ["Operation prohibited while --readonly is set."])
  }

  @Test func aFolderThatCannotBeMadeEndsTheCommand() throws {
    let text = "global { locking_dir = \"/proc/nope\" }"
    let configuration = try LVMConfiguration(systemDirectory: folder.path, override: text)
    let refusal = #expect(throws: HostLockError.self) { try HostLocks(configuration) }
    #expect(
      refusal?.messages == [
        "/proc/nope: mkdir failed: No such file or directory",
        "File locking initialisation failed.",
      ])
    let early = try HostLocks(configuration, maySkip: true)
    try early.acquire(.volumeGroup("vg"), .shared)
  }
}
