import LVMMetadata

/// The rows of a report, and what was asked for but not found.
struct ReportRows {
  var rows: [ReportRow] = []
  var failures: [String] = []
}

/// Makes the rows of a report.
struct RowBuilder {
  let source: ReportSource
  let arguments: ReportArguments
  let subject: Report.RowSubject
  var result = ReportRows()

  init(_ source: ReportSource, _ arguments: ReportArguments, _ subject: Report.RowSubject) {
    self.source = source
    self.arguments = arguments
    self.subject = subject
  }

  static func rows(
    _ report: Report, _ source: ReportSource, _ arguments: ReportArguments
  ) -> ReportRows {
    var builder = RowBuilder(source, arguments, report.rowSubject)
    if report.rowSubject == .labels {
      builder.addLabels()
    } else if report.kind.namesDevices {
      builder.addDevices()
    } else {
      builder.addGroups()
    }
    return builder.result
  }

  /// The rows of one part of a full report: about one group, or the physical volumes of none.
  static func rows(
    _ report: Report, _ source: ReportSource, of facts: GroupFacts, _ arguments: ReportArguments
  ) -> [ReportRow] {
    var builder = RowBuilder(source, arguments, report.rowSubject)
    builder.addRows(of: facts) { _ in true }
    return builder.result.rows
  }

  // MARK: - Groups

  mutating func addGroups() {
    for scanned in arguments.inOrder(source.scan.groups) {
      let group = scanned.volumeGroup
      let isNamed =
        arguments.volumeGroups.contains(group.name)
        || arguments.logicalVolumes.contains { $0.group == group.name }
      guard isNamed || !arguments.namesGroups || !arguments.tags.isEmpty else { continue }
      if let obstacle = obstacle(group) {
        if isNamed { result.failures += obstacle }
        continue
      }
      addWanted(GroupFacts(scanned, in: source.scan), isNamed: isNamed)
    }
    let names = arguments.volumeGroups + arguments.logicalVolumes.map(\.group)
    var reported: Set<String> = []
    for name in names
    where source.scan.groups(named: name).isEmpty && reported.insert(name).inserted {
      result.failures += [
        "Volume group \"\(name)\" not found", "Cannot process volume group \(name)",
      ]
    }
  }

  /// Why the group is left out, in the words for somebody who named it; nil when it is not.
  func obstacle(_ group: VolumeGroup) -> [String]? {
    if arguments.leavesOutExported, group.isExported {
      return ["Volume group \(group.name) is exported"]
    }
    guard let systemID = group.systemID, !systemID.isEmpty, systemID != arguments.hostSystemID,
      !arguments.showsForeign
    else { return nil }
    let own = arguments.hostSystemID.map { "local system ID \($0)" } ?? "unknown local system ID"
    return ["Cannot access VG \(group.name) with system ID \(systemID) with \(own)."]
  }

  private mutating func addWanted(_ facts: GroupFacts, isNamed: Bool) {
    let group = facts.group
    let isWhole =
      arguments.isEmpty || arguments.volumeGroups.contains(group.name)
      || arguments.tags.contains { group.tags.contains($0) }
    let volumes = arguments.logicalVolumes.filter { $0.group == group.name }.map(\.volume)
    if isWhole, volumes.isEmpty {
      addRows(of: facts) { _ in true }
      return
    }
    guard subject == .logicalVolumes || subject == .segments else {
      if isWhole { addRows(of: facts) { _ in true } }
      return
    }
    let tags = arguments.tags
    addRows(of: facts, namedVolumes: Set(volumes)) { volume in
      isWhole || tags.contains { volume.tags.contains($0) }
    }
    if arguments.volumeGroups.contains(group.name) { return }
    for name in volumes where group.logicalVolume(named: name) == nil {
      let isGone =
        arguments.showsHistory && facts.history.volumes.contains { "-" + $0.name == name }
      if !isGone {
        result.failures.append("Failed to find logical volume \"\(group.name)/\(name)\"")
      }
    }
  }

  private mutating func addRows(
    of facts: GroupFacts, namedVolumes: Set<String> = [],
    isWanted: (LogicalVolume) -> Bool
  ) {
    switch subject {
    case .volumeGroups:
      result.rows.append(row(facts))
    case .labels, .physicalVolumes, .physicalSegments:
      for member in Self.members(of: facts) { addPhysical(member, facts) }
    case .logicalVolumes, .segments:
      addLogical(facts, namedVolumes, isWanted)
    }
  }

  func row(_ facts: GroupFacts, _ graph: VolumeGraph? = nil) -> ReportRow {
    let row = ReportRow(source: source, facts: facts, graph: graph)
    row.showsHistory = arguments.showsHistory
    return row
  }

  // MARK: - Logical volumes

  private mutating func addLogical(
    _ facts: GroupFacts, _ named: Set<String>, _ isWanted: (LogicalVolume) -> Bool
  ) {
    let graph = facts.graph
    var pools: [Int] = []
    var others: [Int] = []
    others.reserveCapacity(graph.volumes.count)
    for (index, volume) in graph.volumes.enumerated() {
      let roles = graph.roles[index]
      if roles.contains(.snapshotLink) { continue }
      if !arguments.showsAll {
        if roles.contains(.virtualOrigin) { continue }
        if !roles.contains(.visible), named.isEmpty || subject == .segments { continue }
        if roles.contains(.sanlock), !named.contains(volume.name) { continue }
      }
      guard named.contains(volume.name) || isWanted(volume) else { continue }
      if roles.contains(.thinPool) { pools.append(index) } else { others.append(index) }
    }
    result.rows.reserveCapacity(result.rows.count + pools.count + others.count)
    for index in pools.reversed() + others { addLogical(index, facts, graph) }
    guard arguments.showsHistory, arguments.tags.isEmpty else { return }
    for (index, volume) in facts.history.volumes.enumerated()
    where named.isEmpty || named.contains("-" + volume.name) {
      let row = row(facts)
      row.volume = .gone(index)
      result.rows.append(row)
    }
  }

  private mutating func addLogical(_ index: Int, _ facts: GroupFacts, _ graph: VolumeGraph) {
    let index = shownVolume(index, facts, graph)
    let count = subject == .segments ? graph.volumes[index].segments.count : 1
    for segment in 0..<count {
      let row = row(facts, graph)
      row.volume = .live(index)
      row.segment = segment
      result.rows.append(row)
    }
  }

  /// A thin snapshot that replaces its origin at the next activation is shown in its place.
  private func shownVolume(_ index: Int, _ facts: GroupFacts, _ graph: VolumeGraph) -> Int {
    guard let merge = graph.merges[index], graph.roles[merge.store].contains(.thinVolume),
      source.states.isKnown, facts.status(index, segment: 0, source.states).device == nil
    else { return index }
    return merge.store
  }
}
