import LVMMetadata
import Testing

/// What a change repairs on its way, and what `vgck --updatemetadata` and `vgcfgrestore` write.
@Suite struct MetadataRepairTests {
  private func repair(_ devices: [MemoryDevice]) throws -> VolumeGroup {
    let scan = MetadataScanner.scan(devices)
    let current = try #require(scan.groups.first)
    let text = MetadataText(
      volumeGroup: current.repaired(),
      provenance: MetadataProvenance(description: "", creationHost: "", creationTime: 0))
    var commit = try MetadataCommit(from: current, to: text, purpose: .repair)
    try commit.write()
    try commit.precommit()
    #expect(commit.commit() == .everywhere)
    for volume in scan.outdatedPhysicalVolumes(of: current) { try volume.makeOrphan() }
    return text.volumeGroup
  }

  @Test(arguments: [
    "bad-mda-header-crc/01-bad", "bad-mda-header-crc/02-written-while-bad", "bad-text-crc/00-bad",
    "foreign-writer/08-same-seqno-different-text", "old-ext-header/00-old",
    "old-seqno-one-pv/00-stale", "outdated-pv/01-back", "precommit-half/00-half",
  ])
  func aRepairLeavesNothingToComplainAbout(stage: String) throws {
    let devices = try Fixture.devices(stage)
    #expect(!MetadataScanner.scan(devices).warnings.isEmpty)
    let group = try repair(devices)
    let after = MetadataScanner.scan(devices)
    #expect(after.warnings.isEmpty, "\(after.warnings)")
    #expect(after.groups.first?.volumeGroup == group)
  }

  @Test func anOutdatedDeviceBecomesAnOrphan() throws {
    let devices = try Fixture.devices("outdated-pv/01-back")
    _ = try repair(devices)
    let scan = MetadataScanner.scan(devices)
    #expect(scan.orphans.map { scan.physicalVolumes[$0].device.name } == ["pv2"])
    #expect(scan.physicalVolumes[2].label.isUsed == false)
  }

  @Test func labelsWithoutTheMarkOfUseGetItWithTheNextChange() throws {
    let devices = try Fixture.devices("old-ext-header/00-old")
    try SampleGroup.change(devices, tag: "x")
    let scan = MetadataScanner.scan(devices)
    #expect(scan.warnings.isEmpty)
    #expect(scan.physicalVolumes.allSatisfy { $0.label.isUsed && $0.label.extensionVersion == 2 })
  }

  @Test func readingRepairsNothing() throws {
    for stage in ["old-ext-header/00-old", "bad-text-crc/00-bad", "precommit-half/00-half"] {
      let devices = try Fixture.devices(stage)
      _ = MetadataScanner.scan(devices)
      #expect(devices.allSatisfy { $0.events.isEmpty })
    }
  }

  @Test func aMissingDeviceIsNotedAndStaysMissingWhenItReturns() throws {
    let all = try Fixture.devices("missing-pv/00-good")
    let group = try repair(Array(all.prefix(2)))
    #expect(group.physicalVolumes[2].flags.contains(.missing))
    let returned = try #require(MetadataScanner.scan(all).groups.first)
    #expect(returned.missingPhysicalVolumes == [group.physicalVolumes[2].id])
  }

  @Test func aBackupIsRestoredOverWhateverTheDevicesHold() throws {
    let devices = try SampleGroup.devices()
    let old = try SampleGroup.scan(devices)
    try SampleGroup.change(devices, tag: "a")
    try SampleGroup.change(devices, tag: "b")
    let scan = MetadataScanner.scan(devices)
    // As after vgremove: labels without use, areas empty.
    for volume in scan.physicalVolumes { try volume.makeOrphan() }
    var text = old.text
    text.volumeGroup.seqno = 9
    let orphans = MetadataScanner.scan(devices).physicalVolumes
    let members = orphans.map {
      ScannedVolumeGroup.Member(id: $0.label.id, state: .present($0))
    }
    var commit = try MetadataCommit(restoring: text, onto: members)
    try commit.write()
    try commit.precommit()
    #expect(commit.commit() == .everywhere)
    let after = MetadataScanner.scan(devices)
    #expect(after.warnings.isEmpty)
    #expect(after.groups.first?.volumeGroup == text.volumeGroup)
    let error = #expect(throws: MetadataCommitError.self) {
      try MetadataCommit(restoring: text, onto: Array(members.dropFirst()))
    }
    #expect(error?.description.contains("is missing") == true)
  }
}
