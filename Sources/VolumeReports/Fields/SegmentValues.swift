import ConfigText
import LVMMetadata

/// What a row's segment is made of.
extension ReportRow {
  var parts: [SegmentPart] { shownSegment.map { graph.parts($0, shownKind) } ?? [] }

  /// LVM calls a striped segment with one area linear, and leaves away the flags that it knows.
  var typeText: String {
    guard let segment = shownSegment else { return goneVolume == nil ? "free" : "historical" }
    if let layout = segment.stripedLayout { return layout.isLinear ? "linear" : "striped" }
    let kind = shownKind
    if kind == .unknown { return segment.typeName }
    let name = SegmentType(segment.typeName).name
    return name == "raid10_near" ? "raid10" : name
  }

  var segmentExtents: Int { shownSegment?.extentCount ?? physicalSegment?.extentCount ?? 0 }

  var dataCopies: Int {
    guard let segment = shownSegment else { return 0 }
    guard let layout = shownKind.raid else { return 1 }
    let written = segment.number32("data_copies")
    return written < 2 ? layout.copies(images: segment.raidNames.count) : Int(written)
  }

  var dataStripes: Int {
    let parts = parts
    var stripes = parts.count
    for part in parts.dropFirst().reversed() {
      guard case .logical(let image, _) = part, graph.volumes[image].isToBeRemoved else { break }
      stripes -= 1
    }
    guard let layout = shownKind.raid else { return stripes }
    stripes -= layout.parityCount
    return layout.level == 10 ? stripes / max(dataCopies, 1) : stripes
  }

  var parityChunks: ReportValue {
    let own = shownKind.raid?.parityCount ?? 0
    var chunks = own > 0 ? own : dataCopies - 1
    guard chunks != 0 else { return .undefined }
    let parts = parts
    let resilient = parts.count { part in
      guard case .logical(let image, _) = part, let kind = graph.firstKind(image)?.raid,
        let segment = graph.volumes[image].segments.first
      else { return false }
      return kind.parityCount > 0 || kind.copies(images: segment.raidNames.count) > 1
    }
    if resilient > 0, resilient == parts.count { chunks += 1 }
    return .number(UInt64(UInt32(truncatingIfNeeded: chunks)))
  }

  /// The RAID volume that can be reshaped which the segment is of, or the image of which begins
  /// with the segment. LVM finds it by the image's name.
  private var reshapableVolume: Int? {
    guard let index else { return nil }
    if shownKind.raid?.isReshapable == true { return index }
    guard roles.contains(.raidImage), shownSegment?.startExtent == 0,
      let stem = graph.volumes[index].name.split(separator: "_").first,
      let volume = graph.index(of: String(stem)),
      graph.firstKind(volume)?.raid?.isReshapable == true
    else { return nil }
    return volume
  }

  var reshapeExtents: UInt32? {
    guard reshapableVolume != nil, let segment = shownSegment else { return nil }
    return UInt32(truncatingIfNeeded: segment.reshapeCount &* parts.count)
  }

  var dataOffset: UInt64? {
    reshapableVolume.flatMap { facts.raidStatus($0, source.states)?.dataOffset }
  }

  /// In sectors.
  var chunkSize: UInt64 {
    guard let index else { return 0 }
    if roles.contains(.cow) { return graph.snapshots[index]?.chunkSizeSectors ?? 0 }
    switch shownKind {
    case .thinPool: return UInt64(shownSegment?.number32("chunk_size") ?? 0)
    case .cachePool, .cache: return UInt64(cacheSegment?.number32("chunk_size") ?? 0)
    default: return 0
    }
  }

  /// The segment of the thin pool that the row is about or its volume lies in.
  var thinPoolSegment: Segment? {
    switch shownKind {
    case .thinPool: shownSegment
    case .thin: pool.flatMap { graph.volumes[$0].segments.first }
    default: nil
    }
  }

  /// The segment that holds a cache's settings: its own with a cache volume, else the pool's.
  var cacheSegment: Segment? {
    switch shownKind {
    case .cachePool: shownSegment
    case .cache: usesCacheVolume ? shownSegment : pool.flatMap { graph.volumes[$0].segments.first }
    default: nil
    }
  }

  var cacheSettings: [String] {
    if shownKind == .writecache { return shownSegment.map(Self.writecacheSettings) ?? [] }
    guard case .other(_, let section)? = cacheSegment?.kind,
      let settings = section.section("policy_settings")
    else { return [] }
    return settings.entries.compactMap { entry in
      guard case .value(let value) = entry.content else { return nil }
      return entry.name + "=" + String(decoding: value.text, as: UTF8.self)
    }
  }

  private static func writecacheSettings(_ segment: Segment) -> [String] {
    let keys = [
      "high_watermark", "low_watermark", "writeback_jobs", "autocommit_blocks", "autocommit_time",
      "fua", "nofua", "cleaner", "max_age",
    ]
    var settings = keys.compactMap { key -> String? in
      guard let number = segment.number(key), key != "cleaner" || number != 0 else { return nil }
      return "\(key)=\(number)"
    }
    if let key = segment.text("writecache_setting_key"),
      let value = segment.text("writecache_setting_val")
    {
      settings.append("\(key)=\(value)")
    }
    return settings
  }

  /// The metadata volumes of a RAID segment.
  var metadataVolumes: [Int] {
    guard let segment = shownSegment, let layout = shownKind.raid, layout.hasMetadata,
      layout.name != "raid0_meta" || segment.has("raids"),
      !roles.containsAny([.raidMetadata, .raidImage])
    else { return [] }
    return segment.raidNames.compactMap { $0.metadata.flatMap { graph.index(of: $0) } }
  }

  /// "/dev/sda(0)". In this column the names of hidden volumes stand without brackets.
  func place(_ part: SegmentPart) -> String {
    switch part {
    case .physical(let index, let first, _): "\(facts.deviceName(index))(\(first))"
    case .logical(let index, _): "\(graph.volumes[index].name)(0)"
    case .unassigned: "unassigned(0)"
    }
  }

  /// "/dev/sda:0-31".
  func range(_ part: SegmentPart, isMarked: Bool) -> String {
    func text(_ name: String, _ first: Int, _ count: Int) -> String {
      let last = UInt32(truncatingIfNeeded: first &+ count &- 1)
      return "\(name):\(first)-\(last)"
    }
    switch part {
    case .physical(let index, let first, let count):
      return text(facts.deviceName(index), first, count)
    case .logical(let index, _):
      let name = graph.volumes[index].name
      let isHidden = isMarked && !graph.roles[index].contains(.visible)
      return text(isHidden ? "[\(name)]" : name, 0, graph.volumes[index].extentCount)
    case .unassigned: return text("unassigned", 0, 0)
    }
  }
}
