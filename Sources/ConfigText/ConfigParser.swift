/// Builds the tree of a configuration text from its tokens.
struct ConfigParser {
  private var tokens: ConfigTokenizer
  private let limits: ConfigLimits
  private var itemCount = 0
  /// Names with `/`, each of which costs a search among its siblings.
  private var pathCount = 0
  private static let pathCountMax = 10_000

  init(text: [UInt8], limits: ConfigLimits) throws(ConfigSyntaxError) {
    guard text.count <= limits.byteCount else {
      throw ConfigSyntaxError(
        line: 1, problem: "the text has \(text.count) bytes, more than \(limits.byteCount)")
    }
    self.tokens = try ConfigTokenizer(text: text)
    self.limits = limits
  }

  mutating func parseText() throws(ConfigSyntaxError) -> ConfigSection {
    var root = ConfigSection()
    while tokens.token != .end { try parseEntry(into: &root, depth: 0) }
    return root
  }

  private mutating func parseEntry(
    into section: inout ConfigSection, depth: Int
  ) throws(ConfigSyntaxError) {
    let names = try parseName()
    guard let last = names.last else { throw tokens.failure("a name is empty") }
    guard depth + names.count <= limits.depth else {
      throw tokens.failure("sections are nested more than \(limits.depth) deep")
    }
    try countItem()
    if names.count > 1 { try countPath() }
    let content: ConfigEntry.Content
    switch tokens.token {
    case .sectionBegin: content = .section(try parseSection(depth: depth + names.count))
    case .equals: content = .value(try parseValue())
    case .sectionEnd, .listBegin, .listEnd, .comma, .number, .quoted, .bare, .end:
      throw tokens.failure("'=' or '{' is missing after '\(last)'")
    }
    section.place(ConfigEntry(name: last, content: content), under: names.dropLast())
  }

  /// The name of an entry, cut at each `/`: `a/b = 1` stands for `a { b = 1 }`.
  private mutating func parseName() throws(ConfigSyntaxError) -> [String] {
    let bytes: ArraySlice<UInt8>
    switch tokens.token {
    case .bare(let word): bytes = word
    case .quoted(let word): bytes = word[...]
    case .sectionBegin, .sectionEnd, .listBegin, .listEnd, .comma, .equals, .number, .end:
      throw tokens.failure("a name is missing")
    }
    guard let name = String(validating: bytes, as: UTF8.self) else {
      throw tokens.failure("a name is not UTF-8")
    }
    try tokens.advance()
    return name.split(separator: "/").map(String.init)
  }

  private mutating func parseSection(depth: Int) throws(ConfigSyntaxError) -> ConfigSection {
    let openingLine = tokens.line
    try tokens.advance()
    var section = ConfigSection()
    while tokens.token != .sectionEnd {
      guard tokens.token != .end else {
        throw tokens.failure("the section that begins in line \(openingLine) is not closed")
      }
      try parseEntry(into: &section, depth: depth)
    }
    try tokens.advance()
    return section
  }

  private mutating func parseValue() throws(ConfigSyntaxError) -> ConfigValue {
    try tokens.advance()
    guard tokens.token == .listBegin else { return try parseScalar() }
    try tokens.advance()
    var items: [ConfigValue] = []
    while tokens.token != .listEnd {
      items.append(try parseScalar())
      try countItem()
      if tokens.token == .comma { try tokens.advance() }
    }
    try tokens.advance()
    return .list(items)
  }

  private mutating func parseScalar() throws(ConfigSyntaxError) -> ConfigValue {
    let value: ConfigValue
    switch tokens.token {
    case .number(let number): value = number
    case .quoted(let bytes): value = Self.text(bytes[...])
    case .bare(let bytes): value = Self.text(bytes)
    case .sectionBegin, .sectionEnd, .listBegin, .listEnd, .comma, .equals, .end:
      throw tokens.failure("a value is missing")
    }
    try tokens.advance()
    return value
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> ConfigValue {
    if let text = String(validating: bytes, as: UTF8.self) {
      .string(text)
    } else {
      .bytes(Array(bytes))
    }
  }

  private mutating func countPath() throws(ConfigSyntaxError) {
    pathCount += 1
    guard pathCount <= Self.pathCountMax else {
      throw tokens.failure("the text has more than \(Self.pathCountMax) names with '/'")
    }
  }

  private mutating func countItem() throws(ConfigSyntaxError) {
    itemCount += 1
    guard itemCount <= limits.itemCount else {
      throw tokens.failure("the text has more than \(limits.itemCount) items")
    }
  }
}

extension ConfigSection {
  /// Adds `entry` below the sections `path`, joining those that exist.
  fileprivate mutating func place(_ entry: ConfigEntry, under path: ArraySlice<String>) {
    guard let name = path.first else {
      entries.append(entry)
      return
    }
    for index in entries.indices where entries[index].name == name {
      guard case .section(var inner) = entries[index].content else { continue }
      // Emptied first, so that `inner` is the only owner of its entries and grows in place.
      entries[index].content = .section(ConfigSection())
      inner.place(entry, under: path.dropFirst())
      entries[index].content = .section(inner)
      return
    }
    var inner = ConfigSection()
    inner.place(entry, under: path.dropFirst())
    append(name, inner)
  }
}
