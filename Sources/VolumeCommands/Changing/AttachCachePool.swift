import ConfigText
import LVMMetadata

/// lvconvert --type cache --cachepool, and lvcreate --type cache.
extension GroupEdit {
  /// Lets an LV of the group be cached by a pool, or by another LV that becomes one.
  mutating func addCache(
    to name: String, pool: String, _ conversion: PoolConversion, zeroesMetadata: Bool?
  ) throws(VolumeGroupRefusal) {
    let volume = try cacheableVolume(name)
    guard pool != name else {
      throw VolumeGroupRefusal(
        "Use a different LV for cache pool LV and cache LV \(group.name)/\(name).")
    }
    if let other = group.logicalVolume(named: pool), other.segments.first?.baseType != "cache-pool"
    {
      try convertToPool(pool, conversion, isAttached: true)
      // The chunks' size is the new pool's already.
      var options = conversion.request.cache
      options.chunkSectors = nil
      try cache(volume, by: "\(pool)_cpool", options)
    } else {
      try attachCachePool(
        pool, to: name, conversion.request.cache, zeroesMetadata: zeroesMetadata)
    }
    print("Logical volume \(group.name)/\(name) is now cached.")
  }

  /// Lets an LV of the group be cached by a pool.
  ///
  /// - Parameter zeroesMetadata: `-Z`; nil asks.
  mutating func attachCachePool(
    _ poolName: String, to name: String, _ options: CacheOptions, zeroesMetadata: Bool?
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let volume = try cacheableVolume(name)
    let path = "\(group.name)/\(poolName)"
    guard let pool = group.logicalVolume(named: poolName) else {
      throw VolumeGroupRefusal("Cache pool \(poolName) not found.")
    }
    guard pool.segments.first?.baseType == "cache-pool" else {
      throw VolumeGroupRefusal("LV \(path) is not a cache pool.")
    }
    guard pool.isVisible else {
      throw VolumeGroupRefusal("Cache pool \(path) is already in use.")
    }
    guard !context.isActive(pool.id) else {
      throw VolumeGroupRefusal("LV \(path) must be inactive to attach.")
    }
    if try wipesMetadata(of: path, zeroesMetadata) {
      guard let name = pool.segments.first?.volumeName("metadata"),
        let metadata = group.logicalVolume(named: name)
      else { throw VolumeGroupRefusal("Cache pool \(path) has no metadata.") }
      wipeStart(of: metadata, isGivenUp: true)
    }
    renameParts(of: poolName, to: "\(poolName)_cpool")
    update("\(poolName)_cpool") { pool in
      pool.status.remove(.visible)
      // The volume's lock is the pool's, too.
      pool.lockArguments = nil
    }
    group.sortVisibleFirst()
    try cache(volume, by: "\(poolName)_cpool", options)
  }

  private mutating func wipesMetadata(
    of path: String, _ zeroes: Bool?
  ) throws(VolumeGroupRefusal) -> Bool {
    if let zeroes {
      if !zeroes { warn("WARNING: Reusing cache pool metadata \(path) for volume caching.") }
      return zeroes
    }
    guard context.confirm("Do you want wipe existing metadata of cache pool \(path)? [y/n]: ")
    else {
      var refusal = VolumeGroupRefusal("")
      refusal.messages = [
        "Conversion aborted.", "To preserve cache metadata add option \"--zero n\".",
        "WARNING: Reusing mismatched cache pool metadata MAY DESTROY YOUR DATA!",
      ]
      throw refusal
    }
    return true
  }

  /// Puts an LV over a pool that is hidden already.
  mutating func cache(
    _ volume: LogicalVolume, by poolName: String, _ options: CacheOptions
  ) throws(VolumeGroupRefusal) {
    let originName = "\(volume.name)_corig"
    guard group.logicalVolume(named: originName) == nil else {
      throw VolumeGroupRefusal("Logical volume \(group.name)/\(originName) is in the way.")
    }
    try completeCachePool(poolName, options)
    moveBelow(volume, to: originName)
    var section = ConfigSection()
    section.append("cache_pool", text: poolName)
    section.append("origin", text: originName)
    update(volume.name) {
      $0.segments = [.whole("cache", extentCount: volume.extentCount, section)]
    }
    if context.isActive(volume.id) { reloads.append(volume.name) }
  }

  /// What a pool leaves open until it is used is fixed now.
  private mutating func completeCachePool(
    _ name: String, _ options: CacheOptions
  ) throws(VolumeGroupRefusal) {
    guard let pool = group.logicalVolume(named: name), let segment = pool.segments.first,
      case .other(_, let old) = segment.kind
    else { return }
    var all = options
    all.mode = options.mode ?? old.string("cache_mode") ?? "writethrough"
    all.policy = options.policy ?? old.string("policy") ?? "smq"
    let format = old.integer("metadata_format").map { Int(clamping: $0) }
    all.metadataFormat = options.metadataFormat ?? format ?? 2
    var chunk = old.integer("chunk_size").flatMap { UInt64(exactly: $0) } ?? 0
    if options.chunkSectors != nil {
      let parameters = try cachePoolParameters(
        options, dataExtentCount: pool.extentCount, announces: true)
      chunk = parameters.chunkSectors
      let metadata = segment.volumeName("metadata").flatMap { group.logicalVolume(named: $0) }
      guard let metadata, metadata.extentCount >= parameters.metadataExtentCount else {
        throw VolumeGroupRefusal(
          "Metadata of cache pool \(group.name)/\(name) is too small for chunks of "
            + "\(DisplayUnit.message(sectors: chunk)).")
      }
    }
    var replacement = cachePoolSegment(name, all, chunk: chunk, extentCount: pool.extentCount)
    if options.settings.isEmpty, options.policy == nil,
      let settings = old.section("policy_settings")
    {
      replacement.edit { $0.append("policy_settings", settings) }
    }
    update(name) { $0.segments = [replacement] }
  }
}
