/// The cells of a report, selected and sorted, ready to be printed.
struct ReportTable {
  let fields: [ReportField]
  /// Row by row, in the order in which rows were found.
  private var cells: [ReportValue] = []
  /// The rows to be printed, in order.
  private(set) var rows: [Int] = []

  /// - Parameter isSorted: false leaves rows in the order in which they are found.
  init(_ report: Report, _ rows: [ReportRow], isSorted: Bool) {
    fields = report.fields
    let values = report.fields.map(\.value)
    let selectedColumns = fields.indices.filter {
      fields[$0].name == ReportField.selected.name
    }
    var keys = isSorted ? report.keys.map { KeyColumn($0, report.fields) } : []
    cells.reserveCapacity(rows.count * fields.count)
    for row in rows {
      let isSelected = report.selection?.selects { $0.value(row) } ?? true
      guard isSelected || !selectedColumns.isEmpty else { continue }
      let start = cells.count
      for value in values { cells.append(value(row)) }
      for column in selectedColumns { cells[start + column] = .number(isSelected ? 1 : 0) }
      for index in keys.indices {
        keys[index].append(keys[index].column.map { cells[start + $0] } ?? keys[index].value(row))
      }
    }
    self.rows = Array(0..<(fields.isEmpty ? 0 : cells.count / fields.count))
    sort(keys)
  }

  subscript(row: Int, column: Int) -> ReportValue { cells[row * fields.count + column] }

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
      if isText { texts.append(value.sortText) } else { numbers.append(value.bits ?? 0) }
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
