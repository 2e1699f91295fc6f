/// What stands in one cell of a report.
public enum ReportValue: Equatable, Sendable {
  case text(String)
  case number(Int64)
  /// Bytes, shown in the units of the report.
  case size(UInt64)
  /// Joined by commas; in `json_std` an array.
  case list([String])
  /// A number that is not known or has no meaning here; shown as nothing.
  case absent

  /// A word that stands there when something holds, and nothing otherwise.
  static func word(_ word: String, if condition: Bool) -> ReportValue {
    .text(condition ? word : "")
  }

  static func optional(_ text: String?) -> ReportValue { .text(text ?? "") }
}

/// How values are shown.
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

  public init() {}

  func text(_ value: ReportValue) -> String {
    switch value {
    case .text(let text): text
    case .number(let number): String(number)
    case .size(let bytes): units.text(bytes: bytes, style: hasSuffix ? .compact : .bare)
    case .list(let items): items.joined(separator: ",")
    case .absent: ""
    }
  }

  func json(_ value: ReportValue) -> JSONValue {
    guard format == .jsonStandard else { return .string(text(value)) }
    switch value {
    case .text(let text): return .string(text)
    case .number(let number): return .number(number)
    case .size: return .string(text(value))
    case .list(let items): return .array(items.map { .string($0) })
    case .absent: return .null
    }
  }
}
