/// What `vgck --updatemetadata` does to a group beside writing it anew (lvm2-metadata 4).
extension ScannedVolumeGroup {
  /// The next version, with nothing changed but what a repair notes: which PVs are missing.
  public func repaired() -> VolumeGroup {
    var group = volumeGroup
    group.seqno &+= 1
    for (index, member) in members.enumerated() {
      switch member.state {
      case .present, .returned: break
      case .missing: group.physicalVolumes[index].flags.insert(.missing)
      }
    }
    return group
  }
}

extension MetadataScan {
  /// Devices whose areas claim `group` while its newest version does not list them.
  public func outdatedPhysicalVolumes(of group: ScannedVolumeGroup) -> [ScannedPhysicalVolume] {
    physicalVolumes.filter { volume in
      group.volumeGroup.physicalVolume(id: volume.label.id) == nil
        && volume.areas.contains { area in
          if case .text(_, let text, _) = area.state {
            text.volumeGroup.id == group.volumeGroup.id
          } else {
            false
          }
        }
    }
  }
}

extension ScannedPhysicalVolume {
  /// Makes an outdated PV, which was removed from its group while it was away, an orphan: its
  /// metadata areas are emptied and its label loses the mark of use.
  ///
  /// The caller holds the lock of the group that the PV claims to belong to.
  public func makeOrphan() throws(MetadataDeviceError) {
    for area in areas {
      guard var header = area.header else { continue }
      header.committed = nil
      header.precommitted = nil
      try device.writeSectors(header.encoded(), at: area.area.offset)
    }
    // The label last: while it says that the PV is used, nobody takes it for another group.
    try device.flush()
    var label = label
    label.isUsed = false
    guard label.fitsItsSector else { return }
    try device.writeSectors(
      label.encoded(), at: UInt64(label.sector * PhysicalVolumeLabel.sectorSize))
    try device.flush()
  }
}
