import ConfigText
import LVMMetadata

/// Taking snapshots from their origins and giving them back (lvm2-metadata 7.4).
extension GroupEdit {
  /// lvconvert --splitsnapshot: the store becomes a volume of its own.
  mutating func splitSnapshot(_ name: String) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let path = "\(group.name)/\(name)"
    guard let volume = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(path)\"")
    }
    guard let binding = group.snapshotBinding(ofStore: name), let segment = binding.segments.first,
      let originName = segment.volumeName("origin"),
      let origin = group.logicalVolume(named: originName)
    else { throw notPermitted(volume) }
    guard !originName.hasSuffix("_vorigin") else {
      throw VolumeGroupRefusal("Unable to split off snapshot \(path) with virtual origin.")
    }
    guard segment.volumeName("merging_store") == nil else {
      throw VolumeGroupRefusal("Unable to split off snapshot \(path) being merged into its origin.")
    }
    guard !context.isActive(origin.id) else {
      throw VolumeGroupRefusal(
        "Logical volume \(group.name)/\(originName) is active: deactivate it first with "
          + "lvchange -an \(group.name)/\(originName).")
    }
    group.logicalVolumes.removeAll { $0.id == binding.id }
    update(name) { $0.status.insert(.visible) }
    group.sortVisibleFirst()
    print("Logical Volume \(path) split from its origin.")
  }

  /// lvconvert -s: an LV becomes the store of a snapshot of another.
  ///
  /// - Parameters:
  ///   - chunk: in sectors.
  ///   - zeroes: `-Z`: the snapshot is empty; otherwise it is taken for one that was split off.
  mutating func attachSnapshot(
    _ name: String, to originName: String, chunk: UInt64, zeroes: Bool
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let path = "\(group.name)/\(name)"
    guard let store = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(path)\"")
    }
    guard name != originName else {
      throw VolumeGroupRefusal("Unable to use \(path) as both snapshot and origin.")
    }
    let origin = try snapshotOrigin(originName)
    guard store.isLinearOrStriped, store.isWritable || !zeroes,
      !group.hiddenNames().contains(name), !store.status.contains(.locked),
      group.snapshotBinding(ofStore: name) == nil,
      group.snapshotBindings(ofOrigin: name).isEmpty,
      !group.logicalVolumes.contains(where: { $0.referencedNames.contains(name) })
    else {
      throw VolumeGroupRefusal(
        "Command not permitted on LV \(path): only a linear or striped volume that no other is built "
          + "on can become the store of a snapshot.")
    }
    for volume in [store, origin] where context.isActive(volume.id) {
      throw VolumeGroupRefusal(
        "Logical volume \(group.name)/\(volume.name) is active: deactivate it first with "
          + "lvchange -an \(group.name)/\(volume.name).")
    }
    guard (8...1024).contains(chunk), chunk.nonzeroBitCount == 1 else {
      throw VolumeGroupRefusal("Chunk size must be a power of 2 in the range 4K to 512K.")
    }
    try checkStoreSize(store.extentCount, chunkSectors: chunk)
    context.announce("WARNING: Converting logical volume \(path) to snapshot exception store.")
    context.announce("THIS WILL DESTROY CONTENT OF LOGICAL VOLUME (filesystem etc.)")
    guard context.confirm("Do you really want to convert \(path)? [y/n]: ") else {
      throw VolumeGroupRefusal("Conversion aborted.")
    }
    if zeroes {
      wipeStart(of: store, isGivenUp: true)
    } else {
      warn("WARNING: \(path) not zeroed.")
    }
    update(name) { $0.status.remove(.visible) }
    bindSnapshot(store: name, to: origin, chunk: chunk)
    print("Logical volume \(path) converted to snapshot.")
  }

  /// Adds the LV that binds an origin and the store of its snapshot; it has the words of a visible
  /// one.
  mutating func bindSnapshot(store: String, to origin: LogicalVolume, chunk: UInt64) {
    var snapshot = makeVolume(generatedName("snapshot"), isVisible: true)
    var section = ConfigSection()
    section.append("chunk_size", number: chunk)
    section.append("origin", text: origin.name)
    section.append("cow_store", text: store)
    snapshot.segments = [.whole("snapshot", extentCount: origin.extentCount, section)]
    add(snapshot)
  }
}
