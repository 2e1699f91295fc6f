/// Words that stand for a value in selections: "unknown", "yes", "auto" …
struct ReservedValue {
  enum Value {
    case bits(UInt64)
    case text(String)
  }

  /// "number" for all fields that are numbers.
  let fieldName: String
  let names: [String]
  let value: Value

  /// What a word stands for in comparisons with the field.
  static func find(_ word: String, in field: ReportField) -> Value? {
    all.first { reserved in
      (reserved.fieldName == field.name
        || reserved.fieldName == "number" && field.type == .number)
        && reserved.names.contains(word)
    }?.value
  }

  /// The first name of each is the one that is shown.
  static let all: [ReservedValue] =
    [
      ReservedValue(
        fieldName: "number", names: ["-1", "unknown", "undefined", "undef"], value: .bits(.max))
    ] + flags.flatMap(flagValues) + texts
    + [
      ReservedValue(fieldName: "vg_mda_copies", names: ["unmanaged"], value: .bits(.max)),
      ReservedValue(
        fieldName: "lv_read_ahead", names: ["auto"],
        value: .bits(Double.greatestFiniteMagnitude.bitPattern)),
    ]

  private static func flagValues(_ field: String, _ names: [String]) -> [ReservedValue] {
    [
      ReservedValue(fieldName: field, names: names + ["yes"], value: .bits(1)),
      ReservedValue(fieldName: field, names: ["no"], value: .bits(0)),
    ]
  }

  private static let flags: [(field: String, names: [String])] = [
    ("pv_allocatable", ["allocatable"]), ("pv_exported", ["exported"]),
    ("pv_missing", ["missing"]), ("pv_in_use", ["used", "in use"]),
    ("pv_duplicate", ["duplicate"]), ("vg_extendable", ["extendable"]),
    ("vg_exported", ["exported"]), ("vg_partial", ["partial"]), ("vg_clustered", ["clustered"]),
    ("vg_shared", ["shared"]), ("lv_initial_image_sync", ["initial image sync", "sync"]),
    ("lv_image_synced", ["image synced", "synced"]), ("lv_merging", ["merging"]),
    ("lv_converting", ["converting"]),
    ("lv_allocation_locked", ["allocation locked", "locked"]),
    ("lv_fixed_minor", ["fixed minor", "fixed"]),
    ("lv_active_locally", ["active locally", "active", "locally"]),
    ("lv_active_remotely", ["active remotely", "active", "remotely"]),
    ("lv_active_exclusively", ["active exclusively", "active", "exclusively"]),
    ("lv_merge_failed", ["merge failed", "failed"]),
    ("lv_snapshot_invalid", ["snapshot invalid", "invalid"]), ("lv_suspended", ["suspended"]),
    ("lv_live_table", ["live table present", "live table", "live"]),
    ("lv_inactive_table", ["inactive table present", "inactive table", "inactive"]),
    ("lv_device_open", ["open"]), ("lv_skip_activation", ["skip activation", "skip"]),
    ("zero", ["zero"]), ("lv_check_needed", ["check needed", "needed"]),
    ("vdo_compression", ["enabled"]), ("vdo_deduplication", ["enabled"]),
    ("vdo_use_metadata_hints", ["enabled"]), ("vdo_use_sparse_index", ["enabled"]),
  ]

  private static let texts: [ReservedValue] = [
    text("vg_permissions", ["writeable", "rw", "read-write"]),
    text("vg_permissions", ["read-only", "r", "ro"]),
    text("lv_permissions", ["writeable", "rw", "read-write"]),
    text("lv_permissions", ["read-only", "r", "ro"]),
    text("lv_permissions", ["read-only-override", "ro-override", "r-override", "R"]),
    text("lv_when_full", ["error", "error when full", "error if no space"]),
    text("lv_when_full", ["queue", "queue when full", "queue if no space"]),
    text("lv_when_full", ["", "undefined"]), text("cache_policy", ["", "undefined"]),
    text("seg_monitor", ["", "undefined"]), text("lv_health_status", ["", "undefined"]),
    text("kernel_discards", ["", "undefined"]), text("vdo_write_policy", ["", "undefined"]),
  ]

  private static func text(_ field: String, _ names: [String]) -> ReservedValue {
    ReservedValue(fieldName: field, names: names, value: .text(names[0]))
  }
}
