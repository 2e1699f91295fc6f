/// A mode in which lvm holds a lock. Only sh and sh are compatible.
public enum LockMode: String, Hashable, Comparable, Sendable {
  case shared = "sh"
  case exclusive = "ex"

  public static func < (left: Self, right: Self) -> Bool {
    left == .shared && right == .exclusive
  }
}

/// The mode of the one lock that this node has on a resource in the cluster's lock manager.
public enum ClusterLockMode: Int, Hashable, Comparable, Sendable {
  /// Keeps the resource and its value block alive, excludes nobody (NL).
  case null
  /// Protected read (PR).
  case shared
  /// Exclusive (EX).
  case exclusive

  public init(_ mode: LockMode?) {
    switch mode {
    case nil: self = .null
    case .shared: self = .shared
    case .exclusive: self = .exclusive
    }
  }

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// What is locked, within a lockspace (lvmlockd-socket 8).
public enum ResourceName: Hashable, Comparable, Sendable {
  /// The global lock, in the lockspace `lvm_global`.
  case global
  case volumeGroup
  /// Named by the LV's uuid, which a rename does not touch.
  case logicalVolume(uuid: String)

  /// The name as the lock manager sees it.
  public var bytes: [UInt8] { Array(text.utf8) }

  public var text: String {
    switch self {
    case .global: "GLLK"
    case .volumeGroup: "VGLK"
    case .logicalVolume(let uuid): uuid
    }
  }

  public var usesValueBlock: Bool {
    switch self {
    case .global, .volumeGroup: true
    case .logicalVolume: false
    }
  }

  /// The two fixed names first, then LVs by uuid.
  public static func < (left: Self, right: Self) -> Bool {
    (left.rank, left.text) < (right.rank, right.text)
  }

  private var rank: Int {
    switch self {
    case .volumeGroup: 0
    case .global: 1
    case .logicalVolume: 2
    }
  }
}
