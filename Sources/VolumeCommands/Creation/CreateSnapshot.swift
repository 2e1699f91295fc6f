import ConfigText
import LVMMetadata

/// COW snapshots (lvm2-metadata 7.4).
extension GroupEdit {
  mutating func createSnapshot(
    of originName: String, _ request: CreateRequest, name: String, _ parameters: StripeParameters,
    _ size: CreateSize, _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) {
    let origin = try snapshotOrigin(originName)
    let chunk = request.chunkSectors ?? Self.defaultCOWChunkSectors
    var store = try stripedVolume(request, name: name, parameters, size, extents)
    store.status.remove(.visible)
    wipeStart(of: store)
    add(store)
    bindSnapshot(store: name, to: origin, chunk: chunk)
    if context.isActive(origin.id) { reloads.append(originName) }
  }

  /// The origin, unless LVM makes no snapshots of such an LV.
  mutating func snapshotOrigin(
    _ name: String
  ) throws(VolumeGroupRefusal) -> LogicalVolume {
    guard let origin = group.logicalVolume(named: name), let segment = origin.segments.first else {
      throw VolumeGroupRefusal(
        "Failed to find logical volume \"\(group.name)/\(name)\"")
    }
    let isMergingOrigin = group.snapshotBindings(ofOrigin: name).contains {
      $0.segments.first?.volumeName("merging_store") != nil
    }
    let type = segment.baseType
    let kind: String? =
      if group.snapshotBinding(ofStore: name) != nil {
        "snapshots"
      } else if origin.status.contains(.locked) {
        "locked volumes"
      } else if origin.status.contains(.pvmove) {
        "pvmoved volumes"
      } else if group.hiddenNames().contains(name) {
        "hidden volumes"
      } else if isMergingOrigin {
        "an origin that has a merging snapshot"
      } else if type == "cache-pool" || origin.flags.contains(.cacheVolume) {
        "cache type volumes"
      } else if type == "thin-pool" {
        "thin pool type volumes"
      } else if segment.imageLayout?.images.contains(where: {
        group.logicalVolume(named: $0)?.segments.first?.baseType == "integrity"
      }) == true {
        "raid with integrity"
      } else {
        nil
      }
    if let kind { throw VolumeGroupRefusal("Snapshots of \(kind) are not supported.") }
    if type == "mirror" {
      warn("WARNING: Snapshots of mirrors can deadlock under rare device failures.")
      warn("WARNING: Consider using the raid1 mirror type to avoid this.")
      warn("WARNING: See global/mirror_segtype_default in lvm.conf.")
    }
    return origin
  }
}
