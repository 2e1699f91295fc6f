import ConfigText
import LVMMetadata
import Testing
import VolumeActivation

@Suite("Which volumes can be active")
struct ActivationPlannerTests {
  private func refusal(
    of name: String = "a", in group: VolumeGroup,
    devices: [LVMIdentifier: PhysicalVolumeDevice] = Sample.devices
  ) -> ActivationRefusal.Reason? {
    do {
      _ = try ActivationPlanner(group, devices: devices).plan(named: name)
      return nil
    } catch {
      return error.reason
    }
  }

  private let plain = Sample.group(Sample.volume("a", Sample.linear(from: 0, count: 10)))

  private func other(_ type: String, _ text: String) throws -> Segment {
    Segment(
      startExtent: 0, extentCount: 1,
      kind: .other(type: type, try ConfigSection(parsing: text)))
  }

  @Test("several segments make several lines")
  func plansSegments() throws {
    let group = Sample.group(
      Sample.volume(
        "a", Sample.linear(from: 3, count: 10),
        Sample.linear(Sample.secondPV, from: 0, count: 2, start: 10)))
    let plan = try Sample.planner(group).plan(named: "a")
    #expect(
      plan.plainTable.description == """
        0 81920 linear 8:0 26624
        81920 16384 linear 8:16 2048
        """)
  }

  @Test("stripes share the segment's extents")
  func plansStripes() throws {
    let layout = StripedLayout(
      areas: [
        .physicalVolume(Sample.firstPV, firstExtent: 1),
        .physicalVolume(Sample.secondPV, firstExtent: 2),
      ], stripeSizeSectors: 128)
    let group = Sample.group(
      Sample.volume("a", Segment(startExtent: 0, extentCount: 4, kind: .striped(layout))))
    let plan = try Sample.planner(group).plan(named: "a")
    #expect(plan.plainTable.description == "0 32768 striped 2 128 8:0 10240 8:16 18432")
    #expect(plan.readAhead == .atLeast(512))
    #expect(plan.volume == "vg/a")
  }

  @Test("RAID0 volumes without redundancy give what is left of them, unless nothing is")
  func plansWhatIsLeftOfRAID0() throws {
    let array = Segment(
      startExtent: 0, extentCount: 4,
      kind: .other(
        type: "raid0",
        try ConfigSection(
          parsing: "stripe_count = 2 stripe_size = 128 raid0_lvs = [\"a_rimage_0\", \"a_rimage_1\"]"
        )))
    var images = [
      Sample.volume("a_rimage_0", id: "i0", Sample.linear(from: 0, count: 2)),
      Sample.volume("a_rimage_1", id: "i1", Sample.linear(Sample.secondPV, from: 0, count: 2)),
    ]
    for index in images.indices { images[index].status.remove(.visible) }
    let group = Sample.group([Sample.volume("a", array)] + images)
    var devices = Sample.devices
    devices[Sample.secondPV] = nil
    let reason = refusal(in: group, devices: devices)
    #expect(reason == nil, "LVM activates it in degraded mode, too")
    #expect(refusal(in: group, devices: [:]) != nil)
  }

  @Test("without stripes a volume reads ahead as far as the disks below it")
  func inheritsReadAhead() throws {
    let devices = [
      Sample.firstPV: PhysicalVolumeDevice(
        number: Sample.firstDevice, sizeSectors: Sample.deviceSize, readAheadSectors: 768),
      Sample.secondPV: PhysicalVolumeDevice(
        number: Sample.secondDevice, sizeSectors: Sample.deviceSize, readAheadSectors: 1024),
    ]
    let linear = Sample.group(
      Sample.volume(
        "a", Sample.linear(from: 0, count: 2),
        Sample.linear(Sample.secondPV, from: 0, count: 2, start: 2)))
    #expect(
      try ActivationPlanner(linear, devices: devices).plan(named: "a").readAhead == .atLeast(768))
    let mirror = try ActivationPlanner(Stacked.mirror(), devices: devices).plan(named: "m")
    #expect(mirror.readAhead == .atLeast(1024))
  }

  @Test("a group that is exported, foreign or clustered is refused as a whole")
  func refusesGroups() {
    var group = plain
    group.status.insert(.exported)
    #expect(refusal(in: group) == .exportedGroup)
    group = plain
    group.systemID = "other"
    #expect(refusal(in: group) == .foreignGroup(systemID: "other"))
    group = plain
    group.status.insert(.clustered)
    #expect(refusal(in: group) == .clusteredGroup)
    #expect(throws: Never.self) {
      try ActivationPlanner(group, devices: Sample.devices, acceptingClustered: true)
        .plan(named: "a")
    }
  }

  @Test("unknown and hidden volumes are refused")
  func refusesUnknownAndHidden() {
    #expect(refusal(of: "b", in: plain) == .unknownVolume)
    var group = plain
    group.logicalVolumes[0].status.remove(.visible)
    #expect(refusal(in: group) == .hiddenVolume)
  }

  @Test("unknown segment types are refused by name, and so is what lies on them")
  func refusesUnknownTypes() throws {
    var group = plain
    group.logicalVolumes[0].segments = [try other("future", "things = [\"x\", \"y\"]")]
    #expect(refusal(in: group) == .segmentType("future"))
    let stack = StripedLayout(areas: [
      SegmentArea(source: .logicalVolume(name: "a"), firstExtent: 0)
    ])
    group.logicalVolumes.append(
      Sample.volume("b", Segment(startExtent: 0, extentCount: 1, kind: .striped(stack))))
    #expect(refusal(of: "b", in: group) == .segmentType("future"))
    group.logicalVolumes[0].segments = [try other("raid1+FUTURE", "raids = []")]
    #expect(refusal(in: group) == .segmentType("raid1+FUTURE"))
  }

  @Test("a volume that lies on itself is refused")
  func refusesCycles() throws {
    var group = plain
    let stack = StripedLayout(areas: [
      SegmentArea(source: .logicalVolume(name: "a"), firstExtent: 0)
    ])
    group.logicalVolumes[0].segments[0].kind = .striped(stack)
    #expect(refusal(in: group) == .malformed("it lies on itself"))
    group.logicalVolumes[0].segments = [
      try other("snapshot", "chunk_size = 8\norigin = \"a\"\ncow_store = \"a\"")
    ]
    #expect(refusal(in: group) != nil)
  }

  @Test("missing, stale and short devices are refused")
  func refusesDevices() {
    #expect(
      refusal(in: plain, devices: [:])
        == .missingDevice(Sample.firstPV, lastSeen: "/dev/sda"))
    var group = plain
    group.physicalVolumes[0].flags.insert(.missing)
    #expect(refusal(in: group) == .staleDevice(Sample.firstPV, lastSeen: "/dev/sda"))
    let needed = Sample.extentStart + 10 * Sample.extentSize
    for size in [needed, needed - 1] {
      let device = PhysicalVolumeDevice(number: Sample.firstDevice, sizeSectors: size)
      #expect(
        refusal(in: plain, devices: [Sample.firstPV: device])
          == (size == needed
            ? nil
            : .deviceTooSmall(
              Sample.firstPV, lastSeen: "/dev/sda", needed: needed, found: size)))
    }
  }

  @Test("numbers from a hostile text are refused, not computed with")
  func refusesOverflow() {
    func malformed(_ change: (inout VolumeGroup) -> Void) -> Bool {
      var group = plain
      change(&group)
      let name = group.logicalVolumes[0].name
      guard case .malformed = refusal(of: name, in: group) else { return false }
      return true
    }
    #expect(malformed { $0.physicalVolumes[0].extentStartSectors = .max })
    #expect(malformed { $0.extentSizeSectors = .max })
    #expect(malformed { $0.logicalVolumes[0].segments = [] })
    #expect(malformed { $0.logicalVolumes[0].segments = [Sample.linear(from: -1, count: 1)] })
    #expect(malformed { $0.logicalVolumes[0].segments = [Sample.linear(from: 0, count: 0)] })
    #expect(malformed { $0.logicalVolumes[0].segments[0].startExtent = 1 })
    #expect(
      malformed {
        $0.logicalVolumes[0].segments[0].kind = .striped(StripedLayout(areas: []))
      })
    #expect(malformed { $0.logicalVolumes[0].name = String(repeating: "x", count: 126) })
    #expect(malformed { $0.physicalVolumes.removeFirst() })
  }

  @Test("permission, read-ahead and minor number come from the metadata")
  func plansAttributes() throws {
    var group = plain
    #expect(try Sample.planner(group).plan(named: "a").isReadOnly == false)
    var options = ActivationOptions()
    options.isReadOnly = true
    #expect(try Sample.planner(group).plan(named: "a", options).isReadOnly)
    group.logicalVolumes[0].status.remove(.write)
    group.logicalVolumes[0].readAheadSectors = -1
    group.logicalVolumes[0].minor = 7
    #expect(try Sample.planner(group).plan(named: "a").isReadOnly)
    #expect(try Sample.planner(group).plan(named: "a").readAhead == .none)
    #expect(try Sample.planner(group).plan(named: "a").fixedMinor == nil)
    group.logicalVolumes[0].status.insert(.fixedMinor)
    group.logicalVolumes[0].readAheadSectors = 64
    #expect(try Sample.planner(group).plan(named: "a").fixedMinor == 7)
    #expect(try Sample.planner(group).plan(named: "a").readAhead == .exactly(64))
  }
}
