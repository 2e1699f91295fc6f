import ClusterTypes
import ConfigText

/// Makes volumes of a started shared volume group active or inactive on some of the nodes on which it is
/// started: on all that are asked for, or on none.
public struct VolumeActivationRequest: Equatable, Sendable {
  public enum Action: String, Sendable {
    /// On one node exclusively, on several at once shared.
    case activate
    case activateShared = "activate_shared"
    /// On one node only.
    case activateExclusively = "activate_exclusively"
    case deactivate
    /// Active volumes get the tables of the metadata once more.
    case refresh
  }

  /// Which nodes are meant.
  public enum Nodes: Equatable, Sendable {
    /// The one whose daemon is asked.
    case local
    /// All on which the volume group is started.
    case all
    /// By node id or by name.
    case named([String])
  }

  /// "lvchange" or "vgchange".
  public var command: String
  public var action: Action
  public var volumeGroup: String
  /// Names; empty for all that users see.
  public var logicalVolumes: [String]
  public var nodes: Nodes
  /// Leaves out volumes that are not to be activated automatically.
  public var isAutomatic: Bool
  /// Also volumes that are marked to be skipped.
  public var ignoresActivationSkip: Bool

  public init(
    command: String, action: Action, volumeGroup: String, logicalVolumes: [String] = [],
    nodes: Nodes = .local, isAutomatic: Bool = false, ignoresActivationSkip: Bool = false
  ) {
    self.command = command
    self.action = action
    self.volumeGroup = volumeGroup
    self.logicalVolumes = logicalVolumes
    self.nodes = nodes
    self.isAutomatic = isAutomatic
    self.ignoresActivationSkip = ignoresActivationSkip
  }

  private enum NodesName: String {
    case local
    case all
    case named
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    let nodes: Nodes
    switch try fields.choice("on", of: NodesName.self) {
    case .local: nodes = .local
    case .all: nodes = .all
    case .named: nodes = .named(try fields.texts("nodes"))
    }
    let command = try fields.text("command")
    guard ["lvchange", "vgchange"].contains(command) else {
      throw AdminDecodingError(description: "\(command) activates nothing.")
    }
    self.init(
      command: command, action: try fields.choice("action"),
      volumeGroup: try fields.text("vg"), logicalVolumes: try fields.texts("lvs"), nodes: nodes,
      isAutomatic: try fields.flag("automatic"),
      ignoresActivationSkip: try fields.flag("ignore_skip"))
  }

  func add(to fields: inout ConfigSection) {
    fields.add("command", command)
    fields.add("action", action.rawValue)
    fields.add("vg", volumeGroup)
    fields.add("lvs", logicalVolumes)
    switch nodes {
    case .local: fields.add("on", NodesName.local.rawValue)
    case .all: fields.add("on", NodesName.all.rawValue)
    case .named(let names):
      fields.add("on", NodesName.named.rawValue)
      fields.add("nodes", names)
    }
    fields.add("automatic", isAutomatic)
    fields.add("ignore_skip", ignoresActivationSkip)
  }
}

/// What a `VolumeActivationRequest` has done.
public struct VolumeActivationOutcome: Equatable, Sendable, ConfigRepresentable {
  public var volumeGroup: String
  public var action: VolumeActivationRequest.Action
  /// Those that are as they were to be, on each of the nodes.
  public var logicalVolumes: [String]
  public var nodes: [NodeID]
  /// Sentences about what went less than perfectly.
  public var warnings: [String]

  public init(
    volumeGroup: String, action: VolumeActivationRequest.Action, logicalVolumes: [String],
    nodes: [NodeID], warnings: [String]
  ) {
    self.volumeGroup = volumeGroup
    self.action = action
    self.logicalVolumes = logicalVolumes
    self.nodes = nodes
    self.warnings = warnings
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      volumeGroup: try fields.text("vg"), action: try fields.choice("action"),
      logicalVolumes: try fields.texts("lvs"), nodes: try fields.nodeList("nodes"),
      warnings: try fields.texts("warnings"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("vg", volumeGroup)
    fields.add("action", action.rawValue)
    fields.add("lvs", logicalVolumes)
    fields.add("nodes", nodes)
    fields.add("warnings", warnings)
    return fields
  }
}
