import LVMMetadata

/// Short ways to what the cells of a row ask for.
extension ReportRow {
  var graph: VolumeGraph { knownGraph ?? facts.graph }

  /// The index of a volume that is there.
  var index: Int? {
    if case .live(let index) = volume { index } else { nil }
  }

  var logicalVolume: LogicalVolume? { index.map { graph.volumes[$0] } }

  var goneVolume: VolumeHistory.Volume? {
    if case .gone(let index) = volume { facts.history.volumes[index] } else { nil }
  }

  /// The first segment, which describes a pool, snapshot or RAID volume as a whole.
  var firstSegment: Segment? { logicalVolume?.segments.first }

  var firstKind: SegmentKind? { index.flatMap { graph.firstKind($0) } }

  /// The segment of a row about segments.
  var shownSegment: Segment? {
    guard let segments = logicalVolume?.segments, segments.indices.contains(segment) else {
      return nil
    }
    return segments[segment]
  }

  var shownKind: SegmentKind {
    guard let index, graph.kinds[index].indices.contains(segment) else { return .free }
    return graph.kinds[index][segment]
  }

  /// The name of another volume of the group, or nothing.
  func name(_ index: Int?) -> ReportValue {
    guard let index else { return .text("") }
    let name = graph.volumes[index].name
    return graph.roles[index].contains(.visible) ? .text(name) : .hidden(name)
  }

  func uuid(_ index: Int?) -> ReportValue {
    .text(index.map { graph.volumes[$0].id.dashed } ?? "")
  }

  func sectors(extents: Int) -> ReportValue { .sectors(facts.sectors(extents: extents)) }
}
