import ConfigText

/// Segments in LVM's layout (lvm2-metadata 6.4 and 7).
extension TextLayout {
  mutating func write(
    _ segment: Segment, of group: VolumeGroup, labels: [LVMIdentifier: String]
  ) {
    value("start_extent", segment.startExtent)
    writeExtents("extent_count", segment.extentCount, of: group)
    blankLine()
    if segment.reshapeCount > 0 { writeExtents("reshape_count", segment.reshapeCount, of: group) }
    string("type", segment.typeName)
    if !segment.tags.isEmpty { words("tags", segment.tags) }
    switch segment.kind {
    case .striped(let layout):
      write(layout, labels: labels)
      entries(segment.unknownEntries)
    case .other(let type, let section):
      if SegmentType(type).isKnown {
        for entry in section.entries { writeKnown(entry, type: type, of: group) }
      } else {
        tree(section.entries)
      }
    }
  }

  private mutating func writeExtents(_ name: String, _ count: Int, of group: VolumeGroup) {
    value(name, count, hint: TextHint.size(sectors: group.sectors(extents: count)))
  }

  private mutating func write(_ layout: StripedLayout, labels: [LVMIdentifier: String]) {
    value("stripe_count", layout.areas.count, hint: layout.isLinear ? "linear" : nil)
    if !layout.isLinear {
      let size = layout.stripeSizeSectors
      value("stripe_size", size, hint: TextHint.size(sectors: size))
    }
    table(
      "stripes",
      layout.areas.map { area in
        let name =
          switch area.source {
          case .physicalVolume(let id): labels[id] ?? id.dashed
          case .logicalVolume(let name): name
          }
        return [.string(name), .integer(Int64(area.firstExtent))]
      })
  }

  /// An entry of a type LVM knows: lists of volumes have a line for each pair.
  private mutating func writeKnown(_ entry: ConfigEntry, type: String, of group: VolumeGroup) {
    switch entry.content {
    case .section(let section):
      if entry.name == "policy_settings" { return tree([entry]) }
      // Messages to a thin pool's kernel side begin behind a blank line.
      if entry.name == "message1" { blankLine() }
      open(entry.name)
      entries(section.entries)
      close()
    case .value(let value):
      switch entry.name {
      case "stripes", "mirrors", "raids": table(entry.name, Self.rows(of: value, width: 2))
      case "raid0_lvs": table(entry.name, Self.rows(of: value, width: 1))
      default:
        self.value(entry.name, value, hint: Self.hint(entry.name, value, type: type, of: group))
        if entry.name == "virtual_extents" { blankLine() }
      }
    }
  }

  /// The comment LVM puts behind some numbers.
  private static func hint(
    _ name: String, _ value: ConfigValue, type: String, of group: VolumeGroup
  ) -> String? {
    guard let number = value.asInteger, let count = UInt32(exactly: number) else { return nil }
    switch name {
    case "chunk_size" where type.hasPrefix("thin-pool"), "header_size":
      return TextHint.size(sectors: UInt64(count))
    case "virtual_extents", "extents_moved":
      return TextHint.size(sectors: group.sectors(extents: Int(count)))
    case "block_map_cache_size_mb", "index_memory_size_mb", "slab_size_mb":
      return TextHint.size(sectors: UInt64(count) * 2048)
    default: return nil
    }
  }

  private static func rows(of value: ConfigValue, width: Int) -> [[ConfigValue]] {
    let items = value.asList
    return stride(from: 0, to: items.count, by: width).map { index in
      Array(items[index..<min(index + width, items.count)])
    }
  }
}

/// The parts of a segment's `type`: a name and flags behind `+` signs.
public struct SegmentType: Sendable, Equatable {
  /// Without flags: "raid5_ls".
  public var name: String
  public var flags: [String]

  public init(_ text: String) {
    let parts = text.split(separator: "+", omittingEmptySubsequences: false).map(String.init)
    name = parts[0]
    flags = Array(parts.dropFirst())
  }

  /// True when LVM 2.03 has this type and all its flags; a group with any other must not be
  /// changed (lvm2-metadata 7.11).
  public var isKnown: Bool {
    Self.knownNames.contains(name) && flags.allSatisfy { Self.knownFlags.contains($0) }
  }

  private static let knownFlags: Set<String> = [
    "RESHAPE", "RESHAPE_DATA_OFFSET", "RESHAPE_DELTA_DISKS_PLUS", "RESHAPE_DELTA_DISKS_MINUS",
    "REMOVE_AFTER_RESHAPE", "METADATA_FORMAT", "CROP_METADATA", "CACHE_USES_CACHEVOL",
  ]

  private static let knownNames: Set<String> = [
    "striped", "linear", "mirror", "snapshot", "error", "zero", "thin", "thin-pool", "cache",
    "cache-pool", "writecache", "integrity", "vdo", "vdo-pool", "raid0", "raid0_meta", "raid1",
    "raid10", "raid10_near", "raid4", "raid5", "raid5_n", "raid5_la", "raid5_ls", "raid5_ra",
    "raid5_rs", "raid6", "raid6_zr", "raid6_nr", "raid6_nc", "raid6_n_6", "raid6_ls_6",
    "raid6_rs_6", "raid6_la_6", "raid6_ra_6",
  ]
}
