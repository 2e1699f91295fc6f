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

  @Test func whatIsNoIdOfLVMIsKept() {
    var lock = lock
    lock.lvUUID = "u1"
    #expect(lock.hasDevice(among: []))
  }
}
