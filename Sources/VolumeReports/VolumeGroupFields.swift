import LVMMetadata

/// The columns about volume groups.
enum VolumeGroupFields {
  static let all: [ReportField] = [
    field("vg_fmt", "Fmt") { _ in .text("lvm2") },
    field("vg_uuid", "VG UUID", width: 38) { .text($0.group.id.dashed) },
    field("vg_name", "VG") { .text($0.group.name) },
    field("vg_attr", "Attr", width: 5) { .text($0.attributes) },
    field("vg_permissions", "VPerms", width: 10) {
      .text($0.group.isWritable ? "writeable" : "read-only")
    },
    field("vg_extendable", "Extendable") {
      .word("extendable", if: $0.group.status.contains(.resizeable))
    },
    field("vg_exported", "Exported", width: 10) { .word("exported", if: $0.group.isExported) },
    field("vg_autoactivation", "AutoAct") {
      .word("enabled", if: !$0.group.flags.contains(.noAutoactivation))
    },
    field("vg_partial", "Partial", width: 10) { .word("partial", if: !$0.missing.isEmpty) },
    field("vg_allocation_policy", "AllocPol", width: 10) {
      .text($0.group.allocationPolicy.rawValue)
    },
    field("vg_clustered", "Clustered", width: 10) {
      .word("clustered", if: $0.group.isClustered)
    },
    field("vg_shared", "Shared", width: 7) { .word("shared", if: $0.group.isShared) },
    number("vg_size", "VSize") { .size($0.bytes(extents: $0.group.extentCount)) },
    number("vg_free", "VFree") { .size($0.bytes(extents: $0.freeExtents)) },
    field("vg_sysid", "SYS ID") { .optional($0.group.systemID) },
    field("vg_systemid", "System ID") { .optional($0.group.systemID) },
    field("vg_lock_type", "LockType") { .optional($0.group.lockType) },
    field("vg_lock_args", "VLockArgs") { .optional($0.group.lockArguments) },
    number("vg_extent_size", "Ext") { .size($0.group.extentSizeSectors * 512) },
    number("vg_extent_count", "#Ext") { .number(Int64($0.group.extentCount)) },
    number("vg_free_count", "Free") { .number(Int64($0.freeExtents)) },
    number("max_lv", "MaxLV") { .number(Int64($0.group.logicalVolumeLimit)) },
    number("max_pv", "MaxPV") { .number(Int64($0.group.physicalVolumeLimit)) },
    number("pv_count", "#PV") { .number(Int64($0.group.physicalVolumes.count)) },
    number("vg_missing_pv_count", "#PV Missing") { .number(Int64($0.missing.count)) },
    number("lv_count", "#LV") { facts in
      .number(Int64(facts.group.logicalVolumes.count { facts.isVisible($0) }))
    },
    number("snap_count", "#SN") { .number(Int64($0.snapshots.count)) },
    number("vg_seqno", "Seq") { .number(Int64($0.group.seqno)) },
    field("vg_tags", "VG Tags") { .list($0.group.tags.sorted()) },
    field("vg_profile", "VProfile") { .optional($0.group.profile) },
    number("vg_mda_count", "#VMda") { .number(Int64($0.areas.count)) },
    number("vg_mda_used_count", "#VMdaUse") { facts in
      .number(Int64(facts.areas.count { $0.isInUse }))
    },
    number("vg_mda_free", "VMdaFree", width: 9) {
      .size($0.areas.filter(\.isInUse).map(\.freeBytes).min() ?? 0)
    },
    number("vg_mda_size", "VMdaSize", width: 9) {
      .size($0.areas.filter(\.isInUse).map(\.sizeBytes).min() ?? 0)
    },
    number("vg_mda_copies", "#VMdaCps") {
      switch $0.group.metadataCopies ?? 0 {
      case 0: .text("unmanaged")
      case .max: .text("all")
      case let count: .number(Int64(count))
      }
    },
  ]

  /// Columns of a row without a group are empty.
  private static func field(
    _ name: String, _ heading: String, isNumeric: Bool = false, width: Int = 0,
    value: @escaping @Sendable (GroupFacts) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .volumeGroup, isNumeric: isNumeric, width: width) { row in
      row.facts.map(value) ?? .absent
    }
  }

  private static func number(
    _ name: String, _ heading: String, width: Int = 0,
    value: @escaping @Sendable (GroupFacts) -> ReportValue
  ) -> ReportField {
    field(name, heading, isNumeric: true, width: width, value: value)
  }
}

extension AllocationPolicy {
  /// The letter in attributes, small.
  var letter: String {
    switch self {
    case .contiguous: "c"
    case .cling, .clingByTags: "l"
    case .normal: "n"
    case .anywhere: "a"
    }
  }
}

extension GroupFacts {
  /// Permission, resizeable, exported, partial, allocation, clustered or shared.
  fileprivate var attributes: String {
    (group.isWritable ? "w" : "r") + (group.status.contains(.resizeable) ? "z" : "-")
      + (group.isExported ? "x" : "-") + (missing.isEmpty ? "-" : "p")
      + group.allocationPolicy.letter
      + (group.isClustered ? "c" : group.isShared ? "s" : "-")
  }
}
