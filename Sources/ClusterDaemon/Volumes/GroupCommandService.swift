import AdminProtocol
import ClusterTypes
import VolumeCoordination
import VolumeJobs

/// LVM's command lines on shared volume groups, under the exclusive lock of the group.
///
/// New names, new permissions and removals are changes that all nodes carry out together. For
/// everything else the LVs concerned must be active nowhere: their exclusive locks are taken, and
/// then the new metadata is committed, which no node has to follow.
///
/// Confined to the cluster's event loop.
final class GroupCommandService {
  private typealias Running = RunningVolumeCommand<[String]>

  private let ground: VolumeCommandGround

  init(_ ground: VolumeCommandGround) { self.ground = ground }

  /// Carries a command out. `progress` gets what LVM prints on standard error. The closure that is
  /// returned gives the command up, if it is not committed yet.
  func run(
    _ request: VolumeCommandRequest, processID: Int32, progress: @escaping (String) -> Void,
    completion: @escaping (Result<[String], AdminFailure>) -> Void
  ) -> () -> Void {
    let running = Running(
      owner: "clvm \(request.command)", processID: processID, progress: progress,
      completion: completion)
    do throws(AdminFailure) {
      let group = try VolumeWorkers.groupName(of: request)
      ground.begin(running, on: group) { [self] in
        let workers = ground.workers
        ground.work(running) {
          try workers.planCommand(request)
        } _: { [self] plan in
          lockVolumes(plan, plan.inactive[...], running)
        }
      }
    } catch {
      running.end(.failure(error))
    }
    return { running.giveUp() }
  }

  /// One after the other, and without waiting: a volume that is active has its lock held.
  private func lockVolumes(
    _ plan: GroupCommandPlan, _ rest: ArraySlice<VolumeLock>, _ running: Running
  ) {
    guard let volume = rest.first else { return commit(plan, running) }
    ground.lock(volume.lock, running, wait: .no) { [self] error in
      switch error {
      case nil: lockVolumes(plan, rest.dropFirst(), running)
      case .heldByOthers?:
        running.fail(
          .refused,
          "Logical volume \(plan.volumeGroup)/\(volume.name) is active on a node. Deactivate it "
            + "first: lvchange -an \(plan.volumeGroup)/\(volume.name)")
      case let error?: running.fail(.failed, error.description)
      }
    }
  }

  private func commit(_ plan: GroupCommandPlan, _ running: Running) {
    guard let members = ground.members(running, of: plan.volumeGroup) else { return }
    for warning in plan.warnings { running.progress(warning) }
    guard !plan.isTest else { return running.end(.success(plan.output)) }
    if let shared = plan.shared { return carryOut(plan, shared, running, on: members) }
    let workers = ground.workers
    ground.work(running) {
      try workers.commit(plan)
    } _: {
      running.committedSeqno = plan.oldSeqno + 1
      running.end(.success(plan.output))
    }
  }

  private func carryOut(
    _ plan: GroupCommandPlan, _ shared: GroupCommandPlan.SharedChange, _ running: Running,
    on members: [NodeInstance]
  ) {
    do {
      let change = try VolumeChange(
        id: ground.volumes.nextRequestID(), volumeGroup: plan.volumeGroup,
        volumeGroupID: plan.volumeGroupID, logicalVolumes: shared.logicalVolumes,
        oldSeqno: plan.oldSeqno, newSeqno: plan.oldSeqno + 1, kind: shared.kind)
      ground.workers.plan(plan.text, for: change)
      ground.carryOut(change, running, on: members) { result in
        for warning in result.warnings { running.progress(warning) }
        running.end(.success(plan.output))
      }
    } catch {
      running.fail(.refused, "\(error)")
    }
  }
}
