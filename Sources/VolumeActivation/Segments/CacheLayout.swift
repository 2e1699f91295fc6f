import ConfigText
import LVMMetadata

/// How a cache works, told by the pool or, with a cachevol, by the cached volume itself.
struct CacheSettings: Hashable, Sendable {
  enum Mode: String, Hashable, Sendable {
    case writethrough, writeback, passthrough
  }

  struct PolicySetting: Hashable, Sendable {
    let key: String
    let value: UInt64
  }

  /// In sectors.
  let chunkSize: UInt32
  let mode: Mode
  /// Nil in old texts.
  let policy: String?
  /// In the text's order.
  let policySettings: [PolicySetting]
  /// 1 or 2.
  let metadataFormat: UInt32

  private static let chunkSizes: ClosedRange<UInt32> = 64...2_097_152

  init(_ fields: SegmentFields) throws(MalformedSegment) {
    chunkSize = try fields.required32("chunk_size")
    guard Self.chunkSizes.contains(chunkSize) else {
      throw fields.failure("has a chunk_size of \(chunkSize)")
    }
    if let text = try fields.string("cache_mode") {
      guard let known = Mode(rawValue: text) else {
        throw fields.failure("has the unknown cache_mode '\(text)'")
      }
      mode = known
    } else {
      mode = .writethrough
    }
    policy = try fields.string("policy")
    metadataFormat = try fields.number32("metadata_format") ?? 1
    guard (1...2).contains(metadataFormat) else {
      throw fields.failure("has metadata_format \(metadataFormat)")
    }
    var settings: [PolicySetting] = []
    for entry in fields.section.section("policy_settings")?.entries ?? [] {
      guard case .value(let value) = entry.content, let number = value.asInteger,
        let unsigned = UInt64(exactly: number)
      else { throw fields.failure("has the policy setting \(entry.name) without a number") }
      settings.append(PolicySetting(key: entry.name, value: unsigned))
    }
    policySettings = settings
  }
}

/// lvm2-metadata, section 7.6.
struct CachePoolLayout: Hashable, Sendable {
  let metadata: String
  let data: String
  let settings: CacheSettings

  init(_ fields: SegmentFields) throws(MalformedSegment) {
    metadata = try fields.requiredString("metadata")
    data = try fields.requiredString("data")
    settings = try CacheSettings(fields)
  }
}

/// lvm2-metadata, section 7.6.
struct CacheLayout: Hashable, Sendable {
  /// Both parts of a cache on one volume; lengths in sectors.
  struct CacheVolume: Hashable, Sendable {
    let metadataLength: UInt64
    let dataLength: UInt64
    /// In the UUIDs of the parts; nil for that of the cachevol.
    let metadataID: LVMIdentifier?
    let dataID: LVMIdentifier?
    let settings: CacheSettings
  }

  let origin: String
  /// A cache pool, or a cachevol.
  let pool: String
  /// Nil with a cache pool.
  let cacheVolume: CacheVolume?
  /// The cache is being written back.
  let isCleaning: Bool

  init(_ fields: SegmentFields) throws(MalformedSegment) {
    origin = try fields.requiredString("origin")
    pool = try fields.requiredString("cache_pool")
    isCleaning = try fields.flag("cleaner")
    guard fields.has("metadata_start") else {
      cacheVolume = nil
      return
    }
    let start = try fields.required64("metadata_start")
    let volume = CacheVolume(
      metadataLength: try fields.required64("metadata_len"),
      dataLength: try fields.required64("data_len"),
      metadataID: try fields.identifier("metadata_id"), dataID: try fields.identifier("data_id"),
      settings: try CacheSettings(fields))
    guard volume.metadataLength > 0, volume.dataLength > 0,
      start != (try fields.required64("data_start"))
    else { throw fields.failure("has a cachevol without room for metadata or data") }
    cacheVolume = volume
  }
}

/// lvm2-metadata, section 7.7.
struct WriteCacheLayout: Hashable, Sendable {
  let origin: String
  let cacheVolume: String
  /// In bytes.
  let blockSize: UInt32
  /// What the kernel is told besides, as words.
  let options: [String]

  private static let numbers = [
    "high_watermark", "low_watermark", "writeback_jobs", "autocommit_blocks", "autocommit_time",
  ]

  init(_ fields: SegmentFields) throws(MalformedSegment) {
    origin = try fields.requiredString("origin")
    cacheVolume = try fields.requiredString("writecache")
    let size = try fields.required32("writecache_block_size")
    blockSize = size == 0 ? 4096 : size
    var options: [String] = []
    for key in Self.numbers {
      if let number = try fields.number64(key) { options += [key, "\(number)"] }
    }
    if try fields.number32("fua") != nil { options.append("fua") }
    if try fields.number32("nofua") != nil { options.append("nofua") }
    if try fields.flag("cleaner") { options.append("cleaner") }
    if let age = try fields.number32("max_age") { options += ["max_age", "\(age)"] }
    if let key = try fields.string("writecache_setting_key") {
      options += [key, try fields.requiredString("writecache_setting_val")]
    }
    self.options = options
  }
}
