import ConfigText

/// The arithmetic every volume group must satisfy before it is used (lvm2-metadata 6.4 and 15).
extension VolumeGroup {
  /// No device is larger than this many sectors (4 EiB): all sizes in bytes fit into 63 bits.
  static let sizeSectorsMax: UInt64 = 1 << 53

  /// Throws when extents have gaps, overlap, or lie outside of their PV.
  func checkExtents() throws(MetadataTextError) {
    for volume in physicalVolumes {
      guard volume.extentStartSectors <= Self.sizeSectorsMax,
        sectors(extents: volume.extentCount) <= Self.sizeSectorsMax,
        (volume.deviceSizeSectors ?? 0) <= Self.sizeSectorsMax
      else {
        throw MetadataTextError(
          path: "\(name)/physical_volumes/\(volume.label)", problem: "a size is beyond 4 EiB")
      }
    }
    for index in logicalVolumes.indices { try checkSegments(index) }
    for (volume, runs) in zip(physicalVolumes, usedRunsByPhysicalVolume()) {
      try checkRuns(runs, on: volume)
    }
  }

  /// - Parameter volume: index into `logicalVolumes`.
  private func checkSegments(_ volume: Int) throws(MetadataTextError) {
    var end = 0
    for segment in logicalVolumes[volume].segments {
      guard segment.startExtent == end else {
        throw failure(
          of: logicalVolumes[volume].name,
          "extent \(segment.startExtent) begins a segment where \(end) is due")
      }
      end = segment.endExtent
    }
    guard end <= Int(UInt32.max), sectors(extents: end) <= Self.sizeSectorsMax else {
      throw failure(of: logicalVolumes[volume].name, "it has more extents than LVM can number")
    }
  }

  private func failure(of volume: String, _ problem: String) -> MetadataTextError {
    MetadataTextError(path: "\(name)/logical_volumes/\(volume)", problem: problem)
  }

  private func checkRuns(
    _ runs: [UsedRun], on volume: PhysicalVolume
  ) throws(MetadataTextError) {
    var previous: UsedRun?
    for run in runs {
      guard run.end <= volume.extentCount else {
        throw failure(
          of: logicalVolumes[run.volume].name,
          "extent \(run.end - 1) of \(volume.label) does not exist")
      }
      if let previous, previous.end > run.start {
        throw failure(
          of: logicalVolumes[run.volume].name,
          "extent \(run.start) of \(volume.label) is used by "
            + "'\(logicalVolumes[previous.volume].name)', too")
      }
      previous = run
    }
  }
}

/// A run of a PV's extents that an LV occupies.
public struct UsedArea: Sendable, Equatable {
  public var extents: Range<Int>
  /// Name of the LV.
  public var logicalVolume: String
}

/// The same with the LV's place in the group: there are tens of thousands of them.
private struct UsedRun {
  var start: Int
  var end: Int
  /// Index into `logicalVolumes`.
  var volume: Int
}

extension VolumeGroup {
  /// For each PV, in the order of `physicalVolumes`, the runs in use, sorted by extent.
  public func usedAreasByPhysicalVolume() -> [[UsedArea]] {
    usedRunsByPhysicalVolume().map { runs in
      runs.map {
        UsedArea(extents: $0.start..<$0.end, logicalVolume: logicalVolumes[$0.volume].name)
      }
    }
  }

  /// For each PV, in the order of `physicalVolumes`, the extent behind the last one in use; 0 when none
  /// is.
  func usedEndByPhysicalVolume() -> [Int] {
    usedRunsByPhysicalVolume().map { $0.last?.end ?? 0 }
  }

  private func usedRunsByPhysicalVolume() -> [[UsedRun]] {
    var runs: [[UsedRun]] = Array(repeating: [], count: physicalVolumes.count)
    var indexByID: [LVMIdentifier: Int] = [:]
    var indexByLabel: [String: Int] = [:]
    for (index, volume) in physicalVolumes.enumerated() {
      indexByID[volume.id] = index
      indexByLabel[volume.label] = index
    }
    for number in logicalVolumes.indices {
      for segment in logicalVolumes[number].segments {
        switch segment.kind {
        case .striped(let layout):
          let count = segment.extentCountPerArea
          for area in layout.areas {
            guard let id = area.physicalVolume, let index = indexByID[id] else { continue }
            let first = area.firstExtent
            runs[index].append(UsedRun(start: first, end: first + count, volume: number))
          }
        case .other(_, let section):
          for (label, first) in section.mirrorAreas {
            guard let index = indexByLabel[label] else { continue }
            let end = first + segment.extentCount
            runs[index].append(UsedRun(start: first, end: end, volume: number))
          }
        }
      }
    }
    for index in runs.indices { runs[index].sort { $0.start < $1.start } }
    return runs
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
