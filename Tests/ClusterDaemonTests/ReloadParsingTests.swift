import BlockDevices
import ClusterTypes
import LVMMetadata
import RealLVM
import Testing
import VolumeCoordination

@testable import ClusterDaemon

/// What a reload costs where nothing has changed.
@Suite(
  .enabled(
    if: RealLVM.obstacle == nil, "SKIPPED, no disks: \(RealLVM.obstacle ?? "")"))
struct ReloadParsingTests {
  @Test func aReloadOfAGroupWithTheSameSeqnoParsesNothing() throws {
    let node = try #require(NodeID(1))
    let lvm = try RealLVM(sizes: [64 << 20, 64 << 20])
    try lvm.succeed(["vgcreate", "vg"] + lvm.paths)
    let filter = try DeviceFilter(patterns: lvm.paths.map { "a|^\($0)$|" } + ["r|.*|"])
    let selection = DeviceSelection(filter: filter)
    let disks = SharedDisks(localNode: node, hostName: "n1", selection: { selection })
    let id = try #require(try disks.group(named: "vg")).volumeGroup.id
    #expect(disks.parsedTextCount == 1, "both physical volumes have the same text")

    let request = try ReloadRequest(
      id: VolumeRequestID(origin: NodeInstance(node, Incarnation(1)), number: 1), volumeGroup: "vg",
      volumeGroupID: id.dashed)
    let workers = VolumeWorkers(disks: disks)
    for _ in 0..<3 { _ = workers.run(.refresh(request)) }
    _ = try disks.group(id: id.dashed, slot: .committed, isWritable: true)
    #expect(disks.group(id: id, onDevicesNamed: lvm.paths) != nil)
    #expect(disks.parsedTextCount == 1)

    try lvm.succeed(["vgchange", "--addtag", "t", "vg"])
    for _ in 0..<3 { _ = workers.run(.refresh(request)) }
    #expect(disks.parsedTextCount == 2, "a change is parsed once")
  }
}
