import LVMMetadata

/// Which volume of a group is what to which other: found once, in a single pass, and asked for
/// every volume.
struct VolumeTopology: Sendable {
  typealias Index = Int

  /// A snapshot with a store of its own.
  struct Snapshot: Sendable {
    let origin: Index
    let store: Index
    let layout: SnapshotLayout
    /// The length of the snapshot in extents, which is the origin's when it was made.
    let extentCount: Int
  }

  let volumeGroup: VolumeGroup
  private(set) var roles: [VolumeRoles]
  private let indexes: [String: Index]
  private let physicalIndexes: [LVMIdentifier: Int]
  private let physicalLabels: [String: LVMIdentifier]
  /// Of volumes that are not linear or striped throughout.
  private var mappings: [Index: Result<[SegmentMapping], MalformedSegment>] = [:]
  /// By the origin.
  private(set) var snapshots: [Index: [Snapshot]] = [:]
  /// By the store.
  private(set) var snapshotOfStore: [Index: Snapshot] = [:]
  /// The thin volume that is to be merged, by its target.
  private(set) var thinMerges: [Index: Index] = [:]
  /// Those with segments on the volume, in the text's order.
  private(set) var users: [Index: [Index]] = [:]
  /// The hidden volumes of pvmove, by id.
  private(set) var moves: [LVMIdentifier: Index] = [:]

  init(_ volumeGroup: VolumeGroup) {
    self.volumeGroup = volumeGroup
    let volumes = volumeGroup.logicalVolumes
    roles = Array(repeating: [], count: volumes.count)
    indexes = Dictionary(
      zip(volumes.lazy.map(\.name), volumes.indices), uniquingKeysWith: { first, _ in first })
    physicalIndexes = Dictionary(
      zip(volumeGroup.physicalVolumes.lazy.map(\.id), volumeGroup.physicalVolumes.indices),
      uniquingKeysWith: { first, _ in first })
    physicalLabels = Dictionary(
      volumeGroup.physicalVolumes.lazy.map { ($0.label, $0.id) },
      uniquingKeysWith: { first, _ in first })
    for index in volumes.indices { read(index) }
  }

  func index(named name: String) -> Index? { indexes[name] }

  func physicalVolume(_ id: LVMIdentifier) -> PhysicalVolume? {
    physicalIndexes[id].map { volumeGroup.physicalVolumes[$0] }
  }

  /// What an area's name means; a label of a physical volume goes first.
  func source(named name: String) -> SegmentArea.Source? {
    if let id = physicalLabels[name] { return .physicalVolume(id) }
    return indexes[name] == nil ? nil : .logicalVolume(name: name)
  }

  /// The mappings of the volume's segments, in order.
  func mappings(of index: Index) throws(MalformedSegment) -> [SegmentMapping] {
    if let known = mappings[index] { return try known.get() }
    return volumeGroup.logicalVolumes[index].segments.compactMap { segment in
      segment.stripedLayout.map { .striped($0) }
    }
  }

  /// The volume under whose name the activation of `index` goes: an origin for its snapshots.
  func holder(of index: Index) -> Index {
    guard !roles[index].contains(.snapshotOrigin) else { return index }
    return snapshotOfStore[index]?.origin ?? index
  }

  /// Whether users see the volume: a snapshot is as visible as its origin, except over a virtual
  /// one, which hides behind it.
  func isVisible(_ index: Index) -> Bool {
    let volume = volumeGroup.logicalVolumes[index]
    if roles[index].contains(.snapshotRecord) { return false }
    if let snapshot = snapshotOfStore[index], !roles[index].contains(.snapshotOrigin) {
      return !volumeGroup.logicalVolumes[snapshot.origin].isVisible || !snapshot.layout.isMerging
    }
    return volume.isVisible
  }

  // MARK: - The pass

  private mutating func read(_ index: Index) {
    let volume = volumeGroup.logicalVolumes[index]
    if volume.status.contains(.pvmove) { moves[volume.id] = index }
    var isPlain = true
    for segment in volume.segments {
      guard let layout = segment.stripedLayout else {
        isPlain = false
        continue
      }
      for name in layout.areas.lazy.compactMap(\.source.logicalVolumeName) { use(name, index) }
    }
    if isPlain { return }
    do throws(MalformedSegment) {
      var read: [SegmentMapping] = []
      for segment in volume.segments {
        let mapping = try SegmentMapping(segment) { name in source(named: name) }
        read.append(mapping)
        note(mapping, segment, index)
      }
      mappings[index] = .success(read)
    } catch {
      mappings[index] = .failure(error)
      for name in volume.referencedNames { use(name, index) }
    }
  }

  /// Gives the volume `name` a role, because `user` refers to it.
  ///
  /// A name that leads nowhere is met again when the user is planned, and refused there.
  private mutating func use(_ name: String, _ user: Index, as role: VolumeRoles = []) {
    guard let index = indexes[name] else { return }
    roles[index].formUnion(role)
    if users[index, default: []].last != user { users[index, default: []].append(user) }
  }

  private mutating func note(_ mapping: SegmentMapping, _ segment: Segment, _ index: Index) {
    switch mapping {
    case .error, .zero: break
    case .striped(let layout):
      for name in layout.areas.compactMap(\.source.logicalVolumeName) { use(name, index) }
    case .unknown:
      for name in volumeGroup.logicalVolumes[index].referencedNames { use(name, index) }
    case .mirror(let layout):
      if layout.extentsMoved == nil { roles[index].insert(.mirror) }
      for area in layout.areas where physicalLabels[area.name] == nil {
        use(area.name, index, as: .mirrorImage)
      }
      if let log = layout.log { use(log, index, as: .mirrorLog) }
    case .raid(let layout):
      roles[index].insert(.raid)
      for image in layout.images {
        if let metadata = image.metadata { use(metadata, index, as: .raidMetadata) }
        use(image.data, index, as: .raidImage)
      }
    case .snapshot(let layout): note(layout, segment, index)
    case .thinPool, .thin, .cachePool, .cache, .writeCache, .integrity, .vdoPool, .vdo:
      notePool(mapping, index)
    }
  }

  private mutating func note(_ layout: SnapshotLayout, _ segment: Segment, _ index: Index) {
    roles[index].insert(.snapshotRecord)
    guard let origin = indexes[layout.origin], let store = indexes[layout.store] else { return }
    let snapshot = Snapshot(
      origin: origin, store: store, layout: layout, extentCount: segment.extentCount)
    snapshots[origin, default: []].append(snapshot)
    snapshotOfStore[store] = snapshot
    roles[origin].insert(layout.isMerging ? [.snapshotOrigin, .mergeOrigin] : .snapshotOrigin)
    roles[store].insert(.snapshotStore)
  }

  private mutating func notePool(_ mapping: SegmentMapping, _ index: Index) {
    switch mapping {
    case .thinPool(let layout):
      roles[index].insert(.thinPool)
      if layout.transactionID == 0 { roles[index].insert(.newThinPool) }
      use(layout.metadata, index, as: .thinPoolMetadata)
      use(layout.data, index, as: .thinPoolData)
    case .thin(let layout):
      roles[index].insert(.thin)
      use(layout.pool, index)
      if let origin = layout.externalOrigin { use(origin, index, as: .externalOrigin) }
      if let target = layout.mergeTarget, let merged = indexes[target] {
        roles[merged].insert(.mergeOrigin)
        thinMerges[merged] = index
      }
    case .cachePool(let layout):
      use(layout.metadata, index, as: .cachePoolMetadata)
      use(layout.data, index, as: .cachePoolData)
    case .cache(let layout):
      roles[index].insert(.cache)
      use(layout.pool, index, as: layout.cacheVolume == nil ? .usedCachePool : .cacheVolume)
      use(layout.origin, index, as: .cacheOrigin)
    case .writeCache(let layout):
      use(layout.cacheVolume, index, as: .cacheVolume)
      use(layout.origin, index, as: .writeCacheOrigin)
    case .integrity(let layout):
      use(layout.origin, index)
      if let metadata = layout.metadata { use(metadata, index) }
    case .vdoPool(let layout):
      roles[index].insert(.vdoPool)
      use(layout.data, index, as: .vdoPoolData)
    case .vdo(let layout): use(layout.pool, index)
    case .striped, .error, .zero, .unknown, .mirror, .raid, .snapshot: break
    }
  }
}
