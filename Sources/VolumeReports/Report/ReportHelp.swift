/// What `-o help` and `-S help` print.
enum ReportHelp {
  /// All columns by subject.
  static func fields(withTypes: Bool) -> [String] {
    let special = [
      (ReportField.selected.name, ReportField.selected.summary, "number"),
      (ReportField.helpNames[0], "Show help", "unselectable number"),
      (ReportField.helpNames[1], "Show help", "unselectable number"),
    ]
    let width = ReportField.all.map { $0.name.utf8.count }.max() ?? 0
    func line(_ name: String, _ summary: String, _ type: String) -> String {
      let padding = String(repeating: " ", count: max(width - name.utf8.count, 0))
      return "  \(name)\(padding) - \(summary)." + (withTypes ? " [\(type)]" : "")
    }
    var lines: [String] = []
    var last: ReportSubject?
    for field in ReportField.all {
      if field.subject != last {
        if last != nil { lines.append(" ") }
        lines += heading(field.subject.title + " Fields")
        if !withTypes {
          lines.append(line(field.subject.prefix + "_all", "All fields in this section", ""))
        }
        last = field.subject
      }
      lines.append(line(field.name, field.summary, field.type.rawValue))
    }
    lines.append(" ")
    lines += heading(ReportSubject.special.title + " Fields")
    return lines + special.map { line($0.0, $0.1, $0.2) }
  }

  private static func heading(_ text: String) -> [String] {
    [text, String(repeating: "-", count: text.utf8.count)]
  }

  /// How selections are written.
  static let selection: [String] =
    heading("Selection operands") + [
      "  field               - Name of a column.",
      "  number              - Integer that is not negative.",
      "  size                - Number with a unit; 'm' without.",
      "  percent             - Number up to 100, with or without %.",
      "  time                - '2024-01-31 12:00:00 +0100' or a part of it from the left, @SECONDS "
        + "since 1970,",
      "                        or words such as 'yesterday', '2 days ago' or 'January 2024'.",
      "  string              - Characters, in ' or \" where there are spaces in them.",
      "  string list         - Strings in [ ] for the whole list or in { } for a part of it, with",
      "                        the operators for all or for any between them.",
      "  regular expression  - Characters, in ' or \" where there are spaces in them.",
      " ",
    ] + heading("Reserved values")
    + ReservedValue.all.map { reserved in
      "  " + reserved.names.joined(separator: ", ") + " - " + reserved.fieldName
    } + [" "] + heading("Selection operators") + ["  Comparison operators:"]
    + SelectionOperator.all.map { "    \(padded($0.text, 6))  - \($0.summary)." }
    + [" ", "  Logical and grouping operators:"]
    + LogicalToken.all.map { "    \(padded($0.text, 4))  - \($0.summary)." } + [" "]

  private static func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(width - text.utf8.count, 0)) + text
  }
}
