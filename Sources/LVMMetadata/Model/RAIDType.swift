import ConfigText

/// What a RAID segment's type says about its devices (lvm2-metadata 7.3).
package struct RAIDType: Sendable, Equatable {
  package let name: String
  /// Devices whose worth of space holds parity.
  package let parityCount: Int

  /// Nil when `name` is no RAID type; flags behind a `+` are not part of it.
  package init?(_ name: String) {
    switch name {
    case "raid0", "raid0_meta", "raid1", "raid10", "raid10_near": parityCount = 0
    case "raid4", "raid5", "raid5_n", "raid5_la", "raid5_ls", "raid5_ra", "raid5_rs":
      parityCount = 1
    case _ where name.hasPrefix("raid6") && SegmentType(name).isKnown: parityCount = 2
    default: return nil
    }
    self.name = name
  }

  package var isRAID0: Bool { name == "raid0" || name == "raid0_meta" }
  package var isRAID1: Bool { name == "raid1" }
  package var isRAID10: Bool { name.hasPrefix("raid10") }
  package var isStriped: Bool { !isRAID1 }
  package var hasMetadata: Bool { name != "raid0" }

  /// How many times an image's extents the array holds.
  package func multiple(deviceCount: Int) -> Int {
    if isRAID1 { return 1 }
    if isRAID10 { return max(deviceCount / 2, 1) }
    return max(deviceCount - parityCount, 1)
  }
}

/// A mirror or RAID segment with the LVs it consists of, in the order of its slots.
package struct ImageLayout: Sendable, Equatable {
  /// Nil for a mirror.
  package var raid: RAIDType?
  package var images: [String]
  /// Metadata LVs of a RAID segment, one for each image where the type has them.
  package var metadata: [String]
  /// The log LV of a mirror.
  package var log: String?
  package var stripeSizeSectors: UInt64

  /// How many times an image's extents the segment holds.
  package var multiple: Int { raid?.multiple(deviceCount: images.count) ?? 1 }
}

extension Segment {
  /// The type without flags: "raid5_ls", "thin-pool".
  package var baseType: String { SegmentType(typeName).name }

  package var raidType: RAIDType? { RAIDType(baseType) }

  /// Nil unless the segment is a mirror or RAID over LVs.
  package var imageLayout: ImageLayout? {
    guard case .other(_, let section) = kind else { return nil }
    if let raid = raidType {
      let names = section.strings("raid0_lvs") ?? section.strings("raids") ?? []
      return ImageLayout(
        raid: raid, images: names.filter { !$0.contains("_rmeta_") },
        metadata: names.filter { $0.contains("_rmeta_") }, log: nil,
        stripeSizeSectors: UInt64(clamping: section.integer("stripe_size") ?? 0))
    }
    guard baseType == "mirror", let items = section.list("mirrors") else { return nil }
    let images = items.compactMap { if case .string(let name) = $0 { name } else { nil } }
    return ImageLayout(
      raid: nil, images: images, metadata: [], log: section.string("mirror_log"),
      stripeSizeSectors: 0)
  }

  /// The LV that a segment of one of LVM's own types names under `key`.
  package func volumeName(_ key: String) -> String? {
    guard case .other(_, let section) = kind else { return nil }
    return section.string(key)
  }
}
