import ClusterTypes

/// How far a member is in the recovery of a lockspace (dlm-wire 14.3). The `all…` bits are set
/// on the member with the lowest node id only.
public struct RecoveryStatus: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let nodes = Self(rawValue: 0x1)
  public static let allNodes = Self(rawValue: 0x2)
  public static let directory = Self(rawValue: 0x4)
  public static let allDirectory = Self(rawValue: 0x8)
  public static let locks = Self(rawValue: 0x10)
  public static let allLocks = Self(rawValue: 0x20)
  public static let done = Self(rawValue: 0x40)
  public static let allDone = Self(rawValue: 0x80)
}

/// What must be equal on all members of a lockspace (dlm-wire 14.3).
public struct LockspaceConfiguration: Hashable, Sendable {
  /// Bytes of a lock value block: a multiple of 8.
  public var lvbLength: UInt32
  /// `lsflags` on the wire: creation flags, 0 for all known users.
  public var flags: UInt32

  public init(lvbLength: UInt32, flags: UInt32 = 0) {
    self.lvbLength = lvbLength
    self.flags = flags
  }

  /// What a node answers that does not have the lockspace.
  public static let unknownLockspace = Self(lvbLength: 0xFFFF_FFFF)
}

/// The number that a member keeps as long as it is one; GFS2 takes it as journal id (dlm-wire 15.2).
public struct LockspaceSlot: Hashable, Sendable {
  public var node: NodeID
  /// 1 or more.
  public var slot: UInt16

  public init(node: NodeID, slot: UInt16) {
    self.node = node
    self.slot = slot
  }
}

/// The contents of a status reply beside its status bits (dlm-wire 14.3).
public struct StatusReply: Hashable, Sendable {
  public var configuration: LockspaceConfiguration
  /// 0 when the replier has none yet.
  public var ourSlot: UInt16
  /// Grows with every completed recovery; 0 before the first.
  public var generation: UInt32
  /// All members' slots; empty unless they were asked for and the replier knows them.
  public var slots: [LockspaceSlot]

  /// The most slots that fit into a message.
  public static let maximumSlotCount = (4072 - 48 - 32) / 16

  public init(
    configuration: LockspaceConfiguration, ourSlot: UInt16 = 0, generation: UInt32 = 0,
    slots: [LockspaceSlot] = []
  ) {
    self.configuration = configuration
    self.ourSlot = ourSlot
    self.generation = generation
    self.slots = slots
  }
}
