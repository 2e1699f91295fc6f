import ClusterTypes

/// A running change of a volume group, as far as it must survive its coordinator (membership design,
/// section 16). What the disk's metadata says is the only truth about mappings; the record says what
/// the disk cannot: how far a change has come that is not on the disk.
///
/// The coordinator holds the volume group's lock in EX from before `begin` is asked for until after
/// it is decided, so that the order in which operations of one group begin is that of the lock.
public struct VolumeOperation: Hashable, Sendable {
  public enum Step: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    /// Every participant gets ready; nothing is suspended.
    case prepare = 1
    /// Participants suspend devices, or make or remove them. Nothing is decided.
    case suspend
    /// The metadata may be on the disk from now on: only the disk can tell.
    case committing
    /// There is no way back.
    case committed

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }

  /// The request that began it: unique for ever.
  public struct ID: Hashable, Sendable {
    public var slot: NodeSlot
    public var incarnation: Incarnation
    public var life: UInt32
    public var sequence: UInt64

    public init(slot: NodeSlot, incarnation: Incarnation, life: UInt32, sequence: UInt64) {
      self.slot = slot
      self.incarnation = incarnation
      self.life = life
      self.sequence = sequence
    }
  }

  /// In bytes.
  public static let maximumTitle = 128
  public static let maximumName = 127
  /// LVM's id with its dashes.
  public static let uuidLength = 38

  /// The coordinator's life, and its request; set by the leader.
  public var id: ID
  /// The coordinator's own number of the change.
  public var number: UInt64
  /// LVM's UUID as text.
  public var volumeGroup: String
  public var groupName: String
  /// For people: what is done to which volumes.
  public var title: String
  public var oldSequence: UInt32
  public var newSequence: UInt32
  public var step: Step
  /// Those of them that are members.
  public var participants: NodeSet

  /// An operation that is asked for; the leader gives it its id.
  ///
  /// - Parameter title: cut at `maximumTitle` bytes.
  public init(
    number: UInt64, volumeGroup: String, groupName: String, title: String, oldSequence: UInt32,
    newSequence: UInt32, coordinator: NodeSlot, participants: NodeSet
  ) {
    id = ID(slot: coordinator, incarnation: Incarnation(0), life: 0, sequence: 0)
    self.number = number
    self.volumeGroup = volumeGroup
    self.groupName = groupName
    var cut = title
    while cut.utf8.count > Self.maximumTitle { cut.removeLast() }
    self.title = cut
    self.oldSequence = oldSequence
    self.newSequence = newSequence
    step = .prepare
    self.participants = participants
  }

  init(
    id: ID, number: UInt64, volumeGroup: String, groupName: String, title: String,
    oldSequence: UInt32, newSequence: UInt32, step: Step, participants: NodeSet
  ) {
    self.init(
      number: number, volumeGroup: volumeGroup, groupName: groupName, title: title,
      oldSequence: oldSequence, newSequence: newSequence, coordinator: id.slot,
      participants: participants)
    self.id = id
    self.step = step
  }
}
