import ArgumentParser
import LVMMetadata
import LVMSystemDirectory

/// vgck, as LVM's.
struct GroupCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vgck", abstract: "Check the metadata of volume groups, and repair it.")

  @OptionGroup var options: MetadataOptions

  @Flag(name: .long, help: "Write the metadata anew to correct what is wrong with its copies.")
  var updatemetadata = false

  @Argument(help: "Only these volume groups.")
  var names: [String] = []

  func validate() throws {
    guard !updatemetadata || names.count == 1 else {
      throw ValidationError("Command does not accept option: --updatemetadata.")
    }
  }

  func run() throws {
    let configuration = try options.configuration()
    let systemID = HostSystemID(configuration).value
    if updatemetadata { return try update(configuration, systemID) }
    let selection = GroupSelection(
      names, try options.scan(.readOnly), includesForeign: false, hostSystemID: systemID)
    var failures: [String] = []
    for group in selection.groups {
      do throws(VolumeGroupRefusal) {
        try group.volumeGroup.checkWritable()
      } catch {
        failures.append(error.message)
        continue
      }
      let missing = group.missingPhysicalVolumes.count
      if missing > 0 {
        failures.append("The volume group is missing \(missing) physical volumes.")
      }
    }
    try selection.finish(failures)
  }

  private func update(_ configuration: LVMConfiguration, _ systemID: String?) throws {
    let name = VolumePath.volumeGroup(names[0]) ?? names[0]
    // Whether it is shared is known only afterwards; then it is looked at once more.
    let first = MetadataScanner.scan(try options.deviceOptions.open(.readOnly))
    let isShared = first.groups(named: name).contains { $0.volumeGroup.isShared }
    let locks = try options.lock(name, isShared: isShared)
    defer { locks.release(.volumeGroup(name)) }
    let scan = try options.scan(.readWrite)
    let selection = GroupSelection([name], scan, includesForeign: false, hostSystemID: systemID)
    try selection.finish()
    for group in selection.groups { try update(group, scan, configuration) }
  }

  private func update(
    _ group: ScannedVolumeGroup, _ scan: MetadataScan, _ configuration: LVMConfiguration
  ) throws {
    let name = group.volumeGroup.name
    guard !options.test else { return }
    let backups = MetadataBackups(configuration)
    do {
      try backups.archive(group.volumeGroup, commandLine: CommandLineText.text)
      let text = MetadataText(
        volumeGroup: group.repaired(),
        provenance: MetadataProvenance(description: "Write from \(CommandLineText.text)."))
      var commit = try MetadataCommit(from: group, to: text, purpose: .repair)
      try commit.write()
      try commit.precommit()
      try commit.commit().check(name)
      for volume in scan.outdatedPhysicalVolumes(of: group) {
        Output.error("  WARNING: wiping mda on outdated PV \(volume.device.name)")
        try volume.makeOrphan()
        Output.error("  WARNING: wiping header on outdated PV \(volume.device.name)")
      }
      try backups.backup(text.volumeGroup, commandLine: CommandLineText.text)
    } catch let error as MetadataCommitError {
      throw CommandFailure("\(error)", "Failed to write VG.")
    } catch let error as MetadataDeviceError {
      throw CommandFailure("\(error)")
    } catch let error as SystemFileError {
      throw CommandFailure("\(error)")
    }
  }
}
