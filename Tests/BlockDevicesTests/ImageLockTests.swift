import BlockDevices
import Glibc
import Synchronization
import Testing

/// Two commands that change the same image files take turns.
struct ImageLockTests {
  private func images(_ count: Int) throws -> (folder: String, paths: [String]) {
    var template = Array("/tmp/image-locks-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let paths = try (0..<count).map { index in
      let path = "\(folder)/\(index)"
      let file = try #require(fopen(path, "w"))
      try #require(ftruncate(fileno(file), 1 << 20) == 0)
      fclose(file)
      return path
    }
    return (folder, paths)
  }

  private func remove(_ folder: String, _ paths: [String]) {
    for path in paths { unlink(path) }
    rmdir(folder)
  }

  @Test func theSecondWaitsForTheFirst() async throws {
    let (folder, paths) = try images(2)
    defer { remove(folder, paths) }
    var first: [BlockDevice]? = try paths.map { try BlockDevice(path: $0, access: .readWrite) }
    try BlockDevice.lockImages(first ?? [])
    let waits = Mutex(false)
    let second = Task.detached {
      // In the other order: that must not make a circle.
      let devices = try paths.reversed().map { try BlockDevice(path: $0, access: .readWrite) }
      try BlockDevice.lockImages(devices) { _ in waits.withLock { $0 = true } }
    }
    while !waits.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
    withExtendedLifetime(first) {}
    first = nil
    try await second.value
  }

  @Test func oneImageUnderTwoNamesIsLockedOnce() throws {
    let (folder, paths) = try images(1)
    defer { remove(folder, paths) }
    let devices = try [paths[0], paths[0]].map { try BlockDevice(path: $0, access: .readWrite) }
    try BlockDevice.lockImages(devices) { name in Issue.record("waits for \(name)") }
  }
}
