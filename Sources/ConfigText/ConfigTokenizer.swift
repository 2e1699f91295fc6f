/// Splits configuration text into tokens by LVM's rules (lvm2-metadata 5).
///
/// Two of them surprise: a number is a number only directly after `=`, `[` or `,`, and a bare word
/// runs to white space or one of `# = { }`, so it swallows `,` and `]`.
struct ConfigTokenizer {
  enum Token: Equatable {
    case sectionBegin
    case sectionEnd
    case listBegin
    case listEnd
    case comma
    case equals
    case number(ConfigValue)
    case quoted([UInt8])
    case bare(ArraySlice<UInt8>)
    case end

    /// After these a digit, sign or point begins a number.
    fileprivate var allowsNumber: Bool {
      switch self {
      case .equals, .listBegin, .comma: true
      case .sectionBegin, .sectionEnd, .listEnd, .number, .quoted, .bare, .end: false
      }
    }
  }

  private let text: [UInt8]
  private let end: Int
  private var position = 0
  /// Line of the current token, counted from 1.
  private(set) var line = 1
  private(set) var token: Token = .end

  init(text: [UInt8]) throws(ConfigSyntaxError) {
    self.text = text
    self.end = text.firstIndex(of: 0) ?? text.count
    try advance()
  }

  /// Moves to the next token.
  mutating func advance() throws(ConfigSyntaxError) {
    skipSpaceAndComments()
    guard position < end else {
      token = .end
      return
    }
    let numberAllowed = token.allowsNumber
    switch text[position] {
    case UInt8(ascii: "{"): punctuation(.sectionBegin)
    case UInt8(ascii: "}"): punctuation(.sectionEnd)
    case UInt8(ascii: "["): punctuation(.listBegin)
    case UInt8(ascii: "]"): punctuation(.listEnd)
    case UInt8(ascii: ","): punctuation(.comma)
    case UInt8(ascii: "="): punctuation(.equals)
    case UInt8(ascii: "\""): token = .quoted(try escapedString())
    case UInt8(ascii: "'"): token = .quoted(try plainString())
    case let byte where numberAllowed && Self.beginsNumber(byte):
      token = .number(try number())
    default: token = .bare(bareWord())
    }
  }

  func failure(_ problem: String) -> ConfigSyntaxError {
    ConfigSyntaxError(line: line, problem: problem)
  }

  private mutating func punctuation(_ token: Token) {
    position += 1
    self.token = token
  }

  private mutating func skipSpaceAndComments() {
    while position < end {
      let byte = text[position]
      if byte == UInt8(ascii: "#") {
        while position < end, text[position] != UInt8(ascii: "\n") { position += 1 }
      } else if Self.isSpace(byte) {
        if byte == UInt8(ascii: "\n") { line += 1 }
        position += 1
      } else {
        return
      }
    }
  }

  private mutating func bareWord() -> ArraySlice<UInt8> {
    let start = position
    while position < end, !Self.isSpace(text[position]), !Self.endsBareWord(text[position]) {
      position += 1
    }
    return text[start..<position]
  }

  /// `"…"` with `\"` and `\\`; a backslash before anything else stands for itself.
  private mutating func escapedString() throws(ConfigSyntaxError) -> [UInt8] {
    var bytes: [UInt8] = []
    var index = position + 1
    var newlines = 0
    while index < end {
      let byte = text[index]
      if byte == UInt8(ascii: "\"") {
        position = index + 1
        line += newlines
        return bytes
      }
      if byte == UInt8(ascii: "\n") { newlines += 1 }
      if byte == UInt8(ascii: "\\"), index + 1 < end {
        let next = text[index + 1]
        if next != UInt8(ascii: "\""), next != UInt8(ascii: "\\") { bytes.append(byte) }
        bytes.append(next)
        if next == UInt8(ascii: "\n") { newlines += 1 }
        index += 2
      } else {
        bytes.append(byte)
        index += 1
      }
    }
    throw failure("a string has no closing quote")
  }

  /// `'…'` without any escape.
  private mutating func plainString() throws(ConfigSyntaxError) -> [UInt8] {
    let start = position + 1
    guard start < end, let close = text[start..<end].firstIndex(of: UInt8(ascii: "'")) else {
      throw failure("a string has no closing quote")
    }
    position = close + 1
    let bytes = Array(text[start..<close])
    line += bytes.count { $0 == UInt8(ascii: "\n") }
    return bytes
  }

  /// A sign, digits and at most one point. Integers follow C's `strtoll` with base 0: a leading
  /// zero means octal and the number ends, silently, at the first digit that is not octal.
  private mutating func number() throws(ConfigSyntaxError) -> ConfigValue {
    let start = position
    var points = 0
    position += 1
    if text[start] == UInt8(ascii: ".") { points = 1 }
    while position < end {
      if text[position] == UInt8(ascii: "."), points == 0 {
        points = 1
      } else if !Self.isDigit(text[position]) {
        break
      }
      position += 1
    }
    let written = text[start..<position]
    guard written.contains(where: Self.isDigit) else { throw failure("a number has no digits") }
    if points == 1 { return .float(String(decoding: written, as: UTF8.self)) }
    guard let integer = Self.integer(written) else {
      throw failure("a number does not fit into 64 bits")
    }
    return .integer(integer)
  }

  private static func integer(_ written: ArraySlice<UInt8>) -> Int64? {
    var digits = written
    let first = digits.first
    let isNegative = first == UInt8(ascii: "-")
    if isNegative || first == UInt8(ascii: "+") { digits = digits.dropFirst() }
    let radix: Int64 = digits.first == UInt8(ascii: "0") ? 8 : 10
    var value: Int64 = 0
    for byte in digits {
      let digit = Int64(byte) - Int64(UInt8(ascii: "0"))
      guard digit < radix else { break }
      let (product, overflow) = value.multipliedReportingOverflow(by: radix)
      // Counted downwards: the smallest 64-bit number has no positive twin.
      let (sum, overflow2) =
        isNegative
        ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
      guard !overflow, !overflow2 else { return nil }
      value = sum
    }
    return value
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  private static func beginsNumber(_ byte: UInt8) -> Bool {
    isDigit(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
      || byte == UInt8(ascii: ".")
  }

  /// C's `isspace`.
  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }

  static func endsBareWord(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "#") || byte == UInt8(ascii: "=") || byte == UInt8(ascii: "{")
      || byte == UInt8(ascii: "}")
  }
}
