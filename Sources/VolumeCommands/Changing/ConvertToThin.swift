import ConfigText
import LVMMetadata

/// Thin volumes whose blocks come from a volume outside of their pool until they are written
/// (lvm2-metadata 7.5).
extension GroupEdit {
  /// lvconvert --type thin: the LV goes on under its name as a thin one, and what it was is its
  /// read-only external origin.
  mutating func convertToThin(
    _ name: String, pool: String, originName: String?
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let path = "\(group.name)/\(name)"
    guard let volume = group.logicalVolume(named: name), let segment = volume.segments.first else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(path)\"")
    }
    let hasKnownType =
      volume.isLinearOrStriped || segment.imageLayout?.raid != nil || segment.baseType == "thin"
    guard hasKnownType, !group.hiddenNames().contains(name), !volume.status.contains(.locked),
      group.snapshotBinding(ofStore: name) == nil,
      group.snapshotBindings(ofOrigin: name).isEmpty,
      segment.volumeName("merge") == nil,
      !group.logicalVolumes.contains(where: { $0.referencedNames.contains(name) })
    else {
      throw VolumeGroupRefusal("Command not permitted on LV \(path).")
    }
    guard !context.isActive(volume.id) else {
      throw VolumeGroupRefusal(
        "Logical volume \(path) is active: deactivate it first with lvchange -an \(path).")
    }
    if let originName { try checkNewName(originName) }
    let originName = originName ?? generatedName("lvol")
    let originID = context.makeIdentifier()
    update(name) { origin in
      origin.name = originName
      origin.id = originID
      origin.status.remove(.write)
      origin.flags.remove(.writeLocked)
    }
    var request = CreateRequest()
    request.isWritable = volume.isWritable
    try addThin(
      request, name: name, pool: pool, externalOrigin: originName, extentCount: volume.extentCount)
    update(name) { thin in
      thin.id = volume.id
      thin.lockArguments = volume.lockArguments
    }
    print("Logical volume \"\(originName)\" created.")
    print(
      "Converted \(path) to thin volume with external origin \(group.name)/\(originName).")
  }

  /// lvcreate -s --thinpool of an LV outside of the pool.
  mutating func createThinSnapshot(
    _ request: CreateRequest, name: String, externalOrigin: String, pool: String
  ) throws(VolumeGroupRefusal) {
    guard let origin = group.logicalVolume(named: externalOrigin) else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(group.name)/\(externalOrigin)\"")
    }
    guard !group.hiddenNames().contains(externalOrigin),
      origin.segments.first?.baseType != "thin-pool"
    else {
      throw VolumeGroupRefusal("Command not permitted on LV \(group.name)/\(externalOrigin).")
    }
    guard !origin.isWritable else {
      throw VolumeGroupRefusal("Cannot use writable LV as the external origin.")
    }
    guard !context.isActive(origin.id) else {
      throw VolumeGroupRefusal(
        "Logical volume \(group.name)/\(externalOrigin) is active: deactivate it first.")
    }
    try addThin(
      request, name: name, pool: pool, externalOrigin: externalOrigin,
      extentCount: origin.extentCount)
    warnOfOvercommitment(pool)
  }
}
