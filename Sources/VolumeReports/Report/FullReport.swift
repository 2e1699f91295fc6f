/// LVM's `fullreport`: for each volume group, and then for the physical volumes of none, all
/// reports.
public struct FullReport {
  private let requests: [ReportRequest]

  private static let kinds: [ReportKind] = [
    .volumeGroups, .physicalVolumes, .logicalVolumes, .physicalSegments, .segments,
  ]

  /// - Parameters:
  ///   - options: what is asked of one kind of report only.
  public init(
    now: Int64, options: (ReportKind) -> (columns: [String], keys: String?, selection: String?)
  ) {
    requests = Self.kinds.map { kind in
      var request = ReportRequest(kind)
      (request.columns, request.keys, request.selection) = options(kind)
      request.now = now
      return request
    }
  }

  /// Writes the report.
  ///
  /// - Returns: what was named and not found, in words for the user.
  public func write(
    _ style: ReportStyle, _ source: ReportSource, _ arguments: ReportArguments
  ) throws(ReportError) -> (bytes: [UInt8], failures: [String]) {
    var writer = ReportWriter(style, source)
    let isJSON = style.format != .basic
    if isJSON {
      writer.line("{", 0)
      writer.line("\"report\": [", 4)
    }
    var subjects: [GroupFacts] = []
    for group in arguments.inOrder(source.scan.groups) {
      let isWanted =
        arguments.volumeGroups.isEmpty
        || arguments.volumeGroups.contains(group.volumeGroup.name)
      if isWanted { subjects.append(GroupFacts(group, in: source.scan)) }
    }
    if arguments.volumeGroups.isEmpty, !source.scan.orphans.isEmpty { subjects.append(.none) }
    for (number, facts) in subjects.enumerated() {
      if number > 0 {
        if isJSON { writer.line(",", 8) } else { writer.blankLine() }
      }
      if isJSON { writer.line("{", 8) }
      try write(facts, source, arguments, isJSON: isJSON, to: &writer)
      if isJSON { writer.line("}", 8) }
    }
    if isJSON {
      writer.line("]", 4)
      writer.line("}", 0)
    }
    let names = Set(source.scan.groups.map(\.volumeGroup.name))
    let failures = arguments.volumeGroups.filter { !names.contains($0) }.flatMap {
      ["Volume group \"\($0)\" not found", "Cannot process volume group \($0)"]
    }
    return (writer.bytes, failures)
  }

  private func write(
    _ facts: GroupFacts, _ source: ReportSource, _ arguments: ReportArguments, isJSON: Bool,
    to writer: inout ReportWriter
  ) throws(ReportError) {
    var isFirst = true
    for var request in requests {
      let isPhysical = request.kind.namesDevices
      if facts.isPlaceholder, !isPhysical { continue }
      request.fullReportGroup = facts.group.name
      request.needsGroups = true
      let report = try Report(request)
      let rows =
        facts.isPlaceholder
        ? RowBuilder.orphanRows(report, source)
        : RowBuilder.rows(report, source, of: facts, arguments)
      if isJSON {
        if !isFirst { writer.line(",", 12) }
        writer.writeArray(report, rows)
      } else {
        writer.write(report, rows)
      }
      isFirst = false
    }
  }
}

extension ReportWriter {
  fileprivate mutating func blankLine() { line("", -2) }
}
