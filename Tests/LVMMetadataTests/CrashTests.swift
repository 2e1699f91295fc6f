import ClusterSimulation
import LVMMetadata
import Testing

/// Power is lost at every point of a change: the next reader finds the old or the new version.
@Suite struct CrashTests {
  /// What a reader finds must be one of the two versions, and it must be changeable again; where a
  /// header was torn, by the repair that its warning asks for.
  private func check(
    _ devices: [MemoryDevice], _ old: VolumeGroup, _ new: VolumeGroup, isTorn: Bool,
    _ situation: String
  ) throws -> Bool {
    let found = try SampleGroup.scan(devices)
    let isOld = found.volumeGroup == old
    #expect(isOld || found.volumeGroup == new, "\(situation)")
    let seen = try #require(MetadataScanner.scan(devices, slot: .precommitted).groups.first)
    #expect(seen.volumeGroup == old || seen.volumeGroup == new, "\(situation)")
    let text = SampleGroup.nextText(after: found, tag: "after-the-crash")
    var commit = try MetadataCommit(from: found, to: text, purpose: isTorn ? .repair : .change)
    try commit.write()
    try commit.precommit()
    #expect(commit.commit() == .everywhere, "\(situation)")
    let again = try SampleGroup.scan(devices)
    #expect(again.volumeGroup == text.volumeGroup, "\(situation)")
    #expect(again.warnings.isEmpty, "\(situation)")
    return isOld
  }

  @Test(arguments: ["vg-extend-reduce/00-two", "wrap-small/00-wrapped", "mda-2-per-pv/01-lvs"])
  func everythingThatCanBeLostLeavesOldOrNew(stage: String) throws {
    let start = try Fixture.devices(stage)
    let old = try SampleGroup.scan(start).volumeGroup
    let changed = start.map { $0.copy() }
    let epochs = try SampleGroup.epochs(of: changed, tag: "new")
    let new = try SampleGroup.scan(changed).volumeGroup
    #expect(epochs.count == 3)
    // A single area has no second copy to take the place of a torn header.
    let hasCopies = epochs[2].count > 1
    let seed: UInt64 = 0xC4A5_0001
    var generator = SeededGenerator(seed: seed)
    var oldCount = 0
    var newCount = 0
    for (number, epoch) in epochs.enumerated() {
      for (index, state) in CrashState.all(of: epoch, using: &generator).enumerated() {
        let isTorn = state.torn != nil && number > 0
        guard hasCopies || !isTorn else { continue }
        let devices = start.map { $0.copy() }
        let all = CrashState(arrived: [], torn: nil)
        for earlier in epochs[..<number] {
          var whole = all
          whole.arrived = earlier.map { [Bool](repeating: true, count: $0.sectorCount) }
          try whole.apply(earlier, to: devices)
        }
        try state.apply(epoch, to: devices)
        let situation = "seed \(seed), \(stage), epoch \(number), state \(index)"
        if try check(devices, old, new, isTorn: isTorn, situation) {
          oldCount += 1
        } else {
          newCount += 1
        }
        // Before the commit nobody may see the new version.
        if number < 2 { #expect(newCount == 0, "\(situation)") }
      }
    }
    #expect(oldCount > 20)
    #expect(newCount > 0)
  }
}
