import LVMMetadata
import OfflineCommands
import Testing
import VolumeActivation
import VolumeCommands

/// Volumes on real block devices are active after they are made, follow what is changed, and are
/// gone after they are removed. The device-mapper is simulated.
@Suite(
  .serialized,
  .enabled(
    if: ComparedDisks.obstacle == nil,
    "SKIPPED, no loop devices: \(ComparedDisks.obstacle ?? "")"))
struct ActivityTests {
  /// Runs a command line and returns what it printed, its status, and the devices afterwards.
  private func run(
    _ line: String, on disks: ComparedDisks, _ mapper: inout SimulatedDeviceMapper
  ) throws -> (status: Int32, lines: [String]) {
    let words = line.split(separator: " ").map(String.init)
    let command = try #require(OfflineCommand.named(words[0]))
    let arguments = try CommandArguments(
      Array(words.dropFirst()), options: command.options, command: words[0])
    let work = try command.prepare(arguments)
    let (session, lines) = try disks.session(mapper)
    let status = work(session)
    mapper = try #require(session.currentMapper as? SimulatedDeviceMapper)
    return (status, lines.texts)
  }

  private func sizes(_ mapper: inout SimulatedDeviceMapper) throws -> [String: UInt64] {
    var sizes: [String: UInt64] = [:]
    for device in try mapper.devices() {
      sizes[device.name] = try mapper.table(.live, of: device.uuid).sectorCount
    }
    return sizes
  }

  @Test func volumesFollowTheirMetadata() throws {
    let disks = try ComparedDisks(sizes: [64, 64])
    var mapper = SimulatedDeviceMapper(blockDevices: try disks.blockDevices())
    #expect(try run("vgcreate vg pv0 pv1", on: disks, &mapper).status == 0)
    let made = try run("lvcreate -n a -l 3 vg", on: disks, &mapper)
    #expect(made.status == 0, "\(made.lines)")
    #expect(try sizes(&mapper) == ["vg-a": 3 * 8192])
    #expect(try run("lvcreate -an -n b -l 3 vg", on: disks, &mapper).status == 0)
    #expect(try sizes(&mapper) == ["vg-a": 3 * 8192])
    let grown = try run("lvextend -l +5 vg/a", on: disks, &mapper)
    #expect(grown.status == 0, "\(grown.lines)")
    #expect(try sizes(&mapper) == ["vg-a": 8 * 8192])
    let renamed = try run("lvrename vg a c", on: disks, &mapper)
    #expect(renamed.status == 5)
    #expect(renamed.lines.first?.contains("vg/a is active") == true)
    let shrunk = try run("lvreduce -y -l 2 vg/a", on: disks, &mapper)
    #expect(shrunk.status == 0, "\(shrunk.lines)")
    #expect(try sizes(&mapper) == ["vg-a": 2 * 8192])
    let removed = try run("lvremove -y vg", on: disks, &mapper)
    #expect(removed.status == 0, "\(removed.lines)")
    #expect(try sizes(&mapper).isEmpty)
  }

  @Test func aTableThatCannotBeLoadedLeavesTheMetadataAsItWas() throws {
    let disks = try ComparedDisks(sizes: [64])
    var mapper = SimulatedDeviceMapper(blockDevices: try disks.blockDevices())
    #expect(try run("vgcreate vg pv0", on: disks, &mapper).status == 0)
    #expect(try run("lvcreate -n a -l 3 vg", on: disks, &mapper).status == 0)
    let before = try disks.lvm(["vgck", "vg"]).text
    mapper.failures = [SimulatedDeviceMapper.Failure(of: .load)]
    let failed = try run("lvextend -l +5 vg/a", on: disks, &mapper)
    #expect(failed.status == 5)
    let after = try disks.lvm(["vgck", "vg"])
    #expect(after.status == 0 && after.errors.isEmpty, "\(after.errors)")
    #expect(after.text == before)
    #expect(try sizes(&mapper) == ["vg-a": 3 * 8192])
  }
}
