import Testing

@testable import LVMMetadata

/// A group's number of metadata areas in use, over changes that fail and changes that do not.
@Suite struct MetadataAreaChoiceTests {
  private func devices(_ count: Int) -> [MemoryDevice] {
    (0..<count).map { MemoryDevice(name: "pv\($0)", sizeBytes: 16 << 20) }
  }

  /// A group on all of the devices.
  private func makeGroup(on devices: [MemoryDevice], areasEach: Int) throws -> ScannedVolumeGroup {
    var generator = SystemRandomNumberGenerator()
    var group = VolumeGroup(name: "vg", id: LVMIdentifier(using: &generator), seqno: 0)
    var current = ScannedVolumeGroup(unwritten: group)
    for device in devices {
      var parameters = PhysicalVolumeLayout.Parameters()
      parameters.metadataCopies = areasEach
      let layout = try PhysicalVolumeLayout(
        deviceSizeSectors: device.sizeBytes / 512, parameters)
      let label = layout.label(id: LVMIdentifier(using: &generator), isUsed: true, sector: 1)
      try PhysicalVolumeWriter.create(label, on: device)
      group.physicalVolumes.append(
        PhysicalVolume(
          label: device.name, id: label.id, device: device.name,
          deviceSizeSectors: device.sizeBytes / 512,
          extentStartSectors: try #require(label.extentStartSectors),
          extentCount: label.extentCount(extentSizeSectors: group.extentSizeSectors)))
      current.members.append(
        .init(id: label.id, state: .present(ScannedPhysicalVolume(new: label, on: device))))
    }
    try commit(group, from: current)
    return try #require(MetadataScanner.scan(devices).groups.first)
  }

  private func commit(
    _ group: VolumeGroup, from current: ScannedVolumeGroup, areaUse: [LVMIdentifier: Bool] = [:]
  ) throws {
    var group = group
    group.seqno = current.volumeGroup.seqno + 1
    let text = MetadataText(
      volumeGroup: group, provenance: MetadataProvenance(description: "test"))
    var change = try MetadataCommit(from: current, to: text, areaUse: areaUse)
    try change.write()
    try change.precommit()
    guard case .everywhere = change.commit() else {
      Issue.record("the commit failed")
      return
    }
  }

  private func used(_ devices: [MemoryDevice]) -> [[Bool]] {
    MetadataScanner.scan(devices).physicalVolumes.map { volume in
      volume.areas.map { $0.header?.isIgnored == false }
    }
  }

  @Test func numberIsKeptAndSpread() throws {
    let devices = self.devices(3)
    var group = try makeGroup(on: devices, areasEach: 2)
    #expect(used(devices).flatMap { $0 }.count { $0 } == 6)
    for wanted in [2, 1, 4, 3, 9, 2] as [UInt32] {
      var next = group.volumeGroup
      next.metadataCopies = wanted
      try commit(next, from: group)
      let scan = MetadataScanner.scan(devices)
      #expect(scan.warnings.isEmpty)
      group = try #require(scan.groups.first)
      #expect(group.volumeGroup.seqno == next.seqno + 1)
      let counts = used(devices).map { $0.count { $0 } }
      #expect(counts.reduce(0, +) == min(Int(wanted), 6))
      if wanted <= 3 { #expect(counts.allSatisfy { $0 <= 1 }) }
    }
  }

  @Test func lastAreaIsNeverGivenUp() throws {
    let devices = self.devices(1)
    let group = try makeGroup(on: devices, areasEach: 1)
    let id = try #require(group.volumeGroup.physicalVolumes.first?.id)
    #expect(throws: MetadataCommitError.self) {
      try commit(group.volumeGroup, from: group, areaUse: [id: false])
    }
    #expect(used(devices) == [[true]])
  }

  /// Cut off after each write: readers see the old version or the new one, never none.
  @Test func everyCutLeavesAVersion() throws {
    for isIgnored in [true, false] {
      let start = devices(2)
      var group = try makeGroup(on: start, areasEach: 1)
      let id = try #require(group.volumeGroup.physicalVolumes.last?.id)
      if !isIgnored {
        try commit(group.volumeGroup, from: group, areaUse: [id: false])
        group = try #require(MetadataScanner.scan(start).groups.first)
      }
      for cut in 0..<12 {
        let copies = start.map { $0.copy() }
        let current = try #require(MetadataScanner.scan(copies).groups.first)
        var count = 0
        for device in copies {
          device.failure = { operation, _ in
            guard operation == .write else { return count > cut ? "cut off" : nil }
            count += 1
            return count > cut ? "cut off" : nil
          }
        }
        try? commitQuietly(current, [id: !isIgnored])
        for device in copies { device.failure = { _, _ in nil } }
        let found = MetadataScanner.scan(copies).groups
        let seqno = try #require(found.first?.volumeGroup.seqno)
        #expect([group.volumeGroup.seqno, group.volumeGroup.seqno + 1].contains(seqno))
        #expect(found.count == 1)
      }
    }
  }

  private func commitQuietly(
    _ current: ScannedVolumeGroup, _ areaUse: [LVMIdentifier: Bool]
  ) throws {
    var group = current.volumeGroup
    group.seqno += 1
    let text = MetadataText(
      volumeGroup: group, provenance: MetadataProvenance(description: "test"))
    var change = try MetadataCommit(from: current, to: text, areaUse: areaUse)
    try change.write()
    try change.precommit()
    _ = change.commit()
  }
}
