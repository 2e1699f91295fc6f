import LVMMetadata

/// pvscan, vgscan and lvscan.
extension VolumeDisplay {
  /// Which physical volumes pvscan lists, and how.
  public struct ScanOptions: Sendable {
    /// `-e`
    public var onlyExported = false
    /// `-n`
    public var onlyOrphans = false
    /// `-s`
    public var isShort = false
    /// `-u`
    public var showsUUIDs = false

    public init() {}
  }

  public mutating func scanPhysicalVolumes(_ options: ScanOptions) {
    var count = 0
    var orphanCount = 0
    var total: UInt64 = 0
    var orphanTotal: UInt64 = 0
    let widths = scanWidths
    for row in rows(.physicalVolumes, ReportArguments()) {
      guard let reported = row.physicalVolume else { continue }
      let volume = ShownPhysicalVolume(reported, row.facts)
      if options.onlyExported && !volume.isExported || options.onlyOrphans && !volume.isOrphan {
        continue
      }
      count += 1
      if volume.isOrphan {
        orphanCount += 1
        orphanTotal += volume.sectors
        total += volume.sectors
      } else {
        total += volume.facts.sectors(extents: volume.extents)
      }
      showScanned(volume, options, widths)
    }
    guard count > 0 else { return line("No matching physical volumes found") }
    line(
      "Total: \(count) [\(size(sectors: total))] / in use: \(count - orphanCount) "
        + "[\(size(sectors: total - orphanTotal))] / in no VG: \(orphanCount) "
        + "[\(size(sectors: orphanTotal))]")
  }

  private var scanWidths: (device: Int, group: Int) {
    let devices = source.scan.physicalVolumes.map(\.device.name.count).max() ?? 0
    // What LVM calls the group of those that are in none counts as well.
    let groups = source.scan.groups.map(\.volumeGroup.name.count).max() ?? 0
    return (devices + 2, max(groups, "#orphans_lvm2".count) + 2)
  }

  private mutating func showScanned(
    _ volume: ShownPhysicalVolume, _ options: ScanOptions, _ widths: (device: Int, group: Int)
  ) {
    if options.isShort { return line(volume.name) }
    var name = volume.name
    var width = widths.device
    if options.showsUUIDs {
      name = "\(Self.padded(name, width - 2)) with UUID \(volume.id)"
      width += 50
    }
    name = Self.padded(name, width)
    if volume.isOrphan {
      line(
        "PV \(name)    \(Self.padded(" ", widths.group)) lvm2 [\(size(sectors: volume.sectors))]")
      return
    }
    let whole = size(volume.facts, extents: volume.extents)
    let free = size(volume.facts, extents: volume.extents - volume.used)
    if volume.isExported {
      line("PV \(name)  is in exported VG \(volume.group) [\(whole) / \(free) free]")
    } else {
      line(
        "PV \(name) VG \(Self.padded(volume.group, widths.group)) lvm2 [\(whole) / \(free) free]")
    }
  }

  public mutating func scanVolumeGroups() {
    for row in rows(.volumeGroups, ReportArguments()) {
      let group = row.facts.group
      line(
        "Found \(group.isExported ? "exported " : "")volume group \"\(group.name)\" "
          + "using metadata type lvm2")
    }
  }

  /// - Parameter arguments: `showsAll` and `leavesOutExported` count.
  public mutating func scanLogicalVolumes(_ arguments: ReportArguments) {
    for row in rows(.logicalVolumes, arguments) {
      guard let index = row.index else { continue }
      let shown = ShownVolume(index, row.facts, source.states)
      let relation =
        shown.roles.contains(.cow)
        ? "Snapshot" : shown.roles.contains(.origin) ? "Original" : "        "
      line(
        "\(shown.device == nil ? "inactive" : "ACTIVE  ") \(relation) "
          + "'/dev/\(shown.group.name)/\(shown.volume.name)' "
          + "[\(size(sectors: shown.sectors(index)))] "
          + (shown.volume.allocationPolicy?.shownName ?? "inherit"))
    }
  }
}
