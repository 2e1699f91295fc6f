import LVMMetadata
import VolumeCommands

/// vgreduce --removemissing and vgextend --restoremissing: what is done about physical volumes that
/// are lost, or back (lvm2-metadata 4).
extension OfflineSession {
  func removeMissing(_ command: ReduceGroupCommand) throws(CommandStop) -> Int32 {
    let name = command.group
    let current = try group(named: name)
    showWarnings(of: current)
    let missing = current.missingPhysicalVolumes
    guard !missing.isEmpty else {
      output("Volume group \"\(name)\" is already consistent.")
      return 0
    }
    var edit = GroupEdit(current.volumeGroup, context: context)
    do throws(VolumeGroupRefusal) {
      try edit.group.checkChangeable()
      if command.isForced { try edit.removePartial(missing: missing) }
    } catch {
      show(edit.messages)
      throw CommandStop(error)
    }
    let partial = edit.group.logicalVolumes(dependingOn: missing)
    if !partial.isEmpty { warnOfPartial(partial, in: edit.group) }
    // As long as volumes are partial LVM keeps the empty PVs as well, though it says otherwise.
    let gone = partial.isEmpty ? missing : []
    let unused = edit.group.physicalVolumes.map(\.id).filter { gone.contains($0) }
    do throws(VolumeGroupRefusal) {
      for id in unused { try edit.group.removePhysicalVolume(id, device: deviceName(of: id)) }
    } catch {
      throw CommandStop(error)
    }
    if !isTest {
      try deactivate(edit.deactivations, of: current)
      try archive(current.volumeGroup)
      try write(edit.group, from: current, repairing: missing)
      try releaseReturned(unused, of: current)
      try backup(edit.group, replacing: current.volumeGroup)
      rescan()
    }
    show(edit.messages)
    guard partial.isEmpty else { return CommandStop.failed }
    output("Wrote out consistent volume group \(name).")
    return 0
  }

  private func warnOfPartial(_ names: Set<String>, in group: VolumeGroup) {
    for volume in group.logicalVolumes where names.contains(volume.name) {
      error("WARNING: Partial LV \(volume.name) needs to be repaired or removed. ")
    }
    error("There are still partial LVs in VG \(group.name).")
    error("To remove them unconditionally use: vgreduce --removemissing --force.")
  }

  /// A PV that is back and holds nothing any more is nobody's.
  private func releaseReturned(
    _ ids: [LVMIdentifier], of current: ScannedVolumeGroup
  ) throws(CommandStop) {
    for member in current.members where ids.contains(member.id) {
      guard case .returned(let volume) = member.state,
        let disk = disks.first(where: { $0.device === volume.device })
      else { continue }
      try release(volume, disk)
    }
  }

  func restoreMissing(_ command: ExtendGroupCommand) throws(CommandStop) {
    let current = try group(named: command.group)
    showWarnings(of: current)
    var group = current.volumeGroup
    do throws(VolumeGroupRefusal) {
      try group.checkChangeable()
    } catch {
      throw CommandStop(error)
    }
    var restored: Set<LVMIdentifier> = []
    for device in command.devices {
      guard let disk = disk(device), let volume = physicalVolume(on: disk),
        let index = group.physicalVolumes.firstIndex(where: { $0.id == volume.label.id })
      else {
        error("WARNING: PV \(device) not found in VG \(command.group)")
        continue
      }
      guard current.wasMissing(volume), restored.insert(volume.label.id).inserted else {
        error("WARNING: PV \(device) was not missing in VG \(command.group)")
        continue
      }
      group.physicalVolumes[index].flags.remove(.missing)
      group.physicalVolumes[index].status.remove(.missing)
    }
    guard !restored.isEmpty else { throw CommandStop("No PV has been restored.") }
    if !isTest {
      try archive(current.volumeGroup)
      try write(
        group, from: current, repairing: current.missingPhysicalVolumes.subtracting(restored))
      try backup(group, replacing: current.volumeGroup)
      rescan()
    }
    output("Volume group \"\(command.group)\" successfully extended")
  }

  /// Writes a group that some PVs are still missing from, which it says.
  private func write(
    _ group: VolumeGroup, from current: ScannedVolumeGroup, repairing missing: Set<LVMIdentifier>
  ) throws(CommandStop) {
    var group = group
    for index in group.physicalVolumes.indices
    where missing.contains(group.physicalVolumes[index].id) {
      group.physicalVolumes[index].flags.insert(.missing)
    }
    try write(group, from: current, purpose: .repair)
  }
}

extension ScannedVolumeGroup {
  /// The PV was marked as missing, or has an older version of the group.
  fileprivate func wasMissing(_ volume: ScannedPhysicalVolume) -> Bool {
    members.contains { member in
      guard member.id == volume.label.id, case .returned = member.state else { return false }
      return true
    }
      || warnings.contains { warning in
        guard case .staleMetadata(volume.device.name, _, _, _, _) = warning else { return false }
        return true
      }
  }
}
