import LVMMetadata

/// The columns about what the targets of a logical volume's device tell.
enum DeviceStatusFields {
  static let all: [ReportField] = percentages + cache + health + vdo + writecache

  private static let percentages: [ReportField] = [
    percent("data_percent", "Data%", width: 6, "How full a snapshot, pool or thin volume is") {
      $0.dataPercent
    },
    percent("snap_percent", "Snap%", width: 6, "How full a snapshot is") { $0.dataPercent },
    percent("metadata_percent", "Meta%", width: 6, "How full the metadata of a pool is") {
      $0.metadataPercent
    },
    percent("copy_percent", "Cpy%Sync", "How far a mirror, RAID volume or pvmove is in sync") {
      $0.copyPercent
    },
    percent("sync_percent", "Cpy%Sync", "The same") { $0.copyPercent },
  ]

  private static let cache: [ReportField] = [
    cacheNumber("cache_total_blocks", "CacheTotalBlocks", "Blocks of a cache") { $0.blocks.total },
    cacheNumber("cache_used_blocks", "CacheUsedBlocks", width: 16, "Blocks in use") {
      $0.blocks.used
    },
    cacheNumber("cache_dirty_blocks", "CacheDirtyBlocks", "Blocks still to be written back") {
      $0.dirtyBlocks
    },
    cacheNumber("cache_read_hits", "CacheReadHits", width: 16, "Reads answered by the cache") {
      $0.readHits
    },
    cacheNumber("cache_read_misses", "CacheReadMisses", width: 16, "Reads passed on") {
      $0.readMisses
    },
    cacheNumber("cache_write_hits", "CacheWriteHits", width: 16, "Writes taken by the cache") {
      $0.writeHits
    },
    cacheNumber("cache_write_misses", "CacheWriteMisses", "Writes passed on") { $0.writeMisses },
    field(
      "kernel_cache_settings", "KCacheSettings", .stringList, width: 18,
      "Settings of the cache as the kernel has them"
    ) { row in
      if case .cache(let status) = row.status.target { .list(status.settings) } else { .list([]) }
    },
    field(
      "kernel_cache_policy", "KCachePolicy", .string, width: 18,
      "Policy of the cache as the kernel has it"
    ) { row in
      guard case .cache(let status) = row.status.target else { return .text("") }
      return .optional(status.policy)
    },
    field("kernel_metadata_format", "KMFmt", .number, "Metadata format the kernel uses") { row in
      guard case .cache(let status) = row.status.target else { return .undefined }
      return .number(status.features.contains("metadata2") ? 2 : 1)
    },
  ]

  private static let health: [ReportField] = [
    field("lv_health_status", "Health", .string, width: 15, "What is wrong with the volume") {
      row in .text(row.healthText)
    },
    field("kernel_discards", "KDiscards", .string, "What the kernel does with discards") { row in
      switch row.status.target {
      case .thinPool(let status): .text(status.hasFailed ? "ignore" : status.discards)
      case .cache(let status):
        .text(status.features.contains("no_discard_passdown") ? "nopassdown" : "")
      default: .text("")
      }
    },
    field(
      "lv_check_needed", "CheckNeeded", .number, width: 15,
      "Set if the metadata of a pool or cache must be checked"
    ) { row in
      switch row.status.target {
      case .thinPool(let status) where row.roles.contains(.thinPool):
        .flag(status.needsCheck, "check needed")
      case .cache(let status) where row.roles.contains(.cache):
        .flag(status.needsCheck, "check needed")
      default: .unknownFlag
      }
    },
    snapshotFlag(
      "lv_merge_failed", "MergeFailed", "merge failed",
      "Set if a snapshot could not go back"
    ) { $0.hasMergeFailed },
    snapshotFlag(
      "lv_snapshot_invalid", "SnapInvalid", "snapshot invalid",
      "Set if a snapshot is invalid"
    ) { $0.isInvalid },
  ]

  private static let vdo: [ReportField] = [
    vdoText("vdo_operating_mode", "VDOOperatingMode", "Operating mode of a VDO pool") {
      $0.operatingMode
    },
    vdoText("vdo_compression_state", "VDOCompressionState", "Whether compression runs") {
      $0.compressionState
    },
    vdoText("vdo_index_state", "VDOIndexState", "State of the index for deduplication") {
      $0.indexState
    },
    field("vdo_used_size", "VDOUsedSize", .number, "Space a VDO pool uses") { row in
      row.vdoStatus.map { .sectors($0.usedBlocks &* 8) } ?? .undefined
    },
    // The share that deduplication saves stands in the kernel's sysfs files only.
    field("vdo_saving_percent", "VDOSaving%", .number, "Share of space that is saved") { _ in
      .undefined
    },
  ]

  private static let writecache: [ReportField] = [
    writecacheNumber("writecache_total_blocks", "WCacheTotalBlocks", "Blocks of a writecache") {
      $0.totalBlocks
    },
    writecacheNumber("writecache_free_blocks", "WCacheFreeBlocks", "Free blocks") {
      $0.freeBlocks
    },
    writecacheNumber(
      "writecache_writeback_blocks", "WCacheWritebackBlocks",
      "Blocks being written back"
    ) { $0.writebackBlocks },
    writecacheNumber("writecache_error", "WCacheErrors", "Errors of a writecache") {
      $0.errorCount
    },
  ]

  // MARK: - Making columns

  private static func field(
    _ name: String, _ heading: String, _ type: ReportFieldType, width: Int = 0, _ summary: String,
    value: @escaping @Sendable (ReportRow) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .deviceStatus, type, width: width, summary, value: value)
  }

  private static func percent(
    _ name: String, _ heading: String, width: Int = 0, _ summary: String,
    value: @escaping @Sendable (ReportRow) -> Percent?
  ) -> ReportField {
    field(name, heading, .percent, width: width, summary) { .percent(value($0)) }
  }

  private static func cacheNumber(
    _ name: String, _ heading: String, width: Int = 0, _ summary: String,
    value: @escaping @Sendable (CacheStatus) -> UInt64
  ) -> ReportField {
    field(name, heading, .number, width: width, summary) { row in
      if case .cache(let status) = row.status.target { .number(value(status)) } else { .undefined }
    }
  }

  private static func snapshotFlag(
    _ name: String, _ heading: String, _ word: String, _ summary: String,
    holds: @escaping @Sendable (SnapshotStatus) -> Bool
  ) -> ReportField {
    field(name, heading, .number, width: 15, summary) { row in
      guard case .snapshot(let status) = row.status.target else { return .unknownFlag }
      return .flag(holds(status), word)
    }
  }

  private static func vdoText(
    _ name: String, _ heading: String, _ summary: String,
    value: @escaping @Sendable (VDOPoolStatus) -> String
  ) -> ReportField {
    field(name, heading, .string, summary) { .text($0.vdoStatus.map(value) ?? "") }
  }

  private static func writecacheNumber(
    _ name: String, _ heading: String, _ summary: String,
    value: @escaping @Sendable (WritecacheStatus) -> UInt64
  ) -> ReportField {
    field(name, heading, .number, summary) { row in
      guard case .writecache(let status) = row.status.target else { return .undefined }
      return .number(value(status))
    }
  }
}
