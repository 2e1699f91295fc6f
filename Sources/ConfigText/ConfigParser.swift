/// Makes the nodes of a document from the tokens of its text.
struct ConfigParser {
  private(set) var nodes: [ConfigDocument.Node] = []
  private(set) var hasEscapes = false
  /// Some names are paths: `a/b = 1` stands for `a { b = 1 }`.
  var hasPaths: Bool { pathCount > 0 }

  private var tokens: ConfigTokenizer
  private let limits: ConfigLimits
  private var pathCount = 0
  /// Each path costs a search among its siblings.
  private static let pathCountMax = 10_000

  init(text: [UInt8], limits: ConfigLimits) throws(ConfigSyntaxError) {
    guard text.count <= limits.byteCount, text.count < Int(UInt32.max) else {
      throw ConfigSyntaxError(
        line: 1, problem: "the text has \(text.count) bytes, more than \(limits.byteCount)")
    }
    tokens = ConfigTokenizer(end: text.firstIndex(of: 0) ?? text.count)
    self.limits = limits
    // Metadata has a node for about this many bytes.
    nodes.reserveCapacity(text.count / 16)
  }

  mutating func parseText(_ text: Span<UInt8>) throws(ConfigSyntaxError) {
    try tokens.advance(text)
    while tokens.kind != .end { try parseEntry(text, depth: 0) }
  }

  private mutating func parseEntry(
    _ text: Span<UInt8>, depth: Int
  ) throws(ConfigSyntaxError) {
    let nameCount = try parseName(text)
    guard depth + nameCount <= limits.depth else {
      throw tokens.failure("sections are nested more than \(limits.depth) deep", text)
    }
    let entry = nodes.count - 1
    switch tokens.kind {
    case .sectionBegin:
      nodes[entry].kind = .section
      try parseSection(text, depth: depth + nameCount)
    case .equals:
      try tokens.advance(text)
      try parseValue(text, of: entry)
    case .sectionEnd, .listBegin, .listEnd, .comma, .integer, .float, .quoted, .escaped, .bare,
      .end:
      throw tokens.failure("'=' or '{' is missing after a name", text)
    }
    nodes[entry].next = UInt32(nodes.count)
  }

  /// Adds a node with the name and returns how many names its path has.
  private mutating func parseName(_ text: Span<UInt8>) throws(ConfigSyntaxError) -> Int {
    let isEscaped = tokens.kind == .escaped
    switch tokens.kind {
    case .bare, .quoted, .escaped: break
    case .sectionBegin, .sectionEnd, .listBegin, .listEnd, .comma, .equals, .integer, .float, .end:
      throw tokens.failure("a name is missing", text)
    }
    let content = tokens.content
    var isASCII = true
    var nameCount = 0
    var isInName = false
    for index in content {
      let byte = text[index]
      if byte >= 0x80 { isASCII = false }
      if byte == UInt8(ascii: "/") {
        isInName = false
      } else if !isInName {
        isInName = true
        nameCount += 1
      }
    }
    guard nameCount > 0 else { throw tokens.failure("a name is empty", text) }
    // A slash at the end makes a path of one name.
    if nameCount > 1 || !isInName || text[content.lowerBound] == UInt8(ascii: "/") {
      try countPath(text)
    }
    guard isASCII || Self.isUTF8(content, text) else {
      throw tokens.failure("a name is not UTF-8", text)
    }
    try append(
      ConfigDocument.Node(
        payload: 0, nameStart: UInt32(content.lowerBound), nameCount: UInt32(content.count),
        next: 0, kind: .section, nameIsEscaped: isEscaped), text)
    hasEscapes = hasEscapes || isEscaped
    try tokens.advance(text)
    return nameCount
  }

  private static func isUTF8(_ range: Range<Int>, _ text: Span<UInt8>) -> Bool {
    String(validating: range.map { text[$0] }, as: UTF8.self) != nil
  }

  /// The rest of a section whose opening brace is the current token.
  private mutating func parseSection(
    _ text: Span<UInt8>, depth: Int
  ) throws(ConfigSyntaxError) {
    let opening = tokens.start
    try tokens.advance(text)
    while tokens.kind != .sectionEnd {
      guard tokens.kind != .end else {
        let line = ConfigTokenizer.line(of: opening, text)
        throw tokens.failure("the section that begins in line \(line) is not closed", text)
      }
      try parseEntry(text, depth: depth)
    }
    try tokens.advance(text)
  }

  private mutating func parseValue(
    _ text: Span<UInt8>, of entry: Int
  ) throws(ConfigSyntaxError) {
    guard tokens.kind == .listBegin else { return try parseScalar(text, into: entry) }
    let start = tokens.start
    nodes[entry].kind = .list
    try tokens.advance(text)
    while tokens.kind != .listEnd {
      try append(
        ConfigDocument.Node(payload: 0, nameStart: 0, nameCount: 0, next: 0, kind: .list), text)
      let item = nodes.count - 1
      try parseScalar(text, into: item)
      nodes[item].next = UInt32(nodes.count)
      if tokens.kind == .comma { try tokens.advance(text) }
    }
    nodes[entry].payload = UInt64(tokens.position - start) << 32 | UInt64(start)
    try tokens.advance(text)
  }

  private mutating func parseScalar(
    _ text: Span<UInt8>, into node: Int
  ) throws(ConfigSyntaxError) {
    let content = tokens.content
    let place = UInt64(content.count) << 32 | UInt64(content.lowerBound)
    switch tokens.kind {
    case .integer:
      nodes[node].kind = .integer
      nodes[node].payload = UInt64(bitPattern: tokens.integer)
    case .float:
      nodes[node].kind = .float
      nodes[node].payload = place
    case .escaped:
      nodes[node].valueIsEscaped = true
      hasEscapes = true
      fallthrough
    case .quoted, .bare:
      nodes[node].kind = .string
      nodes[node].payload = place
    case .sectionBegin, .sectionEnd, .listBegin, .listEnd, .comma, .equals, .end:
      throw tokens.failure("a value is missing", text)
    }
    try tokens.advance(text)
  }

  private mutating func append(
    _ node: ConfigDocument.Node, _ text: Span<UInt8>
  ) throws(ConfigSyntaxError) {
    guard nodes.count < limits.itemCount else {
      throw tokens.failure("the text has more than \(limits.itemCount) items", text)
    }
    nodes.append(node)
  }

  private mutating func countPath(_ text: Span<UInt8>) throws(ConfigSyntaxError) {
    pathCount += 1
    guard pathCount <= Self.pathCountMax else {
      throw tokens.failure("the text has more than \(Self.pathCountMax) names with '/'", text)
    }
  }
}
