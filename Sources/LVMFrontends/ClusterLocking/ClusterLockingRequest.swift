/// What a command of LVM 2.02 asks of clvmd (clvmd-socket spec, sections 3, 5, 6 and 7).
///
/// "Cluster locking" is LVM's own name for it: `global/locking_type = 3`.
public struct ClusterLockingRequest: Equatable, Sendable {
  /// On which nodes a command is carried out.
  public enum Destination: Equatable, Sendable {
    case allNodes
    /// All but the one that was asked.
    case otherNodes
    case thisNode
    case node(named: String)
  }

  public enum Command: Equatable, Sendable {
    case test(String)
    case refresh
    case clusterName
    case setDebugLevel(UInt8)
    case backUp(volumeGroup: String)
    case restart
    /// Wait until the device nodes of earlier operations are there.
    case syncNames
    case volume(VolumeOperation)
    case lock(GroupLockOperation)
    case cache(CacheAction)
    case query(resource: String)
  }

  public var destination: Destination
  public var command: Command

  public init(_ command: Command, on destination: Destination) {
    self.destination = destination
    self.command = command
  }
}

/// Modifiers of a request, valid for this request only.
public struct ClusterLockingOptions: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Volumes with missing PVs may be activated.
  public static let partial = Self(rawValue: 0x01)
  /// Mirrors are loaded as in sync already.
  public static let mirrorInSync = Self(rawValue: 0x02)
  public static let monitor = Self(rawValue: 0x04)
  /// An activation may change the mode of a lock that is held.
  public static let convert = Self(rawValue: 0x08)
  /// Change nothing, take no lock of a volume, report success.
  public static let test = Self(rawValue: 0x10)
  /// Suspend or resume an origin or a thin pool without what depends on it.
  public static let originOnly = Self(rawValue: 0x20)
  public static let ignoreMonitoring = Self(rawValue: 0x40)
  /// Throw the preloaded tables away and resume on the old ones.
  public static let revert = Self(rawValue: 0x80)
}

extension ClusterLockingRequest {
  /// What is done with a logical volume on every node that is addressed.
  public struct VolumeOperation: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
      case deactivate = 0
      case activateShared = 1
      case suspend = 4
      case activateExclusive = 5
      case resume = 6
    }

    public var kind: Kind
    /// UUIDs of the VG and the LV without hyphens: 64 characters.
    public var volume: String
    /// Whether the VG has the clustered attribute. Without it no lock is taken or looked at.
    public var isClustered: Bool
    public var options: ClusterLockingOptions

    public init(
      _ kind: Kind, _ volume: String, isClustered: Bool = true, options: ClusterLockingOptions = []
    ) {
      self.kind = kind
      self.volume = volume
      self.isClustered = isClustered
      self.options = options
    }
  }

  /// Takes or releases a lock of the connection; `resource` is `V_<vg>`, `P_#orphans` or `P_#global`.
  public struct GroupLockOperation: Equatable, Sendable {
    /// Nil releases the lock.
    public var mode: ClusterLockingMode?
    public var resource: String
    /// Refused at once instead of waiting.
    public var isQueued: Bool

    public init(_ mode: ClusterLockingMode?, _ resource: String, isQueued: Bool = true) {
      self.mode = mode
      self.resource = resource
      self.isQueued = isQueued
    }
  }

  /// What became of the metadata that a node may have kept of a VG.
  public struct CacheAction: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
      case drop
      /// The precommitted metadata is the metadata now.
      case commit
      /// The precommitted metadata counts for nothing.
      case revert
    }

    public var kind: Kind
    public var volumeGroup: String

    public init(_ kind: Kind, _ volumeGroup: String) {
      self.kind = kind
      self.volumeGroup = volumeGroup
    }
  }
}

/// A mode of the DLM in which clvmd holds a lock (clvmd-socket spec, sections 9 and 10).
public enum ClusterLockingMode: UInt8, Comparable, Sendable {
  case concurrentRead = 1
  case protectedRead = 3
  case protectedWrite = 4
  case exclusive = 5

  /// As LVM reads it in the answer to a query.
  public var text: String {
    switch self {
    case .concurrentRead: "CR"
    case .protectedRead: "PR"
    case .protectedWrite: "PW"
    case .exclusive: "EX"
    }
  }

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
