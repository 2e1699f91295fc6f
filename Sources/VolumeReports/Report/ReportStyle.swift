/// How a report is shown.
public struct ReportStyle: Sendable {
  public enum Format: String, Sendable, CaseIterable {
    case basic
    /// LVM's first JSON: every value is a string.
    case json
    /// Numbers are numbers, lists are arrays, and what is absent is null.
    case jsonStandard = "json_std"
  }

  public var format = Format.basic
  public var units = SizeUnits.humanReadable
  /// Sizes carry the letter of their unit.
  public var hasSuffix = true
  public var hasHeadings = true
  /// Columns have the same width in all rows.
  public var isAligned = true
  public var separator = " "
  /// `LVM2_FIELD='value'`.
  public var hasNamePrefixes = false
  /// Values with a name prefix stand in quotes.
  public var isQuoted = true
  /// Each column becomes a line.
  public var showsColumnsAsRows = false
  /// 1 and 0 in the place of words and nothing.
  public var showsFlagsAsNumbers = false

  public init() {}

  /// A value as text.
  func text(_ value: ReportValue, _ source: ReportSource) -> String {
    switch value {
    case .text(let text): text
    case .hidden(let text): "[" + text + "]"
    case .gone(let text): "-" + text
    case .list(let items): items.joined(separator: ",")
    case .spacedList(let items): items.joined(separator: " ")
    case .number(let number): String(number)
    case .signed(let number): String(number)
    case .flag(let holds, let word):
      areFlagsNumeric ? (holds ? "1" : "0") : (holds ? word : "")
    case .unknownFlag: areFlagsNumeric ? "-1" : "unknown"
    case .sectors(let sectors): units.text(sectors: sectors, hasSuffix: hasSuffix)
    case .undefined, .noSize, .percent(nil): ""
    case .named(let name, let bits):
      format == .jsonStandard && bits == .max ? "-1" : name
    case .percent(let percent?): percent.text
    case .time(let seconds): seconds == 0 ? "" : source.formatTime(seconds)
    }
  }

  private var areFlagsNumeric: Bool { showsFlagsAsNumbers || format == .jsonStandard }
}
