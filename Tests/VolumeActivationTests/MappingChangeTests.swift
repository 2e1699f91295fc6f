import LVMMetadata
import Testing

@testable import VolumeActivation

/// A group before and after a change: `a` grows onto the other disk, `b` shrinks, `c` is renamed,
/// `d` loses its write permission, `e` stays; `f` grows but is not active.
struct SampleChange {
  let old: VolumeGroup
  let new: VolumeGroup
  var mapper: SimulatedDeviceMapper

  init() throws {
    let same = [
      Sample.volume("e", Sample.linear(from: 80, count: 1)),
      Sample.volume("f", Sample.linear(from: 90, count: 1)),
    ]
    old = Sample.group(
      [
        Sample.volume("a", Sample.linear(from: 0, count: 10)),
        Sample.volume("b", Sample.linear(from: 20, count: 10)),
        Sample.volume("c", Sample.linear(from: 40, count: 10)),
        Sample.volume("d", Sample.linear(from: 60, count: 10)),
      ] + same)
    var new = old
    new.logicalVolumes[0].segments.append(
      Sample.linear(Sample.secondPV, from: 5, count: 5, start: 10))
    new.logicalVolumes[1].segments[0].extentCount = 5
    new.logicalVolumes[2].name = "renamed"
    new.logicalVolumes[3].status.remove(.write)
    new.logicalVolumes[5].segments[0].extentCount = 2
    self.new = new
    mapper = Sample.mapper
    for plan in try Sample.plans(old).dropLast() { _ = try mapper.activate(plan) }
    mapper.clearJournal()
  }

  /// The devices with their tables, without what only tests see.
  static func contents(of mapper: SimulatedDeviceMapper) -> [String] {
    mapper.mapped.map { uuid, device in
      let live = device.live.map { "\($0.table) \($0.isReadOnly)" } ?? "none"
      let inactive = device.inactive.map { "\($0.table) \($0.isReadOnly)" } ?? "none"
      return "\(uuid) \(device.name) \(live) \(inactive) \(device.isSuspended)"
    }.sorted()
  }

  /// What the devices look like when only `group` was ever active.
  static func contents(after group: VolumeGroup) throws -> [String] {
    var mapper = Sample.mapper
    for plan in try Sample.plans(group).dropLast() { _ = try mapper.activate(plan) }
    return contents(of: mapper)
  }
}

@Suite("Changing active volumes")
struct MappingChangeTests {
  @Test("everything is loaded before anything is suspended, and suspended before it resumes")
  func keepsOrder() throws {
    var sample = try SampleChange()
    var change = try MappingChange(preparing: Sample.plans(sample.new), on: &sample.mapper)
    try change.suspend(on: &sample.mapper)
    let outcomes = try change.resume(on: &sample.mapper)
    let transcript = sample.mapper.journal.map(\.description).filter {
      !$0.hasPrefix("state") && !$0.hasPrefix("table") && !$0.hasPrefix("dependencies")
    }
    #expect(
      transcript == [
        "load vg-a", "load vg-b", "load vg-d", "suspend vg-d", "suspend vg-b", "suspend vg-a",
        "resume vg-a", "resume vg-b", "rename vg-c", "resume vg-d", "settle ",
      ])
    #expect(sample.mapper.unsafeLoads.isEmpty)
    #expect(outcomes.map(\.volume) == ["vg/a", "vg/b", "vg/renamed", "vg/d", "vg/e"])
    #expect(
      outcomes.map(\.change) == [.reloaded, .reloaded, .renamed, .reloaded, .unchanged])
    #expect(outcomes.map { $0.newSize / Sample.extentSize } == [15, 5, 10, 10, 1])
    #expect(outcomes.map { $0.oldSize / Sample.extentSize } == [10, 10, 10, 10, 1])
    #expect(
      try SampleChange.contents(of: sample.mapper) == SampleChange.contents(after: sample.new))
  }

  @Test("I/O runs on the old table until suspend, waits, and then runs on the new one")
  func switchesIO() throws {
    var sample = try SampleChange()
    let plan = try #require(try Sample.plans(sample.new).first)
    let sector = 12 * Sample.extentSize
    func access() -> SimulatedDeviceMapper.Access {
      sample.mapper.access(sector: sector, of: plan.uuid)
    }
    var change = try MappingChange(preparing: [plan], on: &sample.mapper)
    #expect(access() == .failed)
    try change.suspend(on: &sample.mapper)
    #expect(access() == .queued)
    _ = try change.resume(on: &sample.mapper)
    let offset = Sample.extentStart + 7 * Sample.extentSize
    #expect(access() == .served(TableArea(device: Sample.secondDevice, offset: offset)))
  }

  @Test("a refresh of volumes that are as planned touches no device")
  func suppressesIdenticalReloads() throws {
    var sample = try SampleChange()
    let outcomes = try sample.mapper.refresh(Sample.plans(sample.old))
    #expect(outcomes.allSatisfy { $0.change == .unchanged })
    #expect(
      sample.mapper.journal.allSatisfy { [.state, .table, .settle].contains($0.operation) })
  }

  @Test("an abandoned change leaves no trace, before and after the suspend")
  func abandons() throws {
    for isSuspended in [false, true] {
      var sample = try SampleChange()
      var change = try MappingChange(preparing: Sample.plans(sample.new), on: &sample.mapper)
      if isSuspended { try change.suspend(on: &sample.mapper) }
      try change.abandon(on: &sample.mapper)
      try change.abandon(on: &sample.mapper)
      #expect(
        try SampleChange.contents(of: sample.mapper) == SampleChange.contents(after: sample.old))
    }
  }

  @Test("whichever operation of preparing or suspending fails, all is as before")
  func undoesPreparingAndSuspending() throws {
    for operation in [DeviceMapperOperation.state, .table, .load, .suspend] {
      for skipCount in 0..<5 {
        var sample = try SampleChange()
        sample.mapper.failures = [.init(of: operation, afterSkipping: skipCount)]
        do {
          var change = try MappingChange(preparing: Sample.plans(sample.new), on: &sample.mapper)
          try change.suspend(on: &sample.mapper)
          #expect(!sample.mapper.failures.isEmpty, "\(operation) \(skipCount) is swallowed")
        } catch {
          #expect("\(error)".contains("device-mapper \(operation) "))
          #expect(
            try SampleChange.contents(of: sample.mapper)
              == SampleChange.contents(after: sample.old), "\(operation) \(skipCount)")
        }
      }
    }
  }

  @Test("a device that does not resume is reported, the others run, and a repetition finishes")
  func repeatsResume() throws {
    for operation in [DeviceMapperOperation.resume, .rename] {
      var sample = try SampleChange()
      var change = try MappingChange(preparing: Sample.plans(sample.new), on: &sample.mapper)
      try change.suspend(on: &sample.mapper)
      sample.mapper.failures = [.init(of: operation)]
      let failed = #expect(throws: ActivationError.self) {
        _ = try change.resume(on: &sample.mapper)
      }
      #expect(failed?.volumes == [operation == .resume ? "vg/a" : "vg/renamed"])
      #expect(sample.mapper.suspendedDevices.count == (operation == .resume ? 1 : 0))
      _ = try change.resume(on: &sample.mapper)
      #expect(
        try SampleChange.contents(of: sample.mapper) == SampleChange.contents(after: sample.new))
    }
  }

  @Test("a new table that cannot be dropped keeps its device suspended until it can")
  func keepsSuspendedWhatCannotBeCleared() throws {
    var sample = try SampleChange()
    var change = try MappingChange(preparing: Sample.plans(sample.new), on: &sample.mapper)
    try change.suspend(on: &sample.mapper)
    sample.mapper.failures = [.init(of: .clear)]
    #expect(throws: ActivationError.self) { try change.abandon(on: &sample.mapper) }
    #expect(sample.mapper.suspendedDevices.count == 1)
    try change.abandon(on: &sample.mapper)
    #expect(
      try SampleChange.contents(of: sample.mapper) == SampleChange.contents(after: sample.old))
  }

  @Test("an undo that fails is told together with its cause")
  func reportsFailedUndo() throws {
    var sample = try SampleChange()
    sample.mapper.failures = [.init(of: .load, afterSkipping: 1), .init(of: .clear)]
    let error = #expect(throws: ActivationError.self) {
      _ = try MappingChange(preparing: Sample.plans(sample.new), on: &sample.mapper)
    }
    #expect(error?.volumes == ["vg/a"])
    #expect(error?.description.contains("load of vg-b failed") == true)
  }

  @Test("a stale inactive table is dropped, a suspended device is refused")
  func meetsLeftovers() throws {
    var sample = try SampleChange()
    let plans = try Sample.plans(sample.old)
    let larger = try Sample.plans(sample.new)
    try sample.mapper.load(
      larger[0].plainTable, into: plans[0].uuid, readOnly: false, isSecret: false)
    var change = try MappingChange(preparing: plans, on: &sample.mapper)
    #expect(sample.mapper.mapped[plans[0].uuid]?.inactive == nil)
    try change.abandon(on: &sample.mapper)

    try sample.mapper.suspend(plans[1].uuid, .flush)
    #expect(throws: ActivationError.suspended(volume: "vg/b")) {
      _ = try MappingChange(preparing: larger, on: &sample.mapper)
    }
    #expect(sample.mapper.mapped[plans[0].uuid]?.inactive == nil)
  }

  @Test("steps out of order are refused")
  func refusesWrongSteps() throws {
    var sample = try SampleChange()
    var change = try MappingChange(preparing: Sample.plans(sample.new), on: &sample.mapper)
    #expect(throws: ActivationError.wrongStep(asked: "resumed", reached: .prepared)) {
      _ = try change.resume(on: &sample.mapper)
    }
    try change.suspend(on: &sample.mapper)
    #expect(throws: ActivationError.wrongStep(asked: "suspended", reached: .suspended)) {
      try change.suspend(on: &sample.mapper)
    }
    _ = try change.resume(on: &sample.mapper)
    #expect(throws: ActivationError.wrongStep(asked: "abandoned", reached: .resumed)) {
      try change.abandon(on: &sample.mapper)
    }
  }

  @Test("a table beyond the end of a disk is refused by the kernel and undone")
  func refusesShortDevices() throws {
    var sample = try SampleChange()
    sample.mapper.blockDevices[Sample.secondDevice] = 100
    #expect(throws: ActivationError.self) {
      _ = try MappingChange(preparing: Sample.plans(sample.new), on: &sample.mapper)
    }
    #expect(
      try SampleChange.contents(of: sample.mapper) == SampleChange.contents(after: sample.old))
  }
}

extension ActivationError {
  /// The volumes that could not be brought to where they should be.
  fileprivate var volumes: [String] {
    switch self {
    case .incomplete(let failures), .notUndone(_, let failures): failures.map(\.volume)
    default: []
    }
  }
}
