import LVMMetadata

/// The columns about VDO pools; volumes in a pool show the pool's.
enum VDOFields {
  static let all: [ReportField] = [
    flag("vdo_compression", "VDOCompression", "use_compression", "Set if data is compressed"),
    flag(
      "vdo_deduplication", "VDODeduplication", "use_deduplication",
      "Set if equal data is stored once"),
    flag(
      "vdo_use_metadata_hints", "VDOMetadataHints", "use_metadata_hints",
      "Set if metadata writes are marked"),
    size("vdo_minimum_io_size", "VDOMinimumIOSize", .number, "Smallest write") {
      // Bytes in the text.
      UInt64($0.number32("minimum_io_size")) / 512
    },
    size("vdo_block_map_cache_size", "VDOBlockMapCacheSize", "Size of the cache of the block map") {
      megabytes($0, "block_map_cache_size_mb")
    },
    number(
      "vdo_block_map_era_length", "VDOBlockMapEraLength", "block_map_era_length",
      "How long the block map stays in the cache"),
    flag(
      "vdo_use_sparse_index", "VDOSparseIndex", "use_sparse_index", "Set if the index is sparse"),
    size("vdo_index_memory_size", "VDOIndexMemorySize", "Memory for the index") {
      megabytes($0, "index_memory_size_mb")
    },
    size("vdo_slab_size", "VDOSlabSize", "By how much the pool grows") {
      megabytes($0, "slab_size_mb")
    },
    number("vdo_ack_threads", "VDOAckThreads", "ack_threads", "Threads that acknowledge"),
    number("vdo_bio_threads", "VDOBioThreads", "bio_threads", "Threads that submit"),
    number("vdo_bio_rotation", "VDOBioRotation", "bio_rotation", "Requests before the next thread"),
    number("vdo_cpu_threads", "VDOCPUThreads", "cpu_threads", "Threads that compress and hash"),
    number(
      "vdo_hash_zone_threads", "VDOHashZoneThreads", "hash_zone_threads", "Threads for hash zones"),
    number(
      "vdo_logical_threads", "VDOLogicalThreads", "logical_threads", "Threads for logical blocks"),
    number(
      "vdo_physical_threads", "VDOPhysicalThreads", "physical_threads",
      "Threads for physical blocks"),
    number("vdo_max_discard", "VDOMaxDiscard", "max_discard", "Largest discard"),
    field("vdo_write_policy", "VDOWritePolicy", .string, "Write policy") { row in
      .text(row.vdoPoolSegment.map { $0.text("write_policy") ?? "auto" } ?? "")
    },
    size("vdo_header_size", "VDOHeaderSize", "Space before the pool's data") {
      UInt64($0.number32("header_size"))
    },
  ]

  private static func megabytes(_ segment: Segment, _ key: String) -> UInt64 {
    UInt64(segment.number32(key)) * 2048
  }

  private static func field(
    _ name: String, _ heading: String, _ type: ReportFieldType, _ summary: String,
    value: @escaping @Sendable (ReportRow) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .segment, type, summary, value: value)
  }

  private static func flag(
    _ name: String, _ heading: String, _ key: String, _ summary: String
  ) -> ReportField {
    field(name, heading, .number, summary) { row in
      row.vdoPoolSegment.map { .flag($0.number32(key) != 0, "enabled") } ?? .undefined
    }
  }

  private static func number(
    _ name: String, _ heading: String, _ key: String, _ summary: String
  ) -> ReportField {
    field(name, heading, .number, summary) { row in
      row.vdoPoolSegment.map { .number(UInt64($0.number32(key))) } ?? .undefined
    }
  }

  private static func size(
    _ name: String, _ heading: String, _ summary: String,
    sectors: @escaping @Sendable (Segment) -> UInt64
  ) -> ReportField {
    size(name, heading, .size, summary, sectors: sectors)
  }

  private static func size(
    _ name: String, _ heading: String, _ type: ReportFieldType, _ summary: String,
    sectors: @escaping @Sendable (Segment) -> UInt64
  ) -> ReportField {
    field(name, heading, type, summary) { row in
      row.vdoPoolSegment.map { .sectors(sectors($0)) } ?? .undefined
    }
  }
}

extension ReportRow {
  fileprivate var vdoPoolSegment: Segment? {
    switch shownKind {
    case .vdoPool: shownSegment
    case .vdo: pool.flatMap { graph.volumes[$0].segments.first }
    default: nil
    }
  }
}
