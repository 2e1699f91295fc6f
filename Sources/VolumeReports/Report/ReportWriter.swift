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

  private mutating func write(_ table: ReportTable, _ report: Report, withHeadings: Bool) {
    let texts = table.rows.map { row in row.cells.map { style.text($0, source) } }
    let shown = table.fields.indices.filter { index in
      !report.compacted.contains(table.fields[index].name)
        || texts.contains { !$0[index].isEmpty }
    }
    let fields = table.fields
    if style.showsColumnsAsRows {
      for index in shown {
        bytes += "  ".utf8
        var isFirst = true
        func separate(_ bytes: inout [UInt8]) {
          if !isFirst { bytes += style.separator.utf8 }
          isFirst = false
        }
        if withHeadings {
          separate(&bytes)
          bytes += fields[index].heading.utf8
        }
        for row in texts {
          separate(&bytes)
          append(row[index], fields[index])
        }
        bytes.append(UInt8(ascii: "\n"))
      }
      return
    }
    let isAligned = style.isAligned && !style.hasNamePrefixes
    var widths = fields.map(\.width)
    if isAligned {
      for row in texts {
        for index in shown { widths[index] = max(widths[index], row[index].utf8.count) }
      }
    }
    if withHeadings {
      line(shown) { writer, index in
        let heading = fields[index].heading.utf8
        guard isAligned else {
          writer.bytes += heading
          return
        }
        // Some headings are longer than LVM makes their columns.
        writer.bytes += heading.prefix(widths[index])
        writer.pad(widths[index] - heading.count)
      }
    }
    bytes.reserveCapacity(bytes.count + texts.count * (widths.reduce(3) { $0 + $1 + 1 }))
    for row in texts {
      line(shown) { writer, index in
        let text = row[index]
        guard isAligned else { return writer.append(text, fields[index]) }
        let padding = widths[index] - text.utf8.count
        if fields[index].type.isAlignedRight { writer.pad(padding) }
        writer.bytes += text.utf8
        if !fields[index].type.isAlignedRight { writer.pad(padding) }
      }
    }
  }

  private mutating func line(
    _ columns: [Int], cell: (inout ReportWriter, Int) -> Void
  ) {
    bytes += "  ".utf8
    for (number, index) in columns.enumerated() {
      if number > 0 { bytes += style.separator.utf8 }
      cell(&self, index)
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func pad(_ count: Int) {
    if count > 0 { bytes += repeatElement(UInt8(ascii: " "), count: count) }
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
        || table.rows.contains { !style.text($0.cells[index], source).isEmpty }
    }
    for (number, row) in table.rows.enumerated() {
      pad(18)
      bytes.append(UInt8(ascii: "{"))
      for (position, index) in shown.enumerated() {
        if position > 0 { bytes += ", ".utf8 }
        bytes += "\"\(fields[index].name)\":".utf8
        appendJSON(row.cells[index], fields[index])
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
