/// The `op_result` of a reply: zero, a lock manager's number, or a negative Linux errno or one of
/// lvmlockd's own codes from 210 on (lvmlockd-socket 7).
public struct LockDaemonResult: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: Int

  public init(rawValue: Int) { self.rawValue = rawValue }

  public static let success = Self(rawValue: 0)
  /// Nothing was locked.
  public static let notFound = Self(rawValue: -2)
  public static let failed = Self(rawValue: -5)
  /// Held by another node.
  public static let heldElsewhere = Self(rawValue: -11)
  public static let busy = Self(rawValue: -16)
  /// The object exists, or this node holds the lock in an incompatible mode.
  public static let exists = Self(rawValue: -17)
  public static let invalid = Self(rawValue: -22)
  /// No lock manager was found by `running_lm`.
  public static let noLockManagerFound = Self(rawValue: -37)
  public static let unsupportedLockType = Self(rawValue: -93)
  /// This owner has the lock in this mode already: success for the global lock and for LV locks.
  public static let alreadyHeld = Self(rawValue: -114)
  public static let cancelled = Self(rawValue: -125)
  /// The lockspace is not started on this node.
  public static let noLockspace = Self(rawValue: -210)
  public static let starting = Self(rawValue: -211)
  /// The lock arguments of the VG do not fit this cluster.
  public static let wrongArguments = Self(rawValue: -212)
  public static let noLockManager = Self(rawValue: -214)
  /// `kill_vg` forbade new locks.
  public static let killed = Self(rawValue: -217)
  /// The VG was removed by another node.
  public static let removed = Self(rawValue: -219)

  /// No lock of an earlier life is there to be taken up.
  public static let nothingToAdopt = Self(rawValue: -223)
  /// One is there, in another mode.
  public static let otherModeToAdopt = Self(rawValue: -224)

  /// What `running_lm` answers: lvm then uses lock type `dlm`.
  public static let lockManagerIsDLM = Self(rawValue: 2)

  public var description: String { String(rawValue) }
}

/// The `result_flags` of a reply; lvm looks for the words as substrings.
public struct LockDaemonFlags: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// No lockspace at all is started on this node.
  public static let noLockspaces = Self(rawValue: 1)
  /// No lockspace for the global lock is started.
  public static let noGlobalLockspace = Self(rawValue: 2)
  /// The cluster, and with it the lock manager, is not running.
  public static let noLockManager = Self(rawValue: 4)
  /// A transient ex lock met a persistent sh lock of this node: an extend may go on.
  public static let sharedLockExists = Self(rawValue: 8)

  private static let names: [(Self, String)] = [
    (.noLockspaces, "NO_LOCKSPACES"), (.noGlobalLockspace, "NO_GL_LS"),
    (.noLockManager, "NO_LM"), (.sharedLockExists, "SH_EXISTS"),
  ]

  /// The words, each with a comma behind it, or `none`.
  public var text: String {
    isEmpty ? "none" : Self.names.filter { contains($0.0) }.map { $0.1 + "," }.joined()
  }
}
