import LVMMetadata
import Testing

/// Two PVs with one group, and changes of it.
enum SampleGroup {
  static func devices() throws -> [MemoryDevice] {
    try Fixture.devices("vg-extend-reduce/00-two")
  }

  static func scan(_ devices: [MemoryDevice]) throws -> ScannedVolumeGroup {
    try #require(MetadataScanner.scan(devices).groups.first)
  }

  /// The next version: a tag more, nothing else.
  static func nextText(after current: ScannedVolumeGroup, tag: String) -> MetadataText {
    var group = current.volumeGroup
    group.seqno += 1
    group.tags.append(tag)
    return MetadataText(
      volumeGroup: group,
      provenance: MetadataProvenance(
        generator: "clvmd version 1", description: "Write from clvm \"test\".",
        creationHost: "node-1", creationTime: 1_795_377_204))
  }

  /// Runs a whole change.
  @discardableResult
  static func change(_ devices: [MemoryDevice], tag: String) throws -> VolumeGroup {
    let current = try scan(devices)
    let text = nextText(after: current, tag: tag)
    var commit = try MetadataCommit(from: current, to: text)
    try commit.write()
    try commit.precommit()
    #expect(commit.commit() == .everywhere)
    return text.volumeGroup
  }
}

@Suite struct MetadataCommitTests {
  @Test func everyStepShowsReadersWhatItShould() throws {
    let devices = try SampleGroup.devices()
    let current = try SampleGroup.scan(devices)
    let text = SampleGroup.nextText(after: current, tag: "new")
    var change = try MetadataCommit(from: current, to: text)
    func seqnos() throws -> [UInt32] {
      try [MetadataScanner.Slot.committed, .precommitted].map { slot in
        try #require(MetadataScanner.scan(devices, slot: slot).groups.first).volumeGroup.seqno
      }
    }
    try change.write()
    #expect(try seqnos() == [2, 2])
    try change.precommit()
    #expect(try seqnos() == [2, 3])
    #expect(change.commit() == .everywhere)
    #expect(try seqnos() == [3, 3])
    let after = try SampleGroup.scan(devices)
    #expect(after.text.provenance.description == "Write from clvm \"test\".")
    #expect(after.volumeGroup == text.volumeGroup)
    #expect(after.warnings.isEmpty)
  }

  @Test func aPlainChangeIsSixWritesEachOrderedByFlushes() throws {
    let devices = try SampleGroup.devices()
    var history: [String] = []
    for device in devices {
      device.observer = { event in
        switch event {
        case .write(let offset, let bytes):
          history.append("\(device.name) \(offset) \(bytes.count)")
        case .flush: history.append("\(device.name) flush")
        }
      }
    }
    try SampleGroup.change(devices, tag: "new")
    let flushes = ["pv0 flush", "pv1 flush"]
    let texts = history.prefix(2)
    #expect(texts.allSatisfy { $0.hasSuffix(" 1536") || $0.hasSuffix(" 2048") })
    let headers = ["pv0 4096 512", "pv1 4096 512"]
    #expect(Array(history.dropFirst(2)) == flushes + headers + flushes + headers + flushes)
  }

  @Test func revertLeavesTheOldVersionAndEmptiesSlot1() throws {
    let devices = try SampleGroup.devices()
    let current = try SampleGroup.scan(devices)
    var change = try MetadataCommit(
      from: current, to: SampleGroup.nextText(after: current, tag: "new"))
    try change.write()
    try change.precommit()
    #expect(change.revert() == [])
    let after = try #require(MetadataScanner.scan(devices, slot: .precommitted).groups.first)
    #expect(after.volumeGroup == current.volumeGroup)
  }

  @Test func hundredChangesWrapAroundASmallArea() throws {
    let devices = try Fixture.devices("wrap-small/00-wrapped")
    var tags = 0
    for round in 0..<100 {
      let current = try SampleGroup.scan(devices)
      var text = SampleGroup.nextText(after: current, tag: "tag-\(round)")
      if text.volumeGroup.tags.count > 40 { text.volumeGroup.tags.removeFirst(35) }
      var change = try MetadataCommit(from: current, to: text)
      try change.write()
      try change.precommit()
      #expect(change.commit() == .everywhere)
      #expect(try SampleGroup.scan(devices).volumeGroup == text.volumeGroup, "round \(round)")
      tags = text.volumeGroup.tags.count
    }
    #expect(tags > 0)
  }

  @Test func aTextThatIsTooLongIsRefusedBeforeAnythingIsWritten() throws {
    let devices = try Fixture.devices("wrap-small/00-wrapped")
    let current = try SampleGroup.scan(devices)
    var text = SampleGroup.nextText(after: current, tag: "x")
    text.volumeGroup.tags = (0..<4000).map { "a-long-tag-number-\($0)" }
    let error = #expect(throws: MetadataCommitError.self) {
      try MetadataCommit(from: current, to: text)
    }
    guard case .textTooLarge? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(devices.allSatisfy { $0.events.isEmpty })
  }

  @Test func whatLVMWouldNotAcceptIsRefused() throws {
    let current = try SampleGroup.scan(try SampleGroup.devices())
    let good = SampleGroup.nextText(after: current, tag: "x")
    func refusal(_ change: (inout VolumeGroup) -> Void) -> String? {
      var text = good
      change(&text.volumeGroup)
      do {
        _ = try MetadataCommit(from: current, to: text)
        return nil
      } catch { return "\(error)" }
    }
    #expect(refusal { _ in } == nil)
    #expect(refusal { $0.seqno += 1 } == "VG vg is not changed: seqno 4 does not follow 2")
    #expect(
      refusal { $0.tags.append("a b") }
        == "VG vg is not changed: Volume group vg has the invalid tag a b")
    #expect(refusal { $0.name = "-vg" }?.contains("not a valid volume group name") == true)
    #expect(refusal { $0.lockArguments = "1.0.0:c" }?.contains("without lock_type") == true)
    #expect(refusal { $0.physicalVolumes.append($0.physicalVolumes[0]) }?.contains("twice") == true)
    let shrunk = refusal { group in
      for index in group.physicalVolumes.indices { group.physicalVolumes[index].extentCount = 0 }
    }
    #expect(shrunk?.contains("does not exist") == true)
  }

  @Test func groupsThatMustNotBeChangedAreRefused() throws {
    for (stage, reason) in [
      ("missing-pv/04-returned", "was missing"), ("exported/01-exported", "is exported"),
      ("outdated-pv/01-back", "outdated PV"),
    ] {
      let current = try SampleGroup.scan(try Fixture.devices(stage))
      let error = #expect(throws: MetadataCommitError.self) {
        try MetadataCommit(from: current, to: SampleGroup.nextText(after: current, tag: "x"))
      }
      #expect(error?.description.contains(reason) == true, "\(stage)")
    }
  }

  @Test func staleAndDamagedCopiesAreRepairedByTheNextChange() throws {
    for stage in ["old-seqno-one-pv/00-stale", "bad-text-crc/00-bad", "precommit-half/00-half"] {
      let devices = try Fixture.devices(stage)
      #expect(!MetadataScanner.scan(devices).warnings.isEmpty)
      try SampleGroup.change(devices, tag: "repaired")
      #expect(MetadataScanner.scan(devices).warnings.isEmpty, "\(stage)")
    }
  }

  @Test func badHeadersAndIgnoredAreasAreLeftAlone() throws {
    let damaged = try Fixture.devices("bad-mda-header-crc/01-bad")
    let before = try damaged[0].read(at: 4096, count: 1 << 16)
    try SampleGroup.change(damaged, tag: "x")
    #expect(try damaged[0].read(at: 4096, count: 1 << 16) == before)

    let ignoring = try Fixture.devices("mda-ignored/00-one-ignored")
    let ignored = try ignoring.filter { device in
      let volumes = MetadataScanner.scan([device]).physicalVolumes
      return try #require(volumes.first).areas.contains {
        if case .ignored = $0.state { true } else { false }
      }
    }
    #expect(!ignored.isEmpty)
    try SampleGroup.change(ignoring, tag: "x")
    #expect(ignored.allSatisfy { $0.events.isEmpty })
  }

  @Test func sectorsOf4KiBAreWrittenWholeAndKeepTheirNeighbours() throws {
    let small = try SampleGroup.devices()
    let devices = try small.map { device in
      let large = MemoryDevice(
        name: device.name, sizeBytes: device.sizeBytes, logicalSectorSize: 4096)
      large.store(try device.read(at: 0, count: 1 << 20), at: 0)
      return large
    }
    for round in 0..<5 {
      let expected = try SampleGroup.change(devices, tag: "t\(round)")
      #expect(try SampleGroup.scan(devices).volumeGroup == expected)
    }
  }
}

@Suite struct MetadataCommitFailureTests {
  /// Lets the `count`-th write of all devices fail and everything else succeed.
  private func failing(write count: Int, of devices: [MemoryDevice]) {
    var seen = 0
    for device in devices {
      device.failure = { operation, _ in
        guard operation == .write else { return nil }
        seen += 1
        return seen == count ? "Input/output error" : nil
      }
    }
  }

  @Test(arguments: 1...4) func aFailureBeforeTheCommitIsTakenBack(count: Int) throws {
    let devices = try SampleGroup.devices()
    let current = try SampleGroup.scan(devices)
    var change = try MetadataCommit(
      from: current, to: SampleGroup.nextText(after: current, tag: "x"))
    failing(write: count, of: devices)
    let error = #expect(throws: MetadataCommitError.self) {
      try change.write()
      try change.precommit()
    }
    #expect(error?.description.contains("write failed: Input/output error") == true)
    for slot in [MetadataScanner.Slot.committed, .precommitted] {
      let after = try #require(MetadataScanner.scan(devices, slot: slot).groups.first)
      #expect(after.volumeGroup == current.volumeGroup)
    }
  }

  @Test func oneAreaIsEnoughToCommit() throws {
    let devices = try SampleGroup.devices()
    let current = try SampleGroup.scan(devices)
    var change = try MetadataCommit(
      from: current, to: SampleGroup.nextText(after: current, tag: "x"))
    try change.write()
    try change.precommit()
    failing(write: 1, of: devices)
    guard case .partly(let stale) = change.commit() else {
      Issue.record("not committed in part")
      return
    }
    #expect(stale.map(\.device) == ["pv0"])
    #expect(try SampleGroup.scan(devices).volumeGroup.seqno == 3)
    devices[0].failure = { _, _ in nil }
    devices[1].failure = { _, _ in nil }
    try SampleGroup.change(devices, tag: "y")
    #expect(MetadataScanner.scan(devices).warnings.isEmpty)
  }

  @Test func aCommitThatNoAreaTakesIsTakenBack() throws {
    let devices = try SampleGroup.devices()
    let current = try SampleGroup.scan(devices)
    var change = try MetadataCommit(
      from: current, to: SampleGroup.nextText(after: current, tag: "x"))
    try change.write()
    try change.precommit()
    for device in devices {
      var failuresLeft = 1
      device.failure = { operation, _ in
        guard operation == .write, failuresLeft > 0 else { return nil }
        failuresLeft -= 1
        return "Input/output error"
      }
    }
    guard case .takenBack(let failures) = change.commit() else {
      Issue.record("not taken back")
      return
    }
    #expect(failures.map(\.device) == ["pv0", "pv1"])
    for slot in [MetadataScanner.Slot.committed, .precommitted] {
      let after = try #require(MetadataScanner.scan(devices, slot: slot).groups.first)
      #expect(after.volumeGroup == current.volumeGroup)
    }
    try SampleGroup.change(devices, tag: "y")
  }

  @Test func aCommitWhoseEndNobodyKnowsIsUnknown() throws {
    let devices = try SampleGroup.devices()
    let current = try SampleGroup.scan(devices)
    var change = try MetadataCommit(
      from: current, to: SampleGroup.nextText(after: current, tag: "x"))
    try change.write()
    try change.precommit()
    for device in devices {
      device.failure = { operation, _ in operation == .flush ? "No medium found" : nil }
    }
    guard case .unknown(let failures) = change.commit() else {
      Issue.record("not unknown")
      return
    }
    #expect(failures.prefix(2).map(\.device) == ["pv0", "pv1"])
  }

  /// Swallows what is written to it: a device that lies is found out before the commit.
  @Test func whatCannotBeReadBackIsNotCommitted() throws {
    let devices = try SampleGroup.devices()
    let current = try SampleGroup.scan(devices)
    var change = try MetadataCommit(
      from: current, to: SampleGroup.nextText(after: current, tag: "x"))
    let before = try devices[1].read(at: 0, count: 1 << 20)
    devices[1].observer = { event in
      if case .write(let offset, let bytes) = event {
        let old = before[Int(offset)..<(Int(offset) + bytes.count)]
        devices[1].store(Array(old), at: offset)
      }
    }
    let error = #expect(throws: MetadataCommitError.self) { try change.write() }
    #expect(error?.description.contains("checksum of the metadata text") == true)
    #expect(try SampleGroup.scan(devices).volumeGroup == current.volumeGroup)
  }

  @Test func aChangeBySomebodyElseIsNoticed() throws {
    let devices = try SampleGroup.devices()
    let current = try SampleGroup.scan(devices)
    var change = try MetadataCommit(
      from: current, to: SampleGroup.nextText(after: current, tag: "x"))
    try SampleGroup.change(devices, tag: "other")
    let error = #expect(throws: MetadataCommitError.self) { try change.write() }
    #expect(error?.description.contains("somebody else") == true)
  }
}
