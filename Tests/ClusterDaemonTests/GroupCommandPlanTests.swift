import AdminProtocol
import LVMMetadata
import Testing
import VolumeCommands
import VolumeCoordination

@testable import ClusterDaemon

/// Which volumes must be active nowhere while a command changes a shared volume group.
@Suite struct GroupCommandPlanTests {
  private struct TestFailure: Error {
    let messages: [String]
  }

  /// The group after a command line.
  private func run(_ line: String, on group: VolumeGroup) throws -> VolumeGroup {
    var generator = SystemRandomNumberGenerator()
    let context = CommandContext(
      settings: CommandSettings(), hostName: "node-1", now: 0,
      makeIdentifier: { LVMIdentifier(using: &generator) }, physicalVolume: { _ in nil },
      deviceName: { $0.dashed }, confirm: { _ in true })
    let words = line.split(separator: " ").map(String.init)
    let type = try #require(groupCommands.first { $0.name == words[0] })
    switch try type.init(words: Array(words.dropFirst())).edit(group, context) {
    case .success(let edit): return edit.group
    case .failure(let failure): throw TestFailure(messages: failure.messages.map(\.text))
    }
  }

  private func group() throws -> VolumeGroup {
    var generator = SystemRandomNumberGenerator()
    var group = VolumeGroup(name: "vg", id: LVMIdentifier(using: &generator))
    group.lockType = "dlm"
    for index in 0..<3 {
      group.physicalVolumes.append(
        PhysicalVolume(
          label: "pv\(index)", id: LVMIdentifier(using: &generator), extentStartSectors: 2048,
          extentCount: 50))
    }
    for line in [
      "lvcreate -n a -l 3 vg", "lvcreate --type raid1 -m 1 -n r -l 3 vg",
      "lvcreate --type thin-pool -n p -l 3 vg", "lvcreate -s -n s -l 1 vg/a",
    ] { group = try run(line, on: group) }
    return group
  }

  /// What `--select` leaves only the disks tell: the daemon would take it for all.
  @Test func selectionsAreRefused() {
    let words = ["-y", "-S", "lv_name=a", "vg"]
    #expect(throws: AdminFailure.self) {
      try VolumeWorkers.groupName(of: VolumeCommandRequest(command: "lvremove", words: words))
    }
  }

  @Test(arguments: [
    ("lvcreate -n b -l 2 vg", []), ("lvchange --addtag t vg/r", []),
    ("vgchange --addtag t vg", []), ("lvchange -pr vg/r", ["r"]), ("lvremove -y vg/r", ["r"]),
    ("lvremove -y vg/s", ["a"]), ("lvremove -y vg/a", ["a"]), ("lvextend -l +2 vg/r", ["r"]),
    ("lvrename vg r q", ["r"]), ("lvcreate -s -n t -l 1 vg/r", ["r"]),
    ("lvcreate -V 100m --thinpool p -n t vg", ["p"]), ("lvextend -l +2 vg/p", ["p"]),
  ]) func touched(line: String, expected: [String]) throws {
    let before = try group()
    let touched = before.volumesTouched(by: try run(line, on: before))
    #expect(touched.map(\.name).sorted() == expected)
    for volume in touched {
      #expect(volume.lock == before.logicalVolume(named: volume.name)?.id.dashed)
    }
  }

  @Test(arguments: [
    "vgrename vg wg", "vgchange --uuid vg", "vgchange --systemid x vg", "pvmove pv0",
    "lvremove vg/a wg/b", "lvcreate -l 1 --devices x vg", "lvcreate --foo vg", "status",
  ]) func refused(line: String) {
    let words = line.split(separator: " ").map(String.init)
    #expect(throws: AdminFailure.self) {
      try VolumeWorkers.groupName(
        of: VolumeCommandRequest(command: words[0], words: Array(words.dropFirst())))
    }
  }

  @Test func theGroupIsNamed() throws {
    let request = VolumeCommandRequest(command: "lvcreate", words: ["-l", "1", "vg"])
    #expect(try VolumeWorkers.groupName(of: request) == "vg")
  }

  @Test(arguments: [
    ("lvrename vg r q", VolumeChange.Kind.rename, ["q"]),
    ("lvchange -pr vg/r", .permission, ["r"]), ("lvremove -y vg/r", .remove, ["r"]),
  ]) func oneThingIsCarriedToAllNodes(
    line: String, kind: VolumeChange.Kind, volumes: [String]
  ) throws {
    let before = try group()
    #expect(
      before.sharedChange(to: try run(line, on: before))
        == GroupCommandPlan.SharedChange(kind: kind, logicalVolumes: volumes))
  }

  @Test(arguments: [
    "lvcreate -n b -l 2 vg", "lvchange --addtag t vg/r", "lvremove -y vg/s", "lvremove -y vg/a",
    "lvextend -l +2 vg/r", "lvcreate -s -n t -l 1 vg/r", "vgchange --addtag t vg",
  ]) func everythingElseIsNot(line: String) throws {
    let before = try group()
    #expect(before.sharedChange(to: try run(line, on: before)) == nil)
  }
}
