import ClusterSimulation
import LVMMetadata
import MetadataSamples
import RealLVM
import Testing

/// LVM itself reads what we write, and we read what it writes.
@Suite(
  .serialized,
  .enabled(
    if: RealLVM.obstacle == nil,
    "SKIPPED, not tested against LVM itself: \(RealLVM.obstacle ?? "")"))
struct RealLVMTests {
  private func scan(_ tools: RealLVM) throws -> ScannedVolumeGroup {
    let scan = MetadataScanner.scan(try tools.devices())
    #expect(scan.warnings.isEmpty)
    return try #require(scan.groups.first)
  }

  private func write(_ group: VolumeGroup, over current: ScannedVolumeGroup) throws {
    let text = MetadataText(
      volumeGroup: group,
      provenance: MetadataProvenance(
        generator: "clvmd", description: "Write from clvm.", creationHost: "node-1",
        creationTime: 1_795_377_204))
    var change = try MetadataCommit(from: current, to: text)
    try change.write()
    try change.precommit()
    #expect(change.commit() == .everywhere)
  }

  /// LVM finds nothing to say about the devices and sees the group as we mean it.
  private func expectAcceptance(of group: VolumeGroup, by tools: RealLVM) throws {
    try tools.silentLVM("vgck", group.name)
    let seen = try MetadataText(parsing: tools.backup(group.name)).volumeGroup
    #expect(seen == group)
    for path in tools.paths {
      let headers = try tools.workingLVM("pvck", "--dump", "headers", path)
      #expect(!headers.contains("CHECK"), "\(headers)")
      let dump = try tools.workingLVM("pvck", "--dump", "metadata", path)
      #expect(dump.contains("seqno = \(group.seqno)\n"))
      #expect(!dump.contains("CHECK"))
    }
    let reports = try tools.workingLVM("vgs", "--noheadings", "-o", "vg_seqno", group.name)
    #expect(reports.split(separator: "\n").last?.filter { $0 != " " } == "\(group.seqno)")
  }

  @Test func oursAndLVMsChangesTakeTurnsInASmallArea() throws {
    let tools = try RealLVM(deviceCount: 2, sizeBytes: 16 << 20)
    for path in tools.paths {
      try tools.workingLVM(
        "pvcreate", "--metadatasize", "40k", "--dataalignment", "4k", "--pvmetadatacopies", "2",
        path)
    }
    try tools.succeed(["vgcreate", "-s", "64k", "vg"] + tools.paths)
    for round in 0..<16 {
      let current = try scan(tools)
      var group = current.volumeGroup
      group.seqno += 1
      group.tags.append("ours-\(round)-" + String(repeating: "x", count: 200))
      try write(group, over: current)
      try expectAcceptance(of: group, by: tools)
      try tools.workingLVM("vgchange", "--addtag", "theirs-\(round)", "vg")
      #expect(try scan(tools).volumeGroup.tags.last == "theirs-\(round)")
    }
  }

  @Test func lvmOverlooksWhatIsOnlyPrecommitted() throws {
    let tools = try RealLVM(deviceCount: 2, sizeBytes: 16 << 20)
    try tools.succeed(["vgcreate", "vg"] + tools.paths)
    let current = try scan(tools)
    var group = current.volumeGroup
    group.seqno += 1
    group.tags = ["new"]
    var change = try MetadataCommit(
      from: current,
      to: MetadataText(
        volumeGroup: group,
        provenance: MetadataProvenance(
          description: "", creationHost: "node-1", creationTime: 0)))
    try change.write()
    try expectAcceptance(of: current.volumeGroup, by: tools)
    try change.precommit()
    try tools.silentLVM("vgck", "vg")
    #expect(try MetadataText(parsing: tools.backup("vg")).volumeGroup == current.volumeGroup)
    let headers = try tools.workingLVM("pvck", "--dump", "headers", tools.paths[0])
    #expect(headers.contains("raw_locn[1] for precommit not empty"))
    #expect(change.revert() == [])
    try expectAcceptance(of: current.volumeGroup, by: tools)
    #expect(try scan(tools).volumeGroup == current.volumeGroup)
  }

  /// What a crash leaves is read by LVM, too, as the old version or the new one.
  @Test func lvmReadsWhatACrashLeaves() throws {
    let tools = try RealLVM(deviceCount: 2, sizeBytes: 16 << 20)
    try tools.succeed(["vgcreate", "vg"] + tools.paths)
    try tools.workingLVM("vgchange", "--addtag", "old", "vg")
    let files = try tools.devices()
    let start = try files.map { file in
      let device = MemoryDevice(name: file.name, sizeBytes: file.sizeBytes)
      device.store(try file.read(at: 0, count: 1 << 20), at: 0)
      return device
    }
    let epochs = try SampleGroup.epochs(of: start.map { $0.copy() }, tag: "new")
    var generator = SeededGenerator(seed: 0xC4A5_0002)
    for (number, epoch) in epochs.enumerated() {
      let states = CrashState.all(of: epoch, using: &generator)
      for state in states.shuffled(using: &generator).prefix(6) {
        let devices = start.map { $0.copy() }
        for earlier in epochs[..<number] {
          let whole = earlier.map { [Bool](repeating: true, count: $0.sectorCount) }
          try CrashState(arrived: whole, torn: nil).apply(earlier, to: devices)
        }
        try state.apply(epoch, to: devices)
        let ours = try SampleGroup.scan(devices).volumeGroup
        for (file, device) in zip(files, devices) {
          try file.write(try device.read(at: 0, count: 1 << 20), at: 0)
          try file.flush()
        }
        let report = try tools.workingLVM("vgs", "--noheadings", "-o", "vg_tags", "vg")
        // LVM shows tags in alphabetical order.
        let tags = report.split(separator: "\n").last.map { $0.filter { $0 != " " } }
        #expect(tags == ours.tags.sorted().joined(separator: ","), "epoch \(number), \(state)")
      }
    }
  }

  /// LVM takes over what we restore, and what we make of every type that it has.
  @Test func lvmReadsGeneratedGroupsAsTheyAreMeant() throws {
    let tools = try RealLVM(deviceCount: 1, sizeBytes: 64 << 20)
    try tools.succeed(["vgcreate", "vg"] + tools.paths)
    let current = try scan(tools)
    var generator = GroupGenerator(seed: 0x6E6E_0005)
    for seqno in 2..<6 {
      var group = generator.linearGroup(volumeCount: 10 * seqno)
      group.seqno = UInt32(seqno) + 10
      var volume = current.volumeGroup.physicalVolumes[0]
      let id = volume.id
      volume.extentCount = group.physicalVolumes[0].extentCount
      volume.deviceSizeSectors = current.volumeGroup.physicalVolumes[0].deviceSizeSectors
      group.extentSizeSectors = 2
      group.physicalVolumes = [volume]
      for index in group.logicalVolumes.indices {
        let area = SegmentArea.physicalVolume(id, firstExtent: 8 * index)
        group.logicalVolumes[index].segments[0].kind = .striped(StripedLayout(areas: [area]))
      }
      let found = MetadataScanner.scan(try tools.devices()).physicalVolumes
      let members = found.map {
        ScannedVolumeGroup.Member(id: $0.label.id, state: .present($0))
      }
      let text = MetadataText(
        volumeGroup: group,
        provenance: MetadataProvenance(
          generator: "clvmd", description: "x", creationHost: "n", creationTime: 1))
      var commit = try MetadataCommit(restoring: text, onto: members)
      try commit.write()
      try commit.precommit()
      #expect(commit.commit() == .everywhere)
      try expectAcceptance(of: group, by: tools)
    }
  }

  @Test func sizesAreShownAlike() throws {
    let tools = try RealLVM(deviceCount: 1, sizeBytes: 3 << 30)
    try tools.succeed(["vgcreate", "-s", "1k", "vg"] + tools.paths)
    for (index, extents) in [1, 1023, 123_456, 1_048_575, 1_500_001].enumerated() {
      let name = "v\(index)"
      try tools.workingLVM("lvcreate", "-an", "-Zn", "-Wn", "-n", name, "-l", "\(extents)", "vg")
      for letter in "bskgBMThrHR" {
        let unit = try #require(DisplayUnit(letter))
        let report = try tools.workingLVM(
          "lvs", "--noheadings", "--units", String(letter), "-o", "lv_size", "vg/\(name)")
        let shown = report.split(separator: "\n").last?.filter { $0 != " " }
        #expect(shown == unit.string(sectors: UInt64(extents) * 2), "\(extents) KiB in \(letter)")
      }
      try tools.workingLVM("lvremove", "-y", "vg/\(name)")
    }
  }
}
