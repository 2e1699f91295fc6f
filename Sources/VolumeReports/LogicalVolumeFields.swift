import LVMMetadata
import VolumeActivation

/// The columns about logical volumes.
enum LogicalVolumeFields {
  static let all: [ReportField] = identity + policy + relations + device

  private static let identity: [ReportField] = [
    field("lv_uuid", "LV UUID", width: 38) { volume, _, _ in .text(volume.id.dashed) },
    field("lv_name", "LV", width: 4) { volume, facts, _ in
      .text(facts.displayName(volume.name))
    },
    field("lv_full_name", "LV", width: 4) { volume, facts, _ in
      .text("\(facts.group.name)/\(volume.name)")
    },
    field("lv_path", "Path") { volume, facts, _ in
      .text(facts.hasPath(volume) ? "/dev/\(facts.group.name)/\(volume.name)" : "")
    },
    field("lv_dm_path", "DMPath") { volume, facts, _ in
      let name = MappedDeviceName(volumeGroup: facts.group.name, logicalVolume: volume.name)
      return .text(name.map { "/dev/mapper/\($0.text)" } ?? "")
    },
    field("lv_attr", "Attr") { volume, facts, row in
      .text(LogicalVolumeAttributes(volume, facts, row.state).text)
    },
    number("lv_size", "LSize") { volume, facts, _ in
      .size(facts.bytes(extents: facts.shownExtents(volume)))
    },
    number("seg_count", "#Seg") { volume, _, _ in .number(Int64(volume.segments.count)) },
    field("lv_tags", "LV Tags") { volume, _, _ in .list(volume.tags.sorted()) },
    field("lv_time", "CTime", width: 26) { volume, _, row in
      .text(volume.creationTime.map(row.source.formatTime) ?? "")
    },
    field("lv_host", "Host", width: 10) { volume, _, _ in .optional(volume.creationHost) },
    field("lv_profile", "LProfile") { volume, _, _ in .optional(volume.profile) },
    field("lv_lockargs", "LLockArgs") { volume, _, _ in .optional(volume.lockArguments) },
  ]

  private static let policy: [ReportField] = [
    field("lv_allocation_policy", "AllocPol", width: 10) { volume, _, _ in
      .text(volume.allocationPolicy?.rawValue ?? "inherit")
    },
    field("lv_allocation_locked", "AllocLock", width: 10) { volume, _, _ in
      .word("allocation locked", if: volume.status.contains(.locked))
    },
    field("lv_fixed_minor", "FixMin", width: 10) { volume, _, _ in
      .word("fixed minor", if: volume.status.contains(.fixedMinor))
    },
    field("lv_skip_activation", "SkipAct", width: 15) { volume, _, _ in
      .word("skip activation", if: volume.flags.contains(.activationSkip))
    },
    field("lv_autoactivation", "AutoAct") { volume, _, _ in
      .word("enabled", if: !volume.flags.contains(.noAutoactivation))
    },
    number("lv_major", "Maj") { volume, _, _ in .number(Int64(volume.major ?? -1)) },
    number("lv_minor", "Min") { volume, _, _ in .number(Int64(volume.minor ?? -1)) },
    number("lv_read_ahead", "Rahead") { volume, _, _ in
      switch volume.readAheadSectors {
      case nil, 0: .text("auto")
      case -1: .size(0)
      case let sectors?: .size(UInt64(max(sectors, 0)) * 512)
      }
    },
  ]

  private static let relations: [ReportField] = [
    field("pool_lv", "Pool") { volume, facts, _ in
      .text(facts.poolName(volume).map(facts.displayName) ?? "")
    },
    field("origin", "Origin") { volume, facts, _ in
      .text(facts.originName(volume).map(facts.displayName) ?? "")
    },
    number("origin_size", "OSize") { volume, facts, _ in
      guard let snapshot = facts.snapshots[volume.name],
        let origin = facts.logicalVolumes[snapshot.origin]
      else {
        if facts.isSnapshotOrigin(volume) {
          return .size(facts.bytes(extents: volume.extentCount))
        }
        return facts.externalOrigin(volume).map { .size(facts.bytes(extents: $0.extentCount)) }
          ?? .absent
      }
      return .size(facts.bytes(extents: origin.extentCount))
    },
    field("data_lv", "Data") { volume, facts, _ in
      .text(facts.reference(volume, "data", "pool").map(facts.displayName) ?? "")
    },
    field("metadata_lv", "Meta") { volume, facts, _ in
      .text(facts.reference(volume, "metadata").map(facts.displayName) ?? "")
    },
    field("mirror_log", "Log") { volume, facts, _ in
      .text(facts.reference(volume, "mirror_log").map(facts.displayName) ?? "")
    },
    field("move_pv", "Move") { volume, facts, _ in .text(facts.movedDevice(volume) ?? "") },
    field("convert_lv", "Convert") { _, _, _ in .text("") },
  ]

  private static let device: [ReportField] = [
    field("lv_active", "Active") { _, _, row in
      switch row.state {
      case .unknown: .text("unknown")
      case .inactive: .text("")
      case .present: .text("active")
      }
    },
    number("lv_kernel_major", "KMaj") { _, _, row in .number(row.state.device?.major ?? -1) },
    number("lv_kernel_minor", "KMin") { _, _, row in .number(row.state.device?.minor ?? -1) },
    flag("lv_suspended", "Suspended", "suspended", width: 10) { $0.isSuspended },
    flag("lv_live_table", "LiveTable", "live table present", width: 20) { $0.hasLiveTable },
    flag("lv_inactive_table", "InactiveTable", "inactive table present", width: 20) {
      $0.hasInactiveTable
    },
    flag("lv_device_open", "DevOpen", "open", width: 10) { $0.isOpen },
    percent("data_percent", "Data%", width: 6), percent("snap_percent", "Snap%", width: 6),
    percent("metadata_percent", "Meta%", width: 6), percent("copy_percent", "Cpy%Sync"),
    percent("sync_percent", "Cpy%Sync"),
  ]

  private static func field(
    _ name: String, _ heading: String, isNumeric: Bool = false, width: Int = 0,
    value: @escaping @Sendable (LogicalVolume, GroupFacts, ReportRow) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .logicalVolume, isNumeric: isNumeric, width: width) { row in
      guard let facts = row.facts, let volume = row.logicalVolume else { return .absent }
      return value(volume, facts, row)
    }
  }

  private static func number(
    _ name: String, _ heading: String,
    value: @escaping @Sendable (LogicalVolume, GroupFacts, ReportRow) -> ReportValue
  ) -> ReportField {
    field(name, heading, isNumeric: true, value: value)
  }

  /// A word that says something about the device; "unknown" when there is none to be asked.
  private static func flag(
    _ name: String, _ heading: String, _ word: String, width: Int,
    holds: @escaping @Sendable (DeviceState) -> Bool
  ) -> ReportField {
    field(name, heading, width: width) { _, _, row in
      switch row.state {
      case .unknown, .inactive: .text("unknown")
      case .present(let device): .word(word, if: holds(device))
      }
    }
  }

  /// How full a pool or snapshot is, and how far in sync a mirror, is known to the kernel alone;
  /// the columns are there because LVM's default report has them, and are always empty.
  private static func percent(_ name: String, _ heading: String, width: Int = 0) -> ReportField {
    field(name, heading, width: width) { _, _, _ in .absent }
  }
}

/// What is known about the device of the row's logical volume.
enum ShownState: Equatable {
  case unknown
  case inactive
  case present(DeviceState)

  var device: (major: Int64, minor: Int64)? {
    if case .present(let device) = self { return (Int64(device.major), Int64(device.minor)) }
    return nil
  }
}

extension ReportRow {
  var state: ShownState {
    switch source.states {
    case .unknown: return .unknown
    case .known(let states):
      guard let volume = logicalVolume, let state = states[volume.id] else { return .inactive }
      return .present(state)
    }
  }
}
