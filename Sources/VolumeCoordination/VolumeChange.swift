import ClusterTypes

/// The name of a change or a reload: the node that asked for it, in this life, and a counter.
///
/// The counter grows with every request of one node instance and is never used twice, so that a
/// late message can be told from a present one.
public struct VolumeRequestID: Hashable, Sendable, CustomStringConvertible {
  public let origin: NodeInstance
  public let number: UInt64

  public init(origin: NodeInstance, number: UInt64) {
    self.origin = origin
    self.number = number
  }

  public var description: String { "\(number) of node \(origin.node)" }
}

/// Why a change cannot be described; the text names what is wrong with it.
public struct InvalidVolumeChange: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
}

/// One change of a volume group that all nodes carry out together: a named operation with its steps.
public struct VolumeChange: Hashable, Sendable, CustomStringConvertible {
  public enum Kind: UInt8, Hashable, Sendable, CaseIterable {
    /// The new mapping begins with the old one.
    case grow = 1
    /// The old mapping begins with the new one.
    case shrink = 2
    /// The committed mapping is loaded once more; nothing is written to the disks.
    case refresh = 3
    /// The mapping changes in any other way.
    case convert = 4
    /// Volumes get new names, and so do their devices; the change names them as they will be called.
    case rename = 5
    /// Volumes become writable or read-only.
    case permission = 6
    /// Volumes leave the group; the change names them as they are called now.
    case remove = 7
    /// The group gets a new name, and so do the devices of all its volumes.
    case renameGroup = 8
    /// Volumes become active on every node that takes part, which may have them at the same time;
    /// nothing is written to the disks.
    case activate = 9
    /// Volumes become inactive on every node that takes part; nothing is written to the disks.
    case deactivate = 10
    /// Volumes become active on the one node that takes part, and may be active on no other; nothing is
    /// written to the disks.
    case activateExclusively = 11

    /// Whether metadata is written: precommitted, then committed.
    public var changesMetadata: Bool {
      switch self {
      case .grow, .shrink, .convert, .rename, .permission, .remove, .renameGroup: true
      case .refresh, .activate, .activateExclusively, .deactivate: false
      }
    }

    /// Whether all nodes must have left the old mapping before the metadata is committed.
    ///
    /// Where it is false the old mapping and the new one never contradict each other (class
    /// `regrow` of membership-design 16): each node changes over by itself after the commit, and no
    /// node's I/O ever waits for another node. Where it is true there is one more step, `suspend`:
    /// I/O is held from before the commit until after it, or, for activation and deactivation,
    /// devices are made or removed before it is certain that every node can do so.
    public var leavesOldMappingFirst: Bool {
      switch self {
      case .shrink, .convert, .remove, .activate, .activateExclusively, .deactivate: true
      case .grow, .refresh, .rename, .permission, .renameGroup: false
      }
    }
  }

  public let id: VolumeRequestID
  public let volumeGroup: String
  /// The volume group's UUID as text, with or without hyphens. It is the key by which nodes tell
  /// volume groups apart; names may change.
  public let volumeGroupID: String
  /// The logical volumes whose devices are reloaded, by name, at least one.
  public let logicalVolumes: [String]
  /// Sequence number of the metadata that is committed now.
  public let oldSeqno: UInt32
  /// Sequence number of the metadata that will be committed; equals `oldSeqno` for a refresh.
  public let newSeqno: UInt32
  public let kind: Kind

  /// LVM's limit for names of volume groups and logical volumes, in bytes.
  public static let nameLengthMaximum = 127
  public static let logicalVolumesMaximum = 1024
  /// 32 characters, or 38 with hyphens.
  public static let volumeGroupIDLengths = [32, 38]

  public init(
    id: VolumeRequestID, volumeGroup: String, volumeGroupID: String, logicalVolumes: [String],
    oldSeqno: UInt32, newSeqno: UInt32, kind: Kind
  ) throws(InvalidVolumeChange) {
    try Self.check(name: volumeGroup, of: "volume group")
    try Self.check(volumeGroupID: volumeGroupID)
    guard (1...Self.logicalVolumesMaximum).contains(logicalVolumes.count) else {
      throw InvalidVolumeChange(
        description: "A change names 1 to \(Self.logicalVolumesMaximum) logical volumes, not "
          + "\(logicalVolumes.count).")
    }
    for name in logicalVolumes { try Self.check(name: name, of: "logical volume") }
    guard kind.changesMetadata ? newSeqno > oldSeqno : newSeqno == oldSeqno else {
      throw InvalidVolumeChange(
        description: "Seqno \(oldSeqno) cannot become \(newSeqno) in a change that "
          + (kind.changesMetadata ? "writes metadata." : "writes none."))
    }
    self.id = id
    self.volumeGroup = volumeGroup
    self.volumeGroupID = volumeGroupID
    self.logicalVolumes = logicalVolumes
    self.oldSeqno = oldSeqno
    self.newSeqno = newSeqno
    self.kind = kind
  }

  static func check(name: String, of what: String) throws(InvalidVolumeChange) {
    guard (1...nameLengthMaximum).contains(name.utf8.count) else {
      throw InvalidVolumeChange(
        description: "The name of a \(what) has \(name.utf8.count) bytes, not 1 to "
          + "\(nameLengthMaximum).")
    }
  }

  static func check(volumeGroupID: String) throws(InvalidVolumeChange) {
    guard volumeGroupIDLengths.contains(volumeGroupID.utf8.count) else {
      throw InvalidVolumeChange(
        description: "A volume group's UUID has \(volumeGroupID.utf8.count) characters.")
    }
  }

  /// For reports: "change 7 of node 1 (grow vg0/home)".
  public var description: String { "change \(id) (\(title))" }

  /// What is done to which volumes: "grow vg0/home".
  public var title: String {
    let first = "\(volumeGroup)/\(logicalVolumes[0])"
    let rest = logicalVolumes.count > 1 ? " and \(logicalVolumes.count - 1) more" : ""
    return "\(kind) \(first)\(rest)"
  }
}
