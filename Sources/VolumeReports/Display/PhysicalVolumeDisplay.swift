import LVMMetadata

extension VolumeDisplay {
  /// pvdisplay.
  public mutating func showPhysicalVolumes(_ style: Style, _ arguments: ReportArguments) {
    for row in rows(.physicalVolumes, arguments) {
      guard let volume = row.physicalVolume else { continue }
      show(ShownPhysicalVolume(volume, row.facts), style)
    }
  }

  private mutating func show(_ volume: ShownPhysicalVolume, _ style: Style) {
    if style == .short {
      let size =
        volume.isOrphan
        ? volume.sectors : volume.facts.sectors(extents: volume.extents - volume.used)
      return line("Device \"\(volume.name)\" has a capacity of \(self.size(sectors: size))")
    }
    if volume.isExported {
      line(
        "Physical volume \"\(volume.name)\" of volume group \"\(volume.group)\" is exported")
    }
    if volume.isOrphan {
      line("\"\(volume.name)\" is a new physical volume of \"\(size(sectors: volume.sectors))\"")
    }
    if style == .colons { return showColons(volume) }
    showFull(volume)
    if style == .maps { showSegments(volume) }
  }

  private mutating func showColons(_ volume: ShownPhysicalVolume) {
    let fields: [any CustomStringConvertible] = [
      volume.name, volume.group, volume.sectors, -1, volume.statusBits,
      volume.isAllocatable ? 8 : 0, -1, volume.extentSectors / 2, volume.extents,
      volume.extents - volume.used, volume.used, volume.id,
    ]
    line(fields.map(\.description).joined(separator: ":"))
  }

  private mutating func showFull(_ volume: ShownPhysicalVolume) {
    func field(_ label: String, _ value: String) { line(label, value, width: 22) }
    let free = volume.extents - volume.used
    let data = UInt64(volume.extents) &* volume.extentSectors
    let whole = max(volume.sectors, data == 0 ? 0 : data &+ volume.start)
    line("--- \(volume.isOrphan ? "NEW " : "")Physical volume ---")
    field("PV Name", volume.name)
    field("VG Name", volume.group + (volume.isExported ? " (exported)" : ""))
    let unusable =
      whole == volume.sectors ? whole &- data : whole &- volume.sectors
    field(
      "PV Size",
      size(sectors: whole) + (data == 0 ? "" : " / not usable \(size(sectors: unusable))"))
    if volume.extents > 0, volume.isAllocatable {
      field("Allocatable", "yes " + (free == 0 ? "(but full)" : ""))
    } else {
      field("Allocatable", "NO")
    }
    field("PE Size", size(sectors: volume.extentSectors))
    field("Total PE", "\(volume.extents)")
    field("Free PE", "\(free)")
    field("Allocated PE", "\(volume.used)")
    field("PV UUID", volume.id)
    line(" ")
  }

  private mutating func showSegments(_ volume: ShownPhysicalVolume) {
    if !volume.isOrphan { line("--- Physical Segments ---") }
    let graph = volume.facts.graph
    for run in volume.runs {
      line("Physical extent \(run.firstExtent) to \(run.firstExtent + run.extentCount - 1):")
      guard let user = run.user else {
        line("  FREE")
        continue
      }
      let segment = graph.volumes[user.volume].segments[user.segment]
      line("  Logical volume\t/dev/\(volume.group)/\(graph.volumes[user.volume].name)")
      line("  Logical extents\t\(segment.startExtent) to \(segment.endExtent - 1)")
    }
    line(" ")
  }

  /// One of those that `vgdisplay -v` lists.
  mutating func showBriefly(_ volume: ShownPhysicalVolume) {
    func field(_ label: String, _ value: String) { line(label, value, width: 22) }
    field("PV Name", volume.name + "     ")
    field("PV UUID", volume.id)
    field("PV Status", (volume.isAllocatable ? "" : "NOT ") + "allocatable")
    field("Total PE / Free PE", "\(volume.extents) / \(volume.extents - volume.used)")
    line(" ")
  }
}

/// A physical volume in the numbers that are shown of it.
struct ShownPhysicalVolume {
  private let volume: ReportedPhysicalVolume
  let facts: GroupFacts

  init(_ volume: ReportedPhysicalVolume, _ facts: GroupFacts) {
    self.volume = volume
    self.facts = facts
  }

  var name: String { volume.name }
  var group: String { facts.group.name }
  /// It is in no group.
  var isOrphan: Bool { volume.described == nil }
  var isExported: Bool { volume.described?.status.contains(.exported) ?? false }
  var isAllocatable: Bool { volume.described?.isAllocatable ?? false }
  var id: String { volume.id?.dashed ?? "none" }
  var sectors: UInt64 {
    volume.otherDevice.map { $0.sizeBytes / 512 } ?? volume.wholeSectors
  }
  var start: UInt64 { volume.described?.extentStartSectors ?? 0 }
  var extentSectors: UInt64 { isOrphan ? 0 : facts.group.extentSizeSectors }
  var extents: Int { volume.described?.extentCount ?? 0 }
  var used: Int {
    guard !isOrphan, let index = volume.index else { return 0 }
    return facts.usedExtents[index]
  }
  var runs: [PhysicalSegment] {
    guard !isOrphan, let index = volume.index else { return [] }
    return facts.physicalSegments[index]
  }

  /// The flags as LVM 2.03 numbers them.
  var statusBits: UInt64 {
    (isExported ? 0x2 : 0) | (isAllocatable ? 0x8 : 0) | (volume.isMissing ? 0x80_0000 : 0)
  }
}
