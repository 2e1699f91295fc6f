import LVMMetadata
import VolumeActivation

/// What the kernel says about a logical volume: about its device, and about the target that serves
/// one of its segments. Which of its devices is asked depends on the volume's kind.
struct VolumeStatus {
  /// Whether there is anybody to be asked.
  var isKnown = false
  /// Nil when the volume is not active.
  var device: DeviceState?
  var target = TargetStatus.none
  /// LVM asks for the read-ahead of most volumes only.
  var hasReadAhead = true
}

extension GroupFacts {
  typealias Lookup = (MappedDeviceUUID) -> DeviceState?

  /// - Parameter segment: index of the segment whose target is meant.
  func status(_ index: Int, segment: Int, _ states: DeviceStates) -> VolumeStatus {
    guard case .known(let lookup) = states, graph.volumes.indices.contains(index) else {
      return VolumeStatus()
    }
    let use = VolumeGraph.Use(volume: index, segment: segment)
    let roles = graph.roles[index]
    var status = VolumeStatus(isKnown: true)
    if roles.contains(.cachePool), graph.uses[index] != nil {
      // A pool in use has no device; the volume it caches tells about it.
      guard let user = graph.onlyUse(index) else { return status }
      status.target = target(user, device(user.volume, .inner, lookup))
    } else if roles.containsAny([.thinPool, .vdoPool]) {
      poolStatus(use, lookup, &status)
    } else if roles.contains(.externalOrigin) {
      status.device = device(index, .top, lookup)
      status.target = target(use, device(index, .inner, lookup))
    } else if roles.contains(.origin) {
      originStatus(use, lookup, &status)
    } else if roles.contains(.cow), let snapshot = graph.snapshots[index] {
      snapshotStatus(use, snapshot, lookup, &status)
    } else if roles.contains(.vdo) {
      status.device = device(index, .top, lookup)
      if status.device != nil, let pool = graph.firstArea(index) {
        let poolUse = VolumeGraph.Use(volume: pool, segment: 0)
        status.target = target(poolUse, device(pool, .inner, lookup))
      }
    } else {
      status.device = device(index, .top, lookup)
      status.target = target(use, status.device)
    }
    return status
  }

  /// The inner device does the work; the pool counts as active when it has a device of its own.
  private func poolStatus(
    _ use: VolumeGraph.Use, _ lookup: Lookup, _ status: inout VolumeStatus
  ) {
    status.device = device(use.volume, .inner, lookup)
    status.hasReadAhead = false
    status.target = target(use, status.device)
    switch status.target {
    case .thinPool(let pool):
      if !isActive(use.volume, lookup), !pool.needsCheck { status.device = nil }
    case .vdoPool:
      if !isActive(use.volume, lookup) { status.device = nil }
    default: break
    }
  }

  private func originStatus(
    _ use: VolumeGraph.Use, _ lookup: Lookup, _ status: inout VolumeStatus
  ) {
    status.device = device(use.volume, .top, lookup)
    guard let device = status.device else { return }
    if graph.roles[use.volume].contains(.mergingOrigin) {
      status.target = mergeTarget(device)
      if case .snapshot = status.target { return }
    }
    status.target = target(use, self.device(use.volume, .inner, lookup))
  }

  /// A snapshot that is going back into its origin has only the origin's device.
  private func snapshotStatus(
    _ use: VolumeGraph.Use, _ snapshot: VolumeGraph.Snapshot, _ lookup: Lookup,
    _ status: inout VolumeStatus
  ) {
    if snapshot.isMerging, let device = device(snapshot.origin, .top, lookup) {
      let merge = mergeTarget(device)
      if case .snapshot = merge {
        status.device = device
        status.target = merge
        return
      }
    }
    status.device = device(use.volume, .top, lookup)
    guard let line = status.device?.targets.first else { return }
    guard line.type == "snapshot" else {
      status.target = .unknown
      return
    }
    status.target = SnapshotStatus(line.parameters).map { .snapshot($0) } ?? .unknown
  }

  private func mergeTarget(_ device: DeviceState) -> TargetStatus {
    guard let line = device.targets.first, line.type == "snapshot-merge" else { return .none }
    return SnapshotStatus(line.parameters).map { .snapshot($0) } ?? .unknown
  }

  /// True when the volume's own device exists. A thin pool without thin volumes has only the inner
  /// one.
  func isActive(_ index: Int, _ lookup: Lookup) -> Bool {
    if device(index, .top, lookup) != nil { return true }
    guard isNewThinPool(index) else { return false }
    return device(index, .inner, lookup) != nil
  }

  private func isNewThinPool(_ index: Int) -> Bool {
    graph.roles[index].contains(.thinPool)
      && (graph.volumes[index].segments.first?.number("transaction_id") ?? 0) == 0
  }

  /// The status of the whole RAID volume.
  func raidStatus(_ index: Int, _ states: DeviceStates) -> RAIDStatus? {
    guard case .known(let lookup) = states,
      let line = device(index, .inner, lookup)?.targets.first, line.type == "raid"
    else { return nil }
    return RAIDStatus(line.parameters)
  }

  /// What the line that serves the segment tells.
  private func target(_ use: VolumeGraph.Use, _ device: DeviceState?) -> TargetStatus {
    guard let device, graph.volumes[use.volume].segments.indices.contains(use.segment) else {
      return .none
    }
    let segment = graph.volumes[use.volume].segments[use.segment]
    let start = sectors(extents: segment.startExtent)
    guard let line = device.targets.first(where: { $0.start == start }) else { return .unknown }
    let kind = graph.kinds[use.volume][use.segment]
    let text = line.parameters
    switch (kind, line.type) {
    case (.raid, "raid"): return RAIDStatus(text).map { .raid($0) } ?? .unknown
    case (.raid, "striped"): return .none
    case (.thinPool, "thin-pool"): return ThinPoolStatus(text).map { .thinPool($0) } ?? .unknown
    case (.thin, "thin"): return ThinStatus(text).map { .thin($0) } ?? .unknown
    case (.cache, "cache"): return CacheStatus(text).map { .cache($0) } ?? .unknown
    case (.writecache, "writecache"):
      return WritecacheStatus(text).map { .writecache($0) } ?? .unknown
    case (.integrity, "integrity"): return IntegrityStatus(text).map { .integrity($0) } ?? .unknown
    case (.vdoPool, "vdo"): return VDOPoolStatus(text).map { .vdoPool($0) } ?? .unknown
    case (.striped, "linear"), (.striped, "striped"), (.mirror, "mirror"), (.error, "error"),
      (.zero, "zero"), (.vdo, "linear"), (.vdo, "vdo"), (.striped, "error"):
      return .none
    default:
      return graph.volumes[use.volume].status.contains(.locked) ? .none : .unknown
    }
  }
}
