/// Reads the value behind an operator, as the field's type demands.
struct SelectionValueParser {
  private(set) var cursor: SelectionCursor
  private let field: ReportField
  private let now: Int64

  init(_ cursor: SelectionCursor, _ field: ReportField, now: Int64) {
    self.cursor = cursor
    self.field = field
    self.now = now
  }

  mutating func parseExpression() throws(ReportError) -> SelectionValue {
    cursor.skipSpace()
    guard !cursor.isAtEnd else {
      throw ReportError("Regular expression expected for selection field \(field.name)")
    }
    let text = try cursor.takeText(
      quotes: SelectionCursor.expressionQuotes, upTo: .and, .or, .close)
    guard field.type == .string else {
      throw ReportError(
        "dm_report: incompatible comparison type for selection field \(field.name)")
    }
    guard let expression = RegularExpression(text) else {
      throw ReportError(
        "dm_report: failed to create regex matcher for selection field \(field.name)")
    }
    return .expression(expression)
  }

  mutating func parse() throws(ReportError) -> SelectionValue {
    cursor.skipSpace()
    if let reserved = try takeReserved() { return reserved }
    switch field.type {
    case .string: return .text(try cursor.takeText(upTo: .and, .or, .close))
    case .stringList: return .list(try parseList())
    case .number, .size, .percent: return try parseNumber()
    case .time: return try parseTime()
    }
  }

  private mutating func takeReserved() throws(ReportError) -> SelectionValue? {
    var ahead = cursor
    guard let word = try? ahead.takeText(upTo: .and, .or, .close) else { return nil }
    if let value = ReservedValue.find(word, in: field) {
      cursor = ahead
      switch value {
      case .text(let text): return .text(text)
      case .bits(let bits):
        return field.type == .size ? .size(Double(bitPattern: bits)) : .number(bits)
      }
    }
    guard field.type == .time, let range = try TimeWords.parse(word, now: now) else { return nil }
    cursor = ahead
    return .time(range)
  }

  // MARK: - Numbers

  private mutating func parseNumber() throws(ReportError) -> SelectionValue {
    guard let text = cursor.takeNumber() else {
      throw ReportError("Failed to parse numeric value for selection field \(field.name).")
    }
    if cursor.byte == UInt8(ascii: "%") {
      cursor.advance()
      guard field.type == .percent else {
        let type = field.type == .number ? "numeric" : "size"
        throw ReportError(
          "Found percent value but \(type) value expected for selection field \(field.name).")
      }
    } else if let factor = cursor.byte.flatMap(Self.factor) {
      cursor.advance()
      guard field.type == .size else {
        let type = field.type == .number ? "numeric" : "percent"
        throw ReportError(
          "Found size unit specifier but \(type) value expected for selection field "
            + "\(field.name).")
      }
      return .size((Double(text) ?? 0) * factor / 512)
    }
    return try number(text)
  }

  private func number(_ text: String) throws(ReportError) -> SelectionValue {
    switch field.type {
    case .size: return .size((Double(text) ?? 0) * 1_048_576 / 512)
    case .percent:
      guard let percent = Double(text), percent <= 100 else { throw outOfRange(text) }
      return .number(UInt64(percent * 1_000_000))
    default:
      let digits = text.prefix { $0 != "." }
      guard let number = digits.isEmpty ? 0 : UInt64(digits) else { throw outOfRange(text) }
      guard number != .max else {
        throw ReportError("Numeric value \(number) found in selection is reserved.")
      }
      return .number(number)
    }
  }

  private func outOfRange(_ text: String) -> ReportError {
    ReportError(
      "Field selection value \(text) out of supported range for field \(field.name).")
  }

  /// Bytes of a unit; small letters count in powers of 1024, capitals in powers of 1000.
  private static func factor(_ letter: UInt8) -> Double? {
    let character = Character(Unicode.Scalar(letter))
    switch character {
    case "b", "B", "h", "H", "r", "R": return 1
    case "s", "S": return 512
    default: break
    }
    let letters: [Character] = ["k", "m", "g", "t", "p", "e"]
    guard let index = letters.firstIndex(of: Character(character.lowercased())) else { return nil }
    let base: Double = character.isUppercase ? 1000 : 1024
    return (0...index).reduce(1) { product, _ in product * base }
  }

  // MARK: - Lists

  private mutating func parseList() throws(ReportError) -> SelectionList {
    guard let begin = cursor.take(.listBegin, .subsetBegin) else {
      return SelectionList(
        mode: .anyOf, items: [try cursor.takeText(upTo: .and, .or, .close)])
    }
    var items: [String] = []
    var sign: LogicalToken.Meaning?
    while true {
      cursor.skipSpace()
      if cursor.isAtEnd {
        throw ReportError("Missing list end for selection field \(field.name)")
      }
      items.append(try cursor.takeText(upTo: .listEnd, .subsetEnd, .and, .or))
      guard let next = cursor.take(.listEnd, .subsetEnd, .and, .or) else {
        throw ReportError("Invalid operator in selection list.")
      }
      if next == .listEnd || next == .subsetEnd {
        let isClosed = (next == .listEnd) == (begin == .listBegin)
        guard isClosed else {
          let expected = begin == .listBegin ? "]" : "}"
          throw ReportError("List ended with incorrect character, expecting '\(expected)'.")
        }
        break
      }
      guard sign == nil || sign == next else {
        throw ReportError("Only one type of logical operator allowed in selection list at a time.")
      }
      sign = next
    }
    let isWhole = begin == .listBegin
    let needsAll = sign == nil ? isWhole : sign == .and
    let mode: SelectionList.Mode = needsAll ? (isWhole ? .exactly : .allOf) : .anyOf
    return SelectionList(mode: mode, items: items.sorted())
  }

  // MARK: - Times

  private mutating func parseTime() throws(ReportError) -> SelectionValue {
    let problem = "Failed to parse time value for selection field \(field.name)."
    if cursor.byte == UInt8(ascii: "@") {
      cursor.advance()
      guard let text = cursor.takeNumber() else { throw ReportError(problem) }
      guard let seconds = Int64(text.prefix { $0 != "." }) else { throw outOfRange(text) }
      return .time(seconds...seconds)
    }
    let text = try cursor.takeText(upTo: .and, .or, .close)
    guard let range = WrittenTime.parse(text) else { throw ReportError(problem) }
    return .time(range)
  }
}
