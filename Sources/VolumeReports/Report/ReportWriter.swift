/// Writes the rows of reports in a style, byte by byte as LVM does.
public struct ReportWriter {
  public private(set) var bytes: [UInt8] = []
  private let style: ReportStyle
  private let source: ReportSource
  /// Rows are written as they are found, without sorting.
  private let isBuffered: Bool

  public init(_ style: ReportStyle, _ source: ReportSource, isBuffered: Bool = true) {
    self.style = style
    self.source = source
    self.isBuffered = isBuffered || style.format != .basic
  }

  /// Writes the report with the arguments' rows.
  ///
  /// - Returns: what was named and not found, in words for the user.
  public mutating func write(_ report: Report, _ arguments: ReportArguments) -> [String] {
    let found = RowBuilder.rows(report, source, arguments)
    switch style.format {
    case .basic: write(report, found.rows)
    case .json, .jsonStandard:
      line("{", 0)
      line("\"report\": [", 4)
      line("{", 8)
      writeArray(report, found.rows)
      line("}", 8)
      line("]", 4)
      line("}", 0)
    }
    return found.failures
  }

  // MARK: - Tables

  mutating func write(_ report: Report, _ rows: [ReportRow]) {
    guard isBuffered || style.showsColumnsAsRows else {
      var hasHeadings = style.hasHeadings
      for row in rows {
        let table = ReportTable(report, [row], isSorted: false)
        guard !table.rows.isEmpty else { continue }
        write(table, report, withHeadings: hasHeadings)
        hasHeadings = false
      }
      return
    }
    let table = ReportTable(report, rows, isSorted: true)
    guard !table.rows.isEmpty else { return }
    write(table, report, withHeadings: style.hasHeadings)
  }

  /// The table's texts, row by row in the order of printing.
  private struct Texts {
    let columnCount: Int
    var texts: [String] = []

    subscript(row: Int, column: Int) -> String { texts[row * columnCount + column] }
    var rowCount: Int { columnCount == 0 ? 0 : texts.count / columnCount }
  }

  private func texts(_ table: ReportTable) -> Texts {
    let columnCount = table.fields.count
    var texts = Texts(columnCount: columnCount)
    texts.texts.reserveCapacity(table.rows.count * columnCount)
    for row in table.rows {
      for column in 0..<columnCount { texts.texts.append(style.text(table[row, column], source)) }
    }
    return texts
  }

  private mutating func write(_ table: ReportTable, _ report: Report, withHeadings: Bool) {
    let texts = texts(table)
    let fields = table.fields
    let shown = fields.indices.filter { column in
      !report.compacted.contains(fields[column].name)
        || (0..<texts.rowCount).contains { !texts[$0, column].isEmpty }
    }
    if style.showsColumnsAsRows {
      for column in shown { writeAsRow(column, texts, fields[column], withHeadings: withHeadings) }
      return
    }
    let isAligned = style.isAligned && !style.hasNamePrefixes
    var widths = fields.map(\.width)
    if isAligned {
      for row in 0..<texts.rowCount {
        for column in shown { widths[column] = max(widths[column], texts[row, column].utf8.count) }
      }
    }
    if withHeadings {
      // LVM ends the headings with a separator when the last column is one that it leaves out.
      let end = shown.last == fields.indices.last ? "" : style.separator
      line(shown, end: end) { writer, column in
        let heading = fields[column].heading.utf8
        guard isAligned else {
          writer.bytes += heading
          return
        }
        // Some headings are longer than LVM makes their columns.
        writer.bytes += heading.prefix(widths[column])
        writer.pad(widths[column] - heading.count)
      }
    }
    bytes.reserveCapacity(bytes.count + texts.rowCount * widths.reduce(3) { $0 + $1 + 1 })
    let isRight = fields.map(\.type.isAlignedRight)
    for row in 0..<texts.rowCount {
      line(shown) { writer, column in
        let text = texts[row, column]
        guard isAligned else { return writer.append(text, fields[column]) }
        let padding = widths[column] - text.utf8.count
        if isRight[column] { writer.pad(padding) }
        writer.bytes += text.utf8
        if !isRight[column] { writer.pad(padding) }
      }
    }
  }

  /// A column as a line: its heading, then the cells of all rows.
  private mutating func writeAsRow(
    _ column: Int, _ texts: Texts, _ field: ReportField, withHeadings: Bool
  ) {
    bytes += "  ".utf8
    if withHeadings { bytes += field.heading.utf8 }
    for row in 0..<texts.rowCount {
      if withHeadings || row > 0 { bytes += style.separator.utf8 }
      append(texts[row, column], field)
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func line(
    _ columns: [Int], end: String = "", cell: (inout ReportWriter, Int) -> Void
  ) {
    bytes += "  ".utf8
    for (number, index) in columns.enumerated() {
      if number > 0 { bytes += style.separator.utf8 }
      cell(&self, index)
    }
    bytes += end.utf8
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func pad(_ count: Int) {
    for _ in 0..<max(count, 0) { bytes.append(UInt8(ascii: " ")) }
  }

  /// A value, with its name before it where that is wanted.
  private mutating func append(_ text: String, _ field: ReportField) {
    guard style.hasNamePrefixes else {
      bytes += text.utf8
      return
    }
    bytes += "LVM2_\(field.name.uppercased())=".utf8
    if style.isQuoted { bytes.append(UInt8(ascii: "'")) }
    bytes += text.utf8
    if style.isQuoted { bytes.append(UInt8(ascii: "'")) }
  }

  // MARK: - JSON

  /// A line with LVM's two spaces before all, and more.
  mutating func line(_ text: String, _ indentation: Int) {
    pad(2 + indentation)
    bytes += text.utf8
    bytes.append(UInt8(ascii: "\n"))
  }

  /// The rows as the array of their kind.
  mutating func writeArray(_ report: Report, _ rows: [ReportRow]) {
    line("\"\(report.kind.jsonKey)\": [", 12)
    let table = ReportTable(report, rows, isSorted: true)
    let fields = table.fields
    let shown = fields.indices.filter { index in
      !report.compacted.contains(fields[index].name)
        || table.rows.contains { !style.text(table[$0, index], source).isEmpty }
    }
    for (number, row) in table.rows.enumerated() {
      pad(18)
      bytes.append(UInt8(ascii: "{"))
      for (position, index) in shown.enumerated() {
        if position > 0 { bytes += ", ".utf8 }
        bytes += "\"\(fields[index].name)\":".utf8
        appendJSON(table[row, index], fields[index])
      }
      bytes.append(UInt8(ascii: "}"))
      if number < table.rows.count - 1 { bytes.append(UInt8(ascii: ",")) }
      bytes.append(UInt8(ascii: "\n"))
    }
    line("]", 12)
  }

  private mutating func appendJSON(_ value: ReportValue, _ field: ReportField) {
    let text = style.text(value, source)
    guard style.format == .jsonStandard else { return appendQuoted(text) }
    switch field.type {
    case .stringList:
      bytes.append(UInt8(ascii: "["))
      for (number, item) in value.items.enumerated() {
        if number > 0 { bytes.append(UInt8(ascii: ",")) }
        appendQuoted(item)
      }
      bytes.append(UInt8(ascii: "]"))
    case .number where value.isSize: appendQuoted(text)
    case .number, .percent: bytes += (text.isEmpty ? "null" : text).utf8
    case .string, .size, .time: appendQuoted(text)
    }
  }

  private mutating func appendQuoted(_ text: String) {
    bytes += JSONValue.string(text).compactText.utf8
  }
}

extension ReportValue {
  /// Shown with a unit.
  fileprivate var isSize: Bool { if case .sectors = self { true } else { false } }
}
