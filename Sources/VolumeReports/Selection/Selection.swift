/// A selection as `-S` takes it: comparisons of fields with values, joined by signs.
struct Selection {
  indirect enum Node {
    case comparison(FieldComparison)
    case all([Node])
    case any([Node])
    case not(Node)
  }

  let root: Node
  /// The fields that are compared; they may be none of the columns.
  let fields: [ReportField]

  /// - Parameters:
  ///   - prefix: what may be left out of the names of fields.
  ///   - now: seconds since 1970.
  init(_ text: String, prefix: String, now: Int64) throws(ReportError) {
    var parser = SelectionParser(text, prefix: prefix, now: now)
    root = try parser.parse()
    fields = parser.fields
  }

  /// - Parameter value: gives the row's value of a field.
  func selects(_ value: (ReportField) -> ReportValue) -> Bool { Self.holds(root, value) }

  private static func holds(_ node: Node, _ value: (ReportField) -> ReportValue) -> Bool {
    switch node {
    case .comparison(let comparison): comparison.holds(value(comparison.field))
    case .all(let nodes): nodes.allSatisfy { holds($0, value) }
    case .any(let nodes): nodes.contains { holds($0, value) }
    case .not(let node): !holds(node, value)
    }
  }
}

/// Parses selections, and words its complaints, as libdevmapper does.
struct SelectionParser {
  private var cursor: SelectionCursor
  private let prefix: String
  private let now: Int64
  private(set) var fields: [ReportField] = []
  private var depth = 0

  /// Parentheses within parentheses.
  private static let depthMax = 200

  init(_ text: String, prefix: String, now: Int64) {
    cursor = SelectionCursor(text)
    self.prefix = prefix
    self.now = now
  }

  mutating func parse() throws(ReportError) -> Selection.Node {
    let root = try parseAny()
    cursor.skipSpace()
    guard cursor.isAtEnd else {
      throw Self.failure("Expecting logical operator", at: cursor)
    }
    return root
  }

  private static func failure(
    _ message: String, at place: SelectionCursor, help: [String] = []
  ) -> ReportError {
    ReportError(
      message, help: help,
      advice: [
        "Selection syntax error at '\(place.rest)'.",
        "Use 'help' for selection to get more help.",
      ])
  }

  private mutating func parseAny() throws(ReportError) -> Selection.Node {
    var nodes = [try parseAll()]
    while cursor.take(.or) != nil { nodes.append(try parseAll()) }
    return nodes.count == 1 ? nodes[0] : .any(nodes)
  }

  private mutating func parseAll() throws(ReportError) -> Selection.Node {
    var nodes = [try parseOne()]
    while cursor.take(.and) != nil { nodes.append(try parseOne()) }
    return nodes.count == 1 ? nodes[0] : .all(nodes)
  }

  private mutating func parseOne() throws(ReportError) -> Selection.Node {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthMax else {
      throw Self.failure("There are too many parentheses within parentheses", at: cursor)
    }
    switch cursor.take(.not, .open) {
    case .not?:
      guard cursor.take(.open) != nil else {
        throw ReportError("Syntax error: left parenthesis expected at '\(cursor.rest)'")
      }
      return .not(try parseInParentheses())
    case .open?: return try parseInParentheses()
    default:
      cursor.skipSpace()
      return .comparison(try parseComparison())
    }
  }

  private mutating func parseInParentheses() throws(ReportError) -> Selection.Node {
    let node = try parseAny()
    guard cursor.take(.close) != nil else {
      throw ReportError("Syntax error: right parenthesis expected at '\(cursor.rest)'")
    }
    return node
  }

  private mutating func parseComparison() throws(ReportError) -> FieldComparison {
    let start = cursor
    guard let name = cursor.takeFieldName() else {
      throw Self.failure("Expecting field name", at: start)
    }
    let field = try field(named: name, at: start)
    let behindName = cursor
    guard let sign = cursor.takeOperator() else {
      throw Self.failure(
        "Unrecognised comparison operator: \(behindName.rest)", at: start,
        help: ReportHelp.selection)
    }
    let hasOrder = field.type != .string && field.type != .stringList
    if sign.comparison.needsOrder, !sign.isForTimesOnly, !hasOrder {
      throw Self.failure(
        "Operator can be used only with number, size, time or percent fields: \(start.rest)",
        at: start, help: ReportHelp.selection)
    }
    if sign.isForTimesOnly, field.type != .time {
      throw Self.failure(
        "Operator can be used only with time fields: \(start.rest)", at: start,
        help: ReportHelp.selection)
    }
    if !fields.contains(where: { $0.name == field.name }) { fields.append(field) }
    let value: SelectionValue
    do {
      var values = SelectionValueParser(cursor, field, now: now)
      value =
        sign.comparison == .matches || sign.comparison == .matchesNot
        ? try values.parseExpression() : try values.parse()
      cursor = values.cursor
    } catch {
      // Some faults show only when the value has been read, and are told without the place.
      throw error.advice.isEmpty && error.help.isEmpty && !error.isAboutMeaning
        ? Self.failure(error.message, at: start) : error
    }
    return FieldComparison(field: field, comparison: sign.comparison, value: value)
  }

  private func field(
    named name: String, at start: SelectionCursor
  ) throws(ReportError) -> ReportField {
    if let field = ReportField.named(name, prefix: prefix) { return field }
    let help = ReportHelp.fields(withTypes: true) + [" "]
    if ReportField.helpNames.contains(name.lowercased()) {
      throw Self.failure("Selection field is uncomparable: \(name).", at: start, help: help)
    }
    throw Self.failure("Unrecognised selection field: \(name)", at: start, help: help)
  }
}

extension ReportError {
  /// The value was read, but makes no sense.
  fileprivate var isAboutMeaning: Bool {
    message.hasPrefix("dm_report:") || message.contains("found in selection is reserved")
      || message.contains("out of supported range")
  }
}
