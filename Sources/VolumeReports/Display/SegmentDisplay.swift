import ConfigText
import LVMMetadata

/// What `lvdisplay -m` adds about segments.
extension VolumeDisplay {
  mutating func showSegments(_ shown: ShownVolume) {
    line("--- Segments ---")
    for (number, segment) in shown.volume.segments.enumerated() {
      let kind = shown.graph.kinds[shown.index][number]
      let word = shown.roles.contains(.virtual) ? "Virtual" : "Logical"
      line("\(word) extents \(segment.startExtent) to \(segment.endExtent - 1):")
      line("  Type\t\t\(typeName(segment, kind))")
      // Whether dmeventd watches a segment is not known here.
      switch kind {
      case .mirror, .raid, .snapshot, .thinPool, .vdoPool: line("  Monitoring\t\t")
      default: break
      }
      show(segment, kind, shown, shown.parts(number))
    }
    line(" ")
  }

  private func typeName(_ segment: Segment, _ kind: SegmentKind) -> String {
    if let layout = segment.stripedLayout { return layout.isLinear ? "linear" : "striped" }
    if kind == .unknown { return segment.typeName }
    return kind.raid?.name ?? SegmentType(segment.typeName).name
  }

  private mutating func show(
    _ segment: Segment, _ kind: SegmentKind, _ shown: ShownVolume, _ parts: [SegmentPart]
  ) {
    switch kind {
    case .striped: showStripes(segment, shown, parts)
    case .mirror: showMirror(segment, shown, parts)
    case .raid: showRAID(segment, shown, parts)
    case .thinPool:
      line("  Chunk size\t\t\(size(sectors: UInt64(segment.number32("chunk_size"))))")
      line("  Discards\t\t\(segment.text("discards") ?? "ignore")")
      line("  Thin count\t\t\(shown.graph.uses[shown.index]?.count ?? 0)")
      line("  Transaction ID\t\(segment.number("transaction_id") ?? 0)")
      line("  Zero new blocks\t\(segment.number32("zero_new_blocks") != 0 ? "yes" : "no")")
      line(" ")
    case .thin:
      line("  Device ID\t\t\(segment.number32("device_id"))")
      line(" ")
    case .cachePool: showCache(segment)
    case .cache:
      let usesOwn = segment.has("metadata_start")
      let pool = shown.graph.reference(shown.index, "cache_pool")
      let settings = usesOwn ? segment : pool.flatMap { shown.graph.volumes[$0].segments.first }
      if let settings { showCache(settings) }
    case .vdoPool: showVDOPool(segment, shown)
    case .vdo:
      for part in parts { show(part, segment.extentCount, "    ", shown) }
    case .snapshot, .writecache, .integrity, .error, .zero, .unknown, .free: break
    }
  }

  /// - Parameter count: extents of the part, as far as it lies on a logical volume.
  private mutating func show(
    _ part: SegmentPart, _ count: Int, _ prefix: String, _ shown: ShownVolume
  ) {
    switch part {
    case .physical(let index, let first, let count):
      line("\(prefix)Physical volume\t\(shown.facts.deviceName(index))")
      line("\(prefix)Physical extents\t\(first) to \(first + count - 1)")
    case .logical(let index, let first):
      line("\(prefix)Logical volume\t\(shown.graph.volumes[index].name)")
      line("\(prefix)Logical extents\t\(first) to \(first + count - 1)")
    case .unassigned: line("\(prefix)Unassigned area")
    }
  }

  private mutating func showStripes(
    _ segment: Segment, _ shown: ShownVolume, _ parts: [SegmentPart]
  ) {
    let count = segment.extentCountPerArea
    if parts.count == 1 {
      show(parts[0], count, "  ", shown)
    } else {
      line("  Stripes\t\t\(parts.count)")
      if let size = segment.stripedLayout?.stripeSizeSectors, size > 0 {
        line("  Stripe size\t\t\(self.size(sectors: size))")
      }
      for (number, part) in parts.enumerated() {
        line("  Stripe \(number):")
        show(part, count, "    ", shown)
      }
    }
    line(" ")
  }

  private mutating func showMirror(
    _ segment: Segment, _ shown: ShownVolume, _ parts: [SegmentPart]
  ) {
    line("  Mirrors\t\t\(parts.count)")
    line("  Mirror size\t\t\(segment.extentCount)")
    if let log = segment.text("mirror_log") { line("  Mirror log volume\t\(log)") }
    let region = UInt64(segment.number32("region_size"))
    if region > 0 { line("  Mirror region size\t\(size(sectors: region))") }
    line("  Mirror original:")
    for part in parts.prefix(1) { show(part, segment.extentCount, "    ", shown) }
    line("  Mirror destinations:")
    for part in parts.dropFirst() { show(part, segment.extentCount, "    ", shown) }
    line(" ")
  }

  private mutating func showRAID(
    _ segment: Segment, _ shown: ShownVolume, _ parts: [SegmentPart]
  ) {
    func numbered(_ number: Int) -> String { number < 10 ? " \(number)" : "\(number)" }
    for (number, part) in parts.enumerated() {
      line("  Raid Data LV\(numbered(number))")
      var count = 0
      if case .logical(let image, _) = part { count = shown.graph.volumes[image].extentCount }
      // So does LVM count with this level.
      if shown.graph.kinds[shown.index].first?.raid?.level == 10 { count = segment.extentCount }
      show(part, count, "    ", shown)
    }
    for (number, names) in segment.raidNames.enumerated() {
      if let metadata = names.metadata {
        line("  Raid Metadata LV\(numbered(number))\t\(metadata)")
      }
    }
    line(" ")
  }

  private mutating func showCache(_ segment: Segment) {
    line("  Chunk size\t\t\(size(sectors: UInt64(segment.number32("chunk_size"))))")
    let format = segment.number32("metadata_format")
    if format != 0 { line("  Metadata format\t\(format)") }
    if let mode = segment.text("cache_mode") { line("  Mode\t\t\(mode)") }
    if let policy = segment.text("policy") { line("  Policy\t\t\(policy)") }
    if case .other(_, let section) = segment.kind,
      let settings = section.section("policy_settings")
    {
      for entry in settings.entries {
        guard case .value(let value) = entry.content else { continue }
        line("    Setting\t\t\(entry.name)=\(String(decoding: value.text, as: UTF8.self))")
      }
    }
    line(" ")
  }

  private mutating func showVDOPool(_ segment: Segment, _ shown: ShownVolume) {
    func sectors(_ key: String, per unit: UInt64) -> String {
      size(sectors: UInt64(segment.number32(key)) * unit)
    }
    func word(_ label: String, _ key: String) {
      line("  \(label)\t\(segment.number32(key) != 0 ? "yes" : "no")")
    }
    let mebibyte: UInt64 = 2048
    let header = UInt64(segment.number32("header_size"))
    let virtual = UInt64(segment.number32("virtual_extents")) &* shown.group.extentSizeSectors
    line("  Virtual size\t\(size(sectors: virtual))")
    line("  Header size\t\t\(size(sectors: header))")
    word("Compression\t", "use_compression")
    word("Deduplication", "use_deduplication")
    word("Metadata hints", "use_metadata_hints")
    line("  Minimum IO size\t\(size(sectors: UInt64(segment.number32("minimum_io_size")) / 512))")
    line("  Block map cache sz\t\(sectors("block_map_cache_size_mb", per: mebibyte))")
    line("  Block map era length\t\(segment.number32("block_map_era_length"))")
    word("Sparse index", "use_sparse_index")
    line("  Index memory size\t\(sectors("index_memory_size_mb", per: mebibyte))")
    line("  Slab size\t\t\(sectors("slab_size_mb", per: mebibyte))")
    for (label, key) in [
      ("# Ack threads", "ack_threads"), ("# Bio threads", "bio_threads"),
      ("Bio rotation", "bio_rotation"), ("# CPU threads", "cpu_threads"),
      ("# Hash zone threads", "hash_zone_threads"), ("# Logical threads", "logical_threads"),
      ("# Physical threads", "physical_threads"), ("Max discard", "max_discard"),
    ] { line("  \(label)\t\(segment.number32(key))") }
    line("  Write policy\t\(segment.text("write_policy") ?? "auto")")
  }
}
