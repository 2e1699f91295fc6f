import AdminProtocol
import ClusterTypes
import DistributedLockManager
import LVMFrontends
import LockManager
import LockProtocol
import NIOCore
import NIOPosix
import VolumeCoordination

/// The native resize: the cluster lock of the volume group, the new metadata, and the change on
/// every node (architecture, "How the main job runs").
///
/// Confined to the cluster's event loop.
final class ResizeService {
  typealias Completion = (Result<ResizeOutcome, AdminFailure>) -> Void

  /// The name of a volume group's lock in its lockspace, as lvmlockd calls it.
  private static let lockName = "VGLK"

  private unowned let node: ClusterNode
  private let locks: InHouseLockspaces
  private let volumes: VolumeService
  private let workers: VolumeWorkers
  private let loop: any EventLoop
  private let pool: NIOThreadPool

  init(
    node: ClusterNode, locks: InHouseLockspaces, volumes: VolumeService, workers: VolumeWorkers,
    loop: any EventLoop, pool: NIOThreadPool
  ) {
    self.node = node
    self.locks = locks
    self.volumes = volumes
    self.workers = workers
    self.loop = loop
    self.pool = pool
  }

  /// Carries a request out. `progress` gets sentences for whoever waits. The closure that is
  /// returned gives the request up, if it is not committed yet.
  func resize(
    _ request: ResizeRequest, processID: Int32, progress: @escaping (String) -> Void,
    completion: @escaping Completion
  ) -> () -> Void {
    let running = RunningResize(request: request, progress: progress, completion: completion)
    do {
      try begin(running, processID: processID)
    } catch {
      completion(.failure(error))
    }
    return { [self] in cancel(running) }
  }

  private func begin(_ running: RunningResize, processID: Int32) throws(AdminFailure) {
    let group = running.request.volumeGroup
    guard node.isOperational else {
      throw AdminFailure(
        .noQuorum, "This node has no quorum: volume group \(group) is not changed.")
    }
    guard let lockspace = LockspaceName("lvm_\(group)"), node.groups.isStartedHere(lockspace) else {
      throw AdminFailure(
        .notFound,
        "Volume group \"\(group)\" is not started on this node. Start it with: "
          + "vgchange --lockstart \(group)")
    }
    guard let resource = LockProtocol.ResourceName(Array(Self.lockName.utf8)) else {
      throw AdminFailure(.failed, "'\(Self.lockName)' is no name of a resource.")
    }
    running.lockspace = lockspace
    // A use of its own: whoever stops the volume group meanwhile does not take the lock away.
    locks.join(lockspace) { [self] failure in
      if let failure {
        return running.finish(.failure(AdminFailure(.failed, failure.description)))
      }
      running.leave = { [locks] in locks.leave(lockspace) {} }
      request(resource, in: lockspace, running, processID: processID)
    }
  }

  private func request(
    _ resource: LockProtocol.ResourceName, in lockspace: LockspaceName, _ running: RunningResize,
    processID: Int32
  ) {
    let handle = locks.newHandle()
    running.handle = handle
    let lock = OwnedLockRequest(
      lockspace: lockspace, resource: resource, mode: .ex, flags: .valueBlock,
      processID: UInt32(bitPattern: processID), owner: "clvm \(running.request.command.rawValue)")
    do throws(ClusterLockError) {
      try locks.lock(
        lock, handle: handle,
        listener: LockEvents(
          completed: { [self] outcome in locked(running, outcome) },
          released: { running.leave() },
          refused: { running.end(.failure(AdminFailure(.failed, "\($0)"))) }))
    } catch {
      running.end(.failure(AdminFailure(.refused, error.description)))
    }
  }

  private func locked(_ running: RunningResize, _ outcome: LockOutcome) {
    guard outcome.result == .granted else {
      return running.end(
        .failure(
          AdminFailure(
            .timedOut, "The lock of volume group \(running.request.volumeGroup) was not granted.")))
    }
    running.isValueBlockValid = !outcome.flags.contains(.valueNotValid)
    guard !running.isCancelled else { return end(running, .failure(Self.cancelled)) }
    let planned = pool.runIfActive(eventLoop: loop) { [workers, request = running.request] in
      try workers.planResize(request)
    }
    planned.assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success(let plan): carryOut(plan, running)
      case .failure(let error as AdminFailure): end(running, .failure(error))
      case .failure(let error): end(running, .failure(AdminFailure(.failed, "\(error)")))
      }
    }
  }

  private func carryOut(_ plan: ResizePlan, _ running: RunningResize) {
    guard !running.isCancelled else { return end(running, .failure(Self.cancelled)) }
    // Planning took a while. Whoever was removed meanwhile may have the volume active and must be
    // known to be dead before anything changes.
    guard let lockspace = running.lockspace, node.isOperational,
      node.groups.isStartedHere(lockspace),
      let members = node.groups.lockspace(lockspace)?.members
    else {
      return end(
        running,
        .failure(
          AdminFailure(
            .refused, "Volume group \(plan.volumeGroup) is recovering on some node; try again.")))
    }
    for note in plan.notes { running.progress(note) }
    guard !running.request.isTest else { return end(running, .success(plan.outcome(nil))) }
    do {
      let change = try VolumeChange(
        id: volumes.nextRequestID(), volumeGroup: plan.volumeGroup,
        volumeGroupID: plan.volumeGroupID, logicalVolumes: [plan.logicalVolume],
        oldSeqno: plan.oldSeqno, newSeqno: plan.oldSeqno + 1, kind: plan.kind)
      workers.plan(plan.text, for: change)
      running.change = change.id
      volumes.carryOut(change, participants: Set(members), report: running.progress) {
        [self] result in ended(plan, result, running)
      }
    } catch {
      end(running, .failure(AdminFailure(.refused, "\(error)")))
    }
  }

  private func ended(_ plan: ResizePlan, _ result: ChangeResult, _ running: RunningResize) {
    switch result.outcome {
    case .committed:
      running.committedSeqno = plan.oldSeqno + 1
      end(running, .success(plan.outcome(result)))
    case .aborted(let failure): end(running, .failure(AdminFailure(.refused, "\(failure)")))
    }
  }

  /// Releases the lock, whose value block tells the new seqno, and answers.
  private func end(_ running: RunningResize, _ result: Result<ResizeOutcome, AdminFailure>) {
    if let handle = running.handle {
      let block = running.committedSeqno.map { VersionBlock(version: $0).bytes }
      // Giving an invalid block back unchanged would make it valid.
      let unchanged: LockFlags = running.isValueBlockValid ? [] : .invalidateValueBlock
      locks.unlock(handle, flags: block == nil ? unchanged : .valueBlock, valueBlock: block)
    }
    running.finish(result)
  }

  private static let cancelled = AdminFailure(.refused, "The request was given up.")

  private func cancel(_ running: RunningResize) {
    running.isCancelled = true
    if let change = running.change {
      volumes.cancel(change, reason: "the client went away")
    } else if let handle = running.handle {
      locks.cancel(handle)
    }
  }
}

/// A resize under way.
private final class RunningResize {
  let request: ResizeRequest
  let progress: (String) -> Void
  private let completion: ResizeService.Completion
  private var isFinished = false
  var lockspace: LockspaceName?
  /// Gives the use of the lockspace up.
  var leave: () -> Void = {}
  var handle: LockHandle?
  var change: VolumeRequestID?
  var committedSeqno: UInt32?
  var isValueBlockValid = true
  var isCancelled = false

  init(
    request: ResizeRequest, progress: @escaping (String) -> Void,
    completion: @escaping ResizeService.Completion
  ) {
    self.request = request
    self.progress = progress
    self.completion = completion
  }

  /// Ends without a lock.
  func end(_ result: Result<ResizeOutcome, AdminFailure>) {
    leave()
    finish(result)
  }

  func finish(_ result: Result<ResizeOutcome, AdminFailure>) {
    guard !isFinished else { return }
    isFinished = true
    completion(result)
  }
}
