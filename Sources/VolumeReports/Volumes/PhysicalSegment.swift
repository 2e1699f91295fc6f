import LVMMetadata

/// A run of a physical volume's extents that one segment of a logical volume has, or that is free.
struct PhysicalSegment {
  let firstExtent: Int
  let extentCount: Int
  /// Nil for free extents.
  let user: VolumeGraph.Use?

  /// For each physical volume in order its runs, sorted and without gap: LVM's "PV segments".
  static func all(of facts: GroupFacts) -> [[PhysicalSegment]] {
    let graph = facts.graph
    var used: [[PhysicalSegment]] = Array(repeating: [], count: facts.group.physicalVolumes.count)
    for (index, volume) in graph.volumes.enumerated() {
      for (number, segment) in volume.segments.enumerated() {
        let use = VolumeGraph.Use(volume: index, segment: number)
        for case .physical(let device, let first, let count) in graph.parts(
          segment, graph.kinds[index][number])
        {
          used[device].append(
            PhysicalSegment(firstExtent: first, extentCount: count, user: use))
        }
      }
    }
    return zip(facts.group.physicalVolumes, used).map { volume, used in
      fill(used.sorted { $0.firstExtent < $1.firstExtent }, upTo: volume.extentCount)
    }
  }

  private static func fill(_ used: [PhysicalSegment], upTo end: Int) -> [PhysicalSegment] {
    var filled: [PhysicalSegment] = []
    filled.reserveCapacity(used.count + 1)
    var next = 0
    for segment in used {
      if segment.firstExtent > next {
        filled.append(
          PhysicalSegment(
            firstExtent: next, extentCount: segment.firstExtent - next, user: nil))
      }
      filled.append(segment)
      next = segment.firstExtent + segment.extentCount
    }
    if next < end {
      filled.append(PhysicalSegment(firstExtent: next, extentCount: end - next, user: nil))
    }
    return filled
  }
}
