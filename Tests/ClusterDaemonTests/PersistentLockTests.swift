import Glibc
import LVMFrontends
import LVMMetadata
import Testing
import VolumeActivation

@testable import ClusterDaemon

@Suite struct PersistentLockTests {
  private let lock = PersistentLock(
    vg: "vg1", vgUUID: nil, lockArguments: nil,
    lvUUID: "pg3gJ7-szSm-X9Cx-aiak-WF0J-6NdO-lndBns", mode: .exclusive)

  private func device(_ text: String) throws -> MappedDeviceUUID {
    try #require(MappedDeviceUUID(text))
  }

  @Test func aLayerOfTheVolumeIsItsDevice() throws {
    let group = String(repeating: "g", count: 32)
    let volume = lock.lvUUID.filter { $0 != "-" }
    let other = String(repeating: "o", count: 32)
    for suffix in ["", "-tpool", "-real"] {
      let devices = [
        try device("LVM-\(group)\(other)"), try device("LVM-\(group)\(volume)\(suffix)"),
      ]
      #expect(lock.hasDevice(among: devices), "\(suffix)")
    }
    #expect(!lock.hasDevice(among: [try device("LVM-\(group)\(other)")]))
    #expect(!lock.hasDevice(among: []))
  }

  /// The daemon may die between its answer to a command and the command's device.
  @Test func aLockIsInTheMakingWhileItsCommandRuns() throws {
    var lock = lock
    #expect(!lock.isInTheMaking, "the daemon's own work ends with it")
    lock.processID = getpid()
    #expect(lock.isInTheMaking)
    let shell = try #require(popen("echo $$", "r"))
    var line = [CChar](repeating: 0, count: 32)
    #expect(fgets(&line, 32, shell) != nil)
    pclose(shell)
    lock.processID = atoi(line)
    #expect(lock.processID > 0)
    #expect(!lock.isInTheMaking)
  }

  @Test func theCommandIsNoted() throws {
    let path = "/tmp/clvmd-persistent-\(getpid())"
    defer { unlink(path) }
    var lock = lock
    lock.processID = 817
    try PersistentLockStore(path: path).insert(lock)
    #expect(try PersistentLockStore(path: path).load() == [lock])
  }

  @Test func whatIsNoIdOfLVMIsKept() {
    var lock = lock
    lock.lvUUID = "u1"
    #expect(lock.hasDevice(among: []))
  }
}
