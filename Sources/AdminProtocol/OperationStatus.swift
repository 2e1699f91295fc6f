import ClusterTypes
import ConfigText

/// A change of a volume group that all its nodes carry out together, as the cluster's record tells it.
public struct OperationStatus: Equatable, Sendable, ConfigRepresentable {
  public enum Step: String, Sendable, CaseIterable {
    /// Every participant gets ready, and holds no I/O.
    case preparing
    /// Participants hold the I/O of the volumes, or make or remove their devices.
    case suspending
    /// The metadata is being written; a participant that holds I/O keeps it.
    case committing
    /// Participants change over.
    case committed
  }

  /// The node that was asked for the change; nil if it is configured no more.
  public var coordinator: NodeID?
  /// The coordinator's number of the change.
  public var number: UInt64
  /// What is done to which volumes: "grow vg0/home".
  public var title: String
  public var volumeGroup: String
  /// Of the metadata before; equal to `newSeqno` where none is written.
  public var oldSeqno: UInt32
  public var newSeqno: UInt32
  public var step: Step
  /// The coordinator is gone: the participants undo the change or finish it.
  public var isOrphan: Bool
  public var participants: [NodeID]

  public init(
    coordinator: NodeID?, number: UInt64, title: String, volumeGroup: String, oldSeqno: UInt32,
    newSeqno: UInt32, step: Step, isOrphan: Bool, participants: [NodeID]
  ) {
    self.coordinator = coordinator
    self.number = number
    self.title = title
    self.volumeGroup = volumeGroup
    self.oldSeqno = oldSeqno
    self.newSeqno = newSeqno
    self.step = step
    self.isOrphan = isOrphan
    self.participants = participants
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      coordinator: try fields.optionalNumber("coordinator", as: Int32.self).flatMap { NodeID($0) },
      number: try fields.number("number"), title: try fields.text("title"),
      volumeGroup: try fields.text("volume_group"), oldSeqno: try fields.number("old_seqno"),
      newSeqno: try fields.number("new_seqno"), step: try fields.choice("step"),
      isOrphan: try fields.flag("orphan"), participants: try fields.nodeList("participants"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    if let coordinator { fields.add("coordinator", coordinator) }
    fields.add("number", number)
    fields.add("title", title)
    fields.add("volume_group", volumeGroup)
    fields.add("old_seqno", oldSeqno)
    fields.add("new_seqno", newSeqno)
    fields.add("step", step.rawValue)
    fields.add("orphan", isOrphan)
    fields.add("participants", participants)
    return fields
  }
}
