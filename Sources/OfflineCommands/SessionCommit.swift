import LVMMetadata
import LVMSystemDirectory
import VolumeCommands

/// Writing what a command decided.
extension OfflineSession {
  /// Carries an edit of `current` out: data first, then the metadata.
  func commit(_ edit: GroupEdit, from current: ScannedVolumeGroup) throws(CommandStop) {
    try checkActivity(edit, of: current.volumeGroup)
    try archive(current.volumeGroup)
    do throws(MetadataDeviceError) {
      try copy(edit.copies, current)
      try wipe(edit.wipes, current)
    } catch {
      throw CommandStop("\(error)", "Volume group \(current.volumeGroup.name) is not changed.")
    }
    try write(edit.group, from: current)
    try backup(edit.group, replacing: current.volumeGroup)
  }

  /// LVs whose mapping would have to change with the metadata.
  private func checkActivity(_ edit: GroupEdit, of group: VolumeGroup) throws(CommandStop) {
    let old = edit.deactivations + edit.reloads
    let active = old.first { name in
      group.logicalVolume(named: name).map { isActive($0.id) } ?? false
    }
    if let active {
      throw CommandStop(
        "Logical volume \(group.name)/\(active) is active. Deactivate it first: lvchange -an "
          + "\(group.name)/\(active)")
    }
    let moved = group.logicalVolumes.first { isActive($0.id) && !edit.copies.isEmpty }
    if let moved {
      throw CommandStop("Logical volume \(group.name)/\(moved.name) is active: use LVM's pvmove.")
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
    guard writesBackups else { return }
    do {
      try backups.backup(group, commandLine: commandLine)
      if old.name != group.name { backups.removeBackup(of: old.name) }
    } catch {
      // The change is done; LVM only warns, too.
      self.error("WARNING: This metadata update is NOT backed up: \(error)")
    }
  }

  /// Commits `group` as the version that follows `current`.
  func write(
    _ group: VolumeGroup, from current: ScannedVolumeGroup, changesIdentifier: Bool = false
  ) throws(CommandStop) {
    var group = group
    group.seqno = current.volumeGroup.seqno + 1
    let text = MetadataText(
      volumeGroup: group, provenance: MetadataProvenance(description: "Write from \(commandLine)."))
    do throws(MetadataCommitError) {
      var change = try MetadataCommit(
        from: current, to: text, changesIdentifier: group.id != current.volumeGroup.id)
      try change.write()
      try change.precommit()
      switch change.commit() {
      case .everywhere: break
      case .partly(let stale):
        for failure in stale { error("WARNING: \(failure)") }
      case .takenBack(let failures):
        throw MetadataCommitError.failed(group: group.name, failures[0], notReverted: [])
      case .unknown(let failures):
        throw MetadataCommitError.failed(
          group: group.name, failures[0], notReverted: Array(failures.dropFirst()))
      }
    } catch {
      throw CommandStop("\(error)", "Failed to write VG \(group.name).")
    }
  }

  // MARK: - Data

  private func position(
    of extent: Int, on id: LVMIdentifier, _ group: ScannedVolumeGroup
  ) throws(MetadataDeviceError) -> (device: any MetadataDevice, offset: UInt64) {
    guard let member = group.members.first(where: { $0.id == id }),
      case .present(let scanned) = member.state,
      let volume = group.volumeGroup.physicalVolume(id: id)
    else {
      throw MetadataDeviceError(device: id.dashed, operation: .open, reason: "the PV is missing")
    }
    let sectors = volume.extentStartSectors + group.volumeGroup.sectors(extents: extent)
    return (scanned.device, sectors * 512)
  }

  /// Zeroes the starts of extents that nobody used before.
  private func wipe(
    _ wipes: [ExtentWipe], _ group: ScannedVolumeGroup
  ) throws(MetadataDeviceError) {
    for wipe in wipes {
      let (device, offset) = try position(of: wipe.firstExtent, on: wipe.volume, group)
      try requireFree(wipe.firstExtent, on: wipe.volume, group)
      var written = 0
      while written < wipe.byteCount {
        let count = min(wipe.byteCount - written, Self.transferSize)
        let unit = max(device.logicalSectorSize, 512)
        let padded = (count + unit - 1) / unit * unit
        try device.write([UInt8](repeating: 0, count: padded), at: offset + UInt64(written))
        written += padded
      }
      try device.flush()
    }
  }

  private func copy(
    _ copies: [ExtentCopy], _ group: ScannedVolumeGroup
  ) throws(MetadataDeviceError) {
    let size = group.volumeGroup.extentSizeSectors * 512
    for copy in copies {
      for index in 0..<copy.extentCount {
        let (source, from) = try position(of: copy.firstExtent + index, on: copy.source, group)
        let target = copy.destinationExtent + index
        let (destination, to) = try position(of: target, on: copy.destination, group)
        try requireFree(target, on: copy.destination, group)
        var done: UInt64 = 0
        while done < size {
          let count = Int(min(size - done, UInt64(Self.transferSize)))
          try destination.write(try source.read(at: from + done, count: count), at: to + done)
          done += UInt64(count)
        }
      }
      if let member = group.members.first(where: { $0.id == copy.destination })?.scanned {
        try member.device.flush()
      }
    }
  }

  /// Whatever a command decided: data in use is never overwritten.
  private func requireFree(
    _ extent: Int, on id: LVMIdentifier, _ group: ScannedVolumeGroup
  ) throws(MetadataDeviceError) {
    guard let index = group.volumeGroup.physicalVolumes.firstIndex(where: { $0.id == id }) else {
      return
    }
    let used = group.volumeGroup.usedAreasByPhysicalVolume()[index]
    if let area = used.first(where: { $0.extents.contains(extent) }) {
      throw MetadataDeviceError(
        device: deviceName(of: id), operation: .write,
        reason: "extent \(extent) belongs to \(area.logicalVolume)")
    }
  }

  private static let transferSize = 1 << 20
}
