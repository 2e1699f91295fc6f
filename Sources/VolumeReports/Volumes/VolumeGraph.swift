import LVMMetadata

/// How the logical volumes of a group are made of each other, by index into `volumes`.
///
/// Made in one pass, and cheap for volumes that lie on physical volumes directly.
final class VolumeGraph {
  /// A segment that lies on a volume.
  struct Use: Hashable {
    let volume: Int
    let segment: Int
  }

  /// A thick snapshot, or a thin one on its way back into its origin.
  struct Snapshot {
    /// What users call the snapshot: the COW store, or the thin volume.
    let store: Int
    let origin: Int
    /// In sectors; 0 for a thin one.
    let chunkSizeSectors: UInt64
    /// Extents of the origin when the snapshot was made.
    let extentCount: Int
    let isMerging: Bool
    /// The volume `snapshotN` that says so.
    let link: Int
  }

  let volumes: [LogicalVolume]
  /// For each volume its segments' kinds.
  let kinds: [[SegmentKind]]
  private(set) var roles: [VolumeRoles]
  /// The segments that lie on a volume, in the order of the text.
  private(set) var uses: [Int: [Use]] = [:]
  /// By COW store.
  private(set) var snapshots: [Int: Snapshot] = [:]
  private(set) var snapshotsByOrigin: [Int: [Snapshot]] = [:]
  /// By origin, the snapshot that is going back into it.
  private(set) var merges: [Int: Snapshot] = [:]
  private let physicalVolumes: [PhysicalVolume]
  private let physicalIndices: [LVMIdentifier: Int]
  private lazy var names = Dictionary(
    volumes.indices.map { (volumes[$0].name, $0) }, uniquingKeysWith: { first, _ in first })
  private lazy var labels = Dictionary(
    physicalVolumes.indices.map { (physicalVolumes[$0].label, $0) },
    uniquingKeysWith: { first, _ in first })

  init(_ group: VolumeGroup) {
    volumes = group.logicalVolumes
    physicalVolumes = group.physicalVolumes
    physicalIndices = Dictionary(
      group.physicalVolumes.indices.map { (group.physicalVolumes[$0].id, $0) },
      uniquingKeysWith: { first, _ in first })
    let linear: [SegmentKind] = [.striped]
    kinds = group.logicalVolumes.map { volume in
      if volume.segments.count == 1, case .striped = volume.segments[0].kind { return linear }
      return volume.segments.map { segment in
        if case .striped = segment.kind { return .striped }
        return SegmentKind(typeName: segment.typeName)
      }
    }
    roles = Array(repeating: [], count: group.logicalVolumes.count)
    for index in volumes.indices { addOwnRoles(index) }
    for index in volumes.indices { addReferences(index) }
    addOriginRoles()
    for index in volumes.indices where isVisible(index) { roles[index].insert(.visible) }
  }

  func index(of name: String) -> Int? { names[name] }
  func physicalIndex(_ id: LVMIdentifier) -> Int? { physicalIndices[id] }
  func physicalIndex(labelled label: String) -> Int? { labels[label] }

  /// The only segment that lies on the volume; nil when there is none or more than one.
  func onlyUse(_ index: Int) -> Use? {
    guard let uses = uses[index], uses.count == 1 else { return nil }
    return uses[0]
  }

  /// The volume a key of the volume's first segment names.
  func reference(_ index: Int, _ key: String) -> Int? {
    volumes[index].segments.first?.text(key).flatMap { names[$0] }
  }

  func firstKind(_ index: Int) -> SegmentKind? { kinds[index].first }

  /// The volume of the first area of the first segment.
  func firstArea(_ index: Int) -> Int? {
    guard let segment = volumes[index].segments.first, let kind = kinds[index].first,
      case .logical(let below, _)? = parts(segment, kind).first
    else { return nil }
    return below
  }

  // MARK: - Making

  private func addOwnRoles(_ index: Int) {
    let volume = volumes[index]
    var roles: VolumeRoles = []
    for kind in kinds[index] {
      switch kind {
      case .striped, .free: break
      case .mirror: roles.formUnion([.mirror, .mirrored])
      case .raid(let layout): roles.formUnion(layout.isMirrored ? [.raid, .mirrored] : [.raid])
      case .snapshot: roles.formUnion([.snapshotLink, .virtual])
      case .thinPool: roles.insert(.thinPool)
      case .thin: roles.insert(.thinVolume)
      case .cachePool: roles.insert(.cachePool)
      case .cache: roles.insert(.cache)
      case .writecache: roles.insert(.writecache)
      case .integrity: roles.insert(.integrity)
      case .vdoPool: roles.insert(.vdoPool)
      case .vdo: roles.insert(.vdo)
      case .error, .zero: break
      case .unknown: roles.insert(.unknownSegments)
      }
      if kind.isVirtual { roles.insert(.virtual) }
    }
    if volume.status.contains(.pvmove) { roles.insert(.pvmove) }
    if volume.flags.contains(.cacheVolume) || volume.status.contains(.cacheVolume) {
      roles.insert(.cacheVolume)
    }
    if !volume.isVisible {
      if volume.name.contains("_pmspare") { roles.insert(.metadataSpare) }
      if volume.name == "lvmlock" { roles.insert(.sanlock) }
    }
    if roles.contains(.cache), volume.name.contains("_corig") { roles.insert(.pendingDelete) }
    self.roles[index] = roles
  }

  private func addReferences(_ index: Int) {
    for (number, segment) in volumes[index].segments.enumerated() {
      let kind = kinds[index][number]
      let use = Use(volume: index, segment: number)
      if case .striped(let layout) = segment.kind {
        for case .logicalVolume(let name) in layout.areas.lazy.map(\.source) {
          add(use, on: names[name])
        }
        continue
      }
      addAreas(segment, kind, use)
      addOthers(segment, kind, use)
    }
  }

  private func addAreas(_ segment: Segment, _ kind: SegmentKind, _ use: Use) {
    let role: VolumeRoles
    switch kind {
    case .mirror: role = .mirrorImage
    case .raid:
      for names in segment.raidNames {
        add(use, on: names.metadata.flatMap { self.names[$0] }, as: .raidMetadata)
        add(use, on: self.names[names.image], as: .raidImage)
      }
      return
    case .thinPool: role = .thinPoolData
    case .cachePool: role = .cachePoolData
    case .vdoPool: role = .vdoPoolData
    default: role = []
    }
    for (number, part) in parts(segment, kind).enumerated() {
      guard case .logical(let below, _) = part else { continue }
      add(use, on: below, as: role)
      if kind == .mirror, number == 0, volumes[below].name.contains("_mimagetmp") {
        roles[use.volume].insert(.converting)
      }
    }
  }

  /// What a segment uses besides the volumes its data lies on.
  private func addOthers(_ segment: Segment, _ kind: SegmentKind, _ use: Use) {
    func named(_ key: String) -> Int? { segment.text(key).flatMap { names[$0] } }
    switch kind {
    case .mirror: add(use, on: named("mirror_log"), as: .mirrorLog)
    case .thinPool: add(use, on: named("metadata"), as: .thinPoolMetadata)
    case .cachePool: add(use, on: named("metadata"), as: .cachePoolMetadata)
    case .cache:
      // That there is metadata in the volume itself is what makes it a cache volume.
      add(use, on: named("cache_pool"), as: segment.has("metadata_start") ? .cacheVolume : [])
    case .writecache: add(use, on: named("writecache"))
    case .integrity: add(use, on: named("meta_dev"), as: .integrityMetadata)
    case .thin:
      add(use, on: named("thin_pool"))
      add(use, on: named("origin"))
      add(use, on: named("external_origin"), as: .externalOrigin)
      if let origin = named("merge") {
        merges[origin] = Snapshot(
          store: use.volume, origin: origin, chunkSizeSectors: 0,
          extentCount: segment.extentCount, isMerging: true, link: use.volume)
        roles[use.volume].insert(.merging)
      }
    case .snapshot:
      guard let origin = named("origin"),
        let store = named("merging_store") ?? named("cow_store")
      else { return }
      let snapshot = Snapshot(
        store: store, origin: origin, chunkSizeSectors: UInt64(segment.number32("chunk_size")),
        extentCount: segment.extentCount, isMerging: segment.has("merging_store"),
        link: use.volume)
      snapshots[store] = snapshot
      snapshotsByOrigin[origin, default: []].append(snapshot)
      if snapshot.isMerging { merges[origin] = snapshot }
    default: break
    }
  }

  private func add(_ use: Use, on index: Int?, as role: VolumeRoles = []) {
    guard let index else { return }
    // A segment that names a volume twice does so in one go.
    if uses[index]?.last != use { uses[index, default: []].append(use) }
    roles[index].formUnion(role)
  }

  /// What needs all references to be known.
  private func addOriginRoles() {
    for (origin, _) in snapshotsByOrigin {
      roles[origin].insert(.origin)
      if !volumes[origin].isVisible { roles[origin].insert(.virtualOrigin) }
    }
    for (origin, _) in merges { roles[origin].insert(.mergingOrigin) }
    for (store, snapshot) in snapshots where !roles[store].contains(.origin) {
      roles[store].formUnion(snapshot.isMerging ? [.cow, .merging] : .cow)
    }
    for (index, uses) in uses {
      for use in uses {
        let user = roles[use.volume]
        if user.contains(.integrity), reference(use.volume, "origin") == index {
          roles[index].insert(.integrityOrigin)
        }
        if user.contains(.writecache), reference(use.volume, "writecache") == index {
          roles[index].insert(.writecacheStore)
        }
      }
      guard uses.count == 1, firstArea(uses[0].volume) == index else { continue }
      let user = roles[uses[0].volume]
      if user.contains(.pendingDelete) { continue }
      if user.contains(.cache) { roles[index].insert(.cacheOrigin) }
      if user.contains(.writecache) { roles[index].insert(.writecacheOrigin) }
    }
  }

  /// The store of a snapshot is what users know as the snapshot, and the link between it and the
  /// origin nothing that users know.
  private func isVisible(_ index: Int) -> Bool {
    let own = roles[index]
    if own.contains(.snapshotLink) { return false }
    if own.contains(.cow), let snapshot = snapshots[index] {
      if roles[snapshot.origin].contains(.virtualOrigin) { return true }
      return !snapshot.isMerging && volumes[snapshot.origin].isVisible
    }
    if own.contains(.thinVolume), own.contains(.merging) { return false }
    return volumes[index].isVisible
  }
}
