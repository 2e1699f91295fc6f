import ConfigText
import LVMMetadata
import Testing

@testable import VolumeActivation

@Suite("Recovery after a crash")
struct VolumeRecoveryTests {
  /// A change that its owner leaves after `count` operations.
  private func crash(
    _ sample: SampleChange, after count: Int
  ) throws -> (kernel: SimulatedDeviceMapper, mayBeCommitted: Bool) {
    var mapper = CrashingDeviceMapper(kernel: sample.mapper, operationsLeft: count)
    let plans = try Sample.plans(sample.new)
    var isSuspended = false
    do {
      var change = try MappingChange(preparing: plans, on: &mapper)
      try change.suspend(on: &mapper)
      isSuspended = true
      _ = try change.resume(on: &mapper)
    } catch {
      // This is the crash, or the end of the change.
    }
    return (mapper.kernel, isSuspended)
  }

  @Test("wherever a change was left, recovery brings every device onto the committed metadata")
  func recoversFromEveryPoint() throws {
    let sample = try SampleChange()
    var recovered = 0
    for count in 0..<60 {
      let crash = try crash(sample, after: count)
      // Before everything is suspended nobody commits; afterwards both are possible until the
      // first resume, and only the new metadata from then on.
      let hasResumed = crash.kernel.journal.contains { $0.operation == .resume }
      let candidates =
        hasResumed ? [sample.new] : crash.mayBeCommitted ? [sample.old, sample.new] : [sample.old]
      for group in candidates {
        var mapper = crash.kernel
        mapper.clearJournal()
        let recoveries = try mapper.recover(Sample.planner(group))
        #expect(recoveries.count == 5)
        #expect(mapper.suspendedDevices.isEmpty, "crash after \(count)")
        #expect(
          try SampleChange.contents(of: mapper) == SampleChange.contents(after: group),
          "crash after \(count), seqno of \(group == sample.new ? "new" : "old")")
        recovered += 1
      }
    }
    #expect(recovered > 60)
  }

  @Test("recovery itself may crash anywhere and be repeated")
  func recoversFromItsOwnCrash() throws {
    let sample = try SampleChange()
    for count in 0..<60 {
      var kernel = sample.mapper
      var prepared = try MappingChange(preparing: Sample.plans(sample.new), on: &kernel)
      try prepared.suspend(on: &kernel)
      var crashing = CrashingDeviceMapper(kernel: kernel, operationsLeft: count)
      _ = try? crashing.recover(Sample.planner(sample.new))
      _ = try crashing.kernel.recover(Sample.planner(sample.new))
      #expect(
        try SampleChange.contents(of: crashing.kernel) == SampleChange.contents(after: sample.new),
        "crash after \(count)")
    }
  }

  @Test("an activation that was left half-way is removed")
  func removesHalfMadeDevices() throws {
    let group = Sample.group(Sample.volume("a", Sample.linear(from: 0, count: 10)))
    let plan = try Sample.plans(group)[0]
    for isLoaded in [false, true] {
      var mapper = Sample.mapper
      _ = try mapper.create(plan.uuid, name: plan.name, minor: nil)
      if isLoaded {
        try mapper.load(plan.plainTable, into: plan.uuid, readOnly: false, isSecret: false)
      }
      let recoveries = try mapper.recover(Sample.planner(group))
      #expect(recoveries.map(\.outcome) == [.removed])
      #expect(mapper.mapped.isEmpty)
    }
  }

  @Test("what this version cannot judge is left alone and told")
  func leavesOthersAlone() throws {
    var group = Sample.group(
      Sample.volume("a", Sample.linear(from: 0, count: 10)),
      Sample.volume("b", Sample.linear(from: 20, count: 10)))
    var mapper = Sample.mapper
    for plan in try Sample.plans(group) {
      _ = try mapper.activate(plan)
      try mapper.suspend(plan.uuid, .flush)
    }
    group.logicalVolumes.remove(at: 1)
    let section = try ConfigSection(parsing: "things = []")
    group.logicalVolumes[0].segments[0].kind = .other(type: "future", section)
    mapper.clearJournal()
    let recoveries = try mapper.recover(Sample.planner(group))
    #expect(
      recoveries.map(\.outcome) == [
        .leftAlone(ActivationRefusal("vg/a", .segmentType("future")), isSuspended: true),
        .removed,
      ])
    #expect(mapper.mapped.count == 1)
  }

  @Test(
    "a volume that left the metadata while it is open fails all I/O, and goes when it is closed")
  func failsWhatIsGone() throws {
    var group = Sample.group(Sample.volume("a", Sample.linear(from: 0, count: 10)))
    var mapper = Sample.mapper
    let plan = try Sample.plans(group)[0]
    _ = try mapper.activate(plan)
    mapper.setOpenCount(1, of: plan.uuid)
    try mapper.suspend(plan.uuid, .flush)
    group.logicalVolumes = []
    for _ in 0..<2 {
      #expect(try mapper.recover(Sample.planner(group)).map(\.outcome) == [.failing])
      #expect(mapper.access(sector: 0, of: plan.uuid) == .failed)
    }
    #expect(mapper.suspendedDevices.isEmpty)
    mapper.setOpenCount(0, of: plan.uuid)
    #expect(try mapper.recover(Sample.planner(group)).map(\.outcome) == [.removed])
    #expect(mapper.mapped.isEmpty)
  }

  @Test("devices of other groups are not looked at, and layers that serve nothing go")
  func removesLayers() throws {
    let group = Sample.group(Sample.volume("a", Sample.linear(from: 0, count: 10)))
    var mapper = Sample.mapper
    let foreign = MappedDeviceUUID(
      volumeGroup: Sample.identifier("other"), logicalVolume: Sample.identifier("a"))
    let inner = try #require(
      MappedDeviceUUID(
        volumeGroup: group.id, logicalVolume: Sample.identifier("a"), suffix: "real"))
    for (uuid, name) in [(foreign, "other-a"), (inner, "vg-a-real")] {
      _ = try mapper.create(uuid, name: #require(MappedDeviceName(name)), minor: nil)
    }
    let recoveries = try mapper.recover(Sample.planner(group))
    #expect(recoveries.map(\.volume) == ["vg-a-real"])
    #expect(recoveries.map(\.outcome) == [.removed])
    #expect(mapper.mapped.keys.map(\.text) == [foreign.text])
  }

  @Test("a device active without write permission by request stays so")
  func keepsReadOnly() throws {
    let group = Sample.group(Sample.volume("a", Sample.linear(from: 0, count: 10)))
    var mapper = Sample.mapper
    var options = ActivationOptions()
    options.isReadOnly = true
    _ = try mapper.activate(Sample.planner(group).plan(named: "a", options))
    #expect(try mapper.recover(Sample.planner(group)).map(\.outcome) == [.unchanged])
  }

  @Test("a repair that fails is told, and the other devices are repaired")
  func reportsFailures() throws {
    var sample = try SampleChange()
    let plans = try Sample.plans(sample.new)
    var change = try MappingChange(preparing: plans, on: &sample.mapper)
    try change.suspend(on: &sample.mapper)
    sample.mapper.failures = [.init(of: .resume, on: plans[0].uuid)]
    let recoveries = try sample.mapper.recover(Sample.planner(sample.new))
    let outcomes = recoveries.map(\.outcome).filter { outcome in
      if case .failed(let error) = outcome { "\(error)".contains("resume") } else { false }
    }
    #expect(outcomes.count == 1)
    #expect(sample.mapper.suspendedDevices == [plans[0].uuid])
  }
}
