/// The lists of columns and keys that a request names, in LVM's manners.
struct ColumnLists {
  /// The columns as they were named, before "all" is spelled out.
  let names: [String]
  let keys: String
  let compacted: Set<String>
  let warnings: [String]

  init(_ request: ReportRequest) throws(ReportError) {
    let kind = request.kind
    let isFull = request.fullReportGroup != nil
    let defaults =
      isFull ? kind.fullReportDefaults.columns : kind.defaultColumns(isVerbose: request.isVerbose)
    var names = Self.split(defaults)
    var compact = ""
    for argument in request.columns {
      guard let first = argument.first else {
        throw ReportError("Invalid options string: ")
      }
      switch first {
      case "+": names += Self.split(argument.dropFirst())
      case "-":
        for name in Self.split(argument.dropFirst()) { Self.remove(name, from: &names, kind) }
      case "#": compact = String(argument.dropFirst())
      default: names = Self.split(argument)
      }
    }
    self.names = names
    keys = request.keys ?? (isFull ? kind.fullReportDefaults.keys : kind.defaultKeys)
    var compacted: Set<String> = []
    var warnings: [String] = []
    for name in Self.split(compact) where warnings.isEmpty {
      if let field = ReportField.named(name, prefix: kind.subject.prefix) {
        compacted.insert(field.name)
      } else {
        warnings = [
          "dm_report: Unrecognized field: \(name)",
          "Failed to compact given columns in report output.",
        ]
      }
    }
    self.compacted = warnings.isEmpty ? compacted : []
    self.warnings = warnings
  }

  private static func split(_ list: some StringProtocol) -> [String] {
    String(list).split(separator: "," as Character).map { String($0) }
  }

  /// Takes the last column away that is called `name`, with or without the report's prefix.
  private static func remove(_ name: String, from names: inout [String], _ kind: ReportKind) {
    let prefix = kind.subject.prefix
    func bare(_ name: String) -> Substring {
      guard name.hasPrefix(prefix) else { return name[...] }
      let rest = name.dropFirst(prefix.count)
      return rest.first == "_" ? rest.dropFirst() : rest
    }
    guard let index = names.lastIndex(where: { $0 == name || bare($0) == bare(name) }) else {
      return
    }
    names.remove(at: index)
  }

  /// What columns are about.
  static func subjects(
    of name: String, _ kind: ReportKind, _ known: Set<ReportSubject>
  ) throws(ReportError) -> Set<ReportSubject> {
    if let field = ReportField.named(name, prefix: kind.subject.prefix) { return [field.subject] }
    let subjects = allSubjects(name, kind, known)
    guard !subjects.isEmpty else {
      throw ReportError(
        "Unrecognised field: \(name)", help: ReportHelp.fields(withTypes: false) + [" "])
    }
    return subjects
  }

  /// One column, or for "lv_all" all of a subject, for "all" all that fit the report.
  static func fields(
    named name: String, _ kind: ReportKind, _ known: Set<ReportSubject>
  ) -> [ReportField] {
    if let field = ReportField.named(name, prefix: kind.subject.prefix) { return [field] }
    let subjects = allSubjects(name, kind, known)
    return ReportField.all.filter { subjects.contains($0.subject) }
  }

  private static func allSubjects(
    _ name: String, _ kind: ReportKind, _ known: Set<ReportSubject>
  ) -> Set<ReportSubject> {
    let canonical = ReportField.canonical(name)
    if name.lowercased() == "all" {
      return known.union(ReportSubject.allCases.filter { $0.prefix == kind.subject.prefix })
    }
    return Set(ReportSubject.allCases.filter { $0 != .special && $0.prefix + "all" == canonical })
  }

  static func keys(
    _ list: String, _ kind: ReportKind
  ) throws(ReportError) -> [Report.SortKey] {
    var keys: [Report.SortKey] = []
    for item in split(list) {
      let isDescending = item.first == "-"
      let name = isDescending || item.first == "+" ? item.dropFirst() : item[...]
      guard !name.isEmpty else { throw ReportError("dm_report: Missing sort field name") }
      guard let field = ReportField.named(name, prefix: kind.subject.prefix) else {
        throw ReportError(
          "dm_report: Unrecognised field: \(item)",
          help: ReportHelp.fields(withTypes: false) + [" "])
      }
      keys.append(Report.SortKey(field: field, isDescending: isDescending))
    }
    return keys
  }
}
