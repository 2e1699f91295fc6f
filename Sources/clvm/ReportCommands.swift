import ArgumentParser
import BlockDevices
import LVMMetadata
import VolumeReports

struct PhysicalVolumesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pvs", abstract: "List physical volumes as the disks describe them.")

  @OptionGroup var options: ReportOptions

  @Flag(name: [.short, .long], help: "Also devices that are no physical volumes.")
  var all = false

  @Flag(name: .long, help: "One row for each run of extents.")
  var segments = false

  @Argument(help: "Only these devices, or physical volumes with these @TAGs.")
  var names: [String] = []

  func run() throws {
    let hasTags = names.contains { $0.hasPrefix("@") }
    let report = try options.report(
      segments ? .physicalSegments : .physicalVolumes, needsGroups: hasTags)
    try options.print(report) { devices in
      var arguments = Self.arguments(names, among: devices)
      arguments.showsAll = all
      return arguments
    }
  }

  /// What devices and tags on the command line mean.
  static func arguments(_ names: [String], among devices: [BlockDevice]) -> ReportArguments {
    var arguments = ReportArguments()
    for name in names {
      if name.hasPrefix("@") {
        arguments.tags.append(String(name.dropFirst()))
      } else {
        arguments.devices.append(DeviceOptions.device(name, among: devices)?.name ?? name)
      }
    }
    return arguments
  }
}

struct VolumeGroupsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vgs", abstract: "List volume groups as the disks describe them.")

  @OptionGroup var options: ReportOptions

  @Flag(name: [.short, .long], help: "With columns about logical volumes: also internal ones.")
  var all = false

  @Argument(help: "Only these volume groups, or those with these @TAGs.")
  var names: [String] = []

  func run() throws {
    let report = try options.report(.volumeGroups)
    try options.print(report) { _ in
      var arguments = try Self.arguments(names)
      arguments.showsAll = all
      return arguments
    }
  }

  /// What groups and tags on the command line mean.
  static func arguments(_ names: [String]) throws -> ReportArguments {
    var arguments = ReportArguments()
    for name in names {
      if name.hasPrefix("@") {
        arguments.tags.append(String(name.dropFirst()))
      } else if let group = VolumePath.volumeGroup(name) {
        arguments.volumeGroups.append(group)
      } else {
        throw ValidationError("\(name) is not the name of a volume group.")
      }
    }
    return arguments
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

  @Flag(name: [.customShort("H"), .customLong("history")], help: "Also volumes that are gone.")
  var history = false

  @Argument(help: "Only these volume groups or logical volumes (VG/LV), or those with these @TAGs.")
  var names: [String] = []

  func run() throws {
    let report = try options.report(segments ? .segments : .logicalVolumes)
    try options.print(report) { _ in
      var arguments = try Self.arguments(names)
      arguments.showsAll = all
      arguments.showsHistory = history
      return arguments
    }
  }

  /// What volumes, groups and tags on the command line mean; exported groups are left out.
  static func arguments(_ names: [String]) throws -> ReportArguments {
    var arguments = ReportArguments()
    arguments.leavesOutExported = true
    for name in names {
      if name.hasPrefix("@") {
        arguments.tags.append(String(name.dropFirst()))
      } else if let group = VolumePath.volumeGroup(name) {
        arguments.volumeGroups.append(group)
      } else {
        arguments.logicalVolumes.append(try VolumePath.parse(name))
      }
    }
    return arguments
  }
}
