import LVMMetadata

/// The columns about segments of logical volumes.
enum SegmentFields {
  static let all: [ReportField] = shape + pools + place + areas + settings

  private static let shape: [ReportField] = [
    field("segtype", "Type", "Type") { row in .text(row.typeText) },
    field("stripes", "#Str", .number, "Number of stripes or images") { row in
      .count(row.parts.count)
    },
    field("data_stripes", "#DStr", .number, "Number of stripes or images that hold data") { row in
      .number(UInt64(UInt32(truncatingIfNeeded: row.dataStripes)))
    },
    field("reshape_len", "RSize", .size, "Space kept for a reshape") { row in
      guard let extents = row.reshapeExtents else { return .undefined }
      let sectors = UInt64(extents) &* row.facts.group.extentSizeSectors
      return .sectors(UInt64(UInt32(truncatingIfNeeded: sectors)))
    },
    field("reshape_len_le", "RSize", .number, "Space kept for a reshape, in extents") { row in
      row.reshapeExtents.map { .number(UInt64($0)) } ?? .undefined
    },
    field("data_copies", "#Cpy", .number, "How often data is there or can be computed") { row in
      row.dataCopies > 0 ? .count(row.dataCopies) : .undefined
    },
    field("data_offset", "DOff", .number, "Where data begins on each image") { row in
      row.dataOffset.map { .number($0) } ?? .undefined
    },
    field("new_data_offset", "NOff", .number, "Where data will begin after a reshape") { row in
      row.dataOffset.map { .number($0) } ?? .undefined
    },
    field("parity_chunks", "#Par", .number, "Number of chunks that may be lost") { row in
      row.parityChunks
    },
    field("stripe_size", "Stripe", .size, "Data in one stripe before the next follows") { row in
      guard let segment = row.shownSegment else { return .sectors(0) }
      let size = segment.stripedLayout?.stripeSizeSectors
      return .sectors(
        size ?? UInt64(row.shownKind.raid == nil ? 0 : segment.number32("stripe_size")))
    },
    field("region_size", "Region", .size, "Unit of synchronization") { row in
      let isSynchronized = row.shownKind == .mirror || row.shownKind.raid != nil
      return .sectors(UInt64(isSynchronized ? row.shownSegment?.number32("region_size") ?? 0 : 0))
    },
    field("chunk_size", "Chunk", .size, "Unit of snapshots, thin pools and caches") { row in
      .sectors(row.chunkSize)
    },
  ]

  private static let pools: [ReportField] = [
    field("thin_count", "#Thins", .number, "Number of thin volumes in a pool") { row in
      guard row.shownKind == .thinPool, let index = row.index else { return .undefined }
      return .count(row.graph.uses[index]?.count ?? 0)
    },
    field("discards", "Discards", "What a thin pool does with discards") { row in
      .text(row.thinPoolSegment.map { $0.text("discards") ?? "ignore" } ?? "")
    },
    field("cache_metadata_format", "CMFmt", .number, "Metadata format of a cache") { row in
      guard let number = row.cacheSegment?.number32("metadata_format"), (1...2).contains(number)
      else { return .undefined }
      return .number(UInt64(number))
    },
    field("cache_mode", "CacheMode", "How a cache treats writes") { row in
      .optional(row.cacheSegment?.text("cache_mode"))
    },
    field("zero", "Zero", .number, "Set if blocks are zeroed before first use") { row in
      row.thinPoolSegment.map { .flag($0.number32("zero_new_blocks") != 0, "zero") } ?? .unknownFlag
    },
    field("transaction_id", "TransId", .number, "Transaction of a thin pool or volume") { row in
      guard row.shownKind == .thinPool || row.shownKind == .thin else { return .undefined }
      return .number(UInt64(clamping: row.shownSegment?.number("transaction_id") ?? 0))
    },
    field("thin_id", "ThId", .number, "Device id of a thin volume") { row in
      guard row.shownKind == .thin, let segment = row.shownSegment else { return .undefined }
      return .number(UInt64(segment.number32("device_id")))
    },
  ]

  private static let place: [ReportField] = [
    field("seg_start", "Start", .size, "Where the segment begins in the volume") { row in
      row.sectors(extents: row.shownSegment?.startExtent ?? 0)
    },
    field("seg_start_pe", "Start", .number, "The same in extents") { row in
      .count(row.shownSegment?.startExtent ?? 0)
    },
    field("seg_size", "SSize", .size, "Size of the segment") { row in
      row.sectors(extents: row.segmentExtents)
    },
    field("seg_size_pe", "SSize", .size, "The same in extents") { row in
      .number(UInt64(clamping: row.segmentExtents))
    },
    field("seg_tags", "Seg Tags", .stringList, "Tags") { row in
      .list((row.shownSegment?.tags ?? []).sorted())
    },
  ]

  private static let areas: [ReportField] = [
    field("seg_pe_ranges", "PE Ranges", .stringList, "Extents of the devices below") { row in
      .spacedList(row.parts.map { row.range($0, isMarked: false) })
    },
    field("seg_le_ranges", "LE Ranges", .stringList, "Extents of the devices below, hidden marked")
    { row in .list(row.parts.map { row.range($0, isMarked: true) }) },
    field(
      "seg_metadata_le_ranges", "Metadata LE Ranges", .stringList,
      "Extents of the metadata devices below"
    ) { row in
      .list(
        row.metadataVolumes.map { row.range(.logical(index: $0, firstExtent: 0), isMarked: true) })
    },
    field("devices", "Devices", .stringList, "Devices below with their first extent") { row in
      .list(row.parts.map { row.place($0) })
    },
    field("metadata_devices", "Metadata Devs", .stringList, "Metadata devices below") { row in
      .list(row.metadataVolumes.map { row.place(.logical(index: $0, firstExtent: 0)) })
    },
    // Monitoring is dmeventd's business, which this program does not talk to.
    field("seg_monitor", "Monitor", "Whether dmeventd watches the segment; not known here") { _ in
      .text("")
    },
  ]

  private static let settings: [ReportField] = [
    field("cache_policy", "CachePolicy", "Policy of a cache") { row in
      .optional(row.cacheSegment?.text("policy"))
    },
    field("cache_settings", "CacheSettings", .stringList, "Settings of a cache") { row in
      .list(row.cacheSettings)
    },
  ]

  private static func field(
    _ name: String, _ heading: String, _ summary: String,
    value: @escaping @Sendable (ReportRow) -> ReportValue
  ) -> ReportField {
    field(name, heading, .string, summary, value: value)
  }

  private static func field(
    _ name: String, _ heading: String, _ type: ReportFieldType, _ summary: String,
    value: @escaping @Sendable (ReportRow) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .segment, type, summary, value: value)
  }
}

/// The columns about runs of a physical volume's extents.
enum PhysicalSegmentFields {
  static let all: [ReportField] = [
    ReportField(
      "pvseg_start", "Start", .physicalSegment, .number, "First extent of the run"
    ) { .count($0.physicalSegment?.firstExtent ?? 0) },
    ReportField(
      "pvseg_size", "SSize", .physicalSegment, .number, "Number of extents in the run"
    ) { .count($0.physicalSegment?.extentCount ?? 0) },
  ]
}
