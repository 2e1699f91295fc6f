import LVMMetadata

/// What `pvdisplay`, `vgdisplay`, `lvdisplay`, `pvscan`, `vgscan` and `lvscan` print: LVM's reports
/// for people, line by line, without the two blanks before them.
public struct VolumeDisplay {
  public enum Style: Sendable {
    case full
    /// `-c`: values between colons, sizes in units of their own.
    case colons
    /// `-s`
    case short
    /// `-m`: also where segments lie.
    case maps
  }

  let source: ReportSource
  let units: SizeUnits
  /// Nil shows all rows.
  private let selection: Selection?
  public internal(set) var lines: [String] = []
  /// What was named and not found, in words for the user.
  public internal(set) var failures: [String] = []

  /// - Parameters:
  ///   - selection: the value of `-S`.
  ///   - kind: what the selection's short names are about.
  ///   - now: seconds since 1970, for times in the selection.
  public init(
    _ source: ReportSource, units: SizeUnits, selection: String? = nil, kind: ReportKind,
    now: Int64
  ) throws(ReportError) {
    self.source = source
    self.units = units
    if let selection, !selection.isEmpty {
      self.selection = try Selection(selection, prefix: kind.subject.prefix, now: now)
    } else {
      self.selection = nil
    }
  }

  mutating func rows(
    _ subject: Report.RowSubject, _ arguments: ReportArguments
  ) -> [ReportRow] {
    var builder = RowBuilder(source, arguments, subject)
    if subject == .physicalVolumes { builder.addDevices() } else { builder.addGroups() }
    failures += builder.result.failures
    guard let selection else { return builder.result.rows }
    return builder.result.rows.filter { row in selection.selects { $0.value(row) } }
  }

  mutating func line(_ text: String) { lines.append(text) }

  /// `label` and the value in a column of its own.
  mutating func line(_ label: String, _ value: String, width: Int) {
    lines.append(label + String(repeating: " ", count: max(width - label.count, 1)) + value)
  }

  func size(sectors: UInt64) -> String { units.text(bytes: sectors &* 512, style: .spaced) }

  func size(_ facts: GroupFacts, extents: Int) -> String {
    size(sectors: facts.sectors(extents: extents))
  }

  static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(width - text.count, 0))
  }
}
