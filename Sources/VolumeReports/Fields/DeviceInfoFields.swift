/// The columns about the mapped device of a logical volume.
enum DeviceInfoFields {
  static let all: [ReportField] = [
    field("lv_kernel_major", "KMaj", .number, "Major number of the device or -1") { row in
      .signed(row.status.device.map { Int64($0.major) } ?? -1)
    },
    field("lv_kernel_minor", "KMin", .number, "Minor number of the device or -1") { row in
      .signed(row.status.device.map { Int64($0.minor) } ?? -1)
    },
    field("lv_kernel_read_ahead", "KRahead", .size, "Read-ahead of the device") { row in
      guard let device = row.status.device else { return .signed(-1) }
      return .sectors(row.status.hasReadAhead ? UInt64(device.readAheadSectors) : 0)
    },
    field("lv_permissions", "LPerms", .string, width: 8, "What the device may be used for") { row in
      .text(permissions(row))
    },
    flag("lv_suspended", "Suspended", "suspended", width: 10, "Set if the device is suspended") {
      $0.isSuspended
    },
    flag(
      "lv_live_table", "LiveTable", "live table present", width: 20,
      "Set if the device has a live table"
    ) { $0.hasLiveTable },
    flag(
      "lv_inactive_table", "InactiveTable", "inactive table present", width: 20,
      "Set if the device has an inactive table"
    ) { $0.hasInactiveTable },
    flag("lv_device_open", "DevOpen", "open", width: 10, "Set if the device is open") {
      $0.isOpen
    },
  ]

  private static func permissions(_ row: ReportRow) -> String {
    guard let volume = row.logicalVolume else { return "unknown" }
    if row.roles.contains(.pvmove) { return "" }
    if volume.isWritable {
      guard let device = row.status.device else { return "unknown" }
      return device.isReadOnly ? "read-only-override" : "writeable"
    }
    return volume.status.contains(.read) ? "read-only" : "unknown"
  }

  private static func field(
    _ name: String, _ heading: String, _ type: ReportFieldType, width: Int = 0, _ summary: String,
    value: @escaping @Sendable (ReportRow) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .deviceInfo, type, width: width, summary, value: value)
  }

  private static func flag(
    _ name: String, _ heading: String, _ word: String, width: Int, _ summary: String,
    holds: @escaping @Sendable (DeviceState) -> Bool
  ) -> ReportField {
    field(name, heading, .number, width: width, summary) { row in
      row.status.device.map { .flag(holds($0), word) } ?? .unknownFlag
    }
  }
}
