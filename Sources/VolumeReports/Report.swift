import LVMMetadata

/// One report as LVM's `pvs`, `vgs` and `lvs` make it: rows about physical volumes, volume groups,
/// logical volumes or segments, and the columns that were asked for.
public struct Report {
  public enum Kind: Sendable {
    case physicalVolumes
    case volumeGroups
    case logicalVolumes
    /// `lvs --segments`.
    case segments

    /// What users may leave out of column names.
    var namePrefix: String {
      switch self {
      case .physicalVolumes: "pv_"
      case .volumeGroups: "vg_"
      case .logicalVolumes: "lv_"
      case .segments: "seg_"
      }
    }

    /// The columns without `-o`.
    var defaultFields: [String] {
      switch self {
      case .physicalVolumes: ["pv_name", "vg_name", "pv_fmt", "pv_attr", "pv_size", "pv_free"]
      case .volumeGroups:
        ["vg_name", "pv_count", "lv_count", "snap_count", "vg_attr", "vg_size", "vg_free"]
      case .logicalVolumes:
        [
          "lv_name", "vg_name", "lv_attr", "lv_size", "pool_lv", "origin", "data_percent",
          "metadata_percent", "move_pv", "mirror_log", "copy_percent", "convert_lv",
        ]
      case .segments: ["lv_name", "vg_name", "lv_attr", "stripes", "segtype", "seg_size"]
      }
    }

    /// The key under which JSON lists the rows.
    var jsonKey: String {
      switch self {
      case .physicalVolumes: "pv"
      case .volumeGroups: "vg"
      case .logicalVolumes: "lv"
      case .segments: "seg"
      }
    }
  }

  /// What the rows are about, after the columns were looked at.
  private enum Subject: Int, Comparable {
    case volumeGroup
    case physicalVolume
    case logicalVolume
    case segment

    static func < (left: Subject, right: Subject) -> Bool { left.rawValue < right.rawValue }
  }

  public let kind: Kind
  public let fields: [ReportField]
  private let subject: Subject

  /// - Parameter columns: arguments of `-o` in order, each a list of names with commas; one that
  ///   begins with `+` adds to the columns so far, with `-` takes away, any other replaces.
  public init(_ kind: Kind, columns: [String] = []) throws(ReportError) {
    var names = kind.defaultFields
    for argument in columns {
      let change = argument.first
      let isRelative = change == "+" || change == "-"
      let list = (isRelative ? argument.dropFirst() : argument[...]).split(separator: ",")
      var resolved: [String] = []
      for name in list { resolved += try Self.resolve(String(name), kind) }
      switch change {
      case "+": names += resolved
      case "-": names.removeAll { resolved.contains($0) }
      default: names = resolved
      }
    }
    self.kind = kind
    fields = names.compactMap { ReportField.named($0, in: kind) }
    subject = try Self.subject(kind, fields)
  }

  /// One name, or all of a subject: `lv_all`, `all`.
  private static func resolve(_ name: String, _ kind: Kind) throws(ReportError) -> [String] {
    let subjects: [String: ReportField.Subject] = [
      "pv_all": .physicalVolume, "vg_all": .volumeGroup, "lv_all": .logicalVolume,
      "seg_all": .segment,
    ]
    if let subject = subjects[name == "all" ? kind.namePrefix + "all" : name] {
      return ReportField.all.filter { $0.subject == subject }.map(\.name)
    }
    guard let field = ReportField.named(name, in: kind) else {
      throw ReportError(message: "Unrecognised field: \(name)")
    }
    return [field.name]
  }

  private static func subject(
    _ kind: Kind, _ fields: [ReportField]
  ) throws(ReportError) -> Subject {
    let subjects = Set(fields.map(\.subject))
    let concernsPhysical = subjects.contains(.physicalVolume)
    let concernsLogical = subjects.contains(.logicalVolume) || subjects.contains(.segment)
    let logical: Subject = subjects.contains(.segment) ? .segment : .logicalVolume
    let mixed = ReportError(
      message: "Can't report LV and PV fields at the same time in this report.")
    switch kind {
    case .physicalVolumes:
      if concernsLogical { throw mixed }
      return .physicalVolume
    case .volumeGroups:
      if concernsPhysical && concernsLogical { throw mixed }
      return concernsPhysical ? .physicalVolume : concernsLogical ? logical : .volumeGroup
    case .logicalVolumes:
      if concernsPhysical { throw mixed }
      return logical
    case .segments:
      if concernsPhysical { throw mixed }
      return .segment
    }
  }
}

/// Why a report cannot be made; the text is for the user.
public struct ReportError: Error, Equatable, Sendable, CustomStringConvertible {
  public let message: String
  public var description: String { message }
}

/// What to leave in a report.
public struct ReportSelection: Sendable {
  /// Device names for reports about physical volumes; empty: all.
  public var devices: [String] = []
  /// Volume groups, by name; empty together with `logicalVolumes`: all.
  public var volumeGroups: [String] = []
  public var logicalVolumes: [(group: String, volume: String)] = []
  /// Show volumes that LVM made for itself, too.
  public var showsHidden = false

  public init() {}

  /// No volume group or logical volume is named.
  public var isEmpty: Bool { volumeGroups.isEmpty && logicalVolumes.isEmpty }
}

// MARK: - Rows

extension Report {
  /// The rows in LVM's order: by name.
  func rows(_ source: ReportSource, _ selection: ReportSelection) -> [ReportRow] {
    let groups = source.scan.groups.map(GroupFacts.init)
      .sorted { $0.group.name < $1.group.name }
    switch kind {
    case .physicalVolumes:
      return physicalRows(source, groups, withOrphans: true)
        .filter { row in
          selection.devices.isEmpty || selection.devices.contains(row.physicalVolume?.name ?? "")
        }
        .sorted { ($0.physicalVolume?.name ?? "") < ($1.physicalVolume?.name ?? "") }
    case .volumeGroups, .logicalVolumes, .segments:
      let named = Set(selection.volumeGroups + selection.logicalVolumes.map(\.group))
      let chosen = groups.filter { selection.isEmpty || named.contains($0.group.name) }
      return chosen.flatMap { groupRows(source, $0, selection) }
    }
  }

  private func groupRows(
    _ source: ReportSource, _ facts: GroupFacts, _ selection: ReportSelection
  ) -> [ReportRow] {
    let row = ReportRow(source: source, facts: facts)
    switch subject {
    case .volumeGroup: return [row]
    case .physicalVolume: return physicalRows(source, [facts], withOrphans: false)
    case .logicalVolume, .segment:
      let volumes = facts.group.logicalVolumes
        .filter { volume in
          wants(volume, isVisible: facts.isVisible(volume), in: facts.group.name, selection)
        }
        .sorted { $0.name < $1.name }
      let rows = volumes.flatMap { volume -> [ReportRow] in
        var row = row
        row.logicalVolume = volume
        guard subject == .segment else { return [row] }
        return volume.segments.map { segment in
          var row = row
          row.segment = segment
          return row
        }
      }
      // A group without logical volumes still has a row in vgs.
      return rows.isEmpty && kind == .volumeGroups ? [row] : rows
    }
  }

  private func wants(
    _ volume: LogicalVolume, isVisible: Bool, in group: String, _ selection: ReportSelection
  ) -> Bool {
    let isNamed = selection.logicalVolumes.contains {
      $0.group == group && $0.volume == volume.name
    }
    if isNamed { return true }
    guard selection.isEmpty || selection.volumeGroups.contains(group) else { return false }
    return isVisible || (selection.showsHidden && volume.baseType != "snapshot")
  }

  private func physicalRows(
    _ source: ReportSource, _ groups: [GroupFacts], withOrphans: Bool
  ) -> [ReportRow] {
    var rows: [ReportRow] = []
    for facts in groups {
      for (described, member) in zip(facts.group.physicalVolumes, facts.scanned.members) {
        var row = ReportRow(source: source, facts: facts)
        row.physicalVolume = ReportedPhysicalVolume(
          scanned: member.scanned, described: described,
          isMissing: facts.missing.contains(described.id))
        rows.append(row)
      }
    }
    guard withOrphans else { return rows }
    for index in source.scan.orphans {
      var row = ReportRow(source: source, facts: nil)
      row.physicalVolume = ReportedPhysicalVolume(
        scanned: source.scan.physicalVolumes[index], described: nil, isMissing: false)
      rows.append(row)
    }
    return rows
  }
}

// MARK: - Output

extension Report {
  /// The report's lines.
  public func lines(
    _ source: ReportSource, selection: ReportSelection = ReportSelection(),
    style: ReportStyle = ReportStyle()
  ) -> [String] {
    let rows = rows(source, selection)
    switch style.format {
    case .basic:
      var table = TextTable(
        columns: fields.map {
          TextTable.Column($0.heading, isRightAligned: $0.isNumeric, width: $0.width)
        })
      table.rows = rows.map { row in fields.map { style.text($0.value(row)) } }
      return table.lines(withHeadings: style.hasHeadings)
    case .json, .jsonStandard:
      let indentation = "                  "
      let objects = rows.map { row in
        JSONValue.object(fields.map { (key: $0.name, value: style.json($0.value(row))) })
          .compactText
      }
      let list = objects.enumerated().map { index, text in
        indentation + text + (index < objects.count - 1 ? "," : "")
      }
      return ["  {", "      \"report\": [", "          {", "              \"\(kind.jsonKey)\": ["]
        + list + ["              ]", "          }", "      ]", "  }"]
    }
  }
}
