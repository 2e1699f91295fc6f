import ConfigText

/// What LVM asks of a segment when it reads a text, for the types whose keys this module keeps as they
/// stood. A text in which one segment fails is refused as a whole, as by LVM and in its words: a group
/// with a RAID volume without images, say, is not changed until somebody has looked at it.
struct SegmentChecks {
  let names: Set<String>
  let physicalVolumes: [String: LVMIdentifier]

  private typealias Problem = String

  /// What LVM says against the segment; nil when it takes it, or does not know its type.
  func problem(type text: String, _ section: ConfigSection, segment: String) -> String? {
    let type = SegmentType(text)
    guard type.isKnown else { return nil }
    switch type.name {
    case "mirror": return mirror(section, segment)
    case "snapshot": return snapshot(section)
    case "thin-pool": return thinPool(section)
    case "thin": return thin(section)
    case "cache-pool": return cachePool(section)
    case "cache": return cache(section)
    case "writecache": return writeCache(section)
    case "integrity": return integrity(section)
    case "vdo-pool": return vdoPool(section)
    case "vdo": return vdo(section)
    case let name where RAIDType(name) != nil: return raid(name, section, segment)
    default: return nil
    }
  }

  // MARK: - Copies

  private func mirror(_ section: ConfigSection, _ segment: String) -> Problem? {
    guard let count = number(section, "mirror_count") else {
      return "Couldn't read 'mirror_count' for segment '\(segment)'."
    }
    if section.value("extents_moved") != nil, number(section, "extents_moved") == nil {
      return "Couldn't read 'extents_moved'"
    }
    if section.value("region_size") != nil, number(section, "region_size") == nil {
      return "Couldn't read 'region_size'"
    }
    if let log = section.string("mirror_log") {
      guard names.contains(log) else { return "Unrecognised mirror log" }
      guard section.value("region_size") != nil else {
        return "Missing region size for mirror log"
      }
    }
    guard let items = section.list("mirrors") else { return "Couldn't find mirrors array" }
    guard items.count == 2 * Int(count) else {
      return "Incorrect number of areas in area array for segment '\(segment)'."
    }
    for index in stride(from: 0, to: items.count, by: 2) {
      guard case .string(let name) = items[index], case .integer = items[index + 1] else {
        return "Bad volume name in areas array for segment \(segment)."
      }
      guard names.contains(name) || physicalVolumes[name] != nil else {
        return "Couldn't find volume '\(name)' for segment '\(segment)'."
      }
    }
    return nil
  }

  private func raid(_ type: String, _ section: ConfigSection, _ segment: String) -> Problem? {
    guard let count = number(section, "device_count") ?? number(section, "stripe_count") else {
      return "Couldn't read 'device_count' or 'stripe_count' for segment '\(segment)'."
    }
    for key in [
      "region_size", "stripe_size", "data_copies", "writebehind", "min_recovery_rate",
      "max_recovery_rate", "data_offset",
    ] where section.value(key) != nil && number(section, key) == nil {
      return "Couldn't read '\(key)'"
    }
    guard let items = section.list(type == "raid0" ? "raid0_lvs" : "raids") else {
      return "Couldn't find RAID array"
    }
    var imageCount = 0
    for item in items {
      guard case .string(let name) = item else {
        return "Bad volume name in areas array for segment \(segment)."
      }
      guard names.contains(name) else {
        return "Couldn't find volume '\(name)' for segment '\(segment)'."
      }
      if !name.contains("_rmeta_") { imageCount += 1 }
    }
    guard imageCount == Int(count), imageCount > 0 else {
      return "Incorrect number of areas in area array for segment '\(segment)'."
    }
    return nil
  }

  private func snapshot(_ section: ConfigSection) -> Problem? {
    guard number(section, "chunk_size") != nil else {
      return "Couldn't read chunk size for snapshot."
    }
    let kept = section.string("cow_store")
    let merging = section.string("merging_store")
    guard kept == nil || merging == nil else {
      return "Both snapshot cow and merging storage were specified"
    }
    guard let store = kept ?? merging else { return "Snapshot cow storage not specified" }
    guard let origin = section.string("origin") else { return "Snapshot origin not specified" }
    guard names.contains(store) else {
      return "Unknown logical volume \(store) specified for snapshot cow store"
    }
    guard names.contains(origin) else {
      return "Unknown logical volume \(origin) specified for snapshot origin"
    }
    return nil
  }

  // MARK: - Thin

  private func thinPool(_ section: ConfigSection) -> Problem? {
    guard let metadata = section.string("metadata") else { return "Metadata must be a string" }
    guard names.contains(metadata) else { return "Unknown metadata \(metadata)" }
    guard let data = section.string("pool") else { return "Pool must be a string" }
    guard names.contains(data) else { return "Unknown pool \(data)" }
    guard section.integer("transaction_id") != nil else {
      return "Could not read transaction_id for"
    }
    guard let chunk = number(section, "chunk_size") else { return "Could not read chunk_size" }
    guard (128...2_097_152).contains(chunk), chunk.isMultiple(of: 128) else {
      return "Unsupported value \(chunk) for chunk_size"
    }
    if section.value("discards") != nil {
      let discards = section.string("discards") ?? ""
      guard ["passdown", "nopassdown", "ignore"].contains(discards) else {
        return "Thin pool discards type \"\(discards)\" is unknown."
      }
    }
    for entry in section.entries {
      guard case .section(let message) = entry.content, entry.name.hasPrefix("message") else {
        continue
      }
      if let created = message.string("create") {
        guard names.contains(created) else { return "Unknown LV \(created) for create message" }
      } else if message.integer("delete") == nil {
        return "Unknown message"
      }
    }
    return nil
  }

  private func thin(_ section: ConfigSection) -> Problem? {
    guard let pool = section.string("thin_pool") else { return "Thin pool must be a string" }
    guard names.contains(pool) else { return "Unknown thin pool \(pool)" }
    guard section.integer("transaction_id") != nil else {
      return "Could not read transaction_id for"
    }
    for (key, kind) in [
      ("origin", "origin"), ("merge", "merge lv"), ("external_origin", "external origin"),
    ] {
      guard let name = section.string(key) else { continue }
      // The origin may be history; such names begin with a dash.
      guard names.contains(name) || name.hasPrefix("-") else { return "Unknown \(kind) \(name)" }
    }
    guard let device = number(section, "device_id") else { return "Could not read device_id for" }
    guard device < 1 << 24 else { return "Unsupported value \(device) for device_id" }
    return nil
  }

  // MARK: - Caches

  private func cachePool(_ section: ConfigSection) -> Problem? {
    for (key, kind) in [("data", "cache data"), ("metadata", "cache metadata")] {
      guard let name = section.string(key) else {
        return "Cache \(key) not specified"
      }
      guard names.contains(name) else {
        return "Unknown logical volume \(name) specified for \(kind)"
      }
    }
    return cacheSettings(section)
  }

  private func cacheSettings(_ section: ConfigSection) -> Problem? {
    if let format = section.integer("metadata_format"), !(0...2).contains(format) {
      return "Unknown cache metadata format \(format) number"
    }
    if let mode = section.string("cache_mode"),
      !["writethrough", "writeback", "passthrough"].contains(mode)
    {
      return "Unknown cache_mode"
    }
    if section.section("policy_settings") != nil, section.string("policy") == nil {
      return "policy_settings must have a policy_name"
    }
    return nil
  }

  private func cache(_ section: ConfigSection) -> Problem? {
    guard let pool = section.string("cache_pool") else { return "cache_pool not specified" }
    guard names.contains(pool) else {
      return "Unknown logical volume \(pool) specified for cache_pool"
    }
    guard let origin = section.string("origin") else { return "Cache origin not specified" }
    guard names.contains(origin) else {
      return "Unknown logical volume \(origin) specified for cache origin"
    }
    if section.value("cleaner") != nil, number(section, "cleaner") == nil {
      return "Could not read cache cleaner"
    }
    guard section.value("metadata_start") != nil else { return nil }
    for key in ["metadata_start", "metadata_len", "data_start", "data_len"]
    where section.integer(key) == nil {
      return "Couldn't read \(key)"
    }
    return cacheSettings(section)
  }

  private func writeCache(_ section: ConfigSection) -> Problem? {
    guard let origin = section.string("origin") else { return "origin not specified" }
    guard names.contains(origin) else {
      return "Unknown LV specified for writecache origin \(origin)"
    }
    guard let cache = section.string("writecache") else { return "writecache not specified" }
    guard names.contains(cache) else {
      return "Unknown logical volume \(cache) specified for writecache"
    }
    guard number(section, "writecache_block_size") != nil else {
      return "writecache block_size must be set"
    }
    for key in [
      "high_watermark", "low_watermark", "writeback_jobs", "autocommit_blocks", "autocommit_time",
      "fua", "nofua", "cleaner", "max_age",
    ] where section.value(key) != nil && section.integer(key) == nil {
      return "Unknown writecache_setting"
    }
    if section.value("writecache_setting_key") != nil,
      section.string("writecache_setting_key") == nil
        || section.string("writecache_setting_val") == nil
    {
      return "Unknown writecache_setting"
    }
    return nil
  }

  private func integrity(_ section: ConfigSection) -> Problem? {
    guard let origin = section.string("origin") else { return "origin not specified" }
    guard names.contains(origin) else {
      return "Unknown LV specified for integrity origin \(origin)"
    }
    guard section.integer("data_sectors") != nil else {
      return "integrity data_sectors must be set"
    }
    guard section.string("mode") != nil else { return "integrity mode must be set" }
    guard number(section, "tag_size") != nil else { return "integrity tag_size must be set" }
    guard number(section, "block_size") != nil else { return "integrity block_size invalid" }
    guard section.string("internal_hash") != nil else {
      return "integrity internal_hash must be set"
    }
    if let metadata = section.string("meta_dev"), !names.contains(metadata) {
      return "Unknown logical volume \(metadata) specified for integrity"
    }
    return nil
  }

  // MARK: - VDO

  private static let vdoNumbers = [
    "header_size", "virtual_extents", "minimum_io_size", "block_map_cache_size_mb",
    "block_map_era_length", "index_memory_size_mb", "max_discard", "slab_size_mb", "ack_threads",
    "bio_threads", "bio_rotation", "cpu_threads", "hash_zone_threads", "logical_threads",
    "physical_threads",
  ]

  private func vdoPool(_ section: ConfigSection) -> Problem? {
    guard let data = section.string("data") else { return "Couldn't read 'data' for VDO segment." }
    guard names.contains(data) else { return "Unknown logical volume \(data)." }
    for key in Self.vdoNumbers where section.integer(key) == nil {
      return "Couldn't read '\(key)' for VDO segment."
    }
    return nil
  }

  private func vdo(_ section: ConfigSection) -> Problem? {
    guard let pool = section.string("vdo_pool") else {
      return "Couldn't read 'vdo_pool' for VDO segment."
    }
    guard names.contains(pool) else { return "Unknown VDO pool logical volume \(pool)." }
    guard section.integer("vdo_offset") != nil else {
      return "Couldn't read 'vdo_offset' for VDO segment."
    }
    return nil
  }

  /// The low 32 bits of a number, as LVM reads it.
  private func number(_ section: ConfigSection, _ key: String) -> UInt32? {
    section.integer(key).map { UInt32(truncatingIfNeeded: $0) }
  }
}
