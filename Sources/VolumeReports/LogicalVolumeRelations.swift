import LVMMetadata

// How logical volumes are made of each other, by the keys of their segments (lvm2-metadata 7).

extension Segment {
  /// The type without its flags: "thin-pool" for "thin-pool+METADATA_FORMAT".
  var baseType: String { String(typeName.prefix { $0 != "+" }) }

  /// A text of a segment that is neither linear nor striped.
  func text(_ key: String) -> String? {
    if case .other(_, let section) = kind { section.string(key) } else { nil }
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

  /// Users see a node for each visible volume, except for pools, which carry no data themselves.
  func hasPath(_ volume: LogicalVolume) -> Bool {
    volume.isVisible && !["cache-pool", "vdo-pool"].contains(volume.baseType)
  }

  /// The extents users can use: those kept for a reshape of a RAID volume do not count.
  func shownExtents(_ volume: LogicalVolume) -> Int {
    volume.segments.reduce(0) { $0 + $1.extentCount }
  }
}
