import LVMMetadata

/// pvchange of a PV in a group.
extension GroupEdit {
  public mutating func changePhysicalVolume(
    _ id: LVMIdentifier, name: String, _ command: ChangePhysicalVolumesCommand,
    newID: LVMIdentifier
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    guard let index = group.physicalVolumes.firstIndex(where: { $0.id == id }) else {
      throw VolumeGroupRefusal("Failed to find physical volume \"\(name)\".")
    }
    if let isAllocatable = command.isAllocatable {
      guard isAllocatable != group.physicalVolumes[index].isAllocatable else {
        throw VolumeGroupRefusal(
          "Physical volume \"\(name)\" is already \(isAllocatable ? "" : "un")allocatable.")
      }
      group.physicalVolumes[index].status.set(.allocatable, isAllocatable)
    }
    for tag in command.addedTags where !group.physicalVolumes[index].tags.contains(tag) {
      group.physicalVolumes[index].tags.append(tag)
    }
    group.physicalVolumes[index].tags.removeAll { command.removedTags.contains($0) }
    guard newID != id else { return }
    group.physicalVolumes[index].id = newID
    for place in group.logicalVolumes.indices {
      for segment in group.logicalVolumes[place].segments.indices {
        guard var layout = group.logicalVolumes[place].segments[segment].stripedLayout else {
          continue
        }
        for area in layout.areas.indices where layout.areas[area].physicalVolume == id {
          layout.areas[area].source = .physicalVolume(newID)
        }
        group.logicalVolumes[place].segments[segment].kind = .striped(layout)
      }
    }
  }
}
