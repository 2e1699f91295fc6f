/// The cells of a report as texts, sorted and selected, ready to be printed.
struct ReportTable {
  /// A row that is printed.
  struct Row {
    /// One text for each of the report's fields.
    var cells: [ReportValue]
    var keys: [ReportValue]
    let isSelected: Bool
  }

  let fields: [ReportField]
  private(set) var rows: [Row]

  /// - Parameter isSorted: false leaves rows in the order in which they are found.
  init(_ report: Report, _ rows: [ReportRow], isSorted: Bool) {
    fields = report.fields
    let showsSelected = report.fields.contains { $0.name == ReportField.selected.name }
    let keyPositions = report.keys.map { key in
      report.fields.firstIndex { $0.name == key.field.name }
    }
    var made: [Row] = []
    made.reserveCapacity(rows.count)
    for row in rows {
      let isSelected = report.selection?.selects { $0.value(row) } ?? true
      guard isSelected || showsSelected else { continue }
      var cells: [ReportValue] = []
      cells.reserveCapacity(report.fields.count)
      for field in report.fields { cells.append(field.value(row)) }
      var keys: [ReportValue] = []
      if isSorted {
        keys.reserveCapacity(report.keys.count)
        for (key, position) in zip(report.keys, keyPositions) {
          keys.append(position.map { cells[$0] } ?? key.field.value(row))
        }
      }
      if showsSelected {
        for (index, field) in report.fields.enumerated()
        where field.name == ReportField.selected.name {
          cells[index] = .number(isSelected ? 1 : 0)
        }
      }
      made.append(Row(cells: cells, keys: keys, isSelected: isSelected))
    }
    self.rows = made
    if isSorted, !report.keys.isEmpty { sort(report.keys) }
  }

  private mutating func sort(_ keys: [Report.SortKey]) {
    let descending = keys.map(\.isDescending)
    let byNumber = keys.map { $0.field.type != .string && $0.field.type != .stringList }
    // The index keeps rows in order that are equal.
    var order = Array(rows.indices)
    order.sort { left, right in
      for index in keys.indices {
        let a = rows[left].keys[index]
        let b = rows[right].keys[index]
        if byNumber[index] {
          let first = a.bits ?? 0
          let second = b.bits ?? 0
          if first != second { return (first < second) != descending[index] }
        } else {
          let first = a.sortText
          let second = b.sortText
          if first != second { return (first < second) != descending[index] }
        }
      }
      return left < right
    }
    rows = order.map { rows[$0] }
  }
}
