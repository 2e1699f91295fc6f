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
    tokens = ConfigTokenizer(end: Self.end(of: text))
    self.limits = limits
    // Metadata has a node for about this many bytes.
    nodes.reserveCapacity(text.count / 12)
  }

  /// The place of the first NUL byte, or the end; eight bytes are looked at at once.
  private static func end(of text: [UInt8]) -> Int {
    text.withUnsafeBytes { bytes in
      var index = 0
      while index + 8 <= bytes.count {
        let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        if ConfigTokenizer.zeroBytes(in: word) != 0 { break }
        index += 8
      }
      while index < bytes.count, bytes[index] != 0 { index += 1 }
      return index
    }
  }

  mutating func parseText(_ text: Span<UInt8>) throws(ConfigSyntaxError) {
    try tokens.advance(text)
    while tokens.kind != .end { _ = try parseEntry(text, depth: 0) }
  }

  /// Returns the bit that the section around the entry has for its name.
  private mutating func parseEntry(
    _ text: Span<UInt8>, depth: Int
  ) throws(ConfigSyntaxError) -> UInt64 {
    let nameBit = ConfigDocument.nameBit(tokens, text)
    var (node, nameCount) = try parseName(text)
    guard depth + nameCount <= limits.depth else {
      throw tokens.failure("sections are nested more than \(limits.depth) deep", text)
    }
    switch tokens.kind {
    case .sectionBegin:
      let section = nodes.count
      try append(node, text)
      nodes[section].payload = try parseSection(text, depth: depth + nameCount)
      nodes[section].next = UInt32(nodes.count)
    case .equals:
      try tokens.advance(text)
      if tokens.kind == .listBegin {
        try parseList(text, node)
      } else {
        try parseScalar(text, into: &node)
        try append(node, text)
      }
    case .sectionEnd, .listBegin, .listEnd, .comma, .integer, .float, .quoted, .escaped, .bare,
      .end:
      throw tokens.failure("'=' or '{' is missing after a name", text)
    }
    return nameBit
  }

  /// An entry's name, as a node of a section that is empty so far, and how many names its path
  /// has.
  private mutating func parseName(
    _ text: Span<UInt8>
  ) throws(ConfigSyntaxError) -> (ConfigDocument.Node, nameCount: Int) {
    let isEscaped = tokens.kind == .escaped
    switch tokens.kind {
    case .bare, .quoted, .escaped: break
    case .sectionBegin, .sectionEnd, .listBegin, .listEnd, .comma, .equals, .integer, .float, .end:
      throw tokens.failure("a name is missing", text)
    }
    let content = tokens.content
    let nameCount = tokens.kind == .bare && tokens.isPlain ? 1 : try checkName(content, text)
    hasEscapes = hasEscapes || isEscaped
    try tokens.advance(text)
    let node = ConfigDocument.Node(
      payload: 0, nameStart: UInt32(content.lowerBound), nameCount: UInt32(content.count),
      next: 0, kind: .section, nameIsEscaped: isEscaped)
    return (node, nameCount)
  }

  /// Returns how many names a path has.
  private mutating func checkName(
    _ content: Range<Int>, _ text: Span<UInt8>
  ) throws(ConfigSyntaxError) -> Int {
    var isASCII = true
    var nameCount = 0
    var slashCount = 0
    var isInName = false
    for index in content {
      let byte = text[index]
      if byte >= 0x80 { isASCII = false }
      if byte == UInt8(ascii: "/") {
        slashCount += 1
        isInName = false
      } else if !isInName {
        isInName = true
        nameCount += 1
      }
    }
    guard nameCount > 0 else { throw tokens.failure("a name is empty", text) }
    if slashCount > 0 { try countPath(text) }
    guard isASCII || Self.isUTF8(content, text) else {
      throw tokens.failure("a name is not UTF-8", text)
    }
    return nameCount
  }

  private static func isUTF8(_ range: Range<Int>, _ text: Span<UInt8>) -> Bool {
    String(validating: range.map { text[$0] }, as: UTF8.self) != nil
  }

  /// The rest of a section whose opening brace is the current token. Returns the bits of the
  /// names in it.
  private mutating func parseSection(
    _ text: Span<UInt8>, depth: Int
  ) throws(ConfigSyntaxError) -> UInt64 {
    var nameBits: UInt64 = 0
    let opening = tokens.start
    try tokens.advance(text)
    while tokens.kind != .sectionEnd {
      guard tokens.kind != .end else {
        let line = ConfigTokenizer.line(of: opening, text)
        throw tokens.failure("the section that begins in line \(line) is not closed", text)
      }
      nameBits |= try parseEntry(text, depth: depth)
    }
    try tokens.advance(text)
    return nameBits
  }

  /// A list whose opening bracket is the current token; `node` has its name.
  private mutating func parseList(
    _ text: Span<UInt8>, _ node: ConfigDocument.Node
  ) throws(ConfigSyntaxError) {
    let start = tokens.start
    let list = nodes.count
    try append(node, text)
    try tokens.advance(text)
    while tokens.kind != .listEnd {
      var item = ConfigDocument.Node(
        payload: 0, nameStart: 0, nameCount: 0, next: 0, kind: .integer)
      try parseScalar(text, into: &item)
      try append(item, text)
      if tokens.kind == .comma { try tokens.advance(text) }
    }
    nodes[list].kind = .list
    nodes[list].payload = UInt64(tokens.position - start) << 32 | UInt64(start)
    nodes[list].next = UInt32(nodes.count)
    try tokens.advance(text)
  }

  private mutating func parseScalar(
    _ text: Span<UInt8>, into node: inout ConfigDocument.Node
  ) throws(ConfigSyntaxError) {
    let content = tokens.content
    node.payload = UInt64(content.count) << 32 | UInt64(content.lowerBound)
    switch tokens.kind {
    case .integer:
      node.kind = .integer
      node.payload = UInt64(bitPattern: tokens.integer)
    case .float: node.kind = .float
    case .quoted, .bare: node.kind = .string
    case .escaped:
      node.kind = .string
      node.valueIsEscaped = true
      hasEscapes = true
    case .sectionBegin, .sectionEnd, .listBegin, .listEnd, .comma, .equals, .end:
      throw tokens.failure("a value is missing", text)
    }
    try tokens.advance(text)
  }

  /// Adds a node in which nothing is so far.
  private mutating func append(
    _ node: ConfigDocument.Node, _ text: Span<UInt8>
  ) throws(ConfigSyntaxError) {
    guard nodes.count < limits.itemCount else {
      throw tokens.failure("the text has more than \(limits.itemCount) items", text)
    }
    var node = node
    node.next = UInt32(nodes.count + 1)
    nodes.append(node)
  }

  private mutating func countPath(_ text: Span<UInt8>) throws(ConfigSyntaxError) {
    pathCount += 1
    guard pathCount <= Self.pathCountMax else {
      throw tokens.failure("the text has more than \(Self.pathCountMax) names with '/'", text)
    }
  }
}
