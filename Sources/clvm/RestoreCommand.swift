import ArgumentParser
import BlockDevices
import DeviceMapper
import Glibc
import LVMMetadata
import LVMSystemDirectory
import VolumeActivation

/// vgcfgrestore, as LVM's.
struct GroupRestoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vgcfgrestore",
    abstract: "Write the metadata of a volume group from a backup onto its devices.",
    usage: """
      clvm vgcfgrestore [-f|--file FILE] [--force] VG
      clvm vgcfgrestore -l|--list [-f|--file FILE] [VG]
      """)

  @OptionGroup var options: MetadataOptions

  @Option(
    name: [.customShort("f", allowingJoined: true), .long],
    help: "This file, instead of the newest backup.")
  var file: String?

  @Flag(name: [.short, .long], help: "List the backups there are.")
  var list = false

  @Flag(name: .long, help: "Also a group with thin volumes.")
  var force = false

  @Argument(help: "The volume group.")
  var names: [String] = []

  func validate() throws {
    guard names.count < 2 else {
      throw ValidationError("Command does not accept argument: \(names[1]).")
    }
    guard names.count == 1 || (list && file != nil) else {
      throw ValidationError("Please specify a *single* volume group to restore.")
    }
  }

  func run() throws {
    let configuration = try options.configuration()
    let backups = MetadataBackups(configuration)
    let name = names.first.map { VolumePath.volumeGroup($0) ?? $0 } ?? ""
    if list { return try BackupList(backups).print(name, file: file) }
    guard VolumeName.isValid(name) else {
      throw CommandFailure(
        "Volume group name \"\(name)\" is invalid.", status: .invalidCommandLine)
    }
    try confirmActiveVolumes(of: name)
    do {
      try restore(name, from: file ?? backups.backupPath(of: name))
    } catch var failure as CommandFailure {
      failure.messages.append("Restore failed.")
      throw failure
    }
    if options.quiet == 0 { Output.line("  Restored volume group \(name).") }
  }

  private func restore(_ name: String, from path: String) throws {
    var text = try BackupList.read(path, of: name)
    try checkThinVolumes(text.volumeGroup)
    let locks = try options.lock(name, isShared: text.volumeGroup.isShared, withGlobal: true)
    defer { locks.release(.volumeGroup(name)) }
    let scan = try options.scan(.readWrite)
    let members = try members(of: text.volumeGroup, in: scan)
    let newest =
      scan.groups.filter { group in
        group.volumeGroup.physicalVolumes.contains { volume in
          text.volumeGroup.physicalVolume(id: volume.id) != nil
        }
      }.map(\.volumeGroup.seqno).max() ?? 0
    guard max(newest, text.volumeGroup.seqno) < .max else {
      throw CommandFailure("Volume group \(name) has reached the last seqno.")
    }
    text.volumeGroup.seqno = max(newest, text.volumeGroup.seqno) + 1
    text.provenance = MetadataProvenance(description: "Write from \(CommandLineText.text).")
    guard !options.test else { return }
    do {
      var commit = try MetadataCommit(restoring: text, onto: members)
      try commit.write()
      try commit.precommit()
      try commit.commit().check(name)
    } catch let error as MetadataCommitError {
      throw CommandFailure("\(error)")
    }
  }

  private func checkThinVolumes(_ group: VolumeGroup) throws {
    let hasThin = group.logicalVolumes.contains { volume in
      volume.segments.contains { $0.typeName.hasPrefix("thin") }
    }
    guard hasThin else { return }
    guard force else {
      throw CommandFailure(
        "Consider using option --force to restore Volume Group \(group.name) with thin volumes.")
    }
    Output.error("  WARNING: Forced restore of Volume Group \(group.name) with thin volumes.")
  }

  /// The devices of all PVs; none may be missing, or belong to another group by now.
  private func members(
    of group: VolumeGroup, in scan: MetadataScan
  ) throws -> [ScannedVolumeGroup.Member] {
    var members: [ScannedVolumeGroup.Member] = []
    var missingCount = 0
    for volume in group.physicalVolumes {
      let found = scan.physicalVolumes.filter { $0.label.id == volume.id }
      guard let device = found.first, !volume.isMarkedMissing else {
        if found.isEmpty {
          Output.error("  WARNING: Couldn't find device with uuid \(volume.id).")
        }
        missingCount += 1
        continue
      }
      guard found.count == 1 else {
        throw CommandFailure(
          "PV \(volume.id) is on \(found.map(\.device.name).joined(separator: " and ")).")
      }
      let other = scan.groups.first { other in
        other.volumeGroup.id != group.id && other.volumeGroup.physicalVolume(id: volume.id) != nil
      }
      if let other, other.volumeGroup.name != group.name {
        throw CommandFailure(
          "PV \(device.device.name) belongs to volume group \(other.volumeGroup.name).")
      }
      members.append(.init(id: volume.id, state: .present(device)))
    }
    guard missingCount == 0 else {
      throw CommandFailure(
        "Cannot restore Volume Group \(group.name) with \(missingCount) PVs marked as missing.")
    }
    return members
  }

  /// Asks before the metadata under active volumes is replaced.
  private func confirmActiveVolumes(of name: String) throws {
    var active: [String] = []
    var mapper = LibraryDeviceMapper()
    do throws(DeviceMapperError) {
      for device in try mapper.devices() {
        guard let parts = MappedDeviceName(device.name), parts.volumeGroup == name else { continue }
        active.append(parts.logicalVolume)
      }
    } catch {
      // Without the kernel's device-mapper nothing is active.
      Output.error(
        "  WARNING: Failed to check for active volumes in volume group \"\(name)\".")
    }
    guard !active.isEmpty else { return }
    for volume in active {
      Output.line("  Volume group \(name) has active volume: \(volume).")
    }
    Output.error(
      "  WARNING: Found \(active.count) active volume(s) in volume group \"\(name)\".")
    Output.line("  Restoring VG with active LVs, may cause mismatch with its metadata.")
    Output.flush()
    guard !options.yes else { return }
    Output.error(
      "Do you really want to proceed with restore of volume group \"\(name)\", while "
        + "\(active.count) volume(s) are active? [y/n]: ")
    guard readLine()?.hasPrefix("y") == true else { throw CommandFailure("Restore aborted.") }
  }
}

extension MetadataCommitOutcome {
  /// Throws when the new version does not count; says where it is missing.
  func check(_ name: String) throws {
    switch self {
    case .everywhere: return
    case .partly(let stale):
      for failure in stale { Output.error("  WARNING: \(failure)") }
    case .takenBack(let failures):
      throw CommandFailure(
        "Failed to commit VG \(name), nothing is changed: "
          + failures.map(\.description).joined(separator: "; "))
    case .unknown(let failures):
      throw CommandFailure(
        "Failed to commit VG \(name); which version counts must be read from the disks: "
          + failures.map(\.description).joined(separator: "; "))
    }
  }
}
