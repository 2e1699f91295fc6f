import LVMMetadata
import Testing

/// What a scan makes of devices that LVM wrote, and of damaged ones.
@Suite struct ScannerCorpusTests {
  private static let stages: [String] = {
    guard let cases = try? Fixture.names(in: "lvm2/images") else { return [] }
    return cases.flatMap { name in
      ((try? Fixture.names(in: "lvm2/images/\(name)")) ?? []).map { "\(name)/\($0)" }
    }
  }()

  /// LVM fills in the path under which it saw a device.
  private func filledIn(_ group: VolumeGroup, like backup: VolumeGroup) -> VolumeGroup {
    var group = group
    for index in group.physicalVolumes.indices {
      group.physicalVolumes[index].device =
        backup.physicalVolume(id: group.physicalVolumes[index].id)?.device
    }
    return group
  }

  @Test func everyGroupReadsAsLVMBackedItUp() throws {
    // There the recording kept one of the devices from LVM.
    let hidden: Set<String> = ["missing-pv/01-hidden", "missing-pv/02-partial-active"]
    var comparedCount = 0
    for stage in Self.stages where !hidden.contains(stage) {
      let scan = MetadataScanner.scan(try Fixture.devices(stage))
      for group in scan.groups {
        let path = "lvm2/texts/\(stage).\(group.volumeGroup.name).file"
        guard let bytes = try? Fixture.bytes(path) else { continue }
        let backup = try MetadataText(parsing: bytes).volumeGroup
        let isEqual = filledIn(group.volumeGroup, like: backup) == backup
        #expect(isEqual, "\(stage)")
        comparedCount += 1
      }
    }
    #expect(comparedCount == 71)
  }

  /// Everything else in the corpus is read in silence.
  private static let expectedWarnings: [String: [String]] = [
    "bad-mda-header-crc/01-bad": [
      "metadata area at byte 4096 of pv0 is unusable: "
        + "incorrect checksum in the metadata area header"
    ],
    "bad-mda-header-crc/02-written-while-bad": [
      "metadata area at byte 4096 of pv0 is unusable: "
        + "incorrect checksum in the metadata area header"
    ],
    "bad-text-crc/00-bad": damagedText,
    // LVM's repair of the group did not touch this copy.
    "bad-text-crc/01-repaired": damagedText,
    "foreign-writer/08-same-seqno-different-text": [
      "metadata area at byte 4096 of pv1 is unusable: "
        + "its metadata differs from that on pv0 with the same seqno",
      "metadata area at byte 66060288 of pv1 is unusable: "
        + "its metadata differs from that on pv0 with the same seqno",
    ],
    "missing-pv/03-after-write": staleReturned,
    "missing-pv/04-returned": staleReturned,
    "old-ext-header/00-old": [
      "the label of pv0 does not say that it is used by VG vg",
      "the label of pv1 does not say that it is used by VG vg",
    ],
    "old-seqno-one-pv/00-stale": [
      "ignoring metadata seqno 2 on pv2 for seqno 4 on pv0 for VG vg"
    ],
    "outdated-pv/00-removedmissing": outdated,
    "outdated-pv/01-back": outdated,
    "precommit-half/00-half": [
      "ignoring metadata seqno 2 on pv1 for seqno 3 on pv0 for VG vg",
      "ignoring metadata seqno 2 on pv2 for seqno 3 on pv0 for VG vg",
    ],
    "foreign-writer/03-segments-out-of-order": [
      (0, 4096), (0, 66_060_288), (1, 4096), (1, 66_060_288),
    ].map { index, offset in
      "metadata area at byte \(offset) of pv\(index) is unusable: bad metadata text: "
        + "vg/logical_volumes/a: extent 4 begins a segment where 0 is due"
    } + [
      "PV tJrt4A-Mn2O-PW3D-0XeB-mrVT-gd9t-9XldF9 on pv0 is marked as used, "
        + "but no VG that lists it was found",
      "PV wwbnOn-pI5k-Lo5m-iuF0-otc7-XGdA-WwNetN on pv1 is marked as used, "
        + "but no VG that lists it was found",
    ],
  ]

  private static let damagedText = [
    "metadata area at byte 4096 of pv1 is unusable: incorrect checksum of the metadata text"
  ]

  private static let staleReturned = [
    "ignoring metadata seqno 5 on pv2 for seqno 7 on pv0 for VG vg",
    "VG vg was changed while PV bQorpb-45dT-HGSp-9X6p-1V84-quiZ-df5tDb on pv2 was missing; "
      + "run vgextend --restoremissing if what it holds is still good",
  ]

  private static let outdated = [
    "ignoring metadata seqno 2 on pv2 for seqno 3 on pv0 for VG vg",
    "outdated PV CXpJ74-0tnW-Byyo-IQEk-YNLN-8DNa-Aj07JM on pv2: "
      + "it was removed from VG vg while it was missing",
  ]

  @Test func warningsAreThoseOfTheDamageAndNoOthers() throws {
    for stage in Self.stages {
      let scan = MetadataScanner.scan(try Fixture.devices(stage))
      #expect(
        scan.warnings.map(\.description) == Self.expectedWarnings[stage] ?? [], "\(stage)")
    }
  }

  @Test func damageThatAChangeRepairsIsNoObstacleAndTheRestIs() throws {
    let blocked: Set<String> = [
      "foreign-writer/08-same-seqno-different-text", "missing-pv/03-after-write",
      "missing-pv/04-returned", "outdated-pv/00-removedmissing", "outdated-pv/01-back",
    ]
    for stage in Self.stages {
      for group in MetadataScanner.scan(try Fixture.devices(stage)).groups {
        #expect(group.obstacles.isEmpty != blocked.contains(stage), "\(stage)")
      }
    }
  }

  @Test func labelsAreWrittenAgainByteForByte() throws {
    for stage in Self.stages {
      for device in try Fixture.devices(stage) {
        for volume in MetadataScanner.scan([device]).physicalVolumes {
          let sector = try device.read(at: UInt64(volume.label.sector) * 512, count: 512)
          // The older extension is a forgery of the recording: it ends where version 2 begins.
          guard volume.label.extensionVersion == 2 else { continue }
          #expect(volume.label.encoded() == sector, "\(stage) \(device.name)")
        }
      }
    }
  }

  @Test func areaHeadersAreWrittenAgainByteForByte() throws {
    var count = 0
    for stage in Self.stages {
      for device in try Fixture.devices(stage) {
        for volume in MetadataScanner.scan([device]).physicalVolumes {
          for area in volume.areas {
            guard let header = area.header else { continue }
            let sector = try device.read(at: area.area.offset, count: 512)
            #expect(header.encoded() == sector, "\(stage) \(device.name) \(area.area.offset)")
            count += 1
          }
        }
      }
    }
    #expect(count > 100)
  }

  @Test func aPrecommittedTextIsSeenOnlyByThoseWhoAskForIt() throws {
    let devices = try Fixture.devices("precommit-leftover/02-precommitted")
    let committed = try #require(MetadataScanner.scan(devices).groups.first)
    let precommitted = try #require(MetadataScanner.scan(devices, slot: .precommitted).groups.first)
    #expect(committed.volumeGroup.seqno == 2)
    #expect(precommitted.volumeGroup.seqno == 3)
    let again = MetadataScanner.readGroup(
      id: committed.volumeGroup.id, from: devices, slot: .precommitted)
    #expect(again?.volumeGroup == precommitted.volumeGroup)
  }

  @Test func aTextThatHasNotChangedIsParsedOnce() throws {
    let devices = try Fixture.devices("vg-extend-reduce/00-two")
    var texts = MetadataTextCache()
    let first = MetadataScanner.scan(devices, texts: &texts)
    #expect(texts.parsedCount == 1)
    for _ in 0..<3 {
      let again = MetadataScanner.scan(devices, texts: &texts)
      #expect(again.groups.first?.volumeGroup == first.groups.first?.volumeGroup)
    }
    #expect(texts.parsedCount == 1)
    let group = try SampleGroup.change(devices, tag: "new")
    #expect(MetadataScanner.scan(devices, texts: &texts).groups.first?.volumeGroup == group)
    #expect(texts.parsedCount == 2)
  }

  @Test func aLostDeviceMakesItsVolumesPartial() throws {
    var devices = try Fixture.devices("missing-pv/00-good")
    let whole = try #require(MetadataScanner.scan(devices).groups.first)
    #expect(whole.partialLogicalVolumes.isEmpty)
    devices.remove(at: 2)
    let group = try #require(MetadataScanner.scan(devices).groups.first)
    #expect(group.missingPhysicalVolumes == [whole.members[2].id])
    let onLost = whole.volumeGroup.usedAreasByPhysicalVolume()[2].map(\.logicalVolume)
    #expect(!onLost.isEmpty)
    #expect(group.partialLogicalVolumes.isSuperset(of: onLost))
    #expect(group.partialLogicalVolumes.count < group.volumeGroup.logicalVolumes.count)
    #expect(!group.obstacles.isEmpty)
  }

  @Test func aClonedDeviceIsADuplicate() throws {
    let devices = try Fixture.devices("vg-extend-reduce/00-two")
    let group = try #require(MetadataScanner.scan(devices + [devices[0].copy()]).groups.first)
    #expect(group.obstacles.count == 1)
    guard case .duplicatePhysicalVolume? = group.obstacles.first else {
      Issue.record("not reported as a duplicate: \(group.obstacles)")
      return
    }
  }

  @Test func anUnreadableDeviceIsNamedAndTheOthersAreRead() throws {
    let devices = try Fixture.devices("old-seqno-one-pv/02-repaired")
    devices[1].failure = { _, _ in "Input/output error" }
    let scan = MetadataScanner.scan(devices)
    #expect(scan.warnings.first?.description == "pv1: read failed: Input/output error")
    #expect(scan.groups.first?.members.count == 3)
  }
}
