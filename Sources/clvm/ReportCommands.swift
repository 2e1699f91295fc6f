import ArgumentParser
import LVMMetadata
import VolumeReports

struct PhysicalVolumesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pvs", abstract: "List physical volumes as the disks describe them.")

  @OptionGroup var options: ReportOptions

  @Argument(help: "Only these devices.")
  var names: [String] = []

  func run() throws {
    let report = try options.report(.physicalVolumes)
    let style = try options.style()
    let source = try options.source()
    var selection = ReportSelection()
    let known = Set(source.scan.physicalVolumes.map(\.device.name))
    selection.devices = names
    let missing = names.filter { !known.contains($0) }
    if missing.count < max(names.count, 1) {
      Output.lines(report.lines(source, selection: selection, style: style))
    }
    try fail(missing.map { "Failed to find physical volume \"\($0)\"." })
  }
}

struct VolumeGroupsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vgs", abstract: "List volume groups as the disks describe them.")

  @OptionGroup var options: ReportOptions

  @Argument(help: "Only these volume groups.")
  var names: [String] = []

  func run() throws {
    let report = try options.report(.volumeGroups)
    let style = try options.style()
    for name in names where VolumePath.volumeGroup(name) == nil {
      throw ValidationError("\(name) is not the name of a volume group.")
    }
    let source = try options.source()
    try report.print(source, names: names, showsHidden: false, style: style)
  }
}

struct LogicalVolumesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lvs", abstract: "List logical volumes as the disks describe them.")

  @OptionGroup var options: ReportOptions

  @Flag(name: [.short, .long], help: "Also volumes that LVM made for itself.")
  var all = false

  @Flag(name: .long, help: "One row for each segment.")
  var segments = false

  @Argument(help: "Only these volume groups or logical volumes (VG/LV).")
  var names: [String] = []

  func run() throws {
    let report = try options.report(segments ? .segments : .logicalVolumes)
    let style = try options.style()
    for name in names where VolumePath.volumeGroup(name) == nil { _ = try VolumePath.parse(name) }
    let source = try options.source()
    try report.print(source, names: names, showsHidden: all, style: style)
  }
}

extension Report {
  /// Prints what is there of `names`, all if empty, and fails for what is not.
  fileprivate func print(
    _ source: ReportSource, names: [String], showsHidden: Bool, style: ReportStyle
  ) throws {
    var selection = ReportSelection()
    selection.showsHidden = showsHidden
    var failures: [String] = []
    for name in names {
      if let group = VolumePath.volumeGroup(name) {
        if source.scan.groups(named: group).isEmpty {
          failures += [
            "Volume group \"\(group)\" not found", "Cannot process volume group \(group)",
          ]
        } else {
          selection.volumeGroups.append(group)
        }
        continue
      }
      let (group, volume) = try VolumePath.parse(name)
      let groups = source.scan.groups(named: group)
      if groups.isEmpty {
        failures += ["Volume group \"\(group)\" not found", "Cannot process volume group \(group)"]
      } else if groups.allSatisfy({ $0.volumeGroup.logicalVolume(named: volume) == nil }) {
        failures.append("Failed to find logical volume \"\(group)/\(volume)\"")
      } else {
        selection.logicalVolumes.append((group, volume))
      }
    }
    if names.isEmpty || !selection.isEmpty {
      Output.lines(lines(source, selection: selection, style: style))
    }
    try fail(failures)
  }
}

/// Ends the command with LVM's status when there is something to complain about.
private func fail(_ messages: [String]) throws {
  guard !messages.isEmpty else { return }
  var failure = CommandFailure()
  failure.messages = messages
  throw failure
}
