import ConfigText
import Glibc
import LVMMetadata
import Testing
import VolumeActivation

@testable import DeviceMapper

/// Whether this kernel has a device-mapper.
private let hasDeviceMapper: Bool = {
  guard let file = fopen("/proc/misc", "r") else { return false }
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 4096)
  let count = fread(&bytes, 1, bytes.count, file)
  return String(decoding: bytes[..<count], as: UTF8.self).contains("device-mapper")
}()

private let uuid: MappedDeviceUUID = {
  guard let uuid = MappedDeviceUUID("LVM-" + String(repeating: "testonly", count: 8)) else {
    preconditionFailure("the test's UUID is none")
  }
  return uuid
}()

@Suite("libdevmapper", .serialized)
struct DeviceMapperTests {
  @Test(
    "a kernel without device-mapper is told apart",
    .disabled(
      if: hasDeviceMapper,
      "SKIPPED: only a kernel without device-mapper shows this, and this one has it"))
  func reportsMissingDeviceMapper() throws {
    var mapper = LibraryDeviceMapper()
    for _ in 0..<2 {
      let error = #expect(throws: DeviceMapperError.self) { try mapper.devices() }
      #expect(error?.isUnavailable == true)
      #expect(error?.operation == .list)
      #expect(error?.description.contains("dm_mod") == true)
    }
    let error = #expect(throws: DeviceMapperError.self) { try mapper.state(of: uuid) }
    #expect(error?.isUnavailable == true)
    #expect(error?.device == uuid.text)
  }

  @Test(
    "an activation without device-mapper fails with that reason",
    .disabled(
      if: hasDeviceMapper,
      "SKIPPED: only a kernel without device-mapper shows this, and this one has it"))
  func refusesActivation() throws {
    var mapper = LibraryDeviceMapper()
    let zero = Segment(
      startExtent: 0, extentCount: 1, kind: .other(type: "zero", ConfigSection()))
    let group = VolumeGroup(
      name: "clvmdtest", id: uuid.volumeGroup,
      logicalVolumes: [LogicalVolume(name: "a", id: uuid.logicalVolume, segments: [zero])])
    let plan = try ActivationPlanner(group, devices: [:]).plan(named: "a")
    let error = #expect(throws: ActivationError.self) { try mapper.activate(plan) }
    #expect(error?.description.contains("clvmdtest/a") == true)
    #expect(error?.description.contains("no device-mapper") == true)
  }

  @Test("settling without anything to settle needs no kernel")
  func settlesNothing() throws {
    var mapper = LibraryDeviceMapper()
    try mapper.settle()
  }

  @Test("the library's log becomes the text of errors and is limited")
  func collectsLog() {
    _ = LibraryLog.take()
    LibraryLog.append(6, "chatter")
    LibraryLog.append(3, nil)
    for number in 0..<100 { LibraryLog.append(3, "line \(number)") }
    let lines = LibraryLog.take()
    #expect(lines.first == "line 0")
    #expect(lines.count == 16)
    #expect(LibraryLog.take().isEmpty)
  }
}
