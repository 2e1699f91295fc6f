/// Writes the rows of reports in a style, byte by byte as LVM does.
public struct ReportWriter {
  public private(set) var bytes: [UInt8] = []
  private let style: ReportStyle
  private let source: ReportSource
  /// False writes rows as they are found, each by itself.
  private let isBuffered: Bool
  private let isSorted: Bool

  public init(_ style: ReportStyle, _ source: ReportSource, isBuffered: Bool = true) {
    self.style = style
    self.source = source
    self.isBuffered = isBuffered || style.format != .basic
    isSorted = isBuffered
  }

  /// What is left of a report that cannot be made: whoever parses JSON gets JSON.
  public static func empty(_ style: ReportStyle) -> [UInt8] {
    guard style.format != .basic else { return [] }
    return Array("  {\n      \"report\": [\n      ]\n  }\n".utf8)
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
        let table = ReportTable(report, [row], isSorted: false, style, source)
        guard !table.rows.isEmpty else { continue }
        write(table, report, withHeadings: hasHeadings)
        hasHeadings = false
      }
      return
    }
    let table = ReportTable(report, rows, isSorted: isSorted, style, source)
    guard !table.rows.isEmpty else { return }
    write(table, report, withHeadings: style.hasHeadings)
  }

  private mutating func write(_ table: ReportTable, _ report: Report, withHeadings: Bool) {
    let fields = table.fields
    let shown = shown(table, report)
    if style.showsColumnsAsRows {
      for column in shown { writeAsRow(column, table, withHeadings: withHeadings) }
      return
    }
    let isAligned = style.isAligned && !style.hasNamePrefixes
    let widths = fields.indices.map { max(fields[$0].width, isAligned ? table.widths[$0] : 0) }
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
    if isAligned {
      writeAligned(table, shown, widths)
    } else {
      for row in table.rows {
        line(shown) { writer, column in writer.append(table.text(row, column), fields[column]) }
      }
    }
  }

  /// Columns that are not to be left out: none may be when rows are written as they are found.
  private func shown(_ table: ReportTable, _ report: Report) -> [Int] {
    guard isBuffered || style.showsColumnsAsRows else { return Array(table.fields.indices) }
    return table.fields.indices.filter {
      table.isFilled[$0] || !report.compacted.contains(table.fields[$0].name)
    }
  }

  /// All rows, first as lines of spaces into which the texts are then put.
  private mutating func writeAligned(_ table: ReportTable, _ shown: [Int], _ widths: [Int]) {
    var emptyLine = Array("  ".utf8)
    var places: [(column: Int, start: Int, width: Int, isRight: Bool)] = []
    for (number, column) in shown.enumerated() {
      if number > 0 { emptyLine += style.separator.utf8 }
      places.append(
        (column, emptyLine.count, widths[column], table.fields[column].type.isAlignedRight))
      emptyLine += repeatElement(UInt8(ascii: " "), count: widths[column])
    }
    emptyLine.append(UInt8(ascii: "\n"))
    var line = bytes.count
    bytes.reserveCapacity(line + table.rows.count * emptyLine.count)
    for _ in table.rows { bytes += emptyLine }
    table.withTexts { texts in
      bytes.withUnsafeMutableBufferPointer { bytes in
        for row in table.rows {
          for place in places {
            let range = table.range(row, place.column)
            guard !range.isEmpty else { continue }
            let start = line + place.start + (place.isRight ? place.width - range.count : 0)
            _ = bytes[start..<(start + range.count)].update(fromContentsOf: texts[range])
          }
          line += emptyLine.count
        }
      }
    }
  }

  /// A column as a line: its heading, then the cells of all rows.
  private mutating func writeAsRow(_ column: Int, _ table: ReportTable, withHeadings: Bool) {
    let field = table.fields[column]
    bytes += "  ".utf8
    if withHeadings { bytes += field.heading.utf8 }
    for (number, row) in table.rows.enumerated() {
      if withHeadings || number > 0 { bytes += style.separator.utf8 }
      append(table.text(row, column), field)
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
    bytes += repeatElement(UInt8(ascii: " "), count: max(count, 0))
  }

  /// A value, with its name before it where that is wanted.
  private mutating func append(_ text: ArraySlice<UInt8>, _ field: ReportField) {
    guard style.hasNamePrefixes else {
      bytes += text
      return
    }
    bytes += "LVM2_\(field.name.uppercased())=".utf8
    if style.isQuoted { bytes.append(UInt8(ascii: "'")) }
    bytes += text
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
    let table = ReportTable(report, rows, isSorted: isSorted, style, source)
    let shown = shown(table, report)
    let keys = table.fields.map { Array("\"\($0.name)\":".utf8) }
    for (number, row) in table.rows.enumerated() {
      pad(18)
      bytes.append(UInt8(ascii: "{"))
      for (position, column) in shown.enumerated() {
        if position > 0 { bytes += ", ".utf8 }
        bytes += keys[column]
        bytes += table.text(row, column)
      }
      bytes.append(UInt8(ascii: "}"))
      if number < table.rows.count - 1 { bytes.append(UInt8(ascii: ",")) }
      bytes.append(UInt8(ascii: "\n"))
    }
    line("]", 12)
  }
}
