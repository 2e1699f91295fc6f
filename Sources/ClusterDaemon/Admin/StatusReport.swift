import AdminProtocol
import ClusterTypes
import LockProtocol
import LockspaceGroups

/// What the daemon tells about itself and the cluster.
final class StatusReport {
  /// With the nodes that the cluster has now.
  var cluster: DaemonConfiguration.Cluster
  private unowned let node: ClusterNode
  private let locks: InHouseLockspaces
  private let volumes: VolumeService
  private let survey: LockSurvey
  private let deadlocks: DeadlockWatch
  var isHeard: (NodeID) -> Bool = { _ in false }
  var fenceDevices: () -> [FenceDeviceReport] = { [] }
  /// Where clvmd.conf is not what was decided.
  var configurationWarnings: () -> [String] = { [] }

  init(
    configuration: DaemonConfiguration, node: ClusterNode, locks: InHouseLockspaces,
    volumes: VolumeService, survey: LockSurvey, deadlocks: DeadlockWatch
  ) {
    cluster = configuration.cluster
    self.node = node
    self.locks = locks
    self.volumes = volumes
    self.survey = survey
    self.deadlocks = deadlocks
  }

  func summary() -> ClusterStatus {
    ClusterStatus(
      clusterName: cluster.name, node: node.local.node, viewID: node.view.id,
      isQuorate: node.isQuorate, leader: node.leader, nodes: nodes(), waitingFor: waits(),
      lockspaces: lockspaces(), volumeGroups: volumeGroups(), fenceDevices: fenceDevices(),
      operations: volumes.runningOperations, warnings: warnings())
  }

  /// By what an administrator calls a node: its name or its id.
  func nodeID(_ text: String) -> NodeID? {
    cluster.nodes.first { $0.name == text || "\($0.id)" == text }?.id
  }

  private func warnings() -> [String] {
    (cluster.id == nil && cluster.nodes.count > 1 ? [NodeNetwork.plaintextWarning] : [])
      + configurationWarnings()
  }

  func nodes() -> [NodeStatus] {
    let unfenced = node.groups.unfencedNodes
    return cluster.nodes.map { configured in
      let member = node.view.instance(of: configured.id)
      let removed = unfenced.first { $0.instance.node == configured.id }?.instance
      let state: NodeStatus.State =
        if member != nil {
          .member
        } else if removed != nil {
          .unfenced
        } else if isHeard(configured.id) {
          .joining
        } else {
          .absent
        }
      return NodeStatus(
        node: configured.id, name: configured.name, state: state,
        incarnation: (member ?? removed)?.incarnation, address: "\(configured.address)")
    }
  }

  func lockspaces() -> [LockspaceStatus] {
    node.groups.lockspaces.map { lockspace in
      LockspaceStatus(
        name: lockspace.name, kind: lockspace.kind == .kernel ? .kernel : .inHouse,
        id: LockspaceID(name: lockspace.name).rawValue, generation: lockspace.generation,
        state: state(of: lockspace), members: lockspace.members.map(\.node),
        waitingFor: node.groups.waits(for: lockspace))
    }
  }

  private func state(of lockspace: Lockspace) -> LockspaceStatus.State {
    let isHere = lockspace.members.contains(node.local.instance)
    switch lockspace.phase {
    case .stopping:
      return lockspace.leaving.contains(node.local.instance) ? .leaving : .stopped
    case .started(let running):
      let isComplete = lockspace.members.allSatisfy { running.contains($0.node) }
      let runsHere = running.contains(node.local.node) || !isHere
      return isComplete && runsHere ? .running : .recovering
    }
  }

  private func waits() -> [String] {
    var waits: [String] = []
    if !node.isQuorate {
      waits.append(
        "This node hears fewer than a majority of the \(cluster.nodes.count) "
          + "configured nodes: nothing is started or granted.")
    } else if cluster.localNode.isWitness {
      waits.append("This node is a witness: it votes, and runs nothing.")
    } else if !node.view.contains(node.local.instance) {
      waits.append("This node waits to become a member.")
    }
    return waits + node.waits + volumes.waits + deadlocks.sentences
  }

  private func volumeGroups() -> [VolumeGroupStatus] {
    locks.joined.compactMap { lockspace in
      guard lockspace.text.hasPrefix("lvm_"), lockspace.text != "lvm_global" else { return nil }
      let name = String(lockspace.text.dropFirst(4))
      return VolumeGroupStatus(
        name: name, uuid: volumes.volumeGroupIDs[name] ?? "", lockspace: lockspace)
    }
  }

  /// The locks of the whole cluster, and who told them.
  func locks(
    in lockspace: LockspaceName?, onlyWaiting: Bool,
    completion: @escaping ([LockStatus], LockSurvey.Result) -> Void
  ) {
    survey.ask(onlyWaiting: onlyWaiting) { result in
      let locks = result.locks
      let statuses = Dictionary(
        locks.map { ($0.key, LockStatus($0)) }, uniquingKeysWith: { first, _ in first })
      let blockers = result.blockers
      let wanted: [LockStatus] = locks.compactMap { lock in
        guard lockspace == nil || lockspace == lock.lockspace,
          !onlyWaiting || lock.queue != .granted, var status = statuses[lock.key]
        else { return nil }
        status.blockers = (blockers[lock.key] ?? []).compactMap { statuses[$0] }
        return status
      }
      completion(wanted, result)
    }
  }
}

extension LockStatus {
  fileprivate init(_ lock: LockReport.Lock) {
    let queue: Queue =
      switch lock.queue {
      case .granted: .granted
      case .converting: .converting
      case .waiting: .waiting
      }
    self.init(
      lockspace: lock.lockspace, resource: lock.resource.printable, queue: queue,
      grantedMode: lock.granted == .iv ? nil : LockModeName(lock.granted),
      requestedMode: queue == .granted ? nil : LockModeName(lock.requested),
      node: lock.identity.node, pid: Int32(bitPattern: lock.processID), owner: lock.owner ?? "",
      command: lock.command ?? "", ageMilliseconds: lock.age.wholeMilliseconds)
  }
}

extension LockProtocol.ResourceName {
  /// The name as text; bytes that are not printable ASCII as `\xNN`.
  fileprivate var printable: String {
    bytes.map { byte in
      (0x20...0x7E).contains(byte)
        ? String(UnicodeScalar(byte)) : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
  }
}
