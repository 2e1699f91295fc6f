/// Which extents a command may allocate from (lvm2-allocation 3).
package struct AllocatableExtents {
  /// PVs the command may use; those of the whole VG when none is named, full ones included.
  package var listedCount: Int
  var map: FreeExtentMap

  /// Free extents of what is listed.
  package var freeExtentCount: Int { map.freeExtentCount }
}

extension VolumeGroup {
  /// The free extents of `choices`, or of all PVs when nil.
  ///
  /// - Parameter requiringAny: throws when none of the PVs named has free extents.
  package func allocatableExtents(
    _ choices: [PhysicalVolumeChoice]?, requiringAny: Bool = true
  ) throws(VolumeGroupRefusal) -> AllocatableExtents {
    let used = usedAreasByPhysicalVolume()
    var map = FreeExtentMap()
    for choice in choices ?? physicalVolumes.map({ PhysicalVolumeChoice(id: $0.id) }) {
      guard let index = physicalVolumes.firstIndex(where: { $0.id == choice.id }) else { continue }
      let volume = physicalVolumes[index]
      let isFull = used[index].reduce(0) { $0 + $1.extents.count } >= volume.extentCount
      guard volume.isAllocatable, !volume.isMarkedMissing, !isFull || choices == nil else {
        continue
      }
      map.add(volume, used: used[index], ranges: choice.ranges)
    }
    guard !requiringAny || choices == nil || !map.volumes.isEmpty else {
      throw VolumeGroupRefusal("No specified PVs have space available.")
    }
    return AllocatableExtents(
      listedCount: choices == nil ? physicalVolumes.count : map.volumes.count, map: map)
  }

  /// Why extents of a PV that the command line names cannot be had at all; nil when they can.
  package func reasonAgainst(
    _ id: LVMIdentifier, deviceName name: String
  ) -> String? {
    guard let index = physicalVolumes.firstIndex(where: { $0.id == id }) else { return nil }
    let volume = physicalVolumes[index]
    if !volume.isAllocatable { return "WARNING: Physical volume \(name) not allocatable." }
    if volume.isMarkedMissing { return "WARNING: Physical volume \(name) is missing." }
    let used = usedAreasByPhysicalVolume()[index].reduce(0) { $0 + $1.extents.count }
    return used >= volume.extentCount
      ? "WARNING: No free extents on physical volume \"\(name)\"." : nil
  }

  /// Chooses extents; nothing is changed.
  package func allocate(
    _ request: AllocationRequest, from extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) -> FoundExtents {
    var request = request
    for volume in physicalVolumes { request.tagsByVolume[volume.id] = volume.tags }
    var allocator = ExtentAllocator(map: extents.map, request: request)
    return try allocator.allocate()
  }

  /// Extents that no LV uses, on any PV.
  public var freeExtentCount: Int {
    usedAreasByPhysicalVolume().joined().reduce(extentCount) { $0 - $1.extents.count }
  }
}
