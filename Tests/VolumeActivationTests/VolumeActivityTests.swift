import LVMMetadata
import Testing

@testable import VolumeActivation

@Suite("Activating and deactivating volumes")
struct VolumeActivityTests {
  private let group = Sample.group(Sample.volume("a", Sample.linear(from: 0, count: 10)))

  @Test("a volume becomes active, stays so when asked again, and becomes inactive")
  func activatesAndDeactivates() throws {
    var mapper = Sample.mapper
    let plan = try Sample.plans(group)[0]
    let first = try mapper.activate(plan)
    #expect(first.change == .activated)
    #expect(first.newSize == 10 * Sample.extentSize)
    #expect(try mapper.activate(plan).change == .unchanged)
    let last = try mapper.deactivate([plan.uuid], volume: plan.volume)
    #expect(last.change == .deactivated)
    #expect(last.oldSize == 10 * Sample.extentSize)
    #expect(mapper.mapped.isEmpty)
    #expect(try mapper.deactivate([plan.uuid], volume: plan.volume).change == .unchanged)
  }

  @Test("whichever operation of an activation fails, no device stays")
  func undoesActivation() throws {
    for operation in [DeviceMapperOperation.create, .load, .resume] {
      var mapper = Sample.mapper
      mapper.failures = [.init(of: operation)]
      #expect(throws: ActivationError.self) { try mapper.activate(Sample.plans(group)[0]) }
      #expect(mapper.mapped.isEmpty, "\(operation)")
    }
  }

  @Test("a device that was only created is completed")
  func completesHalfMadeDevice() throws {
    var mapper = Sample.mapper
    let plan = try Sample.plans(group)[0]
    _ = try mapper.create(plan.uuid, name: plan.name, minor: nil)
    #expect(try mapper.activate(plan).change == .activated)
    #expect(mapper.mapped[plan.uuid]?.live?.table == plan.plainTable)
  }

  @Test("a volume in use or suspended is not deactivated")
  func refusesDeactivation() throws {
    var mapper = Sample.mapper
    let plan = try Sample.plans(group)[0]
    _ = try mapper.activate(plan)
    mapper.setOpenCount(2, of: plan.uuid)
    #expect(throws: ActivationError.inUse(volume: "vg/a", openCount: 2)) {
      try mapper.deactivate([plan.uuid], volume: plan.volume)
    }
    mapper.setOpenCount(0, of: plan.uuid)
    try mapper.suspend(plan.uuid, .flush)
    #expect(throws: ActivationError.suspended(volume: "vg/a")) {
      try mapper.deactivate([plan.uuid], volume: plan.volume)
    }
  }

  @Test("a fixed minor number is used, and fails when it is taken")
  func usesFixedMinor() throws {
    var mapper = Sample.mapper
    func plan(_ name: String) throws -> PlannedVolume {
      var volume = Sample.volume(name, Sample.linear(from: 0, count: 1))
      volume.status.insert(.fixedMinor)
      volume.minor = 42
      return try Sample.plans(Sample.group(volume))[0]
    }
    _ = try mapper.activate(plan("a"))
    #expect(try mapper.devices().map(\.number.minor) == [42])
    #expect(throws: ActivationError.self) { try mapper.activate(plan("b")) }
  }

  @Test("stripes lead to the right sectors")
  func simulatesStripes() throws {
    let layout = StripedLayout(
      areas: [
        .physicalVolume(Sample.firstPV, firstExtent: 0),
        .physicalVolume(Sample.secondPV, firstExtent: 0),
      ], stripeSizeSectors: 8)
    let group = Sample.group(
      Sample.volume("s", Segment(startExtent: 0, extentCount: 2, kind: .striped(layout))))
    var mapper = Sample.mapper
    let plan = try Sample.plans(group)[0]
    _ = try mapper.activate(plan)
    func access(_ sector: UInt64) -> SimulatedDeviceMapper.Access {
      mapper.access(sector: sector, of: plan.uuid)
    }
    func served(_ device: DeviceNumber, _ offset: UInt64) -> SimulatedDeviceMapper.Access {
      .served(TableArea(device: device, offset: Sample.extentStart + offset))
    }
    #expect(access(7) == served(Sample.firstDevice, 7))
    #expect(access(8) == served(Sample.secondDevice, 0))
    #expect(access(17) == served(Sample.firstDevice, 9))
    #expect(access(2 * Sample.extentSize) == .failed)
  }
}
