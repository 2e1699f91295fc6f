import LVMMetadata
import LVMSystemDirectory
import VolumeActivation
import VolumeCommands

/// Writing what a command decided.
extension OfflineSession {
  /// Carries an edit of `current` out: data first, then the metadata, and with it what is active.
  func commit(_ edit: GroupEdit, from current: ScannedVolumeGroup) throws(CommandStop) {
    try checkActivity(edit, of: current.volumeGroup)
    try archive(current.volumeGroup)
    do throws(MetadataDeviceError) {
      let writer = ExtentWriter(current)
      try writer.copy(edit.copies)
      try writer.wipe(edit.wipes)
    } catch {
      throw CommandStop("\(error)", "Volume group \(current.volumeGroup.name) is not changed.")
    }
    try deactivate(edit.deactivations, of: current)
    try write(edit.group, from: current, reloading: edit.reloads, areaUse: edit.areaUse)
    try backup(edit.group, replacing: current.volumeGroup)
    try activate(edit.activations, of: edit.group, on: current)
  }

  /// What cannot be done while volumes are active.
  private func checkActivity(_ edit: GroupEdit, of group: VolumeGroup) throws(CommandStop) {
    // A mapped device keeps the name that it was made with.
    let isRenamed = edit.group.name != group.name
    for volume in group.logicalVolumes where isActive(volume.id) {
      let path = "\(group.name)/\(volume.name)"
      guard !isRenamed, edit.group.logicalVolume(id: volume.id)?.name ?? volume.name == volume.name
      else {
        throw CommandStop(
          "Logical volume \(path) is active and would get another name. Deactivate it first: "
            + "lvchange -an \(path)")
      }
      guard edit.copies.isEmpty else {
        throw CommandStop("Logical volume \(path) is active: use LVM's pvmove.")
      }
    }
  }

  func archive(_ group: VolumeGroup) throws(CommandStop) {
    guard writesBackups, group.seqno > 0 else { return }
    do {
      try backups.archive(group, commandLine: commandLine)
    } catch {
      throw CommandStop("\(error)", "Volume group \(group.name) is not changed.")
    }
  }

  func backup(_ group: VolumeGroup, replacing old: VolumeGroup) throws(CommandStop) {
    do {
      let path = try writesBackups ? backups.backup(group, commandLine: commandLine) : nil
      if path == nil, !hasToldOfNoBackup {
        error("WARNING: This metadata update is NOT backed up.")
        hasToldOfNoBackup = true
      }
      if old.name != group.name { backups.removeBackup(of: old.name) }
    } catch {
      // The change is done; LVM only warns, too.
      self.error("WARNING: This metadata update is NOT backed up: \(error)")
    }
  }

  /// Commits `group` as the version that follows `current`. Volumes named that are active get
  /// their new tables with it: loaded before, suspended during, resumed after the commit.
  func write(
    _ group: VolumeGroup, from current: ScannedVolumeGroup, reloading names: [String] = [],
    areaUse: [LVMIdentifier: Bool] = [:], purpose: MetadataCommit.Purpose = .change
  ) throws(CommandStop) {
    var group = group
    group.seqno = current.volumeGroup.seqno + 1
    let text = MetadataText(
      volumeGroup: group, provenance: MetadataProvenance(description: "Write from \(commandLine)."))
    do {
      var change = try MetadataCommit(
        from: current, to: text, purpose: purpose,
        changesIdentifier: group.id != current.volumeGroup.id,
        areaUse: areaUse)
      let signals = HeldSignals()
      defer { signals.release() }
      try change.write()
      try change.precommit()
      var mapping = try orRevert(&change, group) { () throws(CommandStop) in
        try prepare(names, of: group, from: current)
      }
      try orRevert(&change, group) { () throws(CommandStop) in try suspend(&mapping) }
      try finish(&change, &mapping, group)
      try resume(&mapping)
    } catch let failure as MetadataCommitError {
      throw CommandStop("\(failure)", "Failed to write VG \(group.name).")
    } catch let stop as CommandStop {
      throw stop
    } catch {
      throw CommandStop("\(error)")
    }
  }

  /// Commits. Where it is not known whether that was done, the disks tell.
  private func finish(
    _ change: inout MetadataCommit, _ mapping: inout MappingChange?, _ group: VolumeGroup
  ) throws(CommandStop) {
    switch change.commit() {
    case .everywhere: break
    case .partly(let stale): for failure in stale { error("WARNING: \(failure)") }
    case .takenBack(let failures):
      for failure in failures { error("WARNING: \(failure)") }
      try abandon(&mapping)
      throw CommandStop("Failed to write VG \(group.name).")
    case .unknown(let failures):
      for failure in failures { error("WARNING: \(failure)") }
      let found = MetadataScanner.readGroup(id: group.id, from: disks.map(\.device))
      guard let found, found.volumeGroup.seqno >= group.seqno else {
        try abandon(&mapping)
        throw CommandStop("Failed to write VG \(group.name).")
      }
    }
  }

  private func orRevert<Result>(
    _ change: inout MetadataCommit, _ group: VolumeGroup, _ body: () throws(CommandStop) -> Result
  ) throws(CommandStop) -> Result {
    do {
      return try body()
    } catch {
      for failure in change.revert() { self.error("WARNING: \(failure)") }
      throw error
    }
  }
}
