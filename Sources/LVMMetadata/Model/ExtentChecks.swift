import ConfigText

/// The arithmetic every volume group must satisfy before it is used (lvm2-metadata 6.4 and 15).
extension VolumeGroup {
  /// No device is larger than this many sectors (4 EiB): all sizes in bytes fit into 63 bits.
  static let sizeSectorsMax: UInt64 = 1 << 53

  /// Throws when extents have gaps, overlap, or lie outside of their PV.
  func checkExtents() throws(MetadataTextError) {
    for volume in physicalVolumes {
      let path = "\(name)/physical_volumes/\(volume.label)"
      guard volume.extentStartSectors <= Self.sizeSectorsMax,
        sectors(extents: volume.extentCount) <= Self.sizeSectorsMax,
        (volume.deviceSizeSectors ?? 0) <= Self.sizeSectorsMax
      else { throw MetadataTextError(path: path, problem: "a size is beyond 4 EiB") }
    }
    for volume in logicalVolumes { try checkSegments(volume) }
    for (volume, areas) in zip(physicalVolumes, usedAreasByPhysicalVolume()) {
      try checkAreas(areas, on: volume)
    }
  }

  private func checkSegments(_ volume: LogicalVolume) throws(MetadataTextError) {
    let path = "\(name)/logical_volumes/\(volume.name)"
    var end = 0
    for segment in volume.segments {
      guard segment.startExtent == end else {
        throw MetadataTextError(
          path: path,
          problem: "extent \(segment.startExtent) begins a segment where \(end) is due")
      }
      end = segment.endExtent
    }
    guard end <= Int(UInt32.max), sectors(extents: end) <= Self.sizeSectorsMax else {
      throw MetadataTextError(path: path, problem: "it has more extents than LVM can number")
    }
  }

  private func checkAreas(
    _ areas: [UsedArea], on volume: PhysicalVolume
  ) throws(MetadataTextError) {
    var previous: UsedArea?
    for area in areas {
      let path = "\(name)/logical_volumes/\(area.logicalVolume)"
      guard area.extents.upperBound <= volume.extentCount else {
        throw MetadataTextError(
          path: path,
          problem: "extent \(area.extents.upperBound - 1) of \(volume.label) does not exist")
      }
      if let previous, previous.extents.upperBound > area.extents.lowerBound {
        throw MetadataTextError(
          path: path,
          problem: "extent \(area.extents.lowerBound) of \(volume.label) is used by "
            + "'\(previous.logicalVolume)', too")
      }
      previous = area
    }
  }
}

/// A run of a PV's extents that an LV occupies.
public struct UsedArea: Sendable, Equatable {
  public var extents: Range<Int>
  /// Name of the LV.
  public var logicalVolume: String
}

extension VolumeGroup {
  /// For each PV, in the order of `physicalVolumes`, the runs in use, sorted by extent.
  public func usedAreasByPhysicalVolume() -> [[UsedArea]] {
    var areas: [[UsedArea]] = Array(repeating: [], count: physicalVolumes.count)
    var indexByID: [LVMIdentifier: Int] = [:]
    var indexByLabel: [String: Int] = [:]
    for (index, volume) in physicalVolumes.enumerated() {
      indexByID[volume.id] = index
      indexByLabel[volume.label] = index
    }
    for volume in logicalVolumes {
      for segment in volume.segments {
        switch segment.kind {
        case .striped(let layout):
          for area in layout.areas {
            guard let id = area.physicalVolume, let index = indexByID[id] else { continue }
            let end = area.firstExtent + segment.extentCountPerArea
            areas[index].append(
              UsedArea(extents: area.firstExtent..<end, logicalVolume: volume.name))
          }
        case .other(_, let section):
          for (label, first) in section.mirrorAreas {
            guard let index = indexByLabel[label] else { continue }
            areas[index].append(
              UsedArea(
                extents: first..<(first + segment.extentCount), logicalVolume: volume.name))
          }
        }
      }
    }
    return areas.map { $0.sorted { $0.extents.lowerBound < $1.extents.lowerBound } }
  }
}

extension ConfigSection {
  /// The areas of a mirror segment: those of pvmove lie on PVs (lvm2-metadata 7.2).
  fileprivate var mirrorAreas: [(name: String, firstExtent: Int)] {
    guard let items = list("mirrors") else { return [] }
    return stride(from: 0, to: items.count - 1, by: 2).compactMap { index in
      guard case .string(let name) = items[index], case .integer(let first) = items[index + 1],
        let firstExtent = UInt32(exactly: first)
      else { return nil }
      return (name, Int(firstExtent))
    }
  }
}
