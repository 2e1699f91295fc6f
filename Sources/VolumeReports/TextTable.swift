/// Columns of text, aligned as LVM's reports are: two spaces before a row, one between columns.
public struct TextTable: Sendable {
  public struct Column: Sendable {
    public var heading: String
    public var isRightAligned: Bool
    /// The column is never narrower, in characters.
    public var width: Int

    public init(_ heading: String, isRightAligned: Bool = false, width: Int = 0) {
      self.heading = heading
      self.isRightAligned = isRightAligned
      self.width = width
    }
  }

  public var columns: [Column]
  public var rows: [[String]] = []

  public init(columns: [Column]) { self.columns = columns }

  public init(headings: [String]) { self.init(columns: headings.map { Column($0) }) }

  /// The lines, headings first unless they are not wanted. None without rows.
  public func lines(withHeadings: Bool = true) -> [String] {
    guard !rows.isEmpty else { return [] }
    var widths = columns.map(\.width)
    let all = withHeadings ? [columns.map(\.heading)] + rows : rows
    for row in all {
      for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
    }
    return all.enumerated().map { number, row in
      let isHeading = withHeadings && number == 0
      let cells = row.enumerated().map { index, cell in
        let padding = String(repeating: " ", count: widths[index] - cell.count)
        return columns[index].isRightAligned && !isHeading ? padding + cell : cell + padding
      }
      return "  " + cells.joined(separator: " ")
    }
  }
}
