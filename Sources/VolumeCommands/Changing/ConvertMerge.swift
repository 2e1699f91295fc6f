import ConfigText
import LVMMetadata

/// lvconvert --merge (lvm2-metadata 7.4 and 7.5).
extension GroupEdit {
  /// Notes that a snapshot is to go back into its origin. The kernel begins when the origin is next
  /// activated, and what is then left to be done is LVM's polling.
  public mutating func merge(_ name: String) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    guard let volume = group.logicalVolume(named: name), let segment = volume.segments.first else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(group.name)/\(name)\"")
    }
    if let binding = group.snapshotBinding(ofStore: name) {
      return try mergeStore(volume, binding)
    }
    guard segment.baseType == "thin", let origin = segment.volumeName("origin") else {
      throw VolumeGroupRefusal("\(group.name)/\(name) is not a mergeable logical volume.")
    }
    try mergeThin(volume, into: origin)
  }

  private mutating func mergeStore(
    _ store: LogicalVolume, _ binding: LogicalVolume
  ) throws(VolumeGroupRefusal) {
    let name = store.name
    guard let segment = binding.segments.first, let originName = segment.volumeName("origin"),
      let origin = group.logicalVolume(named: originName)
    else { throw VolumeGroupRefusal("Snapshot \(group.name)/\(name) has no origin.") }
    guard segment.volumeName("merging_store") == nil else {
      throw VolumeGroupRefusal("Snapshot \(name) is already merging.")
    }
    try checkMergeable(origin, name)
    guard !origin.name.hasSuffix("_vorigin") else {
      throw VolumeGroupRefusal("Unable to merge volume \"\(name)\" into its virtual origin.")
    }
    update(binding.name) { volume in
      // Nobody is shown a snapshot that is going away.
      volume.status.remove(.visible)
      volume.segments[0].edit { section in
        guard let index = section.entries.firstIndex(where: { $0.name == "cow_store" }) else {
          return
        }
        section.entries[index] = ConfigEntry(
          name: "merging_store", content: .value(.string(name)))
      }
    }
    group.sortVisibleFirst()
    print(
      "Merging of snapshot \(group.name)/\(name) will occur on next activation of "
        + "\(group.name)/\(originName).")
  }

  private mutating func mergeThin(
    _ snapshot: LogicalVolume, into originName: String
  ) throws(VolumeGroupRefusal) {
    let name = snapshot.name
    guard let origin = group.logicalVolume(named: originName) else {
      throw VolumeGroupRefusal("\(group.name)/\(name) is not a mergeable logical volume.")
    }
    guard snapshot.segments.first?.volumeName("merge") == nil else {
      throw VolumeGroupRefusal("Snapshot \(name) is already merging.")
    }
    guard snapshot.segments.first?.volumeName("external_origin") == nil else {
      throw VolumeGroupRefusal(
        "\(group.name)/\(name) cannot be merged: its origin is a read-only external one.")
    }
    try checkMergeable(origin, name)
    update(name) { volume in
      volume.status.remove(.visible)
      volume.flags.remove(.activationSkip)
      volume.segments[0].edit { $0.append("merge", text: originName) }
    }
    group.sortVisibleFirst()
    print(
      "Merging of thin snapshot \(group.name)/\(name) will occur on next activation of "
        + "\(group.name)/\(originName).")
  }

  private func checkMergeable(
    _ origin: LogicalVolume, _ name: String
  ) throws(VolumeGroupRefusal) {
    let path = "\(group.name)/\(origin.name)"
    let isMerging =
      group.snapshotBindings(ofOrigin: origin.name).contains {
        $0.segments.first?.volumeName("merging_store") != nil
      }
      || group.logicalVolumes.contains { $0.segments.first?.volumeName("merge") == origin.name }
    guard !isMerging else {
      throw VolumeGroupRefusal("Cannot merge snapshot \(name): \(path) is already merging.")
    }
    guard !origin.status.contains(.locked) else {
      throw VolumeGroupRefusal("Cannot merge into locked volume \(path).")
    }
    // What LVM does with an active origin it does with a poll daemon that watches it.
    guard !context.isActive(origin.id) else {
      throw VolumeGroupRefusal(
        "Logical volume \(path) is active: deactivate it first, or use LVM's own lvconvert, which "
          + "merges while it is active.")
    }
  }
}
