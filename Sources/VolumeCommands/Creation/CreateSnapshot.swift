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
    guard (8...1024).contains(chunk), chunk.nonzeroBitCount == 1 else {
      throw VolumeGroupRefusal("Chunk size must be a power of 2 in the range 4K to 512K.")
    }
    var store = try stripedVolume(request, name: name, parameters, size, extents)
    store.status.remove(.visible)
    wipeStart(of: store)
    // The LV that binds the two has the words of a visible one.
    var snapshot = makeVolume(generatedName("snapshot"), isVisible: true)
    var section = ConfigSection()
    section.append("chunk_size", number: chunk)
    section.append("origin", text: originName)
    section.append("cow_store", text: name)
    snapshot.segments = [.whole("snapshot", extentCount: origin.extentCount, section)]
    add(store)
    add(snapshot)
    if context.isActive(origin.id) { reloads.append(originName) }
  }

  private func snapshotOrigin(_ name: String) throws(VolumeGroupRefusal) -> LogicalVolume {
    guard let origin = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal(
        "Failed to find logical volume \"\(group.name)/\(name)\"")
    }
    guard
      !group.logicalVolumes.contains(where: { $0.segments.first?.volumeName("cow_store") == name })
    else {
      throw VolumeGroupRefusal("Snapshots of snapshots are not supported.")
    }
    let types = Set(origin.segments.map(\.baseType))
    guard origin.isVisible,
      types.isSubset(of: Self.originTypes) || origin.segments.allSatisfy({ $0.raidType != nil })
    else {
      throw VolumeGroupRefusal(
        "Snapshots of \(types.sorted().joined(separator: ", ")) volume \(group.name)/\(name) "
          + "are not supported.")
    }
    guard !origin.status.contains(.locked), !origin.status.contains(.pvmove) else {
      throw VolumeGroupRefusal("Snapshots of locked devices are not supported.")
    }
    return origin
  }

  private static let originTypes: Set<String> = ["striped", "mirror", "error", "zero"]
}
