import LVMMetadata
import VolumeActivation

/// The columns about logical volumes that the metadata answers, and whether they are active.
enum LogicalVolumeFields {
  static let all: [ReportField] = identity + state + sizes + family + raid + relations + origin

  private static let identity: [ReportField] = [
    field("lv_uuid", "LV UUID", width: 38, "Unique identifier") { row in
      .text(row.goneVolume?.id?.dashed ?? row.logicalVolume?.id.dashed ?? "")
    },
    field("lv_name", "LV", width: 4, "Name; in brackets if LVM made the volume for itself") { row in
      if let gone = row.goneVolume { return .gone(gone.name) }
      return row.name(row.index)
    },
    field("lv_full_name", "LV", width: 4, "Name with that of the volume group: VG/LV") { row in
      return .text("\(row.facts.group.name)/\(row.plainName)")
    },
    field("lv_path", "Path", "Path of the device; none for internal volumes") { row in
      let group = row.facts.group.name
      let hasPath =
        !group.isEmpty && row.roles.contains(.visible) && !row.roles.contains(.thinPool)
      return .text(hasPath ? "/dev/\(group)/\(row.plainName)" : "")
    },
    field("lv_dm_path", "DMPath", "Path of the device in /dev/mapper") { row in
      let group = row.facts.group.name
      if group.isEmpty { return .text("") }
      return .text("/dev/mapper/" + doubled(group) + "-" + doubled(row.plainName))
    },
    field("lv_parent", "Parent", "The volume that this one is a part of") { row in
      row.name(row.parent)
    },
    field("lv_layout", "Layout", .stringList, width: 10, "What the volume is made like") { row in
      .list(row.layout)
    },
    field("lv_role", "Role", .stringList, width: 10, "What the volume is for") { row in
      .list(row.role)
    },
  ]

  private static let state: [ReportField] = [
    flag(
      "lv_initial_image_sync", "InitImgSync", "initial image sync", width: 10,
      "Set if the images were synchronized when the volume was made"
    ) { row in
      row.roles.containsAny([.raid, .mirrored])
        && row.logicalVolume?.status.contains(.notSynced) == false
    },
    flag(
      "lv_image_synced", "ImgSynced", "image synced", width: 10,
      "Set if this image is in sync"
    ) { row in
      (row.roles.contains(.raidImage) && !row.roles.contains(.visible)
        || row.roles.contains(.mirrorImage)) && row.isImageInSync
    },
    flag(
      "lv_merging", "Merging", "merging", width: 10,
      "Set while a snapshot goes back into its origin"
    ) { row in row.isMerging },
    flag("lv_converting", "Converting", "converting", "Set while the volume is converted") { row in
      row.roles.contains(.converting)
    },
    field("lv_allocation_policy", "AllocPol", width: 10, "Allocation policy") { row in
      guard let volume = row.logicalVolume else { return .text("unknown") }
      return .text(volume.allocationPolicy?.shownName ?? "inherit")
    },
    flag(
      "lv_allocation_locked", "AllocLock", "allocation locked", width: 10,
      "Set if the extents must stay where they are"
    ) { row in
      row.logicalVolume?.status.contains(.locked) ?? false
    },
    flag(
      "lv_fixed_minor", "FixMin", "fixed minor", width: 10,
      "Set if the minor number is fixed"
    ) { row in
      row.logicalVolume?.status.contains(.fixedMinor) ?? false
    },
    flag(
      "lv_skip_activation", "SkipAct", "skip activation", width: 15,
      "Set if activation leaves the volume out"
    ) { row in
      row.logicalVolume?.flags.contains(.activationSkip) ?? false
    },
    flag("lv_autoactivation", "AutoAct", "enabled", "Set if autoactivation is enabled") { row in
      !(row.logicalVolume?.flags.contains(.noAutoactivation) ?? false)
    },
    field("lv_when_full", "WhenFull", width: 15, "What a thin pool does when it is full") { row in
      guard row.roles.contains(.thinPool), let volume = row.logicalVolume else { return .text("") }
      let fails =
        volume.flags.contains(.errorWhenFull) || volume.status.contains(.errorWhenFull)
      return .text(fails ? "error" : "queue")
    },
    field("lv_active", "Active", "Whether the volume is active") { row in
      .text(row.isActive.map { $0 ? "active" : "" } ?? "unknown")
    },
    activity(
      "lv_active_locally", "ActLocal", "active locally",
      "Set if the volume is active on this host"
    ) { $0 },
    activity(
      "lv_active_remotely", "ActRemote", "active remotely",
      "Set if the volume is active on another host"
    ) { _ in false },
    activity(
      "lv_active_exclusively", "ActExcl", "active exclusively",
      "Set if the volume is active on one host only"
    ) { $0 },
    field("lv_major", "Maj", .number, "Fixed major number or -1") { row in
      .signed(Int64(row.logicalVolume?.fixedMajor ?? -1))
    },
    field("lv_minor", "Min", .number, "Fixed minor number or -1") { row in
      .signed(Int64(row.logicalVolume?.fixedMinor ?? -1))
    },
    field("lv_read_ahead", "Rahead", .size, "Configured read-ahead") { row in
      guard let volume = row.logicalVolume else { return .sectors(0) }
      switch volume.readAheadSectors {
      case nil, 0:
        return .named("auto", bits: Double.greatestFiniteMagnitude.bitPattern)
      case -1: return .sectors(0)
      case let sectors?: return .sectors(UInt64(UInt32(bitPattern: sectors)))
      }
    },
  ]

  private static let sizes: [ReportField] = [
    field("lv_size", "LSize", .size, "Size") { row in row.sectors(extents: row.shownExtents) },
    field("lv_metadata_size", "MSize", .size, "Size of the metadata volume of a pool") { row in
      row.poolMetadataSize
    },
    field("seg_count", "#Seg", .number, "Number of segments") { row in
      .count(row.goneVolume != nil ? 1 : row.logicalVolume?.segments.count ?? 0)
    },
  ]

  private static let family: [ReportField] = [
    field("origin", "Origin", "What a snapshot or cache stands before") { row in
      row.name(row.origin)
    },
    field("origin_uuid", "Origin UUID", width: 38, "UUID of the origin") { row in
      row.uuid(row.origin)
    },
    field("origin_size", "OSize", .size, "Size of the origin") { row in row.originSize },
    descent("lv_ancestors", "Ancestors", "What the volume was made from") { history, start, row in
      history.ancestors(of: start, withHistory: false, showsGone: row.showsHistory)
    },
    descent("lv_full_ancestors", "FAncestors", "The same, through volumes that are gone") {
      history, start, row in
      history.ancestors(of: start, withHistory: true, showsGone: row.showsHistory)
    },
    descent("lv_descendants", "Descendants", "What was made from the volume") {
      history, start, row in
      history.descendants(of: start, withHistory: false, showsGone: row.showsHistory)
    },
    descent("lv_full_descendants", "FDescendants", "The same, through volumes that are gone") {
      history, start, row in
      history.descendants(of: start, withHistory: true, showsGone: row.showsHistory)
    },
  ]

  private static let raid: [ReportField] = [
    field("raid_mismatch_count", "Mismatches", .number, "Mismatches found or repaired") { row in
      row.raidStatus.map { .number($0.mismatchCount) } ?? .undefined
    },
    field("raid_sync_action", "SyncAction", "What the array is doing about synchronization") {
      row in .text(row.raidStatus?.syncAction ?? "")
    },
    raidNumber(
      "raid_write_behind", "WBehind", "writebehind",
      "Writes that may be outstanding on writemostly images"),
    raidNumber(
      "raid_min_recovery_rate", "MinSync", "min_recovery_rate",
      "Least recovery rate in KiB/s per image"),
    raidNumber(
      "raid_max_recovery_rate", "MaxSync", "max_recovery_rate",
      "Greatest recovery rate in KiB/s per image"),
    field("raidintegritymode", "IntegMode", "Mode of integrity") { row in
      switch row.integritySegment?.text("mode") {
      case "B": .text("bitmap")
      case "J": .text("journal")
      default: .text("")
      }
    },
    field("raidintegrityblocksize", "IntegBlkSize", .number, "Block size of integrity") { row in
      row.integritySegment.map { .number(UInt64($0.number32("block_size"))) } ?? .signed(-1)
    },
    field("integritymismatches", "IntegMismatches", .number, "Mismatches found by integrity") {
      row in row.integrityMismatches.map { .number($0) } ?? .undefined
    },
  ]

  private static let relations: [ReportField] = [
    field("move_pv", "Move", "The device that a pvmove empties") { row in
      .text(row.movedDevice.map { row.facts.deviceName($0) } ?? "")
    },
    field("move_pv_uuid", "Move UUID", width: 38, "UUID of the device that a pvmove empties") {
      row in .text(row.movedDevice.map { row.facts.group.physicalVolumes[$0].id.dashed } ?? "")
    },
    field("convert_lv", "Convert", "The temporary volume of a conversion") { row in
      row.name(row.convertedVolume)
    },
    field("convert_lv_uuid", "Convert UUID", width: 38, "UUID of that volume") { row in
      row.uuid(row.convertedVolume)
    },
    field("mirror_log", "Log", "The log of a mirror") { row in row.name(row.mirrorLog) },
    field("mirror_log_uuid", "Log UUID", width: 38, "UUID of the log of a mirror") { row in
      row.uuid(row.mirrorLog)
    },
    field("data_lv", "Data", "The data volume of a pool") { row in row.name(row.dataVolume) },
    field("data_lv_uuid", "Data UUID", width: 38, "UUID of the data volume of a pool") { row in
      row.uuid(row.dataVolume)
    },
    field("metadata_lv", "Meta", "The metadata volume of a pool") { row in
      row.name(row.metadataVolume)
    },
    field("metadata_lv_uuid", "Meta UUID", width: 38, "UUID of the metadata volume of a pool") {
      row in row.uuid(row.metadataVolume)
    },
    field("pool_lv", "Pool", "The pool of a thin, cached or VDO volume") { row in
      row.name(row.pool)
    },
    field("pool_lv_uuid", "Pool UUID", width: 38, "UUID of the pool") { row in row.uuid(row.pool) },
  ]

  private static let origin: [ReportField] = [
    field("lv_tags", "LV Tags", .stringList, "Tags") { row in
      .list((row.logicalVolume?.tags ?? []).sorted())
    },
    field("lv_profile", "LProfile", "Profile attached to the volume") { row in
      .optional(row.logicalVolume?.profile)
    },
    field("lv_lockargs", "LLockArgs", "What lvmlockd's lock manager needs to lock the volume") {
      row in .optional(row.logicalVolume?.lockArguments)
    },
    field("lv_time", "CTime", .time, width: 26, "When the volume was made") { row in
      .time(row.goneVolume?.creationTime ?? row.logicalVolume?.creationTime ?? 0)
    },
    field("lv_time_removed", "RTime", .time, width: 26, "When the volume was removed") { row in
      .time(row.goneVolume?.removalTime ?? 0)
    },
    field("lv_host", "Host", width: 10, "Host that made the volume") { row in
      .optional(row.logicalVolume?.creationHost)
    },
    field("lv_modules", "Modules", .stringList, "Kernel modules that the volume needs") { row in
      .list(row.index.map { row.graph.modules($0) } ?? [])
    },
    flag("lv_historical", "Historical", "historical", "Set if the volume is gone") { row in
      row.goneVolume != nil
    },
    field("writecache_block_size", "WCacheBlkSize", .number, "Block size of a writecache") { row in
      let size =
        row.roles.contains(.writecache)
        ? row.firstSegment?.number32("writecache_block_size") ?? 0 : 0
      return size == 0 ? .signed(-1) : .number(UInt64(size))
    },
  ]

  // MARK: - Making columns

  private static func field(
    _ name: String, _ heading: String, width: Int = 0, _ summary: String,
    value: @escaping @Sendable (ReportRow) -> ReportValue
  ) -> ReportField {
    field(name, heading, .string, width: width, summary, value: value)
  }

  private static func field(
    _ name: String, _ heading: String, _ type: ReportFieldType, width: Int = 0,
    _ summary: String, value: @escaping @Sendable (ReportRow) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .logicalVolume, type, width: width, summary, value: value)
  }

  private static func flag(
    _ name: String, _ heading: String, _ word: String, width: Int = 0, _ summary: String,
    holds: @escaping @Sendable (ReportRow) -> Bool
  ) -> ReportField {
    field(name, heading, .number, width: width, summary) { .flag(holds($0), word) }
  }

  private static func activity(
    _ name: String, _ heading: String, _ word: String, _ summary: String,
    holds: @escaping @Sendable (Bool) -> Bool
  ) -> ReportField {
    field(name, heading, .number, width: 10, summary) { row in
      row.isActive.map { .flag(holds($0), word) } ?? .unknownFlag
    }
  }

  private static func descent(
    _ name: String, _ heading: String, _ summary: String,
    names: @escaping @Sendable (VolumeHistory, VolumeHistory.Reference, ReportRow) -> [String]
  ) -> ReportField {
    field(name, heading, .stringList, summary) { row in
      switch row.volume {
      case .live(let index): .list(names(row.facts.history, .live(index), row))
      case .gone(let index): .list(names(row.facts.history, .gone(index), row))
      case .free, .none: .list([])
      }
    }
  }

  private static func raidNumber(
    _ name: String, _ heading: String, _ key: String, _ summary: String
  ) -> ReportField {
    field(name, heading, .number, summary) { row in
      guard row.roles.containsAny(.anyRAID), let number = row.firstSegment?.number32(key),
        number > 0
      else { return .undefined }
      return .number(UInt64(number))
    }
  }

  private static func doubled(_ name: String) -> String {
    name.utf8.contains(UInt8(ascii: "-"))
      ? name.split(separator: "-", omittingEmptySubsequences: false).joined(separator: "--") : name
  }
}

extension LogicalVolume {
  /// The numbers count only where the minor number is fixed.
  fileprivate var fixedMajor: Int32? { status.contains(.fixedMinor) ? major : nil }
  fileprivate var fixedMinor: Int32? { status.contains(.fixedMinor) ? minor : nil }
}
