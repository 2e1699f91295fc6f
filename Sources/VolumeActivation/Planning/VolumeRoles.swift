/// What a volume is for others; never written in the text, always found from references
/// (lvm2-metadata, section 6.3).
struct VolumeRoles: OptionSet, Sendable {
  let rawValue: UInt32

  static let raidImage = VolumeRoles(rawValue: 1 << 0)
  static let raidMetadata = VolumeRoles(rawValue: 1 << 1)
  static let mirrorImage = VolumeRoles(rawValue: 1 << 2)
  static let mirrorLog = VolumeRoles(rawValue: 1 << 3)
  static let thinPoolData = VolumeRoles(rawValue: 1 << 4)
  static let thinPoolMetadata = VolumeRoles(rawValue: 1 << 5)
  static let cachePoolData = VolumeRoles(rawValue: 1 << 6)
  static let cachePoolMetadata = VolumeRoles(rawValue: 1 << 7)
  /// Of a cache with a cachevol or a write cache.
  static let cacheVolume = VolumeRoles(rawValue: 1 << 8)
  static let cacheOrigin = VolumeRoles(rawValue: 1 << 9)
  static let writeCacheOrigin = VolumeRoles(rawValue: 1 << 10)
  static let vdoPoolData = VolumeRoles(rawValue: 1 << 11)
  /// Has snapshots with stores of their own.
  static let snapshotOrigin = VolumeRoles(rawValue: 1 << 12)
  static let snapshotStore = VolumeRoles(rawValue: 1 << 13)
  /// The hidden volume that says which store belongs to which origin.
  static let snapshotRecord = VolumeRoles(rawValue: 1 << 14)
  /// Serves what a thin volume has not written.
  static let externalOrigin = VolumeRoles(rawValue: 1 << 15)
  /// A snapshot is being merged into it.
  static let mergeOrigin = VolumeRoles(rawValue: 1 << 16)
  static let usedCachePool = VolumeRoles(rawValue: 1 << 17)
  static let thinPool = VolumeRoles(rawValue: 1 << 18)
  /// No thin volume was ever made in it: its device has no layer.
  static let newThinPool = VolumeRoles(rawValue: 1 << 19)
  static let thin = VolumeRoles(rawValue: 1 << 20)
  static let vdoPool = VolumeRoles(rawValue: 1 << 21)
  static let cache = VolumeRoles(rawValue: 1 << 22)
  static let mirror = VolumeRoles(rawValue: 1 << 23)
  static let raid = VolumeRoles(rawValue: 1 << 24)

  static let raidParts: VolumeRoles = [.raidImage, .raidMetadata]
  /// Roles of which the thin targets would lose data where devices are missing.
  static let thinParts: VolumeRoles = [.thinPoolData, .thinPoolMetadata, .thinPool, .thin]

  /// The layer that holds the volume's own segments while its plain name serves something above
  /// them; nil when there is none (dm-activation, section 1).
  var layer: String? {
    if contains(.thinPool) { return "tpool" }
    if contains(.vdoPool) { return "vpool" }
    if !isDisjoint(with: [.snapshotOrigin, .externalOrigin, .writeCacheOrigin]) { return "real" }
    return nil
  }

  /// The suffix of the UUID of the device without a layer.
  var uuidSuffix: String? {
    if !isDisjoint(with: [.cacheOrigin, .writeCacheOrigin]) { return "real" }
    if contains(.cachePoolData) { return "cdata" }
    if contains(.cachePoolMetadata) { return "cmeta" }
    if contains(.cacheVolume) { return "cvol" }
    if contains(.thinPool) { return contains(.newThinPool) ? "tpool" : "pool" }
    if contains(.thinPoolData) { return "tdata" }
    if contains(.thinPoolMetadata) { return "tmeta" }
    if contains(.vdoPool) { return "pool" }
    if contains(.vdoPoolData) { return "vdata" }
    return nil
  }
}
