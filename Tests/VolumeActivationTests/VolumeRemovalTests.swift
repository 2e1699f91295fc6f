import LVMMetadata
import Testing

@testable import VolumeActivation

/// A volume that leaves the metadata, step by step.
@Suite struct VolumeRemovalTests {
  let group = Sample.group(
    Sample.volume("a", Sample.linear(from: 0, count: 10)),
    Sample.volume("b", Sample.linear(from: 20, count: 10)))

  private func active() throws -> (SimulatedDeviceMapper, PlannedVolume) {
    var mapper = Sample.mapper
    let plans = try Sample.plans(group)
    for plan in plans { _ = try mapper.activate(plan) }
    return (mapper, plans[0])
  }

  @Test("it serves no I/O from the suspend on, and is gone after the resume")
  func removes() throws {
    var (mapper, plan) = try active()
    var removal = try VolumeRemoval(preparing: [plan.uuid], volume: plan.volume, on: &mapper)
    #expect(mapper.access(sector: 0, of: plan.uuid) != .queued)
    try removal.suspend(on: &mapper)
    #expect(mapper.access(sector: 0, of: plan.uuid) == .queued)
    try removal.resume(on: &mapper)
    #expect(mapper.mapped[plan.uuid] == nil)
    #expect(mapper.mapped.count == 1)
  }

  @Test("whoever opened it after all gets errors, never another volume's extents")
  func failsWhatIsOpen() throws {
    var (mapper, plan) = try active()
    var removal = try VolumeRemoval(preparing: [plan.uuid], volume: plan.volume, on: &mapper)
    try removal.suspend(on: &mapper)
    mapper.setOpenCount(1, of: plan.uuid)
    #expect(throws: ActivationError.self) { try removal.resume(on: &mapper) }
    #expect(mapper.access(sector: 0, of: plan.uuid) == .failed)
    mapper.setOpenCount(0, of: plan.uuid)
    try removal.resume(on: &mapper)
    #expect(mapper.mapped[plan.uuid] == nil)
  }

  @Test("an open volume is refused, before anything and before the commit")
  func refusesWhatIsOpen() throws {
    var (mapper, plan) = try active()
    mapper.setOpenCount(1, of: plan.uuid)
    #expect(throws: ActivationError.inUse(volume: plan.volume, openCount: 1)) {
      try VolumeRemoval(preparing: [plan.uuid], volume: plan.volume, on: &mapper)
    }
    mapper.setOpenCount(0, of: plan.uuid)
    var removal = try VolumeRemoval(preparing: [plan.uuid], volume: plan.volume, on: &mapper)
    mapper.setOpenCount(1, of: plan.uuid)
    #expect(throws: ActivationError.inUse(volume: plan.volume, openCount: 1)) {
      try removal.suspend(on: &mapper)
    }
    #expect(try mapper.state(of: plan.uuid)?.hasInactiveTable == false)
    #expect(mapper.suspendedDevices.isEmpty)
  }

  @Test("abandoned, it runs as before", arguments: [false, true])
  func abandons(isSuspended: Bool) throws {
    var (mapper, plan) = try active()
    let before = mapper.access(sector: 5, of: plan.uuid)
    var removal = try VolumeRemoval(preparing: [plan.uuid], volume: plan.volume, on: &mapper)
    if isSuspended { try removal.suspend(on: &mapper) }
    try removal.abandon(on: &mapper)
    #expect(mapper.access(sector: 5, of: plan.uuid) == before)
    #expect(try mapper.state(of: plan.uuid)?.hasInactiveTable == false)
  }

  @Test("whatever step fails before the commit, nothing has changed")
  func undoes() throws {
    for operation in [DeviceMapperOperation.load, .suspend] {
      var (mapper, plan) = try active()
      let before = mapper.access(sector: 5, of: plan.uuid)
      mapper.failures = [.init(of: operation, on: plan.uuid)]
      #expect(throws: ActivationError.self) {
        var removal = try VolumeRemoval(preparing: [plan.uuid], volume: plan.volume, on: &mapper)
        try removal.suspend(on: &mapper)
      }
      #expect(mapper.access(sector: 5, of: plan.uuid) == before)
      #expect(try mapper.state(of: plan.uuid)?.hasInactiveTable == false)
    }
  }

  @Test("of several, one that cannot be let go leaves only itself suspended", arguments: [0, 1])
  func abandonsTheOthers(stuck: Int) throws {
    var (mapper, _) = try active()
    let plans = try Sample.plans(group)
    var removals = try VolumeRemovals(
      preparing: plans.map { ($0.volume, [$0.uuid]) }, on: &mapper)
    try removals.suspend(on: &mapper)
    mapper.failures = [.init(of: .clear, on: plans[stuck].uuid)]
    #expect(throws: ActivationError.self) { try removals.abandon(on: &mapper) }
    #expect(mapper.suspendedDevices == [plans[stuck].uuid])
    mapper.failures = []
    try removals.abandon(on: &mapper)
    #expect(mapper.suspendedDevices.isEmpty)
  }

  @Test("of several, a failure tells what is left of the others", arguments: [0, 1])
  func tellsWhatIsLeft(stuck: Int) throws {
    var (mapper, _) = try active()
    let plans = try Sample.plans(group)
    mapper.failures = [
      .init(of: .load, on: plans[1].uuid), .init(of: .clear, on: plans[stuck].uuid),
    ]
    do throws(ActivationError) {
      _ = try VolumeRemovals(preparing: plans.map { ($0.volume, [$0.uuid]) }, on: &mapper)
      Issue.record("prepared in spite of a table that cannot be loaded")
    } catch {
      if case .notUndone(_, let failures) = error {
        #expect(stuck == 0 && failures.map(\.volume) == [plans[0].volume])
      } else {
        #expect(stuck == 1)
      }
    }
  }
}
