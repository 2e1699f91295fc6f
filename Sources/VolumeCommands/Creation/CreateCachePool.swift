import ConfigText
import LVMMetadata

/// Cache pools (lvm2-metadata 7.6).
extension GroupEdit {
  private enum PoolLimit {
    static let chunkDefault: UInt64 = 128
    /// Most chunks that LVM lets a cache have without being told.
    static let chunkCount: UInt64 = 1_000_000
    /// What the metadata needs whatever the size, in sectors.
    static let metadataOverhead: UInt64 = 8192
    static let metadataBytesPerChunk: UInt64 = 44
    static let metadataMaximum: UInt64 = 16 << 21
  }

  struct CachePoolParameters {
    var chunkSectors: UInt64
    var metadataExtentCount: Int
  }

  mutating func cachePoolParameters(
    _ options: CacheOptions, dataExtentCount: Int, announces: Bool
  ) throws(VolumeGroupRefusal) -> CachePoolParameters {
    let data = group.sectors(extents: dataExtentCount)
    let unit = CacheOptions.chunkRange.lowerBound
    let chunks = (data + PoolLimit.chunkCount - 1) / PoolLimit.chunkCount
    let leastChunk = (chunks + unit - 1) / unit * unit
    var chunk = options.chunkSectors ?? PoolLimit.chunkDefault
    if chunk < leastChunk {
      guard options.chunkSectors == nil else {
        var refusal = VolumeGroupRefusal("")
        refusal.messages = [
          "Chunk size \(DisplayUnit.message(sectors: chunk)) is less than required minimal chunk "
            + "size \(DisplayUnit.message(sectors: leastChunk)) for a cache pool of "
            + "\(DisplayUnit.message(sectors: data)) size and limit \(PoolLimit.chunkCount) chunks.",
          "To allow use of more chunks, see setting allocation/cache_pool_max_chunks.",
        ]
        throw refusal
      }
      if announces {
        print(
          "Using \(DisplayUnit.message(sectors: leastChunk)) chunk size instead of default "
            + "\(DisplayUnit.message(sectors: chunk)), so cache pool has less than "
            + "\(PoolLimit.chunkCount) chunks.")
      }
      chunk = leastChunk
    }
    let least =
      (data / chunk * PoolLimit.metadataBytesPerChunk + 511) / 512 + PoolLimit.metadataOverhead
    let leastCount = extentCount(sectors: least)
    var count = leastCount
    if let given = options.metadataSectors {
      count = extentCount(sectors: given)
      if count < leastCount {
        if announces {
          print(
            "Extending pool metadata size \(size(extents: count)) to required minimal size "
              + "\(size(extents: leastCount)).")
        }
        count = leastCount
      }
    }
    guard group.sectors(extents: count) <= PoolLimit.metadataMaximum else {
      throw VolumeGroupRefusal(
        "Metadata of a cache pool cannot be larger than "
          + "\(DisplayUnit.message(sectors: PoolLimit.metadataMaximum)).")
    }
    guard chunk <= data || !announces else {
      throw VolumeGroupRefusal(
        "Size of cache-pool data volume cannot be smaller than chunk size "
          + "\(DisplayUnit.message(sectors: chunk)).")
    }
    return CachePoolParameters(chunkSectors: chunk, metadataExtentCount: count)
  }

  func extentCount(sectors: UInt64) -> Int {
    Int((sectors + group.extentSizeSectors - 1) / group.extentSizeSectors)
  }

  /// Adds a cache pool.
  ///
  /// - Parameter isAttached: it is made for a volume, under the name that it has there.
  mutating func createCachePool(
    _ request: CreateRequest, isAttached: Bool = false
  ) throws(VolumeGroupRefusal) -> String {
    var stripes = StripeParameters()
    let size = try createSize(
      for: request, &stripes, try allocatableExtents(request.physicalVolumes))
    try checkFreeSpace(size)
    let parameters = try cachePoolParameters(
      request.cache, dataExtentCount: size.extentCount, announces: true)
    try provideSpare(request, extentCount: parameters.metadataExtentCount)
    let name = request.name ?? generatedName("lvol")
    let full = isAttached ? "\(name)_cpool" : name
    var allocation = AllocationRequest(
      extentCount: size.extentCount, areaCount: 1, multiple: 1,
      policy: request.allocation?.policy ?? group.allocationPolicy, settings: settings.allocation)
    allocation.volumeName = name
    allocation.logExtentCount = parameters.metadataExtentCount
    allocation.isApproximate = size.isApproximate
    let found = try group.allocate(
      allocation, from: try allocatableExtents(request.physicalVolumes))
    guard let metadataArea = found.log else {
      throw VolumeGroupRefusal("No extents were found for the metadata of \(group.name)/\(name).")
    }
    var pool = isAttached ? makeVolume(full, isVisible: false) : topVolume(request, name: full)
    pool.segments = [
      cachePoolSegment(
        full, request.cache, chunk: parameters.chunkSectors,
        extentCount: found.extentCountPerSlot)
    ]
    add(pool)
    var metadata = makeVolume("\(full)_cmeta", isVisible: false)
    metadata.append(metadataArea, extentCount: parameters.metadataExtentCount)
    wipeStart(of: metadata)
    add(metadata)
    var data = makeVolume("\(full)_cdata", isVisible: false)
    data.append(found.parts, slots: 0..<1, stripeSectors: 0)
    add(data)
    return full
  }

  /// Makes a cache pool and lets an LV of the group be cached by it.
  mutating func createCache(
    over name: String, _ request: CreateRequest
  ) throws(VolumeGroupRefusal) {
    let type = group.logicalVolume(named: name)?.segments.first?.baseType
    guard let type, type != "cache-pool" else { throw Self.ambiguous(name) }
    let volume = try cacheableVolume(name)
    let pool = try createCachePool(request, isAttached: true)
    try cache(volume, by: pool, request.cache)
    print("Logical volume \(group.name)/\(name) is now cached.")
  }

  private static func ambiguous(_ name: String) -> VolumeGroupRefusal {
    VolumeGroupRefusal("Ambiguous syntax, please create --type cache-pool \(name) separately.")
  }

  /// Throws unless an LV can be the cache of a new volume.
  func check(_ cache: CreateRequest.Cache) throws(VolumeGroupRefusal) {
    guard case .pool(let name) = cache else { return }
    let pool = group.logicalVolume(named: name)
    guard let pool, pool.isVisible, pool.segments.first?.baseType == "cache-pool" else {
      throw Self.ambiguous(name)
    }
  }

  /// Lets a new volume be cached.
  mutating func attach(
    _ cache: CreateRequest.Cache, to name: String, _ request: CreateRequest
  ) throws(VolumeGroupRefusal) {
    switch cache {
    case .pool(let pool):
      try attachCachePool(pool, to: name, request.cache, zeroesMetadata: true)
    case .volume(let fast, let blockBytes, let isWritecache):
      var attached = CacheRequest(isWritecache ? .writecache : .cache, over: fast)
      attached.options = request.cache
      attached.blockBytes = blockBytes
      attached.settings = request.writecacheSettings
      try addCache(to: name, attached)
    }
  }

  /// The spare that a new pool wants, or a warning that it has none.
  mutating func provideSpare(
    _ request: CreateRequest, extentCount: Int
  ) throws(VolumeGroupRefusal) {
    if request.pool.hasSpare {
      try provideSpare(extentCount: extentCount, request.physicalVolumes)
    } else {
      warn("WARNING: recovery of pools without pool metadata spare LV is not automated.")
    }
  }

  func cachePoolSegment(
    _ name: String, _ options: CacheOptions, chunk: UInt64, extentCount: Int
  ) -> Segment {
    var section = ConfigSection()
    section.append("data", text: "\(name)_cdata")
    section.append("metadata", text: "\(name)_cmeta")
    if let format = options.metadataFormat { section.append("metadata_format", number: format) }
    section.append("chunk_size", number: chunk)
    if let mode = options.mode { section.append("cache_mode", text: mode) }
    // What depends on the policy fixes it.
    let fixesPolicy = !options.settings.isEmpty || options.metadataFormat == 2
    if let policy = options.policy ?? (fixesPolicy ? "smq" : nil) {
      section.append("policy", text: policy)
    }
    if let settings = options.settingsSection { section.append("policy_settings", settings) }
    let flag = options.metadataFormat == 2 ? "+METADATA_FORMAT" : ""
    return .whole("cache-pool\(flag)", extentCount: extentCount, section)
  }
}
