import LVMMetadata
import MetadataSamples
import RealLVM
import Testing

/// Groups that nobody recorded: of every type and state that a text can have, from a seed, written
/// by us and reported by LVM and by this module.
@Suite(
  .serialized,
  .enabled(
    if: RealLVM.obstacle == nil,
    "SKIPPED, not compared with LVM itself: \(RealLVM.obstacle ?? "")"))
struct GeneratedReportTests {
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func everyColumn(seed: UInt64) throws {
    var generator = GroupGenerator(seed: seed)
    var comparedCount = 0
    for round in 0..<4 {
      let group = Self.usable(generator.next())
      let comparison = try Comparison(Self.disks(of: group), "seed \(seed), group \(round)")
      // Some generated sizes are too small for LVM, some volumes lie on others that are not there.
      guard try comparison.isReadByLVM() else { continue }
      comparedCount += 1
      for invocation in Self.invocations { try comparison.expectSame(invocation) }
    }
    #expect(comparedCount > 0)
  }

  /// The group without what keeps LVM from it: profiles that it has no file of, and locks.
  private static func usable(_ generated: VolumeGroup) -> VolumeGroup {
    var group = generated
    group.profile = nil
    group.lockType = nil
    group.lockArguments = nil
    if group.systemID != nil {
      group.systemID = nil
      group.flags.remove(.writeLocked)
      group.status.insert(.write)
    }
    for index in group.logicalVolumes.indices {
      group.logicalVolumes[index].profile = nil
      // Where LVM writes a backslash, what it writes is not JSON; ours is.
      group.logicalVolumes[index].creationHost =
        group.logicalVolumes[index].creationHost?.replacing("\\", with: "")
    }
    if group.isExported {
      for index in group.physicalVolumes.indices {
        group.physicalVolumes[index].status.insert(.exported)
      }
    }
    return group
  }

  private static let invocations = [
    "lvs -a -o all --reportformat json", "lvs -a --segments -o all --reportformat json",
    "vgs -o vg_all --reportformat json", "pvs -o pv_all,vg_all --reportformat json",
    "pvs --segments -o pvseg_all,lv_all,seg_all --reportformat json", "lvs", "lvs -a -v", "vgs -v",
    "pvs -v",
  ]

  /// Disks that hold the group.
  private static func disks(of group: VolumeGroup) throws -> [MemoryDevice] {
    var group = group
    let devices = try group.physicalVolumes.indices.map { index in
      let size = (group.physicalVolumes[index].deviceSizeSectors ?? 0) * 512
      let device = MemoryDevice(name: "pv\(index)", sizeBytes: size)
      let area = DiskArea(offset: 4096, size: 1_044_480)
      let label = PhysicalVolumeLabel(
        id: group.physicalVolumes[index].id, deviceSizeBytes: size,
        dataAreas: [DiskArea(offset: 2048 * 512, size: 0)], metadataAreas: [area], isUsed: true)
      try device.write(label.encoded(), at: 512)
      try device.write(MetadataAreaHeader(area: area).encoded(), at: area.offset)
      return device
    }
    let members = MetadataScanner.scan(devices).physicalVolumes.map {
      ScannedVolumeGroup.Member(id: $0.label.id, state: .present($0))
    }
    group.seqno = 7
    let provenance = MetadataProvenance(
      description: "test", creationHost: "node-1", creationTime: 1_795_379_184)
    var commit = try MetadataCommit(
      restoring: MetadataText(volumeGroup: group, provenance: provenance), onto: members)
    try commit.write()
    try commit.precommit()
    guard commit.commit() == .everywhere else { throw RealLVM.Failure("not committed") }
    return devices
  }
}
