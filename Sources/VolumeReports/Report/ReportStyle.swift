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
    var bytes: [UInt8] = []
    append(value, source, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Adds a value's text to `bytes`.
  func append(_ value: ReportValue, _ source: ReportSource, to bytes: inout [UInt8]) {
    switch value {
    case .text(let text): bytes += text.utf8
    case .hidden(let text):
      bytes.append(UInt8(ascii: "["))
      bytes += text.utf8
      bytes.append(UInt8(ascii: "]"))
    case .gone(let text):
      bytes.append(UInt8(ascii: "-"))
      bytes += text.utf8
    case .list(let items): Self.append(items, separator: UInt8(ascii: ","), to: &bytes)
    case .spacedList(let items): Self.append(items, separator: UInt8(ascii: " "), to: &bytes)
    case .number(let number): bytes += String(number).utf8
    case .signed(let number): bytes += String(number).utf8
    case .flag(let holds, let word):
      if areFlagsNumeric {
        bytes.append(UInt8(ascii: holds ? "1" : "0"))
      } else if holds {
        bytes += word.utf8
      }
    case .unknownFlag: bytes += (areFlagsNumeric ? "-1" : "unknown").utf8
    case .sectors(let sectors): bytes += units.text(sectors: sectors, hasSuffix: hasSuffix).utf8
    case .undefined, .noSize, .percent(nil): break
    case .named(let name, let bits):
      bytes += (format == .jsonStandard && bits == .max ? "-1" : name).utf8
    case .percent(let percent?): bytes += percent.text.utf8
    case .time(let seconds):
      if seconds != 0 { bytes += source.formatTime(seconds).utf8 }
    }
  }

  private static func append(_ items: [String], separator: UInt8, to bytes: inout [UInt8]) {
    for (number, item) in items.enumerated() {
      if number > 0 { bytes.append(separator) }
      bytes += item.utf8
    }
  }

  /// Turns a value's text, which `bytes` has from `start` on, into JSON.
  func makeJSON(
    of value: ReportValue, _ type: ReportFieldType, from start: Int, in bytes: inout [UInt8]
  ) {
    guard format == .jsonStandard else { return Self.quote(from: start, in: &bytes) }
    switch type {
    case .stringList:
      bytes.removeLast(bytes.count - start)
      bytes.append(UInt8(ascii: "["))
      for (number, item) in value.items.enumerated() {
        if number > 0 { bytes.append(UInt8(ascii: ",")) }
        let start = bytes.count
        bytes += item.utf8
        Self.quote(from: start, in: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .number where value.isSize: Self.quote(from: start, in: &bytes)
    case .number, .percent:
      if bytes.count == start { bytes += "null".utf8 }
    case .string, .size, .time: Self.quote(from: start, in: &bytes)
    }
  }

  /// Makes a JSON string of all bytes from `start` on.
  private static func quote(from start: Int, in bytes: inout [UInt8]) {
    let isPlain = bytes[start...].allSatisfy {
      $0 >= 0x20 && $0 < 0x80 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
    }
    if isPlain {
      bytes.insert(UInt8(ascii: "\""), at: start)
      bytes.append(UInt8(ascii: "\""))
    } else {
      let text = String(decoding: bytes[start...], as: UTF8.self)
      bytes.replaceSubrange(start..., with: JSONValue.string(text).compactText.utf8)
    }
  }

  private var areFlagsNumeric: Bool { showsFlagsAsNumbers || format == .jsonStandard }
}

extension ReportValue {
  /// Shown with a unit.
  fileprivate var isSize: Bool { if case .sectors = self { true } else { false } }
}
