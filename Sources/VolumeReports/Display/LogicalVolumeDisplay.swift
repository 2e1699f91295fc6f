import LVMMetadata

extension VolumeDisplay {
  /// lvdisplay.
  public mutating func showLogicalVolumes(_ style: Style, _ arguments: ReportArguments) {
    for row in rows(.logicalVolumes, arguments) {
      if let gone = row.goneVolume {
        showGone(gone, row)
        continue
      }
      guard let index = row.index else { continue }
      let volume = ShownVolume(index, row.facts, source.states)
      if style == .colons {
        showColons(volume)
        continue
      }
      showFull(volume)
      if style == .maps { showSegments(volume) }
    }
  }

  private mutating func showColons(_ volume: ShownVolume) {
    let device = volume.device
    let permission =
      (volume.volume.status.contains(.read) ? 1 : 0) | (volume.volume.isWritable ? 2 : 0)
      | (device?.isReadOnly == true ? 4 : 0)
    let fields: [any CustomStringConvertible] = [
      "/dev/\(volume.group.name)/\(volume.volume.name)", volume.group.name, permission,
      device == nil ? 0 : 1, -1, device?.openCount ?? 0, volume.sectors(volume.index),
      volume.volume.extentCount, -1, volume.volume.allocationPolicy == .contiguous ? 2 : 0,
      volume.readAheadCode, device.map { Int64($0.major) } ?? -1,
      device.map { Int64($0.minor) } ?? -1,
    ]
    line(fields.map(\.description).joined(separator: ":"))
  }

  private mutating func showGone(_ volume: VolumeHistory.Volume, _ row: ReportRow) {
    func field(_ label: String, _ value: String) { line(label, value, width: 23) }
    line("--- Historical Logical volume ---")
    field("LV Name", "-\(volume.name)")
    field("VG Name", row.facts.group.name)
    field("LV UUID", volume.id?.dashed ?? "")
    field("LV Creation time", source.formatTime(volume.creationTime))
    field("LV Removal time", source.formatTime(volume.removalTime))
    line(" ")
  }

  mutating func showFull(_ shown: ShownVolume) {
    func field(_ label: String, _ value: String) { line(label, value, width: 23) }
    let volume = shown.volume
    let device = shown.device
    line("--- Logical volume ---")
    if shown.roles.contains(.visible) {
      if !shown.roles.contains(.thinPool) {
        field("LV Path", "/dev/\(shown.group.name)/\(volume.name)")
      }
      field("LV Name", volume.name)
    } else {
      field("Internal LV Name", volume.name)
    }
    field("VG Name", shown.group.name)
    field("LV UUID", volume.id.dashed)
    let readOnly = device?.isReadOnly == true ? " (activated read only)" : ""
    field("LV Write Access", volume.isWritable ? "read/write\(readOnly)" : "read only")
    let time = volume.creationTime.map(source.formatTime) ?? ""
    field("LV Creation host, time", "\(volume.creationHost ?? ""), \(time)")
    let snapshot = showSnapshotState(shown)
    showRelations(shown)
    if device?.isSuspended == true {
      field("LV Status", "suspended")
    } else if source.states.isKnown {
      field("LV Status", device == nil ? "NOT available" : "available")
    }
    if let device { field("# open", "\(device.openCount)") }
    let sized = snapshot?.origin ?? shown.index
    field("LV Size", size(sectors: shown.sectors(sized)))
    showUsage(shown)
    field("Current LE", "\(shown.graph.volumes[sized].extentCount)")
    if let snapshot { showStore(shown, snapshot) }
    if shown.roles.contains(.mirrored) {
      field("Mirrored volumes", "\(shown.parts(0).count)")
      if shown.roles.contains(.converting) {
        line("LV type        Mirror undergoing conversion")
      }
    }
    field("Segments", "\(volume.segments.count)")
    field("Allocation", volume.allocationPolicy?.shownName ?? "inherit")
    field("Read ahead sectors", shown.readAheadText)
    if let device, shown.readAheadCode != Int64(device.readAheadSectors) {
      field("- currently set to", "\(device.readAheadSectors)")
    }
    if volume.status.contains(.fixedMinor) {
      if let major = volume.major, major >= 0 { field("Persistent major", "\(major)") }
      field("Persistent minor", "\(volume.minor ?? -1)")
    }
    if let device { field("Block device", "\(device.major):\(device.minor)") }
    line(" ")
  }

  /// - Returns: the snapshot that the volume is the store of.
  private mutating func showSnapshotState(_ shown: ShownVolume) -> VolumeGraph.Snapshot? {
    func field(_ label: String, _ value: String) { line(label, value, width: 23) }
    let graph = shown.graph
    if shown.roles.contains(.origin) {
      field("LV snapshot status", "source of")
      for snapshot in graph.snapshotsByOrigin[shown.index] ?? [] {
        let store = ShownVolume(snapshot.store, shown.facts, source.states)
        let isActive = shown.device != nil && store.snapshotPercent != nil
        field("", "\(store.volume.name) [\(isActive ? "active" : "INACTIVE")]")
      }
      return nil
    }
    guard let snapshot = graph.snapshots[shown.index] ?? graph.merges[shown.index] else {
      return nil
    }
    let isActive = shown.device != nil && shown.snapshotPercent != nil
    field(
      "LV snapshot status",
      "\(isActive ? "active" : "INACTIVE") destination for "
        + graph.volumes[snapshot.origin].name)
    return snapshot
  }

  private mutating func showStore(_ shown: ShownVolume, _ snapshot: VolumeGraph.Snapshot) {
    func field(_ label: String, _ value: String) { line(label, value, width: 23) }
    field("COW-table size", size(sectors: shown.sectors(shown.index)))
    field("COW-table LE", "\(shown.volume.extentCount)")
    if shown.device != nil, let percent = shown.snapshotPercent {
      field("Allocated to snapshot", "\(percent.text)%")
    }
    field("Snapshot chunk size", size(sectors: snapshot.chunkSizeSectors))
  }

  private mutating func showRelations(_ shown: ShownVolume) {
    func field(_ label: String, _ value: String?) {
      if let value { line(label, value, width: 23) }
    }
    let first = shown.volume.segments.first
    let roles = shown.roles
    if roles.contains(.thinVolume) {
      field("LV Pool name", first?.text("thin_pool"))
      field("LV Thin origin name", first?.text("origin"))
      field("LV External origin name", first?.text("external_origin"))
      field("LV merging to", first?.text("merge"))
      if roles.contains(.mergingOrigin), let merge = shown.graph.merges[shown.index] {
        field("LV merged with", shown.graph.volumes[merge.store].name)
      }
    } else if roles.contains(.thinPool) {
      field("LV Pool metadata", first?.text("metadata"))
      field("LV Pool data", first?.text("pool"))
    } else if roles.contains(.cacheOrigin) {
      field(
        "LV origin of Cache LV",
        shown.graph.onlyUse(shown.index).map { shown.graph.volumes[$0.volume].name })
    } else if roles.contains(.cache) {
      // LVM asks the kernel first, and says nothing of a cache that is not active.
      guard shown.device != nil else { return }
      field("LV Cache pool name", first?.text("cache_pool"))
      field("LV Cache origin name", first?.text("origin"))
    } else if roles.contains(.cachePool) {
      field("LV Pool metadata", first?.text("metadata"))
      field("LV Pool data", first?.text("data"))
    } else if roles.contains(.vdoPool) {
      field("LV VDO Pool data", first?.text("data"))
    } else if roles.contains(.vdo) {
      field("LV VDO Pool name", first?.text("vdo_pool"))
    }
  }

  /// What the kernel tells about pools, thin volumes and caches.
  private mutating func showUsage(_ shown: ShownVolume) {
    func field(_ label: String, _ value: String) { line(label, value, width: 23) }
    switch shown.target {
    case .cache(let cache) where !cache.hasFailed:
      let used = Percent(cache.blocks.used, of: cache.blocks.total)
      field("Cache used blocks", "\(used.text)%")
      let metadata = Percent(cache.metadata.used, of: cache.metadata.total)
      field("Cache metadata blocks", "\(metadata.text)%")
      let dirty = Percent(cache.dirtyBlocks, of: cache.blocks.used)
      field("Cache dirty blocks", "\(cache.blocks.used == 0 ? Percent.zero.text : dirty.text)%")
      field("Cache read hits/misses", "\(cache.readHits) / \(cache.readMisses)")
      field("Cache wrt hits/misses", "\(cache.writeHits) / \(cache.writeMisses)")
      field("Cache demotions", "\(cache.demotions)")
      field("Cache promotions", "\(cache.promotions)")
    case .thinPool(let pool) where !pool.hasFailed:
      field("Allocated pool data", "\(Percent(pool.data.used, of: pool.data.total).text)%")
      let metadata = Percent(pool.metadata.used, of: pool.metadata.total)
      field("Allocated metadata", "\(metadata.text)%")
    case .thin(let thin) where !thin.hasFailed:
      let mapped = Percent(thin.mappedSectors, of: shown.sectors(shown.index))
      field("Mapped size", "\(mapped.text)%")
    default: break
    }
  }
}

/// A logical volume with what the kernel says about it.
struct ShownVolume {
  let index: Int
  let facts: GroupFacts
  private let status: VolumeStatus

  init(_ index: Int, _ facts: GroupFacts, _ states: DeviceStates) {
    self.index = index
    self.facts = facts
    status = facts.status(index, segment: 0, states)
  }

  var graph: VolumeGraph { facts.graph }
  var group: VolumeGroup { facts.group }
  var volume: LogicalVolume { graph.volumes[index] }
  var roles: VolumeRoles { graph.roles[index] }
  /// Nil when the volume is not active.
  var device: DeviceState? { status.device }
  var target: TargetStatus { status.device == nil ? .none : status.target }

  func sectors(_ index: Int) -> UInt64 {
    facts.sectors(extents: graph.volumes[index].extentCount)
  }

  func parts(_ segment: Int) -> [SegmentPart] {
    guard volume.segments.indices.contains(segment) else { return [] }
    return graph.parts(volume.segments[segment], graph.kinds[index][segment])
  }

  /// How full an active, valid snapshot is.
  var snapshotPercent: Percent? {
    guard case .snapshot(let snapshot) = status.target, !snapshot.isInvalid,
      !snapshot.hasMergeFailed
    else { return nil }
    return Percent(snapshot.usedSectors, of: snapshot.totalSectors)
  }

  /// −1 is automatic, 0 none.
  var readAheadCode: Int64 {
    switch volume.readAheadSectors {
    case nil, 0: -1
    case -1: 0
    case let sectors?: Int64(UInt32(bitPattern: sectors))
    }
  }

  var readAheadText: String {
    switch readAheadCode {
    case -1: "auto"
    case let sectors: "\(sectors)"
    }
  }
}
