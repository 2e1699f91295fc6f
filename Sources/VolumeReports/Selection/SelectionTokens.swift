/// How a field is compared with a value.
enum Comparison: Equatable {
  case matches
  case matchesNot
  case equal
  case notEqual
  case greaterOrEqual
  case greater
  case lessOrEqual
  case less

  /// Makes sense for values that have an order only.
  var needsOrder: Bool {
    switch self {
    case .matches, .matchesNot, .equal, .notEqual: false
    case .greaterOrEqual, .greater, .lessOrEqual, .less: true
    }
  }
}

/// An operator between a field and a value.
struct SelectionOperator {
  let text: String
  let comparison: Comparison
  let isForTimesOnly: Bool
  let summary: String

  private init(
    _ text: String, _ comparison: Comparison, isForTimesOnly: Bool = false, _ summary: String
  ) {
    self.text = text
    self.comparison = comparison
    self.isForTimesOnly = isForTimesOnly
    self.summary = summary
  }

  /// Longer ones before those they begin with.
  static let all = [
    SelectionOperator("=~", .matches, "Matches the regular expression. [string]"),
    SelectionOperator("!~", .matchesNot, "Does not match the regular expression. [string]"),
    SelectionOperator("=", .equal, "Equal to"),
    SelectionOperator("!=", .notEqual, "Not equal to"),
    SelectionOperator(">=", .greaterOrEqual, "At least. [number, size, percent, time]"),
    SelectionOperator(">", .greater, "Greater than. [number, size, percent, time]"),
    SelectionOperator("<=", .lessOrEqual, "At most. [number, size, percent, time]"),
    SelectionOperator("<", .less, "Less than. [number, size, percent, time]"),
    SelectionOperator("since", .greaterOrEqual, isForTimesOnly: true, "Same as >=. [time]"),
    SelectionOperator("after", .greater, isForTimesOnly: true, "Same as >. [time]"),
    SelectionOperator("until", .lessOrEqual, isForTimesOnly: true, "Same as <=. [time]"),
    SelectionOperator("before", .less, isForTimesOnly: true, "Same as <. [time]"),
  ]
}

/// A sign between or around comparisons and list items.
struct LogicalToken {
  enum Meaning {
    case and
    case or
    case not
    case open
    case close
    case listBegin
    case listEnd
    case subsetBegin
    case subsetEnd
  }

  let text: String
  let meaning: Meaning
  let summary: String

  static let all = [
    LogicalToken(text: "&&", meaning: .and, summary: "All must hold"),
    LogicalToken(text: ",", meaning: .and, summary: "All must hold"),
    LogicalToken(text: "||", meaning: .or, summary: "One must hold"),
    LogicalToken(text: "#", meaning: .or, summary: "One must hold"),
    LogicalToken(text: "!", meaning: .not, summary: "Must not hold; parentheses follow"),
    LogicalToken(text: "(", meaning: .open, summary: "Left parenthesis"),
    LogicalToken(text: ")", meaning: .close, summary: "Right parenthesis"),
    LogicalToken(text: "[", meaning: .listBegin, summary: "Begin of a whole list"),
    LogicalToken(text: "]", meaning: .listEnd, summary: "End of a whole list"),
    LogicalToken(text: "{", meaning: .subsetBegin, summary: "Begin of a part of a list"),
    LogicalToken(text: "}", meaning: .subsetEnd, summary: "End of a part of a list"),
  ]
}

/// A position in the text of a selection.
struct SelectionCursor {
  private let bytes: [UInt8]
  private(set) var position = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  private init(_ bytes: [UInt8], _ position: Int) {
    self.bytes = bytes
    self.position = position
  }

  var isAtEnd: Bool { position >= bytes.count }
  var byte: UInt8? { position < bytes.count ? bytes[position] : nil }
  var rest: String { String(decoding: bytes[position...], as: UTF8.self) }

  mutating func advance(_ count: Int = 1) { position = min(position + count, bytes.count) }

  mutating func skipSpace() {
    while let byte, byte == 0x20 || (0x09...0x0D).contains(byte) { position += 1 }
  }

  /// The text from an earlier position up to here.
  func text(from start: SelectionCursor) -> String {
    String(decoding: bytes[start.position..<position], as: UTF8.self)
  }

  private func continues(with text: String) -> Bool { bytes[position...].starts(with: text.utf8) }

  /// Takes an operator if one comes next, after white space.
  mutating func takeOperator() -> SelectionOperator? {
    skipSpace()
    guard let found = SelectionOperator.all.first(where: { continues(with: $0.text) }) else {
      return nil
    }
    advance(found.text.utf8.count)
    return found
  }

  /// Takes one of the signs if one comes next, after white space.
  mutating func take(_ meanings: LogicalToken.Meaning...) -> LogicalToken.Meaning? {
    var next = self
    next.skipSpace()
    guard let found = next.sign(meanings) else { return nil }
    next.advance(found.text.utf8.count)
    self = next
    return found.meaning
  }

  private func sign(_ meanings: [LogicalToken.Meaning]) -> LogicalToken? {
    LogicalToken.all.first { meanings.contains($0.meaning) && continues(with: $0.text) }
  }

  /// Takes a name: letters, digits, `_` and `-`.
  mutating func takeFieldName() -> String? {
    skipSpace()
    let start = self
    while let byte, Self.isNameByte(byte) { position += 1 }
    return position > start.position ? text(from: start) : nil
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  /// Takes digits with at most one point between them.
  mutating func takeNumber() -> String? {
    let start = self
    var hasPoint = false
    while let byte {
      if byte == UInt8(ascii: "."), !hasPoint {
        hasPoint = true
      } else if !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        break
      }
      position += 1
    }
    return position > start.position ? text(from: start) : nil
  }

  /// Takes a text: in quotes up to the closing one, else up to a space or one of the signs.
  mutating func takeText(
    quotes: [UInt8: UInt8] = Self.plainQuotes, upTo signs: LogicalToken.Meaning...
  ) throws(ReportError) -> String {
    if let byte, let closing = quotes[byte] {
      position += 1
      let start = self
      while let byte = self.byte, byte != closing { position += 1 }
      guard !isAtEnd else { throw ReportError("Missing end quote.") }
      let text = text(from: start)
      position += 1
      return text
    }
    let start = self
    while let byte, byte != UInt8(ascii: " ") {
      var ahead = self
      ahead.skipSpace()
      if ahead.sign(signs) != nil { break }
      position += 1
    }
    return text(from: start)
  }

  static let plainQuotes: [UInt8: UInt8] = [
    UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "'"): UInt8(ascii: "'"),
  ]

  static let expressionQuotes = plainQuotes.merging(
    [
      UInt8(ascii: "("): UInt8(ascii: ")"), UInt8(ascii: "{"): UInt8(ascii: "}"),
      UInt8(ascii: "["): UInt8(ascii: "]"),
    ], uniquingKeysWith: { first, _ in first })
}
