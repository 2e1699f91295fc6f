/// One column that a report may have.
public struct ReportField: Sendable {
  public let name: String
  /// Without its underscores, which users may leave out or put anywhere.
  let canonicalName: String
  let heading: String
  let subject: ReportSubject
  let type: ReportFieldType
  /// The column is never narrower.
  let width: Int
  let summary: String
  let value: @Sendable (ReportRow) -> ReportValue

  init(
    _ name: String, _ heading: String, _ subject: ReportSubject, _ type: ReportFieldType,
    width: Int = 0, _ summary: String, value: @escaping @Sendable (ReportRow) -> ReportValue
  ) {
    self.name = name
    self.canonicalName = Self.canonical(name)
    self.heading = heading
    self.subject = subject
    self.type = type
    self.width = width > 0 ? width : heading.utf8.count
    self.summary = summary
    self.value = value
  }

  /// Only the kernel can tell.
  var needsKernel: Bool {
    switch subject {
    case .deviceInfo, .deviceStatus, .deviceInfoStatus: true
    default: Self.kernelNames.contains(name)
    }
  }

  private static let kernelNames: Set<String> = [
    "lv_active", "lv_active_locally", "lv_active_remotely", "lv_active_exclusively",
    "lv_image_synced", "raid_mismatch_count", "raid_sync_action", "integritymismatches",
    "data_offset", "new_data_offset",
  ]

  /// Every column, in the order in which help lists them.
  public static let all: [ReportField] =
    LogicalVolumeFields.all + DeviceInfoFields.all + DeviceStatusFields.all + [AttributeField.field]
    + LabelFields.all + PhysicalVolumeFields.all + VolumeGroupFields.all + SegmentFields.all
    + VDOFields.all + PhysicalSegmentFields.all

  /// 1 in rows that a selection selects, 0 in others.
  static let selected = ReportField(
    "selected", "Selected", .special, .number, width: 8,
    "1 in rows that the selection chooses, 0 in others"
  ) { _ in .number(1) }

  /// Ask for help in the place of a column.
  static let helpNames = ["help", "?"]

  static func canonical(_ name: some StringProtocol) -> String {
    String(name.filter { $0 != "_" }).lowercased()
  }

  private static let byCanonicalName = Dictionary(
    (all + [selected]).map { ($0.canonicalName, $0) }, uniquingKeysWith: { first, _ in first })

  /// Finds a column by its name. As in LVM the report's own prefix may be left out ("size" in a
  /// report about LVs means "lv_size"), and so may underscores.
  static func named(_ text: some StringProtocol, prefix: String) -> ReportField? {
    let wanted = canonical(text)
    guard !wanted.isEmpty else { return nil }
    let whole = byCanonicalName[wanted]
    let prefixed = byCanonicalName[prefix + wanted]
    // LVM takes the first in the order of its table that fits either way.
    guard let whole, let prefixed else { return whole ?? prefixed }
    let first = all.first { [whole.name, prefixed.name].contains($0.name) }
    return first ?? whole
  }
}
