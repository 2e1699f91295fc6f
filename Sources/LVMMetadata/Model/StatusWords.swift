/// The words of a `status` or `flags` list.
///
/// Words this module does not know are kept in their place, so that a rewrite loses nothing; known
/// ones that are added take the place LVM gives them.
public struct StatusWords<Flag: StatusFlag>: Sendable, Equatable, ExpressibleByArrayLiteral {
  /// A bit for each flag that is set, by its place.
  private var mask: UInt32
  /// The words when they are not just the flags of `mask` in LVM's order.
  private var unusual: [String]?

  public init(words: [String]) {
    mask = 0
    for word in words {
      if let flag = Flag(word: word) { mask |= Self.bit(flag) }
    }
    unusual = nil
    if self.words != words { unusual = words }
  }

  public init(arrayLiteral elements: Flag...) {
    mask = elements.reduce(0) { $0 | Self.bit($1) }
  }

  private static func bit(_ flag: Flag) -> UInt32 { 1 << UInt32(flag.rawValue) }

  /// In the order in which they are written.
  public var words: [String] {
    if let unusual { return unusual }
    return Flag.allCases.compactMap { contains($0) ? $0.word : nil }
  }

  public func contains(_ flag: Flag) -> Bool { mask & Self.bit(flag) != 0 }

  public mutating func insert(_ flag: Flag) {
    guard !contains(flag) else { return }
    guard var words = unusual else {
      mask |= Self.bit(flag)
      return
    }
    let index = words.firstIndex { word in
      Flag(word: word).map { $0.rawValue > flag.rawValue } ?? false
    }
    words.insert(flag.word, at: index ?? words.endIndex)
    self = StatusWords(words: words)
  }

  public mutating func remove(_ flag: Flag) {
    if let unusual {
      self = StatusWords(words: unusual.filter { $0 != flag.word })
    } else {
      mask &= ~Self.bit(flag)
    }
  }

  /// The first word that may not stand in `status`.
  var wordForbiddenInStatus: String? {
    unknownWords.first ?? Flag.forbiddenInStatus.first { contains($0) }?.word
  }

  /// Words that are no `Flag`.
  public var unknownWords: [String] {
    guard let unusual else { return [] }
    return unusual.filter { Flag(word: $0) == nil }
  }
}

/// A word of a `status` or `flags` list; cases stand in the order in which LVM writes them, at most
/// 32 of them.
public protocol StatusFlag: RawRepresentable<UInt8>, CaseIterable, Hashable, Sendable {
  /// The words, by place.
  static var words: [String] { get }
  /// The flags that may not stand in `status`: like an unknown word they make the text unreadable
  /// for LVM there.
  static var forbiddenInStatus: [Self] { get }
}

extension StatusFlag {
  public var word: String { Self.words[Int(rawValue)] }

  /// Nil for a word that LVM does not have.
  public init?(word: String) {
    guard let place = Self.words.firstIndex(of: word) else { return nil }
    self.init(rawValue: UInt8(place))
  }
}

/// lvm2-metadata 6.1.
public enum VolumeGroupFlag: UInt8, StatusFlag {
  case exported
  case resizeable
  /// Old versions only.
  case pvmove
  case read
  case write
  /// Stands for `write` where old versions of LVM are to see a read-only group.
  case writeLocked
  case clustered
  /// Old versions only; shared groups of today have a lock type.
  case shared
  /// Old versions only, and meaningless.
  case partial
  case noAutoactivation

  public static let words = [
    "EXPORTED", "RESIZEABLE", "PVMOVE", "READ", "WRITE", "WRITE_LOCKED", "CLUSTERED", "SHARED",
    "PARTIAL", "NOAUTOACTIVATE",
  ]

  public static let forbiddenInStatus: [Self] = [.writeLocked, .noAutoactivation]
}

/// lvm2-metadata 6.2.
public enum PhysicalVolumeFlag: UInt8, StatusFlag {
  case allocatable
  case exported
  /// The device was absent when the group was written; what it holds may be stale.
  case missing

  public static let words = ["ALLOCATABLE", "EXPORTED", "MISSING"]

  public static let forbiddenInStatus: [Self] = []
}

/// lvm2-metadata 6.3; the later ones are flags of segment types that may stand in `status`, too.
public enum LogicalVolumeFlag: UInt8, StatusFlag {
  case read
  case write
  case writeLocked
  case fixedMinor
  case visible
  case pvmove
  /// Being moved by pvmove.
  case locked
  case notSynced
  case rebuild
  case writeMostly
  case reshape
  case reshapeDataOffset
  case reshapeDeltaDisksPlus
  case reshapeDeltaDisksMinus
  case removeAfterReshape
  case activationSkip
  case errorWhenFull
  case metadataFormat
  case cropMetadata
  case cacheVolume
  case cacheUsesCacheVolume
  case noAutoactivation

  public static let words = [
    "READ", "WRITE", "WRITE_LOCKED", "FIXED_MINOR", "VISIBLE", "PVMOVE", "LOCKED", "NOTSYNCED",
    "REBUILD", "WRITEMOSTLY", "RESHAPE", "RESHAPE_DATA_OFFSET", "RESHAPE_DELTA_DISKS_PLUS",
    "RESHAPE_DELTA_DISKS_MINUS", "REMOVE_AFTER_RESHAPE", "ACTIVATION_SKIP", "ERROR_WHEN_FULL",
    "METADATA_FORMAT", "CROP_METADATA", "CACHE_VOL", "CACHE_USES_CACHEVOL", "NOAUTOACTIVATE",
  ]

  public static let forbiddenInStatus: [Self] = [
    .writeLocked, .activationSkip, .errorWhenFull, .noAutoactivation,
  ]
}
