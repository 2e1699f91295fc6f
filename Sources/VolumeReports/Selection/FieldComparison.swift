/// A value that a field is compared with.
enum SelectionValue {
  case expression(RegularExpression)
  case text(String)
  /// Of numbers and percentages.
  case number(UInt64)
  /// In sectors.
  case size(Double)
  /// Seconds since 1970; both ends belong to it.
  case time(ClosedRange<Int64>)
  case list(SelectionList)
}

/// Items a list is compared with, sorted.
struct SelectionList {
  enum Mode {
    /// The list has these items and no others.
    case exactly
    /// The list has all of these items.
    case allOf
    /// The list has at least one of these items.
    case anyOf
  }

  var mode: Mode
  var items: [String]

  /// An empty list counts as a list with one empty item.
  func matches(_ value: [String]) -> Bool {
    if value.isEmpty {
      return mode == .anyOf ? items.contains("") : items == [""]
    }
    switch mode {
    case .exactly: return value.sorted() == items
    case .allOf: return items.allSatisfy { value.contains($0) }
    case .anyOf: return items.contains { value.contains($0) }
    }
  }
}

/// One comparison of a selection.
struct FieldComparison {
  let field: ReportField
  let comparison: Comparison
  let value: SelectionValue

  func holds(_ cell: ReportValue) -> Bool {
    switch value {
    case .expression(let expression):
      return expression.matches(cell.sortText) == (comparison == .matches)
    case .text(let text): return (cell.sortText == text) == (comparison == .equal)
    case .list(let list): return list.matches(cell.items) == (comparison == .equal)
    case .number(let wanted): return compare(cell.bits ?? 0, wanted)
    case .size(let wanted): return compare(Double(bitPattern: cell.bits ?? 0), wanted)
    case .time(let wanted): return compare(Int64(bitPattern: cell.bits ?? 0), wanted)
    }
  }

  private func compare(_ number: UInt64, _ wanted: UInt64) -> Bool {
    // What is no percentage is neither equal nor unequal to one.
    if field.type == .percent, number > 100_000_000 { return false }
    switch comparison {
    case .equal, .matches: return number == wanted
    case .notEqual, .matchesNot: return number != wanted
    default: break
    }
    // What is undefined is neither more nor less than anything.
    if field.type == .number, number == .max || wanted == .max { return false }
    switch comparison {
    case .greaterOrEqual: return number >= wanted
    case .greater: return number > wanted
    case .lessOrEqual: return number <= wanted
    default: return number < wanted
    }
  }

  private func compare(_ size: Double, _ wanted: Double) -> Bool {
    let isEqual = abs(size - wanted) < .ulpOfOne
    switch comparison {
    case .equal, .matches: return isEqual
    case .notEqual, .matchesNot: return !isEqual
    default: break
    }
    if field.name == "lv_read_ahead",
      size == .greatestFiniteMagnitude || wanted == .greatestFiniteMagnitude
    {
      return false
    }
    switch comparison {
    case .greaterOrEqual: return size > wanted || isEqual
    case .greater: return size > wanted && !isEqual
    case .lessOrEqual: return size < wanted || isEqual
    default: return size < wanted && !isEqual
    }
  }

  private func compare(_ time: Int64, _ wanted: ClosedRange<Int64>) -> Bool {
    switch comparison {
    case .equal, .matches: wanted.contains(time)
    case .notEqual, .matchesNot: !wanted.contains(time)
    case .greaterOrEqual: time >= wanted.lowerBound
    case .greater: time > wanted.upperBound
    case .lessOrEqual: time <= wanted.upperBound
    case .less: time < wanted.lowerBound
    }
  }
}
