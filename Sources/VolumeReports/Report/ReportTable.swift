/// The cells of a report as texts in a style, and the order of its rows.
///
/// The texts lie behind each other in one array, row by row: a report about ten thousand volumes has
/// a hundred thousand cells.
struct ReportTable {
  let fields: [ReportField]
  /// The rows to be printed, in order.
  private(set) var rows: [Int] = []
  /// The bytes of each column's longest text.
  private(set) var widths: [Int]
  /// Whether any row has something in the column; an empty JSON string is nothing.
  private(set) var isFilled: [Bool]
  private var texts: [UInt8] = []
  /// Where each cell's text ends.
  private var ends: [Int] = []

  /// - Parameter isSorted: false leaves rows in the order in which they are found.
  init(
    _ report: Report, _ rows: [ReportRow], isSorted: Bool, _ style: ReportStyle,
    _ source: ReportSource
  ) {
    fields = report.fields
    widths = Array(repeating: 0, count: fields.count)
    isFilled = Array(repeating: false, count: fields.count)
    let values = fields.map(\.value)
    let selectedColumns = fields.indices.filter {
      fields[$0].name == ReportField.selected.name
    }
    var keys = isSorted ? report.keys.map { KeyColumn($0, report.fields) } : []
    ends.reserveCapacity(rows.count * fields.count)
    var cells: [ReportValue] = []
    for row in rows {
      let isSelected = report.selection?.selects { $0.value(row) } ?? true
      guard isSelected || !selectedColumns.isEmpty else { continue }
      cells.removeAll(keepingCapacity: true)
      for value in values { cells.append(value(row)) }
      for column in selectedColumns { cells[column] = .number(isSelected ? 1 : 0) }
      for column in cells.indices { append(cells[column], column, style, source) }
      for index in keys.indices {
        keys[index].append(keys[index].column.map { cells[$0] } ?? keys[index].value(row))
      }
    }
    self.rows = Array(0..<(fields.isEmpty ? 0 : ends.count / fields.count))
    for column in fields.indices {
      widths[column] = self.rows.reduce(0) { max($0, range($1, column).count) }
      if style.format == .basic { isFilled[column] = widths[column] > 0 }
    }
    sort(keys)
  }

  private mutating func append(
    _ value: ReportValue, _ column: Int, _ style: ReportStyle, _ source: ReportSource
  ) {
    let start = texts.count
    style.append(value, source, to: &texts)
    if style.format != .basic {
      if texts.count > start { isFilled[column] = true }
      style.makeJSON(of: value, fields[column].type, from: start, in: &texts)
    }
    ends.append(texts.count)
  }

  /// Hands out the bytes of all cells; `range(row, column)` tells where a cell's are.
  func withTexts<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    texts.withUnsafeBufferPointer(body)
  }

  func range(_ row: Int, _ column: Int) -> Range<Int> {
    let cell = row * fields.count + column
    return (cell == 0 ? 0 : ends[cell - 1])..<ends[cell]
  }

  func text(_ row: Int, _ column: Int) -> ArraySlice<UInt8> { texts[range(row, column)] }

  private mutating func sort(_ keys: [KeyColumn]) {
    guard !keys.isEmpty else { return }
    // The place keeps rows in order that are equal.
    func precedes(_ left: Int, _ right: Int) -> Bool {
      for key in keys {
        if let isLess = key.compare(left, right) { return isLess != key.isDescending }
      }
      return left < right
    }
    rows.sort(by: precedes)
  }

  /// The values of one sort key in all rows.
  private struct KeyColumn {
    let isDescending: Bool
    /// The column of the table that shows the same.
    let column: Int?
    let value: @Sendable (ReportRow) -> ReportValue
    private let isText: Bool
    private var texts: [String] = []
    private var numbers: [UInt64] = []

    init(_ key: Report.SortKey, _ fields: [ReportField]) {
      isDescending = key.isDescending
      column = fields.firstIndex { $0.name == key.field.name }
      value = key.field.value
      isText = key.field.type == .string || key.field.type == .stringList
    }

    mutating func append(_ value: ReportValue) {
      if isText {
        texts.append(value.bits.map(Self.sortable) ?? value.sortText)
      } else {
        numbers.append(value.bits ?? 0)
      }
    }

    /// Numbers of devices stand in columns of texts.
    private static func sortable(_ number: UInt64) -> String {
      let digits = String(number, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Nil when the rows are equal.
    func compare(_ left: Int, _ right: Int) -> Bool? {
      if isText {
        return texts[left] == texts[right] ? nil : texts[left] < texts[right]
      }
      return numbers[left] == numbers[right] ? nil : numbers[left] < numbers[right]
    }
  }
}
