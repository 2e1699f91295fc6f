import ConfigText
import LVMMetadata

/// A pool that is to be made of a volume, whose contents are given up.
struct PoolConversion: Sendable {
  enum Kind: String, Sendable {
    case thin
    case cache
  }

  var kind: Kind
  /// The LV that becomes the pool's metadata; nil takes free extents.
  var metadataVolume: String?
  /// What is said of the pool, and where its metadata may lie.
  var request: CreateRequest
  /// `-Z` of a cache pool.
  var zeroesMetadata = true

  init(_ kind: Kind, _ request: CreateRequest) {
    self.kind = kind
    self.request = request
  }
}

/// lvconvert --type thin-pool and --type cache-pool.
extension GroupEdit {
  /// - Parameter isAttached: a volume is cached by it at once.
  mutating func convertToPool(
    _ name: String, _ conversion: PoolConversion, isAttached: Bool = false
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let path = "\(group.name)/\(name)"
    let data = try poolMaterial(name, permission: path)
    let metadata = try conversion.metadataVolume.map { other throws(VolumeGroupRefusal) in
      guard other != name else {
        throw VolumeGroupRefusal("Can't use same LV for pool data and metadata LV \(path).")
      }
      guard group.logicalVolume(named: other) != nil else {
        throw VolumeGroupRefusal("Unknown pool metadata LV \(other).")
      }
      return try poolMaterial(other, permission: path)
    }
    var request = conversion.request
    guard metadata == nil || request.cache.metadataSectors == nil else {
      throw VolumeGroupRefusal("Please specify either metadata logical volume or its size.")
    }
    if let chunk = request.cache.chunkSectors, conversion.kind == .cache {
      let problems = CacheOptions.problems(ofChunk: chunk)
      guard problems.isEmpty else {
        var refusal = VolumeGroupRefusal(problems[0])
        refusal.messages = problems
        throw refusal
      }
    }
    if let metadata {
      let size = group.sizeSectors(of: metadata)
      (request.pool.metadataSectors, request.cache.metadataSectors) = (size, size)
    }
    let layout = try poolLayout(conversion.kind, request, data)
    if let metadata, metadata.extentCount < layout.metadataExtentCount {
      throw VolumeGroupRefusal(
        "Logical volume \(group.name)/\(metadata.name) is too small for the metadata of the pool: "
          + "\(size(extents: layout.metadataExtentCount)) are needed.")
    }
    let what = [name, metadata?.name].compactMap { $0.map { "\(group.name)/\($0)" } }
      .joined(separator: " and ")
    try confirmPool(what, conversion, hasMetadata: metadata != nil)

    let full = isAttached ? "\(name)_cpool" : name
    let letter = conversion.kind == .thin ? "t" : "c"
    for part in ["\(full)_\(letter)data", "\(full)_\(letter)meta"]
    where group.logicalVolume(named: part) != nil {
      throw VolumeGroupRefusal("Logical volume \(group.name)/\(part) is in the way.")
    }
    if metadata == nil {
      try addPoolMetadata(
        "\(full)_\(letter)meta", extentCount: layout.metadataExtentCount, request)
    } else if let metadata {
      if conversion.kind == .thin || conversion.zeroesMetadata {
        wipeStart(of: metadata, isGivenUp: true)
      }
      hide(metadata.name, as: "\(full)_\(letter)meta")
    }
    hide(name, as: "\(full)_\(letter)data")
    var pool = makeVolume(full, isVisible: !isAttached)
    pool.lockArguments = data.lockArguments
    if request.pool.failsWhenFull { pool.flags.insert(.errorWhenFull) }
    pool.segments = [
      conversion.kind == .thin
        ? thinPoolSegment(
          full, request, chunk: layout.chunkSectors, extentCount: data.extentCount)
        : cachePoolSegment(
          full, request.cache, chunk: layout.chunkSectors, extentCount: data.extentCount)
    ]
    add(pool)
    try provideSpare(
      request, extentCount: metadata?.extentCount ?? layout.metadataExtentCount)
    print("Converted \(what) to \(conversion.kind.rawValue) pool.")
  }

  private mutating func poolLayout(
    _ kind: PoolConversion.Kind, _ request: CreateRequest, _ data: LogicalVolume
  ) throws(VolumeGroupRefusal) -> (chunkSectors: UInt64, metadataExtentCount: Int) {
    switch kind {
    case .thin:
      let layout = try poolParameters(request, dataExtentCount: data.extentCount, announces: true)
      return (layout.chunkSectors, layout.metadataExtentCount)
    case .cache:
      let layout = try cachePoolParameters(
        request.cache, dataExtentCount: data.extentCount, announces: true)
      return (layout.chunkSectors, layout.metadataExtentCount)
    }
  }

  private func confirmPool(
    _ what: String, _ conversion: PoolConversion, hasMetadata: Bool
  ) throws(VolumeGroupRefusal) {
    let zeroes = conversion.kind == .thin || conversion.zeroesMetadata
    context.announce(
      "WARNING: Converting \(what) to \(conversion.kind.rawValue) pool's data"
        + "\(hasMetadata ? " and metadata volumes" : " volume") \(zeroes ? "with" : "WITHOUT") "
        + "metadata wiping.")
    context.announce(
      zeroes
        ? "THIS WILL DESTROY CONTENT OF LOGICAL VOLUME (filesystem etc.)"
        : "WARNING: Using mismatched cache pool metadata MAY DESTROY YOUR DATA!")
    guard context.confirm("Do you really want to convert \(what)? [y/n]: ") else {
      throw VolumeGroupRefusal("Conversion aborted.")
    }
  }

  /// An LV of which a part of a pool can be made.
  private mutating func poolMaterial(
    _ name: String, permission path: String
  ) throws(VolumeGroupRefusal) -> LogicalVolume {
    guard let volume = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(group.name)/\(name)\"")
    }
    let own = "\(group.name)/\(name)"
    if let word = ["thin-pool": "thinpool", "cache-pool": "cachepool"][
      volume.segments.first?.baseType ?? ""]
    {
      throw VolumeGroupRefusal(
        "Command on LV \(own) does not accept LV type \(word).",
        "Command not permitted on LV \(path).")
    }
    let isPlain = volume.segments.allSatisfy {
      $0.stripedLayout != nil || $0.imageLayout?.raid != nil
    }
    guard isPlain, !group.hiddenNames().contains(name), !volume.status.contains(.locked),
      volume.isWritable, group.snapshotBinding(ofStore: name) == nil,
      group.snapshotBindings(ofOrigin: name).isEmpty,
      !group.logicalVolumes.contains(where: { $0.referencedNames.contains(name) })
    else {
      throw VolumeGroupRefusal(
        "Command not permitted on LV \(own): clvm makes pools of writable linear, striped and RAID "
          + "volumes that no other is built on.")
    }
    guard !context.isActive(volume.id) else {
      throw VolumeGroupRefusal(
        "Logical volume \(own) is active: deactivate it first with lvchange -an \(own).")
    }
    return volume
  }

  private mutating func hide(_ name: String, as newName: String) {
    renameParts(of: name, to: newName)
    update(newName) { volume in
      volume.status.remove(.visible)
      volume.lockArguments = nil
    }
    group.sortVisibleFirst()
  }

  private mutating func addPoolMetadata(
    _ name: String, extentCount: Int, _ request: CreateRequest
  ) throws(VolumeGroupRefusal) {
    var allocation = AllocationRequest(
      extentCount: extentCount, areaCount: 1, multiple: 1, policy: group.allocationPolicy,
      settings: settings.allocation)
    allocation.volumeName = name
    let found = try group.allocate(
      allocation, from: try allocatableExtents(request.physicalVolumes))
    var metadata = makeVolume(name, isVisible: false)
    metadata.append(found.parts, slots: 0..<1, stripeSectors: 0)
    wipeStart(of: metadata)
    add(metadata)
  }

  // MARK: - Metadata

  /// lvconvert --swapmetadata: the pool's metadata and an LV change places.
  mutating func swapPoolMetadata(
    of name: String, with other: String
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let path = "\(group.name)/\(name)"
    guard let pool = group.logicalVolume(named: name), let segment = pool.segments.first else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(path)\"")
    }
    guard ["thin-pool", "cache-pool"].contains(segment.baseType), pool.isVisible,
      let metadataName = segment.volumeName("metadata"),
      let metadata = group.logicalVolume(named: metadataName)
    else {
      throw VolumeGroupRefusal("Command not permitted on LV \(path).")
    }
    guard let volume = group.logicalVolume(named: other) else {
      throw VolumeGroupRefusal("Unable to find pool metadata LV \(group.name)/\(other).")
    }
    let users = group.logicalVolumes.filter { $0.referencedNames.contains(name) }
    for one in [pool, metadata, volume] + users where context.isActive(one.id) {
      throw VolumeGroupRefusal(
        "Logical volume \(group.name)/\(one.name) is active: deactivate it first.")
    }
    guard volume.isLinearOrStriped, !group.hiddenNames().contains(other), volume.isWritable,
      group.snapshotBinding(ofStore: other) == nil,
      !group.logicalVolumes.contains(where: { $0.referencedNames.contains(other) })
    else {
      throw VolumeGroupRefusal("Command not permitted on LV \(group.name)/\(other).")
    }
    guard
      context.confirm(
        "Do you want to swap metadata of \(path) pool with metadata volume "
          + "\(group.name)/\(other)? [y/n]: ")
    else { throw VolumeGroupRefusal("Conversion aborted.") }
    // The pool goes on naming its metadata as before.
    for index in group.logicalVolumes.indices {
      switch group.logicalVolumes[index].name {
      case other:
        group.logicalVolumes[index].name = metadataName
        group.logicalVolumes[index].status.remove(.visible)
        group.logicalVolumes[index].lockArguments = nil
      case metadataName:
        group.logicalVolumes[index].name = other
        group.logicalVolumes[index].status.insert(.visible)
        group.logicalVolumes[index].lockArguments = volume.lockArguments
      default: break
      }
    }
    group.sortVisibleFirst()
  }
}
