import LVMMetadata

/// What one row of a report is about. Parts that the row does not have are nil.
struct ReportRow {
  let source: ReportSource
  let facts: GroupFacts?
  var physicalVolume: ReportedPhysicalVolume?
  var logicalVolume: LogicalVolume?
  var segment: Segment?

  init(source: ReportSource, facts: GroupFacts?) {
    self.source = source
    self.facts = facts
  }
}

/// A physical volume as its device shows it, as its group's text describes it, or both.
struct ReportedPhysicalVolume {
  let scanned: ScannedPhysicalVolume?
  let described: PhysicalVolume?
  let isMissing: Bool
}

/// One column that a report may have.
public struct ReportField: Sendable {
  /// What a row must be about for the column to make sense.
  public enum Subject: Sendable, Hashable {
    case physicalVolume
    case volumeGroup
    case logicalVolume
    case segment
  }

  public let name: String
  public let heading: String
  public let subject: Subject
  /// Sizes and numbers are aligned right.
  public let isNumeric: Bool
  /// The column is never narrower.
  public let width: Int
  let value: @Sendable (ReportRow) -> ReportValue

  init(
    _ name: String, _ heading: String, _ subject: Subject, isNumeric: Bool = false, width: Int = 0,
    value: @escaping @Sendable (ReportRow) -> ReportValue
  ) {
    self.name = name
    self.heading = heading
    self.subject = subject
    self.isNumeric = isNumeric
    self.width = width
    self.value = value
  }

  /// Every column, in the order in which help lists them.
  public static let all: [ReportField] =
    LogicalVolumeFields.all + PhysicalVolumeFields.all + VolumeGroupFields.all + SegmentFields.all

  private static let byName = Dictionary(
    all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

  /// Finds a column by its name. As in LVM the prefix may be left out ("size" in `lvs` means
  /// "lv_size") and so may underscores ("segcount").
  public static func named(_ text: String, in report: Report.Kind) -> ReportField? {
    let wanted = text.lowercased()
    let prefix = report.namePrefix
    if let field = byName[wanted] ?? byName[prefix + wanted] { return field }
    let bare = wanted.filter { $0 != "_" }
    return all.first { $0.name.filter { $0 != "_" } == bare }
      ?? all.first { $0.name.filter { $0 != "_" } == prefix.dropLast() + bare }
  }
}
