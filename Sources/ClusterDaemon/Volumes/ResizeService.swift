import AdminProtocol
import VolumeCoordination

/// The native resize: the cluster lock of the volume group, the new metadata, and the change on
/// every node (architecture, "How the main job runs").
///
/// Confined to the cluster's event loop.
final class ResizeService {
  private typealias Running = RunningVolumeCommand<ResizeOutcome>

  private let ground: VolumeCommandGround

  init(_ ground: VolumeCommandGround) { self.ground = ground }

  /// Carries a request out. `progress` gets sentences for whoever waits. The closure that is
  /// returned gives the request up, if it is not committed yet.
  func resize(
    _ request: ResizeRequest, processID: Int32, progress: @escaping (String) -> Void,
    completion: @escaping (Result<ResizeOutcome, AdminFailure>) -> Void
  ) -> () -> Void {
    let running = Running(
      owner: "clvm \(request.command.rawValue)", processID: processID, progress: progress,
      completion: completion)
    ground.begin(running, on: request.volumeGroup) { [self] in
      let workers = ground.workers
      ground.work(running) {
        try workers.planResize(request)
      } _: { [self] plan in
        carryOut(plan, request, running)
      }
    }
    return { running.giveUp() }
  }

  private func carryOut(_ plan: ResizePlan, _ request: ResizeRequest, _ running: Running) {
    guard let members = ground.members(running, of: plan.volumeGroup) else { return }
    for note in plan.notes { running.progress(note) }
    guard !request.isTest else { return running.end(.success(plan.outcome(nil))) }
    do {
      let change = try VolumeChange(
        id: ground.volumes.nextRequestID(), volumeGroup: plan.volumeGroup,
        volumeGroupID: plan.volumeGroupID, logicalVolumes: [plan.logicalVolume],
        oldSeqno: plan.oldSeqno, newSeqno: plan.oldSeqno + 1, kind: plan.kind)
      ground.workers.plan(plan.text, for: change)
      ground.carryOut(change, running, on: members) { result in
        running.end(.success(plan.outcome(result)))
      }
    } catch {
      running.fail(.refused, "\(error)")
    }
  }
}
