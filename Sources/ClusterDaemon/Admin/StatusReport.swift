import AdminProtocol
import ClusterTypes
import LockProtocol
import LockspaceGroups

/// What the daemon tells about itself and the cluster.
final class StatusReport {
  private let configuration: DaemonConfiguration
  private unowned let node: ClusterNode
  private let locks: InHouseLockspaces
  private let volumes: VolumeService
  var isHeard: (NodeID) -> Bool = { _ in false }

  init(
    configuration: DaemonConfiguration, node: ClusterNode, locks: InHouseLockspaces,
    volumes: VolumeService
  ) {
    self.configuration = configuration
    self.node = node
    self.locks = locks
    self.volumes = volumes
  }

  func cluster() -> ClusterStatus {
    ClusterStatus(
      clusterName: configuration.cluster.name, node: node.local.node, viewID: node.view.id,
      isQuorate: node.isQuorate, nodes: nodes(), waitingFor: waits(), lockspaces: lockspaces(),
      volumeGroups: volumeGroups())
  }

  func nodes() -> [NodeStatus] {
    let unfenced = node.groups.unfencedNodes
    return configuration.cluster.nodes.map { configured in
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
        "This node hears fewer than a majority of the \(configuration.cluster.nodes.count) "
          + "configured nodes: nothing is started or granted.")
    } else if !node.view.contains(node.local.instance) {
      waits.append("This node waits to become a member.")
    }
    for unfenced in node.groups.unfencedNodes {
      let victim = unfenced.instance.node
      waits.append(
        "Node \(victim) was removed and may still write: no lockspace starts before it is known "
          + "to be dead. Make sure that it is off, then run: clvm node fenced \(victim)")
    }
    return waits + volumes.waits
  }

  private func volumeGroups() -> [VolumeGroupStatus] {
    locks.joined.compactMap { lockspace in
      guard lockspace.text.hasPrefix("lvm_"), lockspace.text != "lvm_global" else { return nil }
      let name = String(lockspace.text.dropFirst(4))
      return VolumeGroupStatus(
        name: name, uuid: volumes.volumeGroupIDs[name] ?? "", lockspace: lockspace)
    }
  }

  /// The locks that this node knows: its own, and those of resources that it masters.
  func locks(in lockspace: LockspaceName?, onlyWaiting: Bool) -> [LockStatus] {
    locks.descriptions().compactMap { name, lock, owner in
      guard lockspace == nil || lockspace == name else { return nil }
      let queue: LockStatus.Queue =
        switch lock.queue {
        case .granted: .granted
        case .converting: .converting
        case .waiting: .waiting
        }
      guard !onlyWaiting || queue != .granted else { return nil }
      return LockStatus(
        lockspace: name, resource: lock.resource.printable, queue: queue,
        grantedMode: lock.granted == .iv ? nil : LockModeName(lock.granted),
        requestedMode: lock.requested.map { LockModeName($0) }, node: lock.node,
        pid: Int32(bitPattern: lock.processID), owner: owner ?? "",
        ageMilliseconds: lock.age.wholeMilliseconds)
    }
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
