import LVMMetadata

/// The columns about volume groups. The physical volumes of none count as a group without a name.
enum VolumeGroupFields {
  static let all: [ReportField] = identity + state + counts + areas

  private static let identity: [ReportField] = [
    field("vg_fmt", "Fmt", "Type of metadata") { .text($0.hasFormat ? "lvm2" : "") },
    field("vg_uuid", "VG UUID", width: 38, "Unique identifier") {
      .text($0.isPlaceholder ? "" : $0.group.id.dashed)
    },
    ReportField("vg_name", "VG", .volumeGroup, .string, "Name") { row in
      .text(row.isInUnknownGroup ? "[unknown]" : row.facts.group.name)
    },
    field(
      "vg_attr", "Attr", width: 5,
      "Six characters: permissions, resizeable, exported, partial, allocation policy, clustered "
        + "or shared"
    ) { .text($0.attributes) },
    field("vg_permissions", "VPerms", width: 10, "What the group may be used for") {
      .text($0.group.isWritable && !$0.isPlaceholder ? "writeable" : "read-only")
    },
    flag("vg_extendable", "Extendable", "extendable", "Set if the group may be extended") {
      $0.group.status.contains(.resizeable)
    },
    flag("vg_exported", "Exported", "exported", width: 10, "Set if the group is exported") {
      $0.group.isExported
    },
    flag("vg_autoactivation", "AutoAct", "enabled", "Set if autoactivation is enabled") {
      !$0.group.flags.contains(.noAutoactivation)
    },
    flag("vg_partial", "Partial", "partial", width: 10, "Set if physical volumes are missing") {
      !$0.missing.isEmpty
    },
    field("vg_allocation_policy", "AllocPol", width: 10, "Allocation policy") {
      .text($0.isPlaceholder ? "unknown" : $0.group.allocationPolicy.shownName)
    },
    flag("vg_clustered", "Clustered", "clustered", width: 10, "Set if marked for clvmd") {
      $0.group.isClustered
    },
    flag("vg_shared", "Shared", "shared", width: 7, "Set if shared with lvmlockd") {
      $0.group.isShared
    },
  ]

  private static let state: [ReportField] = [
    field("vg_size", "VSize", .size, "Size") { facts in
      .sectors(facts.sectors(extents: facts.group.extentCount))
    },
    field("vg_free", "VFree", .size, "Free space") { facts in
      .sectors(facts.sectors(extents: facts.freeExtents))
    },
    field("vg_sysid", "SYS ID", "System id of the host that owns the group") {
      .optional($0.group.systemID)
    },
    field("vg_systemid", "System ID", "The same") { .optional($0.group.systemID) },
    field("vg_lock_type", "LockType", "Lock manager of a shared group") {
      .text($0.group.lockType == "none" ? "" : $0.group.lockType ?? "")
    },
    field("vg_lock_args", "VLockArgs", "What the lock manager needs to lock the group") {
      .optional($0.group.lockArguments)
    },
    field("vg_extent_size", "Ext", .size, "Size of an extent") {
      .sectors($0.isPlaceholder ? 0 : $0.group.extentSizeSectors)
    },
  ]

  private static let counts: [ReportField] = [
    number("vg_extent_count", "#Ext", "Number of extents") { $0.group.extentCount },
    number("vg_free_count", "Free", "Number of free extents") { $0.freeExtents },
    number("max_lv", "MaxLV", "Most logical volumes there may be, or 0") {
      Int($0.group.logicalVolumeLimit)
    },
    number("max_pv", "MaxPV", "Most physical volumes there may be, or 0") {
      Int($0.group.physicalVolumeLimit)
    },
    number("pv_count", "#PV", "Number of physical volumes") { $0.group.physicalVolumes.count },
    number("vg_missing_pv_count", "#PV Missing", "Number of physical volumes that are missing") {
      $0.missing.count
    },
    number("lv_count", "#LV", "Number of logical volumes that users see") { facts in
      facts.graph.roles.count { $0.contains(.visible) }
    },
    number("snap_count", "#SN", "Number of thick snapshots") { facts in
      facts.graph.snapshots.keys.count { facts.graph.roles[$0].contains(.cow) }
    },
    number("vg_seqno", "Seq", "Number of changes so far") {
      $0.isPlaceholder ? 0 : Int($0.group.seqno)
    },
    field("vg_tags", "VG Tags", .stringList, "Tags") { .list($0.group.tags.sorted()) },
    field("vg_profile", "VProfile", "Profile attached to the group") {
      .optional($0.group.profile)
    },
  ]

  private static let areas: [ReportField] = [
    number("vg_mda_count", "#VMda", "Number of metadata areas") { $0.areas.count },
    number("vg_mda_used_count", "#VMdaUse", "Number of metadata areas in use") { facts in
      facts.areas.count { $0.isInUse }
    },
    field("vg_mda_free", "VMdaFree", .size, width: 9, "Free space for metadata") {
      .sectors($0.areas.filter(\.isInUse).map(\.freeSectors).min() ?? 0)
    },
    field("vg_mda_size", "VMdaSize", .size, width: 9, "Size of the smallest metadata area") {
      .sectors($0.areas.filter(\.isInUse).map(\.sizeSectors).min() ?? 0)
    },
    field("vg_mda_copies", "#VMdaCps", .number, "Number of metadata areas there are to be in use") {
      switch $0.group.metadataCopies ?? 0 {
      case 0: .named("unmanaged", bits: .max)
      case let count: .number(UInt64(count))
      }
    },
  ]

  private static func field(
    _ name: String, _ heading: String, width: Int = 0, _ summary: String,
    value: @escaping @Sendable (GroupFacts) -> ReportValue
  ) -> ReportField {
    field(name, heading, .string, width: width, summary, value: value)
  }

  private static func field(
    _ name: String, _ heading: String, _ type: ReportFieldType, width: Int = 0,
    _ summary: String, value: @escaping @Sendable (GroupFacts) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .volumeGroup, type, width: width, summary) { value($0.facts) }
  }

  private static func number(
    _ name: String, _ heading: String, _ summary: String,
    value: @escaping @Sendable (GroupFacts) -> Int
  ) -> ReportField {
    field(name, heading, .number, summary) { .count(value($0)) }
  }

  private static func flag(
    _ name: String, _ heading: String, _ word: String, width: Int = 0, _ summary: String,
    holds: @escaping @Sendable (GroupFacts) -> Bool
  ) -> ReportField {
    field(name, heading, .number, width: width, summary) { .flag(holds($0), word) }
  }
}

extension GroupFacts {
  /// Permission, resizeable, exported, partial, allocation, clustered or shared.
  fileprivate var attributes: String {
    if isPlaceholder { return "r-----" }
    var text = group.isWritable ? "w" : "r"
    text.append(group.status.contains(.resizeable) ? "z" : "-")
    text.append(group.isExported ? "x" : "-")
    text.append(missing.isEmpty ? "-" : "p")
    text.unicodeScalars.append(group.allocationPolicy.letter)
    text.append(group.isClustered ? "c" : group.isShared ? "s" : "-")
    return text
  }
}

extension AllocationPolicy {
  /// LVM has one policy with two names, and shows the first.
  var shownName: String { self == .clingByTags ? AllocationPolicy.cling.rawValue : rawValue }
}

extension ReportRow {
  /// The row is about a PV that is in use, while no group that lists it was found. Rows about
  /// extents do not tell.
  fileprivate var isInUnknownGroup: Bool {
    facts.isPlaceholder && facts.hasFormat && physicalVolume?.scanned?.label.isUsed == true
  }
}
