import LVMMetadata

extension GroupEdit {
  /// Removes the LVs that users see and that lie, even in part, on missing PVs.
  ///
  /// - Throws: for RAID volumes and mirrors, which may live without them.
  public mutating func removePartial(
    missing: Set<LVMIdentifier>
  ) throws(VolumeGroupRefusal) {
    let partial = group.logicalVolumes(dependingOn: missing)
    for name in group.logicalVolumes.map(\.name) where partial.contains(name) {
      // It may have gone with one before it.
      guard let volume = group.logicalVolume(named: name) else { continue }
      guard volume.segments.allSatisfy({ $0.raidType == nil && $0.baseType != "mirror" }) else {
        throw VolumeGroupRefusal(
          "\(group.name)/\(name) may live without the missing physical volumes: repair it with "
            + "LVM's own lvconvert --repair, or remove it, first.")
      }
      guard volume.isVisible || group.snapshotBinding(ofStore: name) != nil,
        volume.segments.first?.baseType != "snapshot"
      else { continue }
      warn("WARNING: Removing partial LV \(group.name)/\(name).")
      try remove([name], isForced: true)
    }
  }
}
