/// Splits configuration text into tokens by LVM's rules (lvm2-metadata 5).
///
/// Two of them surprise: a number is a number only directly after `=`, `[` or `,`, and a bare word
/// runs to white space or one of `# = { }`, so it swallows `,` and `]`.
///
/// Nothing is copied: a token is a place in the text. The text is handed to every call because a
/// span cannot be stored.
struct ConfigTokenizer {
  enum Kind {
    case sectionBegin
    case sectionEnd
    case listBegin
    case listEnd
    case comma
    case equals
    case integer
    case float
    /// In quotes; `content` lies between them.
    case quoted
    /// In double quotes, with backslashes before quotes or backslashes.
    case escaped
    case bare
    case end

    /// After these a digit, sign or point begins a number.
    fileprivate var allowsNumber: Bool {
      switch self {
      case .equals, .listBegin, .comma: true
      case .sectionBegin, .sectionEnd, .listEnd, .integer, .float, .quoted, .escaped, .bare, .end:
        false
      }
    }
  }

  private(set) var kind = Kind.end
  /// Where the current token begins.
  private(set) var start = 0
  /// The bytes of a word, number or string, without its quotes.
  private(set) var content = 0..<0
  /// True when a bare word has neither `/` nor bytes beyond ASCII, so that it can stand as a name.
  private(set) var isPlain = false
  /// The value of the current token if it is an integer.
  private(set) var integer: Int64 = 0
  /// Behind the current token.
  private(set) var position = 0
  private let end: Int

  /// - Parameter end: where the text ends: at its first NUL byte or behind its last one.
  init(end: Int) { self.end = end }

  /// Moves to the next token.
  mutating func advance(_ text: Span<UInt8>) throws(ConfigSyntaxError) {
    let numberAllowed = kind.allowsNumber
    skipSpaceAndComments(text)
    start = position
    guard position < end else {
      kind = .end
      return
    }
    let byte = text[position]
    switch byte {
    case UInt8(ascii: "{"): punctuation(.sectionBegin)
    case UInt8(ascii: "}"): punctuation(.sectionEnd)
    case UInt8(ascii: "["): punctuation(.listBegin)
    case UInt8(ascii: "]"): punctuation(.listEnd)
    case UInt8(ascii: ","): punctuation(.comma)
    case UInt8(ascii: "="): punctuation(.equals)
    case UInt8(ascii: "\""): try quotedString(text)
    case UInt8(ascii: "'"): try plainString(text)
    default:
      if numberAllowed, Self.beginsNumber(byte) {
        try number(text)
      } else {
        bareWord(text)
      }
    }
  }

  /// An error at the current token.
  func failure(_ problem: String, _ text: Span<UInt8>) -> ConfigSyntaxError {
    ConfigSyntaxError(line: Self.line(of: start, text), problem: problem)
  }

  /// The line of a byte, counted from 1.
  static func line(of offset: Int, _ text: Span<UInt8>) -> Int {
    var line = 1
    for index in 0..<offset where text[index] == UInt8(ascii: "\n") { line += 1 }
    return line
  }

  private mutating func punctuation(_ kind: Kind) {
    position += 1
    self.kind = kind
  }

  private mutating func skipSpaceAndComments(_ text: Span<UInt8>) {
    var index = position
    while index < end {
      let byte = text[index]
      if Self.isSpace(byte) {
        index += 1
      } else if byte == UInt8(ascii: "#") {
        while index < end, text[index] != UInt8(ascii: "\n") { index += 1 }
      } else {
        break
      }
    }
    position = index
  }

  private mutating func bareWord(_ text: Span<UInt8>) {
    var index = position
    var isPlain = true
    while index < end {
      let byte = text[index]
      // Letters and underscores, which words mostly consist of, need one comparison.
      if byte &- 0x3E >= 0x3D {
        if Self.isSpace(byte) || Self.endsBareWord(byte) { break }
        if byte == UInt8(ascii: "/") || byte >= 0x80 { isPlain = false }
      }
      index += 1
    }
    self.isPlain = isPlain
    content = position..<index
    position = index
    kind = .bare
  }

  /// `"…"` with `\"` and `\\`; a backslash before anything else stands for itself.
  private mutating func quotedString(_ text: Span<UInt8>) throws(ConfigSyntaxError) {
    var index = position + 1
    kind = .quoted
    while true {
      index = Self.quoteOrBackslash(from: index, to: end, text)
      guard index < end else { throw failure("a string has no closing quote", text) }
      if text[index] == UInt8(ascii: "\"") {
        content = (position + 1)..<index
        position = index + 1
        return
      }
      if index + 1 < end {
        if Self.isEscapable(text[index + 1]) { kind = .escaped }
        index += 1
      }
      index += 1
    }
  }

  /// The first `"` or `\`, or the end. Most of a text is in quotes: eight bytes are looked at at
  /// once.
  private static func quoteOrBackslash(from start: Int, to end: Int, _ text: Span<UInt8>) -> Int {
    let bytes = text.bytes
    var index = start
    while index + 8 <= end {
      let word = UInt64(
        littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
      let found =
        zeroBytes(in: word ^ 0x2222_2222_2222_2222) | zeroBytes(in: word ^ 0x5C5C_5C5C_5C5C_5C5C)
      if found != 0 { return index + found.trailingZeroBitCount / 8 }
      index += 8
    }
    while index < end, text[index] != UInt8(ascii: "\""), text[index] != UInt8(ascii: "\\") {
      index += 1
    }
    return index
  }

  /// A word whose lowest set bit is in the first byte of `word` that is zero.
  static func zeroBytes(in word: UInt64) -> UInt64 {
    (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
  }

  /// `'…'` without any escape.
  private mutating func plainString(_ text: Span<UInt8>) throws(ConfigSyntaxError) {
    var index = position + 1
    while index < end, text[index] != UInt8(ascii: "'") { index += 1 }
    guard index < end else { throw failure("a string has no closing quote", text) }
    content = (position + 1)..<index
    position = index + 1
    kind = .quoted
  }

  /// A sign, digits and at most one point.
  private mutating func number(_ text: Span<UInt8>) throws(ConfigSyntaxError) {
    var index = position
    var pointCount = 0
    var digitCount = 0
    while index < end {
      let byte = text[index]
      if Self.isDigit(byte) {
        digitCount += 1
      } else if byte == UInt8(ascii: "."), pointCount == 0 {
        pointCount = 1
      } else if index > position || byte == UInt8(ascii: ".") {
        break
      }
      index += 1
    }
    guard digitCount > 0 else { throw failure("a number has no digits", text) }
    content = position..<index
    kind = pointCount == 0 ? .integer : .float
    if kind == .integer {
      guard let value = Self.integer(content, text) else {
        throw failure("a number does not fit into 64 bits", text)
      }
      integer = value
    }
    position = index
  }

  /// C's `strtoll` with base 0: a leading zero means octal and the number ends, silently, at the
  /// first digit that is not octal.
  private static func integer(_ written: Range<Int>, _ text: Span<UInt8>) -> Int64? {
    var index = written.lowerBound
    let isNegative = text[index] == UInt8(ascii: "-")
    if isNegative || text[index] == UInt8(ascii: "+") { index += 1 }
    let radix: Int64 = text[index] == UInt8(ascii: "0") ? 8 : 10
    var value: Int64 = 0
    while index < written.upperBound {
      let digit = Int64(text[index]) - Int64(UInt8(ascii: "0"))
      guard digit < radix else { break }
      let (product, overflow) = value.multipliedReportingOverflow(by: radix)
      // Counted downwards: the smallest 64-bit number has no positive twin.
      let (sum, overflow2) =
        isNegative
        ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
      guard !overflow, !overflow2 else { return nil }
      value = sum
      index += 1
    }
    return value
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

  private static func beginsNumber(_ byte: UInt8) -> Bool {
    isDigit(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
      || byte == UInt8(ascii: ".")
  }

  /// True behind a backslash that stands for nothing itself.
  static func isEscapable(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  /// C's `isspace`.
  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte &- 0x09 < 5 }

  static func endsBareWord(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "#") || byte == UInt8(ascii: "=") || byte == UInt8(ascii: "{")
      || byte == UInt8(ascii: "}")
  }
}
