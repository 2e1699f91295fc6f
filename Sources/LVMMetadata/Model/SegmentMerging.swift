/// Neighbouring segments that continue each other are one segment; LVM joins them after reading
/// and after every change, and so must we for the tables to be the same (lvm2-metadata 6.4).
extension LogicalVolume {
  /// Joins what can be joined. LVs that pvmove is moving keep their segments apart.
  public mutating func mergeAdjacentSegments() {
    guard !status.contains(.locked), !status.contains(.pvmove), segments.count > 1 else { return }
    var merged: [Segment] = []
    for segment in segments {
      if let last = merged.last, let joined = last.joined(with: segment) {
        merged[merged.count - 1] = joined
      } else {
        merged.append(segment)
      }
    }
    segments = merged
  }
}

extension Segment {
  /// Extents each area holds; equal to `extentCount` when linear.
  public var extentCountPerArea: Int {
    switch kind {
    case .striped(let layout): extentCount / max(layout.areas.count, 1)
    case .other: extentCount
    }
  }

  /// This segment with `next` appended, or nil when `next` does not continue it on every area.
  fileprivate func joined(with next: Segment) -> Segment? {
    guard let layout = stripedLayout, let nextLayout = next.stripedLayout,
      next.startExtent == endExtent, layout.stripeSizeSectors == nextLayout.stripeSizeSectors,
      layout.areas.count == nextLayout.areas.count, tags == next.tags,
      reshapeCount == 0, next.reshapeCount == 0,
      unknownEntries.isEmpty, next.unknownEntries.isEmpty
    else { return nil }
    for (area, nextArea) in zip(layout.areas, nextLayout.areas) {
      guard area.source == nextArea.source,
        area.firstExtent + extentCountPerArea == nextArea.firstExtent
      else { return nil }
    }
    var joined = self
    joined.extentCount += next.extentCount
    return joined
  }
}
