/// lvm2-metadata, section 7.9.
struct VDOPoolLayout: Hashable, Sendable {
  let data: String
  /// In sectors.
  let headerSize: UInt32
  let virtualExtents: UInt32
  /// In bytes.
  let minimumIOSize: UInt32
  let blockMapCacheMiB: UInt32
  let blockMapEraLength: UInt32
  let usesMetadataHints: Bool
  let writePolicy: String
  /// Pairs of words for the kernel, in its order.
  let threads: [String]

  private static let threadKeys = [
    ("maxDiscard", "max_discard"), ("ack", "ack_threads"), ("bio", "bio_threads"),
    ("bioRotationInterval", "bio_rotation"), ("cpu", "cpu_threads"), ("hash", "hash_zone_threads"),
    ("logical", "logical_threads"), ("physical", "physical_threads"),
  ]

  init(_ fields: SegmentFields) throws(MalformedSegment) {
    data = try fields.requiredString("data")
    headerSize = try fields.required32("header_size")
    virtualExtents = try fields.required32("virtual_extents")
    minimumIOSize = try fields.required32("minimum_io_size") / 512 * 512
    blockMapCacheMiB = try fields.required32("block_map_cache_size_mb")
    blockMapEraLength = try fields.required32("block_map_era_length")
    usesMetadataHints = try fields.flag("use_metadata_hints")
    writePolicy = try fields.string("write_policy") ?? "auto"
    guard ["auto", "sync", "async", "async-unsafe"].contains(writePolicy) else {
      throw fields.failure("has the unknown write_policy '\(writePolicy)'")
    }
    var threads: [String] = []
    for (word, key) in Self.threadKeys { threads += [word, "\(try fields.required32(key))"] }
    self.threads = threads
  }
}

/// lvm2-metadata, section 7.9.
struct VDOLayout: Hashable, Sendable {
  let pool: String
  /// In extents behind the pool's header.
  let offset: UInt32

  init(_ fields: SegmentFields) throws(MalformedSegment) {
    pool = try fields.requiredString("vdo_pool")
    offset = try fields.required32("vdo_offset")
  }
}
