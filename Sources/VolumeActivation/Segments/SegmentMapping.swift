import ConfigText
import LVMMetadata

/// How a segment is mapped, read from the keys of its type (lvm2-metadata, section 7). Other
/// volumes are referred to by name.
enum SegmentMapping: Sendable {
  case striped(StripedLayout)
  case error
  case zero
  case mirror(MirrorLayout)
  case raid(RAIDLayout)
  case snapshot(SnapshotLayout)
  case thinPool(ThinPoolLayout)
  case thin(ThinLayout)
  case cachePool(CachePoolLayout)
  case cache(CacheLayout)
  case writeCache(WriteCacheLayout)
  case integrity(IntegrityLayout)
  case vdoPool(VDOPoolLayout)
  case vdo(VDOLayout)
  /// A type, or a flag of one, that LVM 2.03 does not have.
  case unknown(String)

  /// - Parameter source: what a name in a list of areas means; nil for an unknown one.
  init(
    _ segment: Segment, source: (String) -> SegmentArea.Source?
  ) throws(MalformedSegment) {
    switch segment.kind {
    case .striped(let layout): self = .striped(layout)
    case .other(let text, let section):
      let type = SegmentType(text)
      guard type.isKnown else {
        self = .unknown(text)
        return
      }
      let fields = SegmentFields(section, type: type.name)
      self =
        type.name == "striped" || type.name == "linear"
        ? .striped(try StripedLayout(fields, source: source)) : try Self.read(type, fields)
    }
  }

  private static func read(
    _ type: SegmentType, _ fields: SegmentFields
  ) throws(MalformedSegment) -> SegmentMapping {
    switch type.name {
    case "error": .error
    case "zero": .zero
    case "mirror": .mirror(try MirrorLayout(fields))
    case "snapshot": .snapshot(try SnapshotLayout(fields))
    case "thin-pool": .thinPool(try ThinPoolLayout(fields))
    case "thin": .thin(try ThinLayout(fields))
    case "cache-pool": .cachePool(try CachePoolLayout(fields))
    case "cache": .cache(try CacheLayout(fields))
    case "writecache": .writeCache(try WriteCacheLayout(fields))
    case "integrity": .integrity(try IntegrityLayout(fields))
    case "vdo-pool": .vdoPool(try VDOPoolLayout(fields))
    case "vdo": .vdo(try VDOLayout(fields))
    default:
      if let level = RAIDLevel(rawValue: type.name) {
        .raid(try RAIDLayout(level, fields))
      } else {
        .unknown(type.name)
      }
    }
  }
}

extension StripedLayout {
  /// Of a segment whose type has flags: others are read with the text.
  fileprivate init(
    _ fields: SegmentFields, source: (String) -> SegmentArea.Source?
  ) throws(MalformedSegment) {
    var areas: [SegmentArea] = []
    for area in try fields.requiredAreas("stripes") {
      guard let source = source(area.name) else {
        throw fields.failure("refers to an unknown volume '\(area.name)'")
      }
      areas.append(SegmentArea(source: source, firstExtent: area.firstExtent))
    }
    guard !areas.isEmpty, areas.count == Int(try fields.required32("stripe_count")) else {
      throw fields.failure("does not list its stripes")
    }
    self.init(
      areas: areas,
      stripeSizeSectors: areas.count == 1 ? 0 : UInt64(try fields.required32("stripe_size")))
  }
}

/// lvm2-metadata, section 7.4. The text keeps it in a hidden volume of its own, `snapshotN`.
struct SnapshotLayout: Hashable, Sendable {
  let origin: String
  let store: String
  /// The store is to be merged into the origin.
  let isMerging: Bool
  /// In sectors.
  let chunkSize: UInt32

  init(_ fields: SegmentFields) throws(MalformedSegment) {
    origin = try fields.requiredString("origin")
    let merging = try fields.string("merging_store")
    let kept = try fields.string("cow_store")
    guard let store = merging ?? kept, merging == nil || kept == nil else {
      throw fields.failure("must have one of cow_store and merging_store")
    }
    self.store = store
    isMerging = merging != nil
    chunkSize = try fields.required32("chunk_size")
  }
}

/// lvm2-metadata, section 7.2.
struct MirrorLayout: Hashable, Sendable {
  let areas: [NamedArea]
  /// Nil for a log in memory.
  let log: String?
  /// In sectors; 0 when absent.
  let regionSize: UInt32
  /// How far pvmove has come in this segment; nil for ordinary mirrors.
  let extentsMoved: UInt32?

  init(_ fields: SegmentFields) throws(MalformedSegment) {
    areas = try fields.requiredAreas("mirrors")
    log = try fields.string("mirror_log")
    regionSize = try fields.number32("region_size") ?? 0
    extentsMoved = try fields.number32("extents_moved")
    guard !areas.isEmpty else { throw fields.failure("has no images") }
    guard log == nil || regionSize != 0 else { throw fields.failure("has no region_size") }
  }
}
