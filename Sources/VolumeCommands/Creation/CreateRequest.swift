import LVMMetadata

/// What lvcreate is asked for.
public struct CreateRequest: Sendable {
  public enum Kind: Sendable, Equatable {
    /// Linear or striped.
    case striped
    /// Of type error or zero, which lie on nothing.
    case unmapped(String)
    case raid(String)
    case mirror(log: MirrorLog)
    /// A COW snapshot of an LV of the group.
    case snapshot(origin: String)
    case thinPool
    /// A thin volume in a pool of the group.
    case thin(pool: String)
    /// A snapshot of a thin volume in its pool.
    case thinSnapshot(origin: String)
    /// A thin volume over an LV outside of its pool.
    case thinOver(externalOrigin: String, pool: String)
    case cachePool
    /// A cache pool that an LV of the group is cached by at once.
    case cachePoolOver(volume: String)
    /// Linear or striped, and cached by an LV of the group.
    case cached(by: Cache)
  }

  public enum MirrorLog: String, Sendable {
    case core
    case disk
  }

  /// What a new volume is cached by.
  public enum Cache: Sendable, Equatable {
    case pool(String)
    /// An LV that holds data and metadata of the cache, or a write cache.
    case volume(String, blockBytes: Int?, isWritecache: Bool)
  }

  /// Of a thin pool.
  public struct Pool: Sendable {
    /// Nil is chosen by the size of the metadata.
    public var chunkSectors: UInt64?
    public var metadataSectors: UInt64?
    public var hasSpare = true
    /// "passdown", "nopassdown" or "ignore".
    public var discards = "passdown"
    public var zeroesNewBlocks = true
    public var failsWhenFull = false
  }

  public var kind = Kind.striped
  /// Nil is made up.
  public var name: String?
  public var size: SizeArgument?
  /// Of a thin volume.
  public var virtualSectors: UInt64?
  /// `-i`, data stripes; nil takes the type's usual number.
  public var stripeCount: Int?
  /// `-I`.
  public var stripeSectors: UInt64?
  /// `-m` plus one; nil takes the type's usual number.
  public var copyCount: Int?
  public var regionSectors: UInt64?
  /// Of a snapshot.
  public var chunkSectors: UInt64?
  public var allocation: AllocationChoice?
  /// Nil stands for all.
  public var physicalVolumes: [PhysicalVolumeArgument]?
  public var pool = Pool()
  public var cache = CacheOptions()
  /// Of a write cache, in order.
  public var writecacheSettings: [CacheOptions.Setting] = []
  public var isSynchronised = true
  public var isWritable = true
  public var activates = true
  /// `-a` as it was given, before `-k` counts.
  var activatesOnRequest = true
  /// `-k y` without `-K`.
  var isActivationSkipped = false
  /// `-Z`.
  public var zeroes = true
  /// `-W`; nil wipes what is zeroed.
  public var wipesSignatures: Bool?
  /// `-Zy` or `-Wy` was given.
  public var mustZero = false
  /// What LVM says about an option before it begins.
  var warning: String?
  /// Why LVM does not begin, with status 5: the command line alone tells it.
  var problem: String?
  public var skipsActivation: Bool?
  public var autoactivates = true
  public var readAheadSectors: Int32?
  public var minor: Int32?
  public var tags: [String] = []
  /// `--minrecoveryrate` and `--maxrecoveryrate` of a RAID volume, in KiB a second and device.
  public var recoveryRates: (minimum: Int?, maximum: Int?) = (nil, nil)

  /// The metadata profile to attach.
  var profile: String?

  public init() {}

  /// LVM zeroes through the active volume, and says so when it cannot do what was asked for.
  var zeroingObstacle: String? {
    var words = ""
    switch kind {
    case .thinPool, .thin, .thinSnapshot, .thinOver, .unmapped, .snapshot, .cachePool,
      .cachePoolOver:
      return nil
    case .striped, .raid, .mirror, .cached: break
    }
    if !isWritable { words += "read-only " }
    if !activatesOnRequest { words += "inactive " }
    if isActivationSkipped { words += "skipped from activation " }
    guard mustZero, !words.isEmpty else { return nil }
    return "Cannot zero \(words)logical volume with option -Zy or -Wy."
  }
}

extension CreateRequest.Kind {
  var isPool: Bool {
    switch self {
    case .thinPool, .cachePool, .cachePoolOver: true
    default: false
    }
  }
}
