import AdminProtocol
import ClusterTypes
import LVMMetadata
import VolumeActivation
import VolumeCoordination

/// Makes volumes of a started shared volume group active or inactive on one or more of its nodes, under
/// the exclusive lock of the group. Each node holds the locks of what is active on it, as after lvm's own
/// lvchange there (`ActivationLocks`).
///
/// Confined to the cluster's event loop.
final class ActivationService {
  private typealias Running = RunningVolumeCommand<VolumeActivationOutcome>

  private let ground: VolumeCommandGround

  init(_ ground: VolumeCommandGround) { self.ground = ground }

  /// Carries a request out. `progress` gets sentences for whoever waits. The closure that is
  /// returned gives the request up, as long as not every node has confirmed.
  ///
  /// - Parameter nodeID: finds a node by name or id.
  func run(
    _ request: VolumeActivationRequest, nodeID: @escaping (String) -> NodeID?, processID: Int32,
    progress: @escaping (String) -> Void,
    completion: @escaping (Result<VolumeActivationOutcome, AdminFailure>) -> Void
  ) -> () -> Void {
    let running = Running(
      owner: "clvm \(request.command)", processID: processID, progress: progress,
      completion: completion)
    ground.begin(running, on: request.volumeGroup) { [self] in
      let workers = ground.workers
      ground.work(running) {
        try workers.planActivation(request)
      } _: { [self] plan in
        guard let members = ground.members(running, of: request.volumeGroup) else { return }
        do throws(AdminFailure) {
          let nodes = try participants(request, members, nodeID)
          let kind = try request.kind(nodeCount: nodes.count)
          carryOut(plan, plan.volumes[...], kind, request, running, on: nodes)
        } catch {
          running.end(.failure(error))
        }
      }
    }
    return { running.giveUp() }
  }

  private func participants(
    _ request: VolumeActivationRequest, _ members: [NodeInstance], _ nodeID: (String) -> NodeID?
  ) throws(AdminFailure) -> [NodeInstance] {
    switch request.nodes {
    case .local: return [ground.node.local.instance]
    case .all: return members
    case .named(let names):
      var nodes: Set<NodeInstance> = []
      for name in names {
        guard let id = nodeID(name) else {
          throw AdminFailure(.notFound, "Node \(name) is none of this cluster.")
        }
        guard let instance = members.first(where: { $0.node == id }) else {
          throw AdminFailure(
            .notFound,
            "Volume group \"\(request.volumeGroup)\" is not started on node \(name). Start it there "
              + "with: vgchange --lockstart \(request.volumeGroup)")
        }
        nodes.insert(instance)
      }
      guard !nodes.isEmpty else { throw AdminFailure(.invalidRequest, "Please name a node.") }
      return nodes.sorted()
    }
  }

  /// One change, or as many as a group of very many volumes takes.
  private func carryOut(
    _ plan: ActivationPlan, _ rest: ArraySlice<String>, _ kind: VolumeChange.Kind,
    _ request: VolumeActivationRequest, _ running: Running, on nodes: [NodeInstance],
    warnings: [String] = []
  ) {
    guard !rest.isEmpty else {
      return running.end(
        .success(
          VolumeActivationOutcome(
            volumeGroup: plan.volumeGroup, action: request.action, logicalVolumes: plan.volumes,
            nodes: nodes.map(\.node).sorted(), warnings: warnings)))
    }
    let part = rest.prefix(VolumeChange.logicalVolumesMaximum)
    do {
      let change = try VolumeChange(
        id: ground.volumes.nextRequestID(), volumeGroup: plan.volumeGroup,
        volumeGroupID: plan.volumeGroupID, logicalVolumes: Array(part),
        oldSeqno: plan.seqno, newSeqno: plan.seqno, kind: kind)
      let done = plan.volumes.count - rest.count
      if done > 0 { running.progress("\(done) of \(plan.volumes.count) logical volumes are done.") }
      ground.carryOut(change, running, on: nodes) { [self] result in
        let failures = result.stranded.sorted { $0.key < $1.key }.map {
          "Node \($0.key.node): \($0.value)"
        }
        carryOut(
          plan, rest.dropFirst(part.count), kind, request, running, on: nodes,
          warnings: warnings + result.warnings + failures)
      }
    } catch {
      running.fail(.refused, "\(error)")
    }
  }
}

/// What a request is about: decided and not begun.
struct ActivationPlan: Sendable, Equatable {
  let volumeGroup: String
  let volumeGroupID: String
  let seqno: UInt32
  let volumes: [String]
}

extension VolumeWorkers {
  /// Reads the volume group, under its lock.
  func planActivation(_ request: VolumeActivationRequest) throws -> ActivationPlan {
    guard let group = try disks.group(named: request.volumeGroup) else {
      throw AdminFailure(.notFound, "Volume group \"\(request.volumeGroup)\" not found")
    }
    return ActivationPlan(
      volumeGroup: group.volumeGroup.name, volumeGroupID: group.volumeGroup.id.dashed,
      seqno: group.volumeGroup.seqno,
      volumes: try request.volumes(
        of: group.volumeGroup, seen: disks.planner(for: group).volumeNames))
  }
}

extension VolumeActivationRequest {
  /// The names of the volumes that are meant.
  ///
  /// - Parameter seen: those that users can activate.
  func volumes(of group: VolumeGroup, seen: [String]) throws(AdminFailure) -> [String] {
    if let missing = logicalVolumes.first(where: { !seen.contains($0) }) {
      throw AdminFailure(
        .notFound, "Failed to find logical volume \"\(group.name)/\(missing)\"")
    }
    let isActivation = action != .deactivate && action != .refresh
    guard !isAutomatic || !group.flags.contains(.noAutoactivation) else { return [] }
    let asked = Set(logicalVolumes)
    return seen.filter { name in
      guard asked.isEmpty || asked.contains(name) else { return false }
      guard isActivation, let flags = group.logicalVolume(named: name)?.flags else { return true }
      return (ignoresActivationSkip || !flags.contains(.activationSkip))
        && !(isAutomatic && flags.contains(.noAutoactivation))
    }
  }

  /// LVM's `-ay` is exclusive for shared groups; who names several nodes means all of them.
  func kind(nodeCount: Int) throws(AdminFailure) -> VolumeChange.Kind {
    switch action {
    case .activate: return nodeCount == 1 ? .activateExclusively : .activate
    case .activateShared: return .activate
    case .activateExclusively:
      guard nodeCount == 1 else {
        throw AdminFailure(.invalidRequest, "Volumes are active exclusively (-aey) on one node.")
      }
      return .activateExclusively
    case .deactivate: return .deactivate
    case .refresh: return .refresh
    }
  }
}
