import ConfigText
import LVMMetadata

/// Where a part of a segment lies.
enum SegmentPart: Equatable {
  /// Index among the group's PVs, first extent and length in extents.
  case physical(index: Int, firstExtent: Int, count: Int)
  /// Index among the group's LVs, and the first extent.
  case logical(index: Int, firstExtent: Int)
  /// The metadata names a volume that is not there.
  case unassigned
}

extension Segment {
  /// A text of a segment that is neither linear nor striped.
  func text(_ key: String) -> String? {
    if case .other(_, let section) = kind { section.string(key) } else { nil }
  }

  func number(_ key: String) -> Int64? {
    if case .other(_, let section) = kind { section.integer(key) } else { nil }
  }

  /// A number that LVM keeps in 32 bits; what is missing counts as 0.
  func number32(_ key: String) -> UInt32 { UInt32(truncatingIfNeeded: number(key) ?? 0) }

  func has(_ key: String) -> Bool {
    if case .other(_, let section) = kind { section.has(key) } else { false }
  }

  /// The strings of a list, in order; numbers between them are left out.
  fileprivate func names(_ key: String) -> [String] {
    guard case .other(_, let section) = kind, let items = section.list(key) else { return [] }
    return items.compactMap(\.asString)
  }

  /// Names with the numbers behind them.
  fileprivate func pairs(_ key: String) -> [(name: String, extent: Int)] {
    guard case .other(_, let section) = kind, let items = section.list(key) else { return [] }
    return stride(from: 0, to: items.count - 1, by: 2).compactMap { index in
      guard let name = items[index].asString, let first = items[index + 1].asInteger else {
        return nil
      }
      return (name, Int(UInt32(truncatingIfNeeded: first)))
    }
  }

  /// The metadata volumes and images of a RAID segment: one with `_rmeta_` in its name is metadata,
  /// the next its image (lvm2-metadata 7.3).
  var raidNames: [(metadata: String?, image: String)] {
    var result: [(String?, String)] = []
    var metadata: String?
    for name in names(has("raids") ? "raids" : "raid0_lvs") {
      if metadata == nil, name.contains("_rmeta_") {
        metadata = name
      } else {
        result.append((metadata, name))
        metadata = nil
      }
    }
    return result
  }

  /// The volume that the single area of a layered segment lies on.
  fileprivate func layerName(_ kind: SegmentKind) -> String? {
    switch kind {
    case .thinPool: text("pool")
    case .cachePool, .vdoPool: text("data")
    case .cache, .writecache, .integrity: text("origin")
    case .vdo: text("vdo_pool")
    case .striped, .mirror, .raid, .snapshot, .thin, .error, .zero, .unknown, .free: nil
    }
  }
}

extension VolumeGraph {
  /// The parts that hold the data: stripes, mirror legs, RAID images, a pool's data volume.
  func parts(_ segment: Segment, _ kind: SegmentKind) -> [SegmentPart] {
    if case .striped(let layout) = segment.kind {
      let count = segment.extentCountPerArea
      return layout.areas.map { area in
        switch area.source {
        case .physicalVolume(let id):
          physicalIndex(id).map {
            .physical(index: $0, firstExtent: area.firstExtent, count: count)
          } ?? .unassigned
        case .logicalVolume(let name): logicalPart(name, area.firstExtent)
        }
      }
    }
    switch kind {
    case .mirror:
      return segment.pairs("mirrors").map { name, extent in
        if let index = physicalIndex(labelled: name) {
          return .physical(index: index, firstExtent: extent, count: segment.extentCount)
        }
        return logicalPart(name, extent)
      }
    case .raid:
      return segment.raidNames.map { logicalPart($0.image, 0) }
    default:
      return segment.layerName(kind).map { [logicalPart($0, 0)] } ?? []
    }
  }

  private func logicalPart(_ name: String, _ firstExtent: Int) -> SegmentPart {
    index(of: name).map { .logical(index: $0, firstExtent: firstExtent) } ?? .unassigned
  }
}

extension ConfigSection {
  func has(_ key: String) -> Bool { entries.contains { $0.name == key } }
}
