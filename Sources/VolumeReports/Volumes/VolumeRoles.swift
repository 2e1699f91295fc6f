/// What a logical volume is by its own segments and for the volumes that are made of it.
///
/// Nothing of this is written in metadata: LVM derives it from references and from a few reserved
/// names when it reads (lvm2-metadata 6.3 and 8.2).
struct VolumeRoles: OptionSet {
  let rawValue: UInt64

  static let pvmove = VolumeRoles(rawValue: 1 << 0)
  static let converting = VolumeRoles(rawValue: 1 << 1)
  static let mirror = VolumeRoles(rawValue: 1 << 2)
  /// A mirror, or a RAID level that holds copies.
  static let mirrored = VolumeRoles(rawValue: 1 << 3)
  static let mirrorImage = VolumeRoles(rawValue: 1 << 4)
  static let mirrorLog = VolumeRoles(rawValue: 1 << 5)
  static let raid = VolumeRoles(rawValue: 1 << 6)
  static let raidImage = VolumeRoles(rawValue: 1 << 7)
  static let raidMetadata = VolumeRoles(rawValue: 1 << 8)
  static let thinVolume = VolumeRoles(rawValue: 1 << 9)
  static let thinPool = VolumeRoles(rawValue: 1 << 10)
  static let thinPoolData = VolumeRoles(rawValue: 1 << 11)
  static let thinPoolMetadata = VolumeRoles(rawValue: 1 << 12)
  static let cache = VolumeRoles(rawValue: 1 << 13)
  static let cachePool = VolumeRoles(rawValue: 1 << 14)
  static let cachePoolData = VolumeRoles(rawValue: 1 << 15)
  static let cachePoolMetadata = VolumeRoles(rawValue: 1 << 16)
  static let cacheVolume = VolumeRoles(rawValue: 1 << 17)
  static let writecache = VolumeRoles(rawValue: 1 << 18)
  static let integrity = VolumeRoles(rawValue: 1 << 19)
  static let integrityMetadata = VolumeRoles(rawValue: 1 << 20)
  static let vdo = VolumeRoles(rawValue: 1 << 21)
  static let vdoPool = VolumeRoles(rawValue: 1 << 22)
  static let vdoPoolData = VolumeRoles(rawValue: 1 << 23)
  static let virtual = VolumeRoles(rawValue: 1 << 24)
  static let metadataSpare = VolumeRoles(rawValue: 1 << 25)
  static let sanlock = VolumeRoles(rawValue: 1 << 26)
  /// The hidden `snapshotN` that ties a COW store to its origin.
  static let snapshotLink = VolumeRoles(rawValue: 1 << 27)
  static let origin = VolumeRoles(rawValue: 1 << 28)
  static let virtualOrigin = VolumeRoles(rawValue: 1 << 29)
  static let cow = VolumeRoles(rawValue: 1 << 30)
  /// A snapshot's contents are going back into this volume.
  static let mergingOrigin = VolumeRoles(rawValue: 1 << 31)
  /// This snapshot, thick or thin, is going back into its origin.
  static let merging = VolumeRoles(rawValue: 1 << 32)
  static let externalOrigin = VolumeRoles(rawValue: 1 << 33)
  static let cacheOrigin = VolumeRoles(rawValue: 1 << 34)
  static let writecacheOrigin = VolumeRoles(rawValue: 1 << 35)
  static let integrityOrigin = VolumeRoles(rawValue: 1 << 36)
  static let writecacheStore = VolumeRoles(rawValue: 1 << 37)
  static let pendingDelete = VolumeRoles(rawValue: 1 << 38)
  static let unknownSegments = VolumeRoles(rawValue: 1 << 39)
  /// Users see it.
  static let visible = VolumeRoles(rawValue: 1 << 40)
  static let historical = VolumeRoles(rawValue: 1 << 41)

  static let anyMirror: VolumeRoles = [.mirror, .mirrorImage, .mirrorLog]
  static let anyRAID: VolumeRoles = [.raid, .raidImage, .raidMetadata]
  static let anyThin: VolumeRoles = [.thinVolume, .thinPool, .thinPoolData, .thinPoolMetadata]
  static let anyCache: VolumeRoles = [
    .cache, .cachePool, .cacheVolume, .cachePoolData, .cachePoolMetadata,
  ]
  static let poolMetadata: VolumeRoles = [.thinPoolMetadata, .cachePoolMetadata]
  static let anyVDO: VolumeRoles = [.vdo, .vdoPool, .vdoPoolData]

  func containsAny(_ roles: VolumeRoles) -> Bool { !isDisjoint(with: roles) }
}
