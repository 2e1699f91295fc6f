/// The words of a `status` or `flags` list.
///
/// Words this module does not know are kept in their place, so that a rewrite loses nothing; known
/// ones that are added take the place LVM gives them.
public struct StatusWords<Flag: StatusFlag>: Sendable, Equatable, ExpressibleByArrayLiteral {
  public private(set) var words: [String]

  public init(words: [String]) { self.words = words }

  public init(arrayLiteral elements: Flag...) {
    words = []
    for flag in elements { insert(flag) }
  }

  public func contains(_ flag: Flag) -> Bool { words.contains(flag.rawValue) }

  public mutating func insert(_ flag: Flag) {
    guard !contains(flag) else { return }
    let order = Array(Flag.allCases)
    let rank = order.firstIndex(of: flag) ?? order.endIndex
    let index = words.firstIndex { word in
      guard let other = Flag(rawValue: word), let otherRank = order.firstIndex(of: other) else {
        return false
      }
      return otherRank > rank
    }
    words.insert(flag.rawValue, at: index ?? words.endIndex)
  }

  public mutating func remove(_ flag: Flag) { words.removeAll { $0 == flag.rawValue } }

  /// Words that are no `Flag`.
  public var unknownWords: [String] { words.filter { Flag(rawValue: $0) == nil } }
}

/// A word of a `status` or `flags` list; cases stand in the order in which LVM writes them.
public protocol StatusFlag: RawRepresentable<String>, CaseIterable, Hashable, Sendable {
  /// The words that may stand in `status`; any other there makes the text unreadable for LVM.
  static var allowedInStatus: Set<String> { get }
}

/// lvm2-metadata 6.1.
public enum VolumeGroupFlag: String, StatusFlag {
  case exported = "EXPORTED"
  case resizeable = "RESIZEABLE"
  /// Old versions only.
  case pvmove = "PVMOVE"
  case read = "READ"
  case write = "WRITE"
  /// Stands for `write` where old versions of LVM are to see a read-only group.
  case writeLocked = "WRITE_LOCKED"
  case clustered = "CLUSTERED"
  /// Old versions only; shared groups of today have a lock type.
  case shared = "SHARED"
  /// Old versions only, and meaningless.
  case partial = "PARTIAL"
  case noAutoactivation = "NOAUTOACTIVATE"

  public static let allowedInStatus: Set<String> = [
    "EXPORTED", "RESIZEABLE", "PVMOVE", "READ", "WRITE", "CLUSTERED", "SHARED", "PARTIAL",
  ]
}

/// lvm2-metadata 6.2.
public enum PhysicalVolumeFlag: String, StatusFlag {
  case allocatable = "ALLOCATABLE"
  case exported = "EXPORTED"
  /// The device was absent when the group was written; what it holds may be stale.
  case missing = "MISSING"

  public static let allowedInStatus: Set<String> = ["ALLOCATABLE", "EXPORTED", "MISSING"]
}

/// lvm2-metadata 6.3; the later ones are flags of segment types that may stand in `status`, too.
public enum LogicalVolumeFlag: String, StatusFlag {
  case read = "READ"
  case write = "WRITE"
  case writeLocked = "WRITE_LOCKED"
  case fixedMinor = "FIXED_MINOR"
  case visible = "VISIBLE"
  case pvmove = "PVMOVE"
  /// Being moved by pvmove.
  case locked = "LOCKED"
  case notSynced = "NOTSYNCED"
  case rebuild = "REBUILD"
  case writeMostly = "WRITEMOSTLY"
  case reshape = "RESHAPE"
  case reshapeDataOffset = "RESHAPE_DATA_OFFSET"
  case reshapeDeltaDisksPlus = "RESHAPE_DELTA_DISKS_PLUS"
  case reshapeDeltaDisksMinus = "RESHAPE_DELTA_DISKS_MINUS"
  case removeAfterReshape = "REMOVE_AFTER_RESHAPE"
  case activationSkip = "ACTIVATION_SKIP"
  case errorWhenFull = "ERROR_WHEN_FULL"
  case metadataFormat = "METADATA_FORMAT"
  case cropMetadata = "CROP_METADATA"
  case cacheVolume = "CACHE_VOL"
  case cacheUsesCacheVolume = "CACHE_USES_CACHEVOL"
  case noAutoactivation = "NOAUTOACTIVATE"

  public static let allowedInStatus: Set<String> = Set(allCases.map(\.rawValue)).subtracting([
    "WRITE_LOCKED", "ACTIVATION_SKIP", "ERROR_WHEN_FULL", "NOAUTOACTIVATE",
  ])
}
