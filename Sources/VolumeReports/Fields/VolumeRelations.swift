import LVMMetadata

/// What a row's logical volume has to do with others.
extension ReportRow {
  /// The name as it stands in the metadata.
  var plainName: String { goneVolume?.name ?? logicalVolume?.name ?? "" }

  var parent: Int? {
    guard let index, !roles.contains(.visible),
      roles.containsAny([
        .mirrorImage, .mirrorLog, .raidImage, .raidMetadata, .cachePoolData, .cachePoolMetadata,
        .thinPoolData, .thinPoolMetadata,
      ])
    else { return nil }
    return graph.onlyUse(index)?.volume
  }

  var origin: Int? {
    guard let index else { return nil }
    if roles.contains(.cow) { return graph.snapshots[index]?.origin }
    if roles.contains(.cache) {
      return roles.contains(.pendingDelete) ? nil : graph.reference(index, "origin")
    }
    if roles.contains(.thinVolume) {
      return graph.reference(index, "origin") ?? graph.reference(index, "external_origin")
    }
    return roles.containsAny([.writecache, .integrity]) ? graph.reference(index, "origin") : nil
  }

  var originSize: ReportValue {
    guard let index else { return .noSize }
    let extents: Int
    if let snapshot = graph.snapshots[index], roles.contains(.cow) {
      extents = snapshot.extentCount
    } else if roles.contains(.thinVolume), let below = graph.reference(index, "external_origin") {
      extents = graph.volumes[below].extentCount
    } else if roles.contains(.origin) {
      extents = graph.volumes[index].extentCount
    } else {
      return .noSize
    }
    return extents > 0 ? sectors(extents: extents) : .noSize
  }

  var pool: Int? {
    guard let index else { return nil }
    if roles.contains(.thinVolume) { return graph.reference(index, "thin_pool") }
    if roles.contains(.cache) { return graph.reference(index, "cache_pool") }
    if roles.contains(.vdo) { return graph.firstArea(index) }
    return roles.contains(.writecache) ? graph.reference(index, "writecache") : nil
  }

  var dataVolume: Int? {
    guard let index, roles.containsAny([.cachePool, .thinPool, .vdoPool]) else { return nil }
    return graph.firstArea(index)
  }

  var metadataVolume: Int? {
    guard let index, roles.containsAny([.cachePool, .thinPool]) else { return nil }
    return graph.reference(index, "metadata")
  }

  /// The pool is a plain volume that holds metadata and data.
  var usesCacheVolume: Bool { pool.map { graph.roles[$0].contains(.cacheVolume) } ?? false }

  var poolMetadataSize: ReportValue {
    if roles.contains(.cache), usesCacheVolume {
      return .sectors(UInt64(clamping: firstSegment?.number("metadata_len") ?? 0))
    }
    guard let metadata = metadataVolume else {
      return roles.containsAny([.cachePool, .thinPool]) ? .sectors(0) : .undefined
    }
    return sectors(extents: graph.volumes[metadata].extentCount)
  }

  var mirrorLog: Int? {
    guard let index, roles.contains(.mirror) else { return nil }
    for (segment, kind) in zip(graph.volumes[index].segments, graph.kinds[index])
    where kind == .mirror {
      if let log = segment.text("mirror_log") { return graph.index(of: log) }
    }
    return nil
  }

  var convertedVolume: Int? {
    guard let index, roles.containsAny([.converting, .mirrored]),
      let below = graph.firstArea(index), graph.roles[below].contains([.mirrorImage, .mirrored]),
      !graph.volumes[below].status.contains(.locked)
    else { return nil }
    return below
  }

  /// Index of the physical volume that a pvmove empties.
  var movedDevice: Int? {
    guard roles.contains(.pvmove), let segment = firstSegment, let kind = firstKind,
      let part = graph.parts(segment, kind).first
    else { return nil }
    switch part {
    case .physical(let device, _, _): return device
    case .unassigned: return nil
    case .logical(let image, _):
      guard let segment = graph.volumes[image].segments.first, let kind = graph.firstKind(image),
        case .physical(let device, _, _)? = graph.parts(segment, kind).first
      else { return nil }
      return device
    }
  }

  var isMerging: Bool {
    if roles.containsAny([.origin, .externalOrigin]) { return roles.contains(.mergingOrigin) }
    return roles.containsAny([.cow, .thinVolume]) && roles.contains(.merging)
  }

  /// The extents users can use: those kept for a reshape of a RAID volume do not count.
  var shownExtents: Int {
    guard let index else { return 0 }
    let extentCount = graph.volumes[index].extentCount
    // Only RAID volumes and their images can be reshaped.
    guard roles.contains(.raid), let segment = graph.volumes[index].segments.first,
      segment.reshapeCount > 0, let kind = firstKind
    else { return extentCount }
    let areas = graph.parts(segment, kind).count
    let images = areas > 2 ? areas - (kind.raid?.parityCount ?? 0) : 1
    return extentCount - segment.reshapeCount * images
  }

  /// The segment that holds the settings of integrity: the volume's own or an image's.
  var integritySegment: Segment? {
    guard let index else { return nil }
    if roles.contains(.raid) {
      return integrityImages.first.flatMap { graph.volumes[$0].segments.first }
    }
    return roles.contains(.integrity) ? graph.volumes[index].segments.first : nil
  }

  /// The images of a RAID volume that have integrity.
  private var integrityImages: [Int] {
    guard let segment = firstSegment, let kind = firstKind else { return [] }
    return graph.parts(segment, kind).compactMap { part in
      guard case .logical(let image, _) = part, graph.firstKind(image) == .integrity else {
        return nil
      }
      return image
    }
  }
}

// MARK: - What needs the kernel

extension ReportRow {
  var raidStatus: RAIDStatus? {
    guard let index, roles.contains(.raid) else { return nil }
    return facts.raidStatus(index, source.states)
  }

  var integrityMismatches: UInt64? {
    guard let index else { return nil }
    if roles.contains(.integrity) { return mismatches(index) }
    guard roles.contains(.raid), !integrityImages.isEmpty else { return nil }
    var sum: UInt64 = 0
    for image in integrityImages {
      guard let count = mismatches(image) else { return nil }
      sum &+= count
    }
    return sum
  }

  private func mismatches(_ index: Int) -> UInt64? {
    guard case .known(let lookup) = source.states,
      let line = facts.device(index, .top, lookup)?.targets.first, line.type == "integrity"
    else { return nil }
    return IntegrityStatus(line.parameters)?.mismatchCount
  }

  /// Whether this image of a mirror or RAID volume holds what the others do. Without a device
  /// nobody can tell, and LVM says no.
  var isImageInSync: Bool {
    guard let index, let use = graph.onlyUse(index) else { return false }
    if roles.contains(.mirrorImage) {
      return facts.mirrorPercent(use.volume, source.states) == .hundred
    }
    guard isActive == true, let status = facts.raidStatus(use.volume, source.states),
      let position = imagePosition(index, in: use), status.health.indices.contains(position)
    else { return false }
    return status.health[position] == "A"
  }

  /// False when the array has lost this image, or for a whole volume any of its images.
  var isRAIDHealthy: Bool {
    guard let index, isActive == true else { return true }
    if roles.contains(.raid) {
      return facts.raidStatus(index, source.states)?.health.contains("D") != true
    }
    guard let use = graph.onlyUse(index),
      let status = facts.raidStatus(use.volume, source.states),
      let position = imagePosition(index, in: use), status.health.indices.contains(position)
    else { return true }
    return status.health[position] != "D"
  }

  private func imagePosition(_ index: Int, in use: VolumeGraph.Use) -> Int? {
    let name = graph.volumes[index].name
    return graph.volumes[use.volume].segments[use.segment].raidNames.firstIndex {
      $0.image == name || $0.metadata == name
    }
  }
}

extension GroupFacts {
  /// How far a mirror or pvmove is in sync, over all its segments; nil when it is not active.
  func mirrorPercent(_ index: Int, _ states: DeviceStates) -> Percent? {
    guard case .known(let lookup) = states, let device = device(index, .inner, lookup) else {
      return nil
    }
    var copied: UInt64 = 0
    var total: UInt64 = 0
    for (number, segment) in graph.volumes[index].segments.enumerated() {
      let extents = UInt64(clamping: segment.extentCountPerArea)
      total += extents
      guard graph.kinds[index][number] == .mirror else {
        copied += extents
        continue
      }
      guard device.targets.indices.contains(number), device.targets[number].type == "mirror",
        let ratio = Self.mirrorRatio(device.targets[number].parameters), ratio.whole > 0
      else {
        copied += UInt64(segment.number32("extents_moved"))
        continue
      }
      let (high, low) = extents.multipliedFullWidth(by: min(ratio.part, ratio.whole))
      copied += high < ratio.whole ? ratio.whole.dividingFullWidth((high, low)).quotient : 0
    }
    return Percent(copied, of: total)
  }

  /// `2 254:1 254:2 126/128 …`
  private static func mirrorRatio(_ line: String) -> (part: UInt64, whole: UInt64)? {
    let words = StatusLine(line)
    guard let count = words.number(0).flatMap({ Int(exactly: $0) }), count < words.words.count
    else { return nil }
    return words.ratio(count + 1)
  }
}

extension VolumeGraph {
  /// The kernel modules a volume needs, its own and those of the volumes below it, sorted.
  func modules(_ index: Int) -> [String] {
    var found: Set<String> = []
    var seen: Set<Use> = []
    var pending = volumes[index].segments.indices.map { Use(volume: index, segment: $0) }
    func addVolume(_ index: Int) {
      pending += volumes[index].segments.indices.map { Use(volume: index, segment: $0) }
    }
    while let use = pending.popLast() {
      guard seen.insert(use).inserted else { continue }
      let segment = volumes[use.volume].segments[use.segment]
      let kind = kinds[use.volume][use.segment]
      found.formUnion(kind.modules)
      if let log = segment.text("mirror_log").flatMap({ self.index(of: $0) }), kind == .mirror,
        !volumes[log].segments.isEmpty
      {
        pending.append(Use(volume: log, segment: 0))
      }
      for snapshot in snapshotsByOrigin[use.volume] ?? [] { addVolume(snapshot.store) }
      if roles[use.volume].contains(.cow) { found.insert("snapshot") }
      for case .logical(let below, let extent) in parts(segment, kind) {
        let at = volumes[below].segments.firstIndex {
          ($0.startExtent..<max($0.endExtent, $0.startExtent)).contains(extent)
        }
        if let at { pending.append(Use(volume: below, segment: at)) }
      }
    }
    return found.sorted()
  }
}
