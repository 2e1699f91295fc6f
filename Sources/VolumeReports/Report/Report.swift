/// One report as LVM's `pvs`, `vgs` and `lvs` make it: the columns that were asked for, sort keys, a
/// selection, and what rows must be about for all of these to make sense.
public struct Report {
  struct SortKey {
    let field: ReportField
    let isDescending: Bool
  }

  /// What the rows are about.
  enum RowSubject {
    case volumeGroups
    case labels
    case physicalVolumes
    case physicalSegments
    case logicalVolumes
    case segments
  }

  public let kind: ReportKind
  public let fields: [ReportField]
  /// Names of columns that are left out when they are empty in all rows.
  let compacted: Set<String>
  let keys: [SortKey]
  let selection: Selection?
  let rowSubject: RowSubject
  /// Help was asked for in the place of columns or a selection; then there are no rows.
  public let help: [String]?
  /// What should be said on standard error.
  public private(set) var warnings: [String] = []

  /// - Throws: what is wrong with the columns, keys or selection.
  public init(_ request: ReportRequest) throws(ReportError) {
    kind = request.kind
    let lists = try ColumnLists(request)
    var subjects: Set<ReportSubject> = [request.kind.subject]
    if request.needsGroups, subjects.remove(.label) != nil { subjects.insert(.physicalVolume) }
    var isHelp = false
    for name in lists.names {
      if ReportField.helpNames.contains(where: { ReportField.canonical(name) == $0 }) {
        isHelp = true
      } else {
        subjects.formUnion(try ColumnLists.subjects(of: name, request.kind, subjects))
      }
    }
    let keys = try ColumnLists.keys(lists.keys, request.kind)
    subjects.formUnion(keys.map(\.field.subject))
    fields = lists.names.flatMap { ColumnLists.fields(named: $0, request.kind, subjects) }
    compacted = lists.compacted
    warnings = lists.warnings
    var distinctKeys: [SortKey] = []
    for key in keys {
      if distinctKeys.contains(where: { $0.field.name == key.field.name }) {
        warnings.append("dm_report: Ignoring duplicate sort field: \(key.field.name).")
      } else {
        distinctKeys.append(key)
      }
    }
    self.keys = distinctKeys
    switch request.selection {
    case nil, "": selection = nil
    case let text? where text.lowercased() == "all": selection = nil
    case let text? where ReportField.helpNames.contains(text.lowercased()):
      help = ReportHelp.fields(withTypes: true) + [" "] + ReportHelp.selection
      selection = nil
      rowSubject = .labels
      return
    case let text?:
      let parsed = try Selection(text, prefix: request.kind.subject.prefix, now: request.now)
      subjects.formUnion(parsed.fields.map(\.subject))
      selection = parsed
    }
    help = isHelp ? ReportHelp.fields(withTypes: false) + [" "] : nil
    subjects.remove(.special)
    rowSubject = try Self.rowSubject(request, subjects)
  }

  /// Some of what is asked for only the kernel can tell.
  public var needsKernel: Bool {
    (fields + keys.map(\.field) + (selection?.fields ?? [])).contains(where: \.needsKernel)
  }

  private static func rowSubject(
    _ request: ReportRequest, _ subjects: Set<ReportSubject>
  ) throws(ReportError) -> RowSubject {
    let isLogical = subjects.contains(.segment) || subjects.contains { $0.isLogical }
    let isPhysical =
      subjects.contains(.physicalVolume) || subjects.contains(.label)
      || subjects.contains(.physicalSegment)
    let isFullSegments = request.fullReportGroup != nil && request.kind == .physicalSegments
    if isLogical, isPhysical, !request.kind.namesDevices, !isFullSegments {
      let prefix = request.kind.subject.prefix
      let place = request.fullReportGroup.map { " in VG \($0)" } ?? ""
      let type = request.fullReportGroup == nil ? "report type" : "subreport type"
      throw ReportError(
        "Can't report LV and PV fields at the same time in \(type) \"\(prefix)\"\(place).")
    }
    let subject: RowSubject
    if subjects.contains(.physicalSegment) || isPhysical && isLogical {
      subject = .physicalSegments
    } else if subjects.contains(.physicalVolume)
      || subjects.contains(.label) && subjects.contains(.volumeGroup)
    {
      subject = .physicalVolumes
    } else if subjects.contains(.segment) {
      subject = .segments
    } else if isLogical {
      subject = .logicalVolumes
    } else {
      subject = subjects.contains(.label) ? .labels : .volumeGroups
    }
    if let group = request.fullReportGroup, !subject.isOwn(of: request.kind) {
      throw ReportError(
        "Subreport of type \"\(request.kind.subject.prefix)\" for VG \(group) contains columns "
          + "which lead to change of report type. Add these columns to proper subreport type.")
    }
    return subject
  }
}

extension Report.RowSubject {
  /// The rows of the kind's plain report.
  fileprivate func isOwn(of kind: ReportKind) -> Bool {
    switch self {
    case .volumeGroups: kind == .volumeGroups
    case .labels, .physicalVolumes: kind == .physicalVolumes
    case .physicalSegments: kind == .physicalSegments
    case .logicalVolumes: kind == .logicalVolumes
    case .segments: kind == .segments
    }
  }
}
