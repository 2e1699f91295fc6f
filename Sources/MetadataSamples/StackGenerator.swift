import ConfigText
import LVMMetadata

/// Logical volumes of every type, with those below them (lvm2-metadata 7).
extension GroupGenerator {
  mutating func addStack() {
    let name = "lv\(group.logicalVolumes.count)"
    switch random.index(below: 14) {
    case 0, 1: add(name, linear(segmentCount: 1 + random.index(below: 3)))
    case 2: add(name, striped())
    case 3: addRAID(name)
    case 4: addMirror(name)
    case 5: addThin(name)
    case 6: addSnapshot(name)
    case 7: addCachePool(name)
    case 8: addCacheVolume(name)
    case 9: addWriteCache(name)
    case 10: addIntegrity(name)
    case 11: addVDO(name)
    case 12: add(name, [other(pick(["error", "zero"]), 5, ConfigSection())])
    default: addUnknown(name)
    }
  }

  // MARK: - Volumes and segments

  private mutating func add(_ name: String, _ segments: [Segment], visible: Bool = true) {
    var volume = LogicalVolume(name: name, id: identifier(), segments: segments)
    if !visible { volume.status.remove(.visible) }
    if random.chance(70) {
      volume.creationTime = 1_795_379_184 + UInt64(random.index(below: 1 << 20))
      volume.creationHost = pick(["node-1", "a \"quoted\" \\host", "knöten", "#host {"])
    }
    if random.chance(10) { volume.tags = tags() }
    if random.chance(10) { volume.allocationPolicy = pick([.contiguous, .normal, .clingByTags]) }
    if random.chance(10) { volume.readAheadSectors = pick([-1, 0, 8, 1024]) }
    if random.chance(5) {
      volume.status.insert(.fixedMinor)
      volume.major = 253
      volume.minor = 77
    }
    if random.chance(5) { volume.flags.insert(.activationSkip) }
    if random.chance(5) { volume.profile = "lab" }
    if random.chance(5), group.lockType != nil { volume.lockArguments = "dlm" }
    if random.chance(3) {
      volume.unknownEntries = [ConfigEntry(name: "colour", content: .value(.string("red")))]
    }
    group.logicalVolumes.append(volume)
  }

  /// A run of extents of a PV; a gap behind it keeps segments from being joined.
  private mutating func area(_ extentCount: Int) -> SegmentArea {
    let index = random.index(below: group.physicalVolumes.count)
    let first = nextFreeExtent[index]
    nextFreeExtent[index] += extentCount + 1
    return .physicalVolume(group.physicalVolumes[index].id, firstExtent: first)
  }

  private mutating func linear(segmentCount: Int = 1, extentCount: Int? = nil) -> [Segment] {
    var start = 0
    return (0..<segmentCount).map { _ in
      let count = extentCount ?? (1 + random.index(below: 9))
      defer { start += count }
      return Segment(
        startExtent: start, extentCount: count,
        kind: .striped(StripedLayout(areas: [area(count)])))
    }
  }

  private mutating func striped() -> [Segment] {
    let stripes = 2 + random.index(below: 3)
    let count = 1 + random.index(below: 5)
    let layout = StripedLayout(
      areas: (0..<stripes).map { _ in area(count) }, stripeSizeSectors: pick([8, 128, 1024]))
    return [Segment(startExtent: 0, extentCount: stripes * count, kind: .striped(layout))]
  }

  private func other(_ type: String, _ extentCount: Int, _ section: ConfigSection) -> Segment {
    Segment(startExtent: 0, extentCount: extentCount, kind: .other(type: type, section))
  }

  private func section(_ values: (String, ConfigValue)...) -> ConfigSection {
    ConfigSection(entries: values.map { ConfigEntry(name: $0.0, content: .value($0.1)) })
  }

  // MARK: - Stacks

  private mutating func addRAID(_ name: String) {
    let type = pick(["raid1", "raid10", "raid4", "raid5_ls", "raid6_zr", "raid0", "raid0_meta"])
    let count = type.hasPrefix("raid6") ? 5 : type == "raid1" ? 2 : 4
    let size = 2 + random.index(below: 4)
    var references: [ConfigValue] = []
    for index in 0..<count {
      if type != "raid0" {
        add("\(name)_rmeta_\(index)", linear(extentCount: 1), visible: false)
        references.append(.string("\(name)_rmeta_\(index)"))
      }
      add("\(name)_rimage_\(index)", linear(extentCount: size), visible: false)
      references.append(.string("\(name)_rimage_\(index)"))
    }
    var keys: ConfigSection
    let dataCount: Int
    if type.hasPrefix("raid0") {
      keys = section(("stripe_count", .integer(Int64(count))), ("stripe_size", .integer(128)))
      keys.append(type == "raid0" ? "raid0_lvs" : "raids", .list(references))
      dataCount = count
    } else {
      keys = section(("device_count", .integer(Int64(count))))
      if type == "raid10" { keys.append("data_copies", .integer(2)) }
      if type != "raid1" { keys.append("stripe_size", .integer(128)) }
      keys.append("region_size", .integer(4096))
      if type == "raid1", random.chance(30) { keys.append("writebehind", .integer(256)) }
      if random.chance(20) { keys.append("min_recovery_rate", .integer(1024)) }
      keys.append("raids", .list(references))
      dataCount =
        type == "raid1"
        ? 1 : type == "raid10" ? count / 2 : type.hasPrefix("raid6") ? count - 2 : count - 1
    }
    add(name, [other(type, size * dataCount, keys)])
  }

  private mutating func addMirror(_ name: String) {
    var images: [ConfigValue] = []
    for index in 0..<2 {
      add("\(name)_mimage_\(index)", linear(extentCount: 4), visible: false)
      images += [.string("\(name)_mimage_\(index)"), .integer(0)]
    }
    var keys = section(("mirror_count", .integer(2)))
    if random.chance(50) {
      add("\(name)_mlog", linear(extentCount: 1), visible: false)
      keys.append("mirror_log", .string("\(name)_mlog"))
    }
    keys.append("region_size", .integer(4096))
    keys.append("mirrors", .list(images))
    add(name, [other("mirror", 4, keys)])
  }

  private mutating func addThin(_ name: String) {
    add("\(name)_tmeta", linear(extentCount: 1), visible: false)
    add("\(name)_tdata", linear(extentCount: 6), visible: false)
    var pool = section(
      ("metadata", .string("\(name)_tmeta")), ("pool", .string("\(name)_tdata")),
      ("transaction_id", .integer(3)), ("chunk_size", .integer(128)),
      ("discards", .string("passdown")), ("zero_new_blocks", .integer(1)))
    if random.chance(30) { pool.append("message1", section(("create", .string("\(name)thin")))) }
    add(name, [other(pick(["thin-pool", "thin-pool+METADATA_FORMAT"]), 6, pool)])
    var thin = section(
      ("thin_pool", .string(name)), ("transaction_id", .integer(2)), ("device_id", .integer(1)))
    let hasExternalOrigin = random.chance(30)
    if hasExternalOrigin { thin.append("external_origin", .string("\(name)ext")) }
    add("\(name)thin", [other("thin", 100, thin)])
    if hasExternalOrigin { add("\(name)ext", linear()) }
  }

  private mutating func addSnapshot(_ name: String) {
    add(name, linear(extentCount: 5))
    add("\(name)cow", linear(extentCount: 2))
    let key = pick(["cow_store", "merging_store"])
    let keys = section(
      ("chunk_size", .integer(8)), ("origin", .string(name)), (key, .string("\(name)cow")))
    add("snapshot\(group.logicalVolumes.count)", [other("snapshot", 5, keys)], visible: false)
  }

  private mutating func addCachePool(_ name: String) {
    add("\(name)_cdata", linear(extentCount: 2), visible: false)
    add("\(name)_cmeta", linear(extentCount: 1), visible: false)
    add("\(name)_corig", linear(extentCount: 7), visible: false)
    var pool = section(
      ("data", .string("\(name)_cdata")), ("metadata", .string("\(name)_cmeta")),
      ("metadata_format", .integer(2)), ("chunk_size", .integer(128)),
      ("cache_mode", .string("writethrough")), ("policy", .string("smq")))
    pool.append("policy_settings", section(("migration_threshold", .integer(2048))))
    add("\(name)_cpool", [other("cache-pool+METADATA_FORMAT", 2, pool)], visible: false)
    let keys = section(
      ("cache_pool", .string("\(name)_cpool")), ("origin", .string("\(name)_corig")))
    add(name, [other("cache", 7, keys)])
  }

  private mutating func addCacheVolume(_ name: String) {
    add("\(name)_cvol", linear(extentCount: 3), visible: false)
    add("\(name)_corig", linear(extentCount: 7), visible: false)
    let keys = section(
      ("cache_pool", .string("\(name)_cvol")), ("origin", .string("\(name)_corig")),
      ("metadata_format", .integer(2)), ("chunk_size", .integer(128)),
      ("cache_mode", .string("writeback")), ("policy", .string("smq")),
      ("metadata_start", .integer(0)), ("metadata_len", .integer(16384)),
      ("data_start", .integer(16384)), ("data_len", .integer(8192)))
    add(name, [other("cache+CACHE_USES_CACHEVOL", 7, keys)])
  }

  private mutating func addWriteCache(_ name: String) {
    add("\(name)_cvol", linear(extentCount: 3), visible: false)
    add("\(name)_wcorig", linear(extentCount: 7), visible: false)
    let keys = section(
      ("writecache", .string("\(name)_cvol")), ("origin", .string("\(name)_wcorig")),
      ("writecache_block_size", .integer(4096)), ("high_watermark", .integer(50)))
    add(name, [other("writecache", 7, keys)])
  }

  private mutating func addIntegrity(_ name: String) {
    add("\(name)_imeta", linear(extentCount: 1), visible: false)
    add("\(name)_iorig", linear(extentCount: 7), visible: false)
    let keys = section(
      ("origin", .string("\(name)_iorig")), ("data_sectors", .integer(57344)),
      ("mode", .string("J")), ("tag_size", .integer(4)), ("block_size", .integer(512)),
      ("internal_hash", .string("crc32c")), ("meta_dev", .string("\(name)_imeta")),
      ("recalculate", .integer(1)))
    add(name, [other("integrity", 7, keys)])
  }

  private mutating func addVDO(_ name: String) {
    add("\(name)_vdata", linear(extentCount: 20), visible: false)
    var pool = section(
      ("data", .string("\(name)_vdata")), ("header_size", .integer(1024)),
      ("virtual_extents", .integer(100)), ("use_compression", .integer(1)),
      ("minimum_io_size", .integer(4096)), ("slab_size_mb", .integer(2048)))
    for (key, value) in [
      ("block_map_cache_size_mb", 128), ("block_map_era_length", 16380),
      ("index_memory_size_mb", 256), ("max_discard", 1), ("ack_threads", 1), ("bio_threads", 4),
      ("bio_rotation", 64), ("cpu_threads", 2), ("hash_zone_threads", 1), ("logical_threads", 1),
      ("physical_threads", 1),
    ] as [(String, Int64)] {
      pool.append(key, .integer(value))
    }
    pool.append("write_policy", .string("auto"))
    add("\(name)_vpool", [other("vdo-pool", 20, pool)], visible: false)
    let keys = section(("vdo_pool", .string("\(name)_vpool")), ("vdo_offset", .integer(0)))
    add(name, [other("vdo", 100, keys)])
  }

  /// A type of the future: all its keys are kept as they are.
  private mutating func addUnknown(_ name: String) {
    var keys = section(
      ("speed", .float("1.50")), ("odd", .string("a \"b\" \\c")),
      ("raw", .bytes([0xFF, 0x41])), ("places", .list([.string("pv0"), .integer(3)])))
    keys.append("inner", section(("deep", .integer(1))))
    add(name, [other("warp+FASTER", 9, keys)])
  }
}
