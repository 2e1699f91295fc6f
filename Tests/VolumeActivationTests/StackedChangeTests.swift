import LVMMetadata
import Testing

@testable import VolumeActivation

@Suite("Changing volumes that are stacks of devices")
struct StackedChangeTests {
  private func transcript(_ mapper: SimulatedDeviceMapper) -> [String] {
    let silent: Set<DeviceMapperOperation> = [
      .state, .table, .dependencies, .list, .status, .settle,
    ]
    return mapper.journal.filter { !silent.contains($0.operation) }.map(\.description)
  }

  private func active(_ name: String, _ group: VolumeGroup) throws -> SimulatedDeviceMapper {
    var mapper = Sample.mapper
    _ = try mapper.activate(Stacked.plan(name, group))
    mapper.clearJournal()
    return mapper
  }

  /// What the devices look like when only `group` was ever active.
  private func contents(after name: String, _ group: VolumeGroup) throws -> [String] {
    SampleChange.contents(of: try active(name, group))
  }

  // MARK: - RAID

  @Test("images go into service before the array above is loaded")
  func activatesUpwards() throws {
    var mapper = Sample.mapper
    _ = try mapper.activate(Stacked.plan("r", Stacked.raid(extents: 5)))
    let names = ["vg-r_rmeta_0", "vg-r_rimage_0", "vg-r_rmeta_1", "vg-r_rimage_1", "vg-r"]
    let steps = transcript(mapper).map { $0.split(separator: " ").first ?? "" }
    #expect(mapper.mapped.values.map(\.name).sorted() == names.sorted())
    #expect(steps == Array(repeating: ["create", "load", "resume"], count: 5).flatMap { $0 })
    #expect(transcript(mapper).last == "resume vg-r")
  }

  @Test("images that grow are resumed early, the whole stack is suspended from the top")
  func growsUpwards() throws {
    var mapper = try active("r", Stacked.raid(extents: 5))
    let plan = try Stacked.plan("r", Stacked.raid(extents: 8))
    let outcome = try #require(try mapper.refresh([plan]).first)
    #expect(outcome.change == .reloaded)
    #expect(outcome.oldSize == 5 * Sample.extentSize && outcome.newSize == 8 * Sample.extentSize)
    #expect(
      transcript(mapper) == [
        "load vg-r_rimage_0", "resume vg-r_rimage_0", "load vg-r_rimage_1",
        "resume vg-r_rimage_1", "load vg-r", "suspend vg-r", "suspend vg-r_rimage_1",
        "suspend vg-r_rmeta_1", "suspend vg-r_rimage_0", "suspend vg-r_rmeta_0",
        "resume vg-r_rmeta_0", "resume vg-r_rimage_0", "resume vg-r_rmeta_1",
        "resume vg-r_rimage_1", "resume vg-r",
      ])
    #expect(mapper.unsafeLoads.isEmpty)
    #expect(
      try SampleChange.contents(of: mapper) == contents(after: "r", Stacked.raid(extents: 8)))
  }

  @Test("an array that shrinks is cut at the top first")
  func shrinks() throws {
    var mapper = try active("r", Stacked.raid(extents: 8))
    _ = try mapper.refresh([Stacked.plan("r", Stacked.raid(extents: 5))])
    #expect(
      try SampleChange.contents(of: mapper) == contents(after: "r", Stacked.raid(extents: 5)))
  }

  @Test("whichever operation of a growth fails before the commit, every device is as before")
  func undoesGrowth() throws {
    let before = try contents(after: "r", Stacked.raid(extents: 5))
    var undone = 0
    for operation in [DeviceMapperOperation.state, .table, .load, .resume, .suspend, .dependencies]
    {
      for skipCount in 0..<12 {
        var mapper = try active("r", Stacked.raid(extents: 5))
        mapper.failures = [.init(of: operation, afterSkipping: skipCount)]
        do {
          var change = try MappingChange(
            preparing: [Stacked.plan("r", Stacked.raid(extents: 8))], on: &mapper)
          try change.suspend(on: &mapper)
          mapper.failures = []
          try change.abandon(on: &mapper)
        } catch {
          #expect("\(error)".contains("injected"), "\(error)")
        }
        undone += 1
        #expect(mapper.suspendedDevices.isEmpty, "\(operation) \(skipCount)")
        #expect(SampleChange.contents(of: mapper) == before, "\(operation) \(skipCount)")
      }
    }
    #expect(undone == 72)
  }

  @Test("whichever operation of an activation fails, no device stays")
  func undoesActivation() throws {
    for operation in [DeviceMapperOperation.create, .load, .resume] {
      for skipCount in 0..<5 {
        var mapper = Sample.mapper
        mapper.failures = [.init(of: operation, afterSkipping: skipCount)]
        #expect(throws: ActivationError.self) {
          try mapper.activate(Stacked.plan("r", Stacked.raid(extents: 5)))
        }
        #expect(mapper.mapped.isEmpty, "\(operation) \(skipCount)")
      }
    }
  }

  @Test("deactivation removes the array and then its images")
  func deactivates() throws {
    let group = try Stacked.raid(extents: 5)
    var mapper = try active("r", group)
    let tops = try #require(Stacked.planner(group).topDevices(ofVolumeNamed: "r"))
    #expect(try mapper.deactivate(tops, volume: "vg/r").change == .deactivated)
    #expect(mapper.mapped.isEmpty)
  }

  @Test("wherever a growth was left, recovery brings the stack onto the committed metadata")
  func recovers() throws {
    let old = try Stacked.raid(extents: 5)
    let new = try Stacked.raid(extents: 8)
    for count in 0..<50 {
      var crashing = CrashingDeviceMapper(kernel: try active("r", old), operationsLeft: count)
      _ = try? crashing.refresh([Stacked.plan("r", new)])
      let hasResumedTop = crashing.kernel.journal.contains { "\($0)" == "resume vg-r" }
      for group in hasResumedTop ? [new] : [old, new] {
        var mapper = crashing.kernel
        let recoveries = try mapper.recover(Stacked.planner(group))
        #expect(recoveries.map(\.volume) == ["vg/r"], "crash after \(count)")
        #expect(
          try SampleChange.contents(of: mapper) == contents(after: "r", group),
          "crash after \(count): \(recoveries)")
      }
    }
  }

  // MARK: - Snapshots

  @Test("a first snapshot pushes the origin's data down, with the file system frozen")
  func addsSnapshot() throws {
    var mapper = try active("o", Stacked.origin(hasSnapshot: false))
    let plan = try Stacked.plan("s", Stacked.origin(hasSnapshot: true))
    #expect(plan.devices.map(\.name.text) == ["vg-o-real", "vg-s-cow", "vg-s", "vg-o"])
    #expect(plan.kind == .origin)
    _ = try mapper.refresh([plan])
    let steps = transcript(mapper)
    // Two live devices over the same data would be two truths.
    let real = try #require(steps.firstIndex(of: "resume vg-o-real"))
    let suspended = try #require(steps.firstIndex(of: "suspend vg-o"))
    #expect(real > suspended)
    #expect(steps.suffix(2) == ["resume vg-s", "resume vg-o"])
    #expect(
      mapper.mapped.values.map { "\($0.name) \($0.live?.table.lines[0].target.type ?? "none")" }
        .sorted() == [
          "vg-o snapshot-origin", "vg-o-real linear", "vg-s snapshot", "vg-s-cow linear",
        ])
    #expect(mapper.mapped.values.allSatisfy { $0.inactive == nil && !$0.isSuspended })
    #expect(mapper.suspendModes == [.freezeAndFlush])
  }

  @Test("when the last snapshot goes, so does the layer of the origin")
  func dropsLayer() throws {
    var mapper = try active("o", Stacked.origin(hasSnapshot: true))
    let group = try Stacked.origin(hasSnapshot: true)
    let snapshot = MappedDeviceUUID(
      volumeGroup: group.id, logicalVolume: Sample.identifier("s"))
    _ = try mapper.deactivate([snapshot], volume: "vg/s")
    _ = try mapper.refresh([Stacked.plan("o", Stacked.origin(hasSnapshot: false))])
    #expect(mapper.mapped.values.map(\.name) == ["vg-o"])
  }

  /// LVM gives each volume of a stack the permission that its own metadata says.
  @Test("an origin without write permission does not take it from its snapshots")
  func refreshesReadOnlyOrigin() throws {
    var group = try Stacked.origin(hasSnapshot: true)
    let origin = try #require(group.logicalVolumes.firstIndex { $0.name == "o" })
    group.logicalVolumes[origin].status.remove(.write)
    var mapper = try active("o", group)
    let planner = Stacked.planner(group)
    let top = try #require(planner.topDevices(ofVolumeNamed: "o")?.first)
    let state = try #require(try mapper.state(of: top))
    #expect(state.isReadOnly)
    let plan = try planner.plan(named: "o", try mapper.options(for: "o", state, planner))
    #expect(plan.devices.filter { !$0.isReadOnly }.map(\.name.text) == ["vg-s-cow", "vg-s"])
    #expect(try mapper.refresh([plan]).first?.change == .unchanged)
    // The permission comes back with the metadata.
    var writable = group
    writable.logicalVolumes[origin].status.insert(.write)
    let changed = try Stacked.planner(writable).plan(
      named: "o", try mapper.options(for: "o", state, planner))
    #expect(changed.devices.allSatisfy { !$0.isReadOnly })
  }

  @Test("an image that was split off a mirror takes its new name, and nothing else happens to it")
  func namesSplitImage() throws {
    var mapper = try active("m", Stacked.mirror())
    let planner = Stacked.planner(try Stacked.mirror(split: "n"))
    let image = try #require(planner.topDevices(ofVolumeNamed: "n")?.first)
    #expect(try mapper.state(of: image)?.device.name == "vg-m_mimage_1")
    for _ in 0..<2 {
      try mapper.takeNewName("n", try #require(try mapper.state(of: image)), planner)
    }
    #expect(try mapper.state(of: image)?.device.name == "vg-n")
    let steps = transcript(mapper)
    #expect(steps.filter { $0.hasPrefix("rename") }.count == 1)
    #expect(!steps.contains { $0.hasPrefix("load") || $0.hasPrefix("remove") })
    #expect(mapper.suspendedDevices.isEmpty)
  }

  @Test("a merge into an active origin begins when nobody has it or the snapshot open")
  func beginsMerge() throws {
    let merging = try Stacked.origin(hasSnapshot: true, isMerging: true)
    let planner = Stacked.planner(merging)
    var mapper = try active("o", Stacked.origin(hasSnapshot: true))
    let tops = try #require(planner.topDevices(ofVolumeNamed: "o"))
    #expect(tops.count == 2)
    func mayBegin() throws -> Bool {
      let state = try #require(try mapper.state(of: tops[0]))
      #expect(try mapper.options(for: "o", state, planner).merge == .pending)
      return try mapper.mayBeginMerge(into: "o", state, planner)
    }
    for device in tops {
      mapper.setOpenCount(1, of: device)
      #expect(try !mayBegin())
      mapper.setOpenCount(0, of: device)
    }
    #expect(try mayBegin())
    var options = ActivationOptions()
    options.merge = .running
    var change = try MappingChange(
      preparing: [try planner.plan(named: "o", options)], on: &mapper)
    try change.suspend(on: &mapper)
    _ = try change.resume(on: &mapper)
    // As the original leaves them (clvmd recording lvconvert-merge-snapshot-exclusive).
    #expect(
      mapper.mapped.values.map { "\($0.name) \($0.live?.table.lines[0].target.type ?? "none")" }
        .sorted() == ["vg-o snapshot-merge", "vg-o-real linear", "vg-s error", "vg-s-cow linear"])
    #expect(mapper.suspendedDevices.isEmpty)
    let plain = try Stacked.origin(hasSnapshot: true)
    let state = try #require(try mapper.state(of: tops[0]))
    #expect(try !mapper.mayBeginMerge(into: "o", state, Stacked.planner(plain)))
  }

  @Test("an origin and its snapshots are deactivated together, unless one is in use")
  func deactivatesOrigin() throws {
    let group = try Stacked.origin(hasSnapshot: true)
    var mapper = try active("o", group)
    let tops = try #require(Stacked.planner(group).topDevices(ofVolumeNamed: "s"))
    #expect(tops.count == 2)
    mapper.setOpenCount(1, of: tops[1])
    #expect(throws: ActivationError.inUse(volume: "vg/o", openCount: 1)) {
      try mapper.deactivate(tops, volume: "vg/o")
    }
    #expect(mapper.mapped.count == 4)
    mapper.setOpenCount(0, of: tops[1])
    _ = try mapper.deactivate(tops, volume: "vg/o")
    #expect(mapper.mapped.isEmpty)
  }

  // MARK: - Thin pools

  private var pool: MappedDeviceUUID {
    get throws {
      try #require(
        MappedDeviceUUID(
          volumeGroup: Sample.identifier("VG"), logicalVolume: Sample.identifier("p"),
          suffix: "tpool"))
    }
  }

  /// With `t` active over a pool that knows one transaction.
  private func activeThin() throws -> SimulatedDeviceMapper {
    var mapper = Sample.mapper
    mapper.initialTransactionID = 1
    _ = try mapper.activate(Stacked.plan("t", Stacked.thin(transactionID: 1)))
    mapper.clearJournal()
    return mapper
  }

  @Test("a pool's metadata is checked before the kernel gets it, and only then")
  func checksMetadata() throws {
    var mapper = Sample.mapper
    mapper.initialTransactionID = 1
    let group = try Stacked.thin(transactionID: 1)
    _ = try mapper.activate(Stacked.plan("t", group))
    let steps = transcript(mapper)
    let check = try #require(steps.firstIndex(of: "check vg-p_tmeta"))
    let load = try #require(steps.firstIndex(of: "load vg-p-tpool"))
    #expect(check < load)
    mapper.clearJournal()
    _ = try mapper.activate(Stacked.plan("p", group))
    #expect(transcript(mapper) == ["create \(try uuid("p", "pool"))", "load vg-p", "resume vg-p"])
    mapper = Sample.mapper
    mapper.initialTransactionID = 1
    mapper.failures = [.init(of: .check)]
    #expect(throws: ActivationError.self) { try mapper.activate(Stacked.plan("t", group)) }
    #expect(mapper.mapped.isEmpty)
  }

  private func uuid(_ name: String, _ suffix: String) throws -> String {
    try #require(
      MappedDeviceUUID(
        volumeGroup: Sample.identifier("VG"), logicalVolume: Sample.identifier(name),
        suffix: suffix)
    ).text
  }

  @Test("a pool whose transaction is another one is not activated")
  func refusesOtherTransactions() throws {
    for (kernel, text) in [(UInt64(2), 1), (1, 3), (0, 2)] {
      var mapper = Sample.mapper
      mapper.initialTransactionID = kernel
      let group = try Stacked.thin(transactionID: text)
      let error = #expect(throws: ActivationError.self) {
        try mapper.activate(Stacked.plan("t", group))
      }
      #expect(error.map { "\($0)".contains("transaction_id") } == true)
      #expect(mapper.mapped.isEmpty)
    }
  }

  @Test("messages are sent once the metadata is committed, while the origin is frozen")
  func sendsMessages() throws {
    var mapper = try activeThin()
    let group = try Stacked.thin(
      transactionID: 2, message: "message1 { create = \"u\" }", hasSnapshot: true)
    var change = try MappingChange(preparing: [Stacked.plan("t", group)], on: &mapper)
    try change.suspend(on: &mapper)
    #expect(mapper.messages(to: try pool).isEmpty)
    _ = try change.resume(on: &mapper)
    #expect(mapper.messages(to: try pool) == ["create_snap 2 1", "set_transaction_id 1 2"])
    let steps = transcript(mapper)
    let sent = try #require(steps.firstIndex(of: "message vg-p-tpool"))
    #expect(sent > (try #require(steps.firstIndex(of: "suspend vg-t"))))
    #expect(sent < (try #require(steps.firstIndex(of: "resume vg-t"))))
    #expect(mapper.suspendedDevices.isEmpty)
    // A repetition, or the next activation, does not send them again.
    _ = try mapper.refresh([Stacked.plan("t", group)])
    #expect(mapper.messages(to: try pool).count == 2)
  }

  @Test("a pool grows without flushing, its data first")
  func growsPool() throws {
    var mapper = try activeThin()
    _ = try mapper.refresh([Stacked.plan("t", Stacked.thin(transactionID: 1, dataExtents: 30))])
    #expect(
      transcript(mapper) == [
        "load vg-p_tdata", "resume vg-p_tdata", "load vg-p-tpool", "suspend vg-t",
        "suspend vg-p-tpool", "suspend vg-p_tdata", "suspend vg-p_tmeta", "resume vg-p_tmeta",
        "resume vg-p_tdata", "resume vg-p-tpool", "resume vg-t",
      ])
    #expect(Set(mapper.suspendModes) == [.withoutFlush])
  }

  @Test("what lies on a changed volume is told, and an origin in the place of its snapshots")
  func findsAffectedVolumes() throws {
    let thin = try Stacked.planner(Stacked.thin(transactionID: 2, hasSnapshot: true))
    #expect(thin.volumeNames(affectedBy: ["p_tmeta"]) == ["p", "t", "u"])
    #expect(thin.volumeNames(affectedBy: ["t"]) == ["t"])
    let snapshot = try Stacked.planner(Stacked.origin(hasSnapshot: true))
    #expect(snapshot.volumeNames(affectedBy: ["s"]) == ["o"])
    // Neither has LVM's mark of a visible volume, and users see the snapshot all the same.
    let virtual = try Stacked.planner(Stacked.origin(hasSnapshot: true, isVirtual: true))
    #expect(virtual.volumeNames == ["o"])
    #expect(virtual.volumeNames(affectedBy: ["o"]) == ["o"])
    #expect(try Stacked.planner(Stacked.raid(extents: 2)).volumeNames(affectedBy: ["r"]) == ["r"])
  }

  @Test("what users do not see is active on its own only where that is allowed")
  func activatesHiddenVolumes() throws {
    let planner = try Stacked.planner(Stacked.raid(extents: 2))
    #expect(throws: ActivationRefusal.self) { try planner.plan(named: "r_rimage_0") }
    var options = ActivationOptions()
    options.mayBeHidden = true
    let plan = try planner.plan(named: "r_rimage_0", options)
    #expect(plan.devices.map(\.name.text) == ["vg-r_rimage_0"])
  }

  @Test("a thin volume goes without its pool as long as another one uses that")
  func keepsSharedPool() throws {
    var mapper = Sample.mapper
    mapper.initialTransactionID = 2
    let group = try Stacked.thin(transactionID: 2, hasSnapshot: true)
    for name in ["t", "u"] { _ = try mapper.activate(Stacked.plan(name, group)) }
    let planner = Stacked.planner(group)
    _ = try mapper.deactivate(try #require(planner.topDevices(ofVolumeNamed: "t")), volume: "t")
    #expect(mapper.mapped.count == 4)
    _ = try mapper.deactivate(try #require(planner.topDevices(ofVolumeNamed: "u")), volume: "u")
    #expect(mapper.mapped.isEmpty)
  }
}
