import ConfigText
import LVMMetadata

/// What lvconvert is told about a cache.
public struct CacheRequest: Sendable {
  public enum Kind: Sendable {
    /// Over an LV that holds data and metadata of the cache.
    case cache
    case writecache
  }

  public var kind: Kind
  /// The fast LV.
  public var cacheVolume: String
  public var options = CacheOptions()
  /// Of a write cache; must not be larger than that of the file system above, or the file system is
  /// damaged. 512 or 4096.
  public var blockBytes: Int?
  /// Of a write cache, in order.
  public var settings: [CacheOptions.Setting] = []
  /// The contents of the fast LV may go.
  public var isForced = false

  public init(_ kind: Kind, over cacheVolume: String) {
    self.kind = kind
    self.cacheVolume = cacheVolume
  }
}

/// lvconvert --type cache|writecache --cachevol, --splitcache and --uncache (lvm2-metadata 7.6 and
/// 7.7).
extension GroupEdit {
  /// Bounds and defaults of caches, in sectors.
  private enum CacheLimit {
    static let chunkDefault: UInt64 = 128
    static let chunkMinimum: UInt64 = 64
    static let chunkMaximum: UInt64 = 2 << 20
    /// Most chunks that LVM lets a cache have without being told.
    static let chunkCountMaximum: UInt64 = 1_000_000
    /// What the metadata needs whatever the size.
    static let metadataOverhead: UInt64 = 8192
    static let metadataBytesPerChunk: UInt64 = 44
  }

  public mutating func addCache(
    to name: String, _ request: CacheRequest
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let volume = try cacheableVolume(name)
    let fast = try cacheVolume(request.cacheVolume, for: volume)
    let question = "Erase all existing data on \(group.name)/\(fast.name)? [y/n]: "
    guard request.isForced || context.confirm(question) else {
      throw VolumeGroupRefusal("Conversion aborted.")
    }
    let isWritecache = request.kind == .writecache
    if isWritecache, request.blockBytes == nil {
      // LVM looks at the file system, and takes 4096 where it finds none.
      throw VolumeGroupRefusal(
        "clvm does not look which file system is on \(group.name)/\(name): give the block size with "
          + "--cachesettings block_size=512 or block_size=4096. It must not be larger than the file "
          + "system's; 512 suits all of them on disks with sectors of 512 bytes.")
    }
    let originName = "\(name)_\(isWritecache ? "wcorig" : "corig")"
    let cacheName = "\(fast.name)_cvol"
    for made in [originName, cacheName] where group.logicalVolume(named: made) != nil {
      throw VolumeGroupRefusal("Logical volume \(group.name)/\(made) is in the way.")
    }
    let segment =
      isWritecache
      ? writecacheSegment(volume, originName, cacheName, request)
      : try cacheSegment(volume, fast, originName, cacheName, request)
    wipeStart(of: fast, isGivenUp: true)
    update(fast.name) { volume in
      volume.name = cacheName
      volume.lockArguments = nil
      volume.status.remove(.visible)
      volume.flags.insert(.cacheVolume)
    }
    moveBelow(volume, to: originName)
    update(name) { $0.segments = [segment] }
    if context.isActive(volume.id) { reloads.append(name) }
    let path = "Logical volume \(group.name)/\(name)"
    print(isWritecache ? "\(path) now has writecache." : "\(path) is now cached.")
  }

  /// Gives what an LV consists of to a new hidden one; the caller gives it something else.
  mutating func moveBelow(_ volume: LogicalVolume, to newName: String) {
    renameParts(of: volume.name, to: newName, itself: false)
    var below = makeVolume(newName, isVisible: false, isWritable: volume.isWritable)
    below.segments = group.logicalVolume(named: volume.name)?.segments ?? volume.segments
    add(below)
  }

  func cacheableVolume(_ name: String) throws(VolumeGroupRefusal) -> LogicalVolume {
    guard let volume = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(group.name)/\(name)\"")
    }
    let path = "\(group.name)/\(name)"
    let isPlain = volume.segments.allSatisfy {
      $0.stripedLayout != nil || $0.imageLayout?.raid != nil
    }
    guard isPlain, !group.hiddenNames().contains(name), !volume.status.contains(.locked),
      group.snapshotBinding(ofStore: name) == nil,
      group.snapshotBindings(ofOrigin: name).isEmpty,
      !group.logicalVolumes.contains(where: { $0.referencedNames.contains(name) })
    else {
      throw VolumeGroupRefusal(
        "Command not permitted on LV \(path): only linear, striped and RAID volumes that no other "
          + "is built on get a cache from clvm.")
    }
    return volume
  }

  private func cacheVolume(
    _ name: String, for volume: LogicalVolume
  ) throws(VolumeGroupRefusal) -> LogicalVolume {
    guard let fast = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal("Cache volume \(name) not found in VG \(group.name).")
    }
    let path = "\(group.name)/\(name)"
    guard fast.id != volume.id else {
      throw VolumeGroupRefusal("\(path) cannot be its own cache.")
    }
    guard fast.isLinearOrStriped, !group.hiddenNames().contains(name), fast.isWritable,
      group.snapshotBinding(ofStore: name) == nil,
      !group.logicalVolumes.contains(where: { $0.referencedNames.contains(name) })
    else {
      throw VolumeGroupRefusal(
        "\(path) cannot be a cache: only a writable linear or striped volume that nothing is built "
          + "on can.")
    }
    guard !context.isActive(fast.id) else {
      throw VolumeGroupRefusal("LV \(path) must be inactive to attach.")
    }
    return fast
  }

  private func cacheSegment(
    _ volume: LogicalVolume, _ fast: LogicalVolume, _ origin: String, _ cache: String,
    _ request: CacheRequest
  ) throws(VolumeGroupRefusal) -> Segment {
    let size = group.sizeSectors(of: fast)
    var chunk = request.options.chunkSectors ?? CacheLimit.chunkDefault
    if request.options.chunkSectors == nil {
      while size / chunk > CacheLimit.chunkCountMaximum, chunk < CacheLimit.chunkMaximum {
        chunk *= 2
      }
    }
    guard (CacheLimit.chunkMinimum...CacheLimit.chunkMaximum).contains(chunk),
      chunk % CacheLimit.chunkMinimum == 0
    else {
      throw VolumeGroupRefusal(
        "Cache pool chunk size must be in the range 32.00 KiB to 1.00 GiB, and a multiple of "
          + "32.00 KiB.")
    }
    let least =
      (size / chunk * CacheLimit.metadataBytesPerChunk + 511) / 512 + CacheLimit.metadataOverhead
    let unit = group.extentSizeSectors
    let metadata = (max(request.options.metadataSectors ?? least, least) + unit - 1) / unit * unit
    guard metadata < size, size - metadata >= chunk else {
      throw VolumeGroupRefusal(
        "Cache volume \(group.name)/\(fast.name) of \(DisplayUnit.message(sectors: size)) has no "
          + "room for data beside \(DisplayUnit.message(sectors: metadata)) of metadata.")
    }
    var section = ConfigSection()
    section.append("cache_pool", text: cache)
    section.append("origin", text: origin)
    section.append("metadata_format", number: 2)
    section.append("chunk_size", number: chunk)
    section.append("cache_mode", text: request.options.mode ?? "writethrough")
    section.append("policy", text: request.options.policy ?? "smq")
    if let settings = request.options.settingsSection {
      section.append("policy_settings", settings)
    }
    section.append("metadata_start", number: 0)
    section.append("metadata_len", number: metadata)
    section.append("data_start", number: metadata)
    section.append("data_len", number: size - metadata)
    return .whole("cache+CACHE_USES_CACHEVOL", extentCount: volume.extentCount, section)
  }

  private func writecacheSegment(
    _ volume: LogicalVolume, _ origin: String, _ cache: String, _ request: CacheRequest
  ) -> Segment {
    var section = ConfigSection()
    section.append("writecache", text: cache)
    section.append("origin", text: origin)
    section.append("writecache_block_size", number: request.blockBytes ?? 512)
    for setting in request.settings { section.append(setting.key, number: setting.value) }
    return .whole("writecache", extentCount: volume.extentCount, section)
  }

  // MARK: - Taking it away

  /// Takes the cache from a volume. What is in the cache only must have been written back: of a
  /// cache that is not active, that is certain where every write went to the origin as well.
  ///
  /// - Parameter removesCache: `--uncache`.
  public mutating func removeCache(
    from name: String, removesCache: Bool
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let path = "\(group.name)/\(name)"
    guard let volume = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(path)\"")
    }
    guard let segment = volume.segments.first, segment.baseType == "cache",
      let cacheName = segment.volumeName("cache_pool"),
      let cache = group.logicalVolume(named: cacheName),
      let originName = segment.volumeName("origin"),
      let origin = group.logicalVolume(named: originName)
    else {
      throw VolumeGroupRefusal(
        "Command on LV \(path) does not accept its type: clvm takes away caches, and no write "
          + "caches, which only the kernel can empty.", "Command not permitted on LV \(path).")
    }
    guard case .other(_, let own) = segment.kind else { return }
    var settings = own
    if let poolSegment = cache.segments.first, poolSegment.baseType == "cache-pool",
      case .other(_, let section) = poolSegment.kind
    {
      settings = section
    }
    guard settings.string("cache_mode") != "writeback", settings.integer("cleaner") == nil,
      !context.isActive(volume.id)
    else {
      throw VolumeGroupRefusal(
        "The cache of \(path) may hold what its origin does not: it is active or writes back. Use "
          + "LVM's own lvconvert, which has the kernel empty it.")
    }
    renameParts(of: originName, to: name, itself: false)
    let segments = group.logicalVolume(named: originName)?.segments ?? origin.segments
    update(name) { $0.segments = segments }
    group.logicalVolumes.removeAll { $0.id == origin.id }
    try release(cache, removesCache: removesCache)
    let isPool = cache.segments.first?.baseType == "cache-pool"
    let fate =
      removesCache
      ? isPool ? "." : " and \(cacheTitle(cache)) is removed."
      : " and \(cacheTitle(cache)) is unused."
    print("Logical volume \(path) is not cached\(fate)")
  }

  /// `VG/LV` of a cache as users know it.
  private func cacheTitle(_ cache: LogicalVolume) -> String {
    "\(group.name)/\(cache.name.withoutSuffix("_cvol").withoutSuffix("_cpool"))"
  }

  private mutating func release(
    _ cache: LogicalVolume, removesCache: Bool
  ) throws(VolumeGroupRefusal) {
    let isPool = cache.segments.first?.baseType == "cache-pool"
    let name = cache.name.withoutSuffix(isPool ? "_cpool" : "_cvol")
    guard !removesCache else {
      let parts = isPool ? cache.referencedNames : []
      group.logicalVolumes.removeAll { parts.contains($0.name) || $0.id == cache.id }
      removeSpareWithoutPool()
      print("Logical volume \"\(isPool ? cache.name : name)\" successfully removed.")
      return
    }
    guard group.logicalVolume(named: name) == nil else {
      throw VolumeGroupRefusal("Logical volume \(group.name)/\(name) is in the way.")
    }
    let lockArguments = group.lockType == "dlm" ? "dlm" : nil
    update(cache.name) { volume in
      volume.lockArguments = lockArguments
      volume.status.insert(.visible)
      volume.flags.remove(.cacheVolume)
      volume.status.remove(.cacheVolume)
    }
    group.sortVisibleFirst()
    renameParts(of: cache.name, to: name)
  }
}

extension String {
  fileprivate func withoutSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
