import ClusterSimulation
import LVMMetadata
import Testing

/// Power is lost at every point of a change: the next reader finds the old or the new version.
@Suite struct CrashTests {
  private struct Write {
    let device: Int
    let offset: UInt64
    let bytes: [UInt8]
  }

  /// The writes of a change, cut where every device was flushed.
  private func epochs(of devices: [MemoryDevice], tag: String) throws -> [[Write]] {
    var epochs: [[Write]] = [[]]
    var flushed: Set<Int> = []
    for (index, device) in devices.enumerated() {
      device.observer = { event in
        switch event {
        case .write(let offset, let bytes):
          if !flushed.isEmpty {
            epochs.append([])
            flushed = []
          }
          epochs[epochs.count - 1].append(Write(device: index, offset: offset, bytes: bytes))
        case .flush: flushed.insert(index)
        }
      }
    }
    try SampleGroup.change(devices, tag: tag)
    return epochs
  }

  private func apply(
    _ write: Write, to devices: [MemoryDevice], sectors: (Int) -> Bool = { _ in true }
  ) {
    for sector in 0..<(write.bytes.count / 512) where sectors(sector) {
      let bytes = Array(write.bytes[(sector * 512)..<((sector + 1) * 512)])
      devices[write.device].store(bytes, at: write.offset + UInt64(sector) * 512)
    }
  }

  /// What a reader finds must be one of the two versions, and it must be changeable again.
  private func check(
    _ devices: [MemoryDevice], _ old: VolumeGroup, _ new: VolumeGroup, _ situation: String
  ) throws -> Bool {
    let found = try SampleGroup.scan(devices)
    let isOld = found.volumeGroup == old
    #expect(isOld || found.volumeGroup == new, "\(situation)")
    let seen = try #require(MetadataScanner.scan(devices, slot: .precommitted).groups.first)
    #expect(seen.volumeGroup == old || seen.volumeGroup == new, "\(situation)")
    let after = try SampleGroup.change(devices, tag: "after-the-crash")
    let again = try SampleGroup.scan(devices)
    #expect(again.volumeGroup == after, "\(situation)")
    #expect(again.warnings.isEmpty, "\(situation)")
    return isOld
  }

  @Test(arguments: ["vg-extend-reduce/00-two", "wrap-small/00-wrapped", "mda-2-per-pv/01-lvs"])
  func everySubsetOfUnflushedSectorsLeavesOldOrNew(stage: String) throws {
    let start = try Fixture.devices(stage)
    let old = try SampleGroup.scan(start).volumeGroup
    let changed = start.map { $0.copy() }
    let epochs = try epochs(of: changed, tag: "new")
    let new = try SampleGroup.scan(changed).volumeGroup
    #expect(epochs.count == 3)
    let seed: UInt64 = 0xC4A5_0001
    var generator = SeededGenerator(seed: seed)
    var oldCount = 0
    var newCount = 0
    for (number, epoch) in epochs.enumerated() {
      for round in 0..<24 {
        let devices = start.map { $0.copy() }
        for write in epochs[..<number].joined() { apply(write, to: devices) }
        // The first rounds lose whole writes in every combination, later ones single sectors.
        for (index, write) in epoch.enumerated() {
          let mask = generator.next()
          apply(write, to: devices) { sector in
            round < 16 ? round >> (index % 4) & 1 == 1 : mask >> UInt64(sector % 64) & 1 == 1
          }
        }
        let situation = "seed \(seed), \(stage), epoch \(number), round \(round)"
        if try check(devices, old, new, situation) { oldCount += 1 } else { newCount += 1 }
        // Before the commit nobody may see the new version.
        if number < 2 { #expect(newCount == 0, "\(situation)") }
      }
    }
    #expect(oldCount > 48)
    #expect(newCount > 5)
  }
}
