import LVMMetadata

// How logical volumes are made of each other, by the keys of their segments (lvm2-metadata 7).

extension Segment {
  /// The type without its flags: "thin-pool" for "thin-pool+METADATA_FORMAT".
  var baseType: String { String(typeName.prefix { $0 != "+" }) }

  /// A text of a segment that is neither linear nor striped.
  func text(_ key: String) -> String? {
    if case .other(_, let section) = kind { section.string(key) } else { nil }
  }

  /// The images of a RAID segment less those whose worth is parity or a copy.
  fileprivate var dataImageCount: Int {
    let images = Int(clamping: number("device_count") ?? 1)
    switch baseType {
    case let type where type.hasPrefix("raid4") || type.hasPrefix("raid5"): return images - 1
    case let type where type.hasPrefix("raid6"): return images - 2
    case let type where type.hasPrefix("raid10"):
      return images / max(Int(clamping: number("data_copies") ?? 2), 1)
    default: return baseType.hasPrefix("raid") ? images : 0
    }
  }

  func number(_ key: String) -> Int64? {
    if case .other(_, let section) = kind { section.integer(key) } else { nil }
  }
}

extension LogicalVolume {
  var baseType: String { segments.first?.baseType ?? "striped" }
}

extension GroupFacts {
  /// The first of the keys that the volume's first segment has.
  func reference(_ volume: LogicalVolume, _ keys: String...) -> String? {
    keys.lazy.compactMap { volume.segments.first?.text($0) }.first
  }

  func isSnapshotOrigin(_ volume: LogicalVolume) -> Bool {
    snapshots.values.contains { $0.origin == volume.name }
  }

  func isExternalOrigin(_ volume: LogicalVolume) -> Bool {
    users[volume.name]?.contains { $0.segments.first?.text("external_origin") == volume.name }
      ?? false
  }

  func poolName(_ volume: LogicalVolume) -> String? {
    switch volume.baseType {
    case "thin": reference(volume, "thin_pool")
    case "cache", "writecache": reference(volume, "cache_pool", "writecache")
    case "vdo": reference(volume, "vdo_pool")
    default: nil
    }
  }

  func originName(_ volume: LogicalVolume) -> String? {
    if let snapshot = snapshots[volume.name] { return snapshot.origin }
    switch volume.baseType {
    case "thin": return reference(volume, "origin", "external_origin")
    case "cache", "writecache", "integrity": return reference(volume, "origin")
    default: return nil
    }
  }

  /// The device that a pvmove empties.
  func movedDevice(_ volume: LogicalVolume) -> String? {
    guard volume.status.contains(.pvmove),
      let label = volume.segments.lazy.compactMap({ segment -> String? in
        guard case .other(_, let section) = segment.kind, let items = section.list("mirrors")
        else { return nil }
        return items.first?.asString
      }).first, let moved = group.physicalVolume(labelled: label)
    else { return nil }
    return deviceName(of: moved.id)
  }

  /// The volume itself says so, but the store of a snapshot is what users know as the snapshot,
  /// and the bookkeeping of snapshots is nothing that users know.
  func isVisible(_ volume: LogicalVolume) -> Bool {
    if volume.baseType == "snapshot" { return false }
    return snapshots[volume.name].map { !$0.isMerging } ?? volume.isVisible
  }

  /// Users see a node for each visible volume, except for thin pools, which carry no data
  /// themselves.
  func hasPath(_ volume: LogicalVolume) -> Bool {
    isVisible(volume) && volume.baseType != "thin-pool"
  }

  /// The read-only volume below a thin one.
  func externalOrigin(_ volume: LogicalVolume) -> LogicalVolume? {
    reference(volume, "external_origin").flatMap { logicalVolumes[$0] }
  }

  /// The extents users can use: those kept for a reshape of a RAID volume do not count.
  func shownExtents(_ volume: LogicalVolume) -> Int {
    guard let segment = volume.segments.first else { return 0 }
    return volume.extentCount - segment.reshapeCount * segment.dataImageCount
  }
}
