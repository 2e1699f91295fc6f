import ClusterTypes
import ConfigText

/// What one node knows about the cluster.
public struct ClusterStatus: Equatable, Sendable, ConfigRepresentable {
  public var clusterName: String
  public var node: NodeID
  /// The view this node is in, a number that grows; 0 before the first.
  public var viewID: UInt64
  public var isQuorate: Bool
  /// Who leads the decisions of the cluster, as this node knows; nil without such a node.
  public var leader: NodeID?
  public var nodes: [NodeStatus]
  /// Plain sentences, each naming who or what is waited for; empty when nothing is.
  public var waitingFor: [String]
  public var lockspaces: [LockspaceStatus]
  public var volumeGroups: [VolumeGroupStatus]
  /// This node's; empty when none is configured.
  public var fenceDevices: [FenceDeviceReport]
  /// The volume changes of all nodes that are under way; empty with the external provider, which has
  /// no record of them.
  public var operations: [OperationStatus]
  /// What an administrator should change, as sentences; nothing waits for it.
  public var warnings: [String]

  public init(
    clusterName: String, node: NodeID, viewID: UInt64, isQuorate: Bool, leader: NodeID? = nil,
    nodes: [NodeStatus], waitingFor: [String], lockspaces: [LockspaceStatus],
    volumeGroups: [VolumeGroupStatus], fenceDevices: [FenceDeviceReport] = [],
    operations: [OperationStatus] = [], warnings: [String] = []
  ) {
    self.clusterName = clusterName
    self.node = node
    self.viewID = viewID
    self.isQuorate = isQuorate
    self.leader = leader
    self.nodes = nodes
    self.waitingFor = waitingFor
    self.lockspaces = lockspaces
    self.volumeGroups = volumeGroups
    self.fenceDevices = fenceDevices
    self.operations = operations
    self.warnings = warnings
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      clusterName: try fields.text("cluster"), node: try fields.node("node"),
      viewID: try fields.number("view"), isQuorate: try fields.flag("quorate"),
      leader: try fields.optionalNumber("leader", as: Int32.self).flatMap { NodeID($0) },
      nodes: try fields.elements("nodes"), waitingFor: try fields.texts("waiting_for"),
      lockspaces: try fields.elements("lockspaces"),
      volumeGroups: try fields.elements("volume_groups"),
      fenceDevices: try fields.elements("fence_devices"),
      operations: try fields.elements("operations"), warnings: try fields.texts("warnings"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("cluster", clusterName)
    fields.add("node", node)
    fields.add("view", viewID)
    fields.add("quorate", isQuorate)
    if let leader { fields.add("leader", leader) }
    fields.add("nodes", nodes)
    fields.add("waiting_for", waitingFor)
    fields.add("lockspaces", lockspaces)
    fields.add("volume_groups", volumeGroups)
    fields.add("fence_devices", fenceDevices)
    fields.add("operations", operations)
    fields.add("warnings", warnings)
    return fields
  }
}

/// One configured node as this node sees it.
public struct NodeStatus: Equatable, Sendable, ConfigRepresentable {
  public enum State: String, Sendable, CaseIterable {
    /// In the view.
    case member
    /// Reachable, and waiting to be admitted.
    case joining
    /// Not in the view, and known not to act.
    case absent
    /// Left the view without saying so; whatever it held is kept until it is fenced.
    case unfenced
  }

  public var node: NodeID
  public var name: String
  public var state: State
  /// Its present life; nil when it is not known.
  public var incarnation: Incarnation?
  /// Address and port as configured.
  public var address: String

  public init(
    node: NodeID, name: String, state: State, incarnation: Incarnation?, address: String
  ) {
    self.node = node
    self.name = name
    self.state = state
    self.incarnation = incarnation
    self.address = address
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      node: try fields.node("node"), name: try fields.text("name"),
      state: try fields.choice("state"),
      incarnation: try fields.optionalNumber("incarnation", as: UInt64.self).map(Incarnation.init),
      address: try fields.text("address"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("node", node)
    fields.add("name", name)
    fields.add("state", state.rawValue)
    if let incarnation { fields.add("incarnation", incarnation.rawValue) }
    fields.add("address", address)
    return fields
  }
}

/// One lockspace that this node has joined or is joining.
public struct LockspaceStatus: Equatable, Sendable, ConfigRepresentable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The kernel's lock manager owns the locks; the daemon controls who is in.
    case kernel
    /// The daemon's own lock manager.
    case inHouse = "in-house"
  }

  public enum State: String, Sendable, CaseIterable {
    case joining
    case running
    /// No lock is granted: a member has left, and is to be fenced or recovered.
    case stopped
    case recovering
    case leaving
  }

  public var name: LockspaceName
  public var kind: Kind
  /// The lockspace's number on the wire.
  public var id: UInt32
  /// Grows with each change of its members.
  public var generation: UInt64
  public var state: State
  public var members: [NodeID]
  /// Plain sentences; empty when nothing is waited for.
  public var waitingFor: [String]

  public init(
    name: LockspaceName, kind: Kind, id: UInt32, generation: UInt64, state: State,
    members: [NodeID], waitingFor: [String]
  ) {
    self.name = name
    self.kind = kind
    self.id = id
    self.generation = generation
    self.state = state
    self.members = members
    self.waitingFor = waitingFor
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      name: try fields.lockspace("name"), kind: try fields.choice("kind"),
      id: try fields.number("id"), generation: try fields.number("generation"),
      state: try fields.choice("state"), members: try fields.nodeList("members"),
      waitingFor: try fields.texts("waiting_for"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("name", name.text)
    fields.add("kind", kind.rawValue)
    fields.add("id", id)
    fields.add("generation", generation)
    fields.add("state", state.rawValue)
    fields.add("members", members)
    fields.add("waiting_for", waitingFor)
    return fields
  }
}

/// One volume group whose locks are started on this node.
public struct VolumeGroupStatus: Equatable, Sendable, ConfigRepresentable {
  public var name: String
  public var uuid: String
  public var lockspace: LockspaceName

  public init(name: String, uuid: String, lockspace: LockspaceName) {
    self.name = name
    self.uuid = uuid
    self.lockspace = lockspace
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      name: try fields.text("name"), uuid: try fields.text("uuid"),
      lockspace: try fields.lockspace("lockspace"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("name", name)
    fields.add("uuid", uuid)
    fields.add("lockspace", lockspace.text)
    return fields
  }
}
