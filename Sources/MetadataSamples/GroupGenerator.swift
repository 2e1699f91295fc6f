import ClusterSimulation
import ConfigText
import LVMMetadata

/// Makes volume groups with every type of segment, tag, flag and odd word there is. For tests,
/// fuzzing and benchmarks: the same seed gives the same groups.
public struct GroupGenerator {
  var random: SeededGenerator
  /// Extents of each PV that are not given away yet; areas are taken from the front.
  var nextFreeExtent: [Int] = []
  var group: VolumeGroup

  public init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    group = VolumeGroup(name: "vg", id: LVMIdentifier(using: &random))
  }

  /// The next group: some PVs and some stacks of LVs.
  public mutating func next() -> VolumeGroup {
    group = VolumeGroup(name: pick(["vg", "a-b", "x.y_z+1", "_vg0"]), id: identifier())
    group.seqno = UInt32(random.index(below: 1000) + 1)
    group.extentSizeSectors = pick([2, 128, 2048, 8192, 256 * 3])
    addPhysicalVolumes(count: 1 + random.index(below: 5), extentCount: 4000)
    dress()
    for _ in 0..<random.index(below: 12) { addStack() }
    // LVM writes visible volumes first.
    group.logicalVolumes =
      group.logicalVolumes.filter(\.isVisible) + group.logicalVolumes.filter { !$0.isVisible }
    return group
  }

  /// A group of `count` linear volumes on one PV, as administrators have them.
  public mutating func linearGroup(volumeCount: Int) -> VolumeGroup {
    group = VolumeGroup(name: "vg", id: identifier())
    addPhysicalVolumes(count: 1, extentCount: 8 * volumeCount + 8)
    for number in 0..<volumeCount {
      let digits = String(number)
      var volume = LogicalVolume(
        name: "lv" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits,
        id: identifier())
      volume.creationTime = 1_795_379_184
      volume.creationHost = "node-1"
      let area = SegmentArea.physicalVolume(group.physicalVolumes[0].id, firstExtent: 8 * number)
      volume.segments = [
        Segment(startExtent: 0, extentCount: 4, kind: .striped(StripedLayout(areas: [area])))
      ]
      group.logicalVolumes.append(volume)
    }
    return group
  }

  private mutating func addPhysicalVolumes(count: Int, extentCount: Int) {
    nextFreeExtent = Array(repeating: 0, count: count)
    for index in 0..<count {
      var volume = PhysicalVolume(
        label: "pv\(index)", id: identifier(), device: "/dev/sd\(index)",
        deviceSizeSectors: 2048 + UInt64(extentCount) * group.extentSizeSectors,
        extentStartSectors: 2048, extentCount: extentCount)
      if random.chance(10) { volume.tags = tags() }
      if random.chance(10) { volume.status.remove(.allocatable) }
      if random.chance(5) {
        volume.deviceIDType = "sys_wwid"
        volume.deviceID = "naa.5000c500\(index)"
      }
      if random.chance(5) {
        volume.bootloaderAreaStartSectors = 2048
        volume.bootloaderAreaSizeSectors = 2048
      }
      group.physicalVolumes.append(volume)
    }
  }

  /// Attributes of the group.
  private mutating func dress() {
    if random.chance(20) { group.tags = tags() }
    switch random.index(below: 6) {
    case 0:
      group.systemID = "host-\(random.index(below: 9))"
      group.status.remove(.write)
      group.flags.insert(.writeLocked)
    case 1:
      group.lockType = pick(["dlm", "sanlock"])
      group.lockArguments = "1.0.0:cluster"
    case 2: group.status.insert(.exported)
    default: break
    }
    if random.chance(10) { group.allocationPolicy = pick([.contiguous, .cling, .anywhere]) }
    if random.chance(10) { group.profile = "lab" }
    if random.chance(10) {
      group.unknownEntries = [ConfigEntry(name: "of_the_future", content: .value(.integer(-7)))]
    }
    if random.chance(10) { group.historicalLogicalVolumes = history() }
    group.logicalVolumeLimit = pick([0, 0, 0, 255])
    group.metadataCopies = pick([0, 0, 2])
  }

  private mutating func history() -> ConfigSection {
    var past = ConfigSection()
    past.append("id", .string(identifier().dashed))
    past.append("name", .string("snap"))
    past.append("creation_time", .integer(1_795_379_184))
    past.append("removal_time", .integer(1_795_379_999))
    past.append("origin", .string("-older"))
    past.append("descendants", .list([.string("thin1")]))
    var section = ConfigSection()
    section.append("snap", past)
    return section
  }

  mutating func tags() -> [String] {
    (0...random.index(below: 3)).map { "t\($0)" + pick(["", "/&#:=!", "-._+", "aZ09"]) }
  }

  mutating func identifier() -> LVMIdentifier { LVMIdentifier(using: &random) }

  mutating func pick<Value>(_ values: [Value]) -> Value {
    values[random.index(below: values.count)]
  }
}

extension SeededGenerator {
  mutating func index(below count: Int) -> Int { Int.random(in: 0..<count, using: &self) }
}
