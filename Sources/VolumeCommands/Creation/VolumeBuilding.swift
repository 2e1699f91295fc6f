import ConfigText
import LVMMetadata

/// Making LVs and segments out of what was allocated.
extension GroupEdit {
  /// A new LV without segments; it is not part of the group yet.
  func makeVolume(
    _ name: String, isVisible: Bool, isWritable: Bool = true, policy: AllocationPolicy? = nil
  ) -> LogicalVolume {
    var volume = LogicalVolume(name: name, id: context.makeIdentifier(), status: [.read])
    // Groups with an owner or a lock type look read-only to old versions of LVM.
    if isWritable { volume.becomeWritable(in: group) }
    if isVisible { volume.status.insert(.visible) }
    volume.allocationPolicy = policy
    volume.creationTime = context.now
    volume.creationHost = context.hostName
    return volume
  }

  /// `lvol%d`, `snapshot%d` …: the highest number in use plus one (lvm2-metadata 8.2).
  func generatedName(_ prefix: String, suffix: String = "") -> String {
    var names = group.logicalVolumes.map(\.name)
    names += group.historicalLogicalVolumes?.entries.map(\.name) ?? []
    var next: UInt32 = 0
    for name in names where name.hasPrefix(prefix) {
      let digits = name.utf8.dropFirst(prefix.utf8.count).prefix { (48...57).contains($0) }
      guard let number = UInt32(String(decoding: digits, as: UTF8.self)), number < .max else {
        continue
      }
      next = max(next, number + 1)
    }
    return "\(prefix)\(next)\(suffix)"
  }

  /// Adds an LV where LVM writes it: visible ones before hidden ones.
  mutating func add(_ volume: LogicalVolume) {
    group.logicalVolumes.append(volume)
    group.sortVisibleFirst()
  }

  /// Changes the LV of that name, if there is one.
  mutating func update(_ name: String, _ body: (inout LogicalVolume) -> Void) {
    guard let index = group.logicalVolumes.firstIndex(where: { $0.name == name }) else { return }
    body(&group.logicalVolumes[index])
  }

  mutating func wipe(_ area: SegmentArea, byteCount: Int, givenUpBy owner: String? = nil) {
    guard let volume = area.physicalVolume else { return }
    wipes.append(
      ExtentWipe(
        volume: volume, firstExtent: area.firstExtent, byteCount: byteCount, givenUpBy: owner))
  }

  /// What LVM zeroes at the start of a new LV.
  static let wipedByteCount = 4096

  /// The start of an LV is, below stripes and images, the start of each first area.
  ///
  /// - Parameter isGivenUp: the LV is on disk already, and its contents go.
  mutating func wipeStart(of volume: LogicalVolume, isGivenUp: Bool = false) {
    guard let segment = volume.segments.first else { return }
    if let area = segment.stripedLayout?.areas.first {
      wipe(area, byteCount: Self.wipedByteCount, givenUpBy: isGivenUp ? volume.name : nil)
    }
    guard let layout = segment.imageLayout else { return }
    // A mirror's legs are equal; of a striped array the first image holds the first stripe, and
    // parity is made anew when the array is first synchronised.
    let isMirrored = layout.raid.map { $0.isRAID1 || $0.isRAID10 } ?? true
    for name in isMirrored ? layout.images[...] : layout.images.prefix(1) {
      if let image = group.logicalVolume(named: name) {
        wipeStart(of: image, isGivenUp: isGivenUp)
      }
    }
  }
}

extension LogicalVolume {
  /// True for the LV that stands ready to replace a pool's metadata.
  var isPoolSpare: Bool { !isVisible && name.contains("_pmspare") }

  /// Gives it the word of a writable one; groups with an owner or a lock type have another.
  mutating func becomeWritable(in group: VolumeGroup) {
    if group.isShared || group.systemID != nil {
      flags.insert(.writeLocked)
    } else {
      status.insert(.write)
    }
  }

  /// Appends striped segments on `slots` of each part and joins what continues.
  mutating func append(
    _ parts: [FoundExtents.Part], slots: Range<Int>, stripeSectors: UInt64
  ) {
    for part in parts {
      let areas = Array(part.areas[slots])
      segments.append(
        Segment(
          startExtent: extentCount, extentCount: part.extentCountPerArea * areas.count,
          kind: .striped(
            StripedLayout(areas: areas, stripeSizeSectors: areas.count > 1 ? stripeSectors : 0))))
    }
    mergeAdjacentSegments()
  }

  /// One linear segment.
  mutating func append(_ area: SegmentArea, extentCount count: Int) {
    segments.append(
      Segment(
        startExtent: extentCount, extentCount: count,
        kind: .striped(StripedLayout(areas: [area]))))
  }
}

extension FoundExtents {
  /// Extents of each slot.
  var extentCountPerSlot: Int { parts.reduce(0) { $0 + $1.extentCountPerArea } }
}

extension Segment {
  /// One that covers an LV of its own.
  static func whole(_ type: String, extentCount: Int, _ section: ConfigSection) -> Segment {
    Segment(startExtent: 0, extentCount: extentCount, kind: .other(type: type, section))
  }

  /// Changes the keys of a segment that is not striped.
  mutating func edit(_ body: (inout ConfigSection) -> Void) {
    guard case .other(let type, var section) = kind else { return }
    body(&section)
    kind = .other(type: type, section)
  }
}

extension ConfigSection {
  mutating func append(_ name: String, number: some BinaryInteger) {
    append(name, .integer(Int64(clamping: number)))
  }

  mutating func append(_ name: String, text: String) { append(name, .string(text)) }
}
