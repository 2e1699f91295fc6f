import AdminProtocol
import ClusterTypes
import DistributedLockManager
import LVMFrontends
import LockProtocol
import NIOCore
import NIOPosix

/// LVM's command lines on shared volume groups: the exclusive lock of the group, the exclusive
/// locks of the LVs concerned, so that they are active nowhere, and then the new metadata.
///
/// Confined to the cluster's event loop.
final class GroupCommandService {
  typealias Completion = (Result<[String], AdminFailure>) -> Void

  /// As lvmlockd calls the lock of a volume group.
  private static let groupLock = "VGLK"

  private unowned let node: ClusterNode
  private let locks: InHouseLockspaces
  private let workers: VolumeWorkers
  private let loop: any EventLoop
  private let pool: NIOThreadPool

  init(
    node: ClusterNode, locks: InHouseLockspaces, workers: VolumeWorkers, loop: any EventLoop,
    pool: NIOThreadPool
  ) {
    self.node = node
    self.locks = locks
    self.workers = workers
    self.loop = loop
    self.pool = pool
  }

  /// Carries a command out. `progress` gets what LVM prints on standard error. The closure that is
  /// returned gives the command up, if it is not committed yet.
  func run(
    _ request: VolumeCommandRequest, processID: Int32, progress: @escaping (String) -> Void,
    completion: @escaping Completion
  ) -> () -> Void {
    let running = RunningCommand(
      request: request, processID: processID, progress: progress, completion: completion)
    do {
      try begin(running)
    } catch {
      completion(.failure(error))
    }
    return { running.giveUp() }
  }

  private func begin(_ running: RunningCommand) throws(AdminFailure) {
    let group = try VolumeWorkers.groupName(of: running.request)
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
    running.lockspace = lockspace
    // A use of its own: whoever stops the volume group meanwhile does not take the locks away.
    locks.join(lockspace) { [self] failure in
      if let failure { return running.end(.failure(AdminFailure(.failed, failure.description))) }
      running.leave = { [locks] in locks.leave(lockspace) {} }
      lock(Self.groupLock, running, wait: .forever) { [self] error in
        if let error { return running.end(.failure(AdminFailure(.failed, error.description))) }
        plan(running)
      }
    }
  }

  private func lock(
    _ name: String, _ running: RunningCommand, wait: LockWait,
    completion: @escaping (ClusterLockError?) -> Void
  ) {
    guard !running.isGivenUp, let lockspace = running.lockspace,
      let resource = LockProtocol.ResourceName(name)
    else { return completion(.cancelled) }
    let holder = LockHolder(
      resource, in: lockspace, locks: locks, loop: loop, owner: "clvm \(running.request.command)",
      processID: UInt32(bitPattern: running.processID))
    running.holders.append(holder)
    holder.request(.ex, wait: wait, completion: completion)
  }

  private func plan(_ running: RunningCommand) {
    let planned = pool.runIfActive(eventLoop: loop) { [workers, request = running.request] in
      try workers.planCommand(request)
    }
    planned.assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success(let plan): lockVolumes(plan, plan.inactive[...], running)
      case .failure(let error as AdminFailure): running.end(.failure(error))
      case .failure(let error): running.end(.failure(AdminFailure(.failed, "\(error)")))
      }
    }
  }

  /// One after the other, and without waiting: a volume that is active has its lock held.
  private func lockVolumes(
    _ plan: GroupCommandPlan, _ rest: ArraySlice<LockedVolume>,
    _ running: RunningCommand
  ) {
    guard let volume = rest.first else { return commit(plan, running) }
    lock(volume.lock, running, wait: .no) { [self] error in
      switch error {
      case nil: lockVolumes(plan, rest.dropFirst(), running)
      case .heldByOthers?:
        running.end(
          .failure(
            AdminFailure(
              .refused,
              "Logical volume \(plan.volumeGroup)/\(volume.name) is active on a node. Deactivate "
                + "it first: lvchange -an \(plan.volumeGroup)/\(volume.name)")))
      case let error?: running.end(.failure(AdminFailure(.failed, error.description)))
      }
    }
  }

  private func commit(_ plan: GroupCommandPlan, _ running: RunningCommand) {
    // Planning and locking took a while: nobody may have been removed and not be known dead.
    guard !running.isGivenUp, node.isOperational, let lockspace = running.lockspace,
      node.groups.isStartedHere(lockspace)
    else {
      return running.end(
        .failure(
          AdminFailure(
            .refused, "Volume group \(plan.volumeGroup) is recovering on some node; try again.")))
    }
    for warning in plan.warnings { running.progress(warning) }
    guard !plan.isTest else { return running.end(.success(plan.output)) }
    let committed = pool.runIfActive(eventLoop: loop) { [workers] in try workers.commit(plan) }
    committed.assumeIsolated().whenComplete { result in
      switch result {
      case .success:
        running.committedSeqno = plan.oldSeqno + 1
        running.end(.success(plan.output))
      case .failure(let error): running.end(.failure(AdminFailure(.failed, "\(error)")))
      }
    }
  }
}

/// A command under way.
private final class RunningCommand {
  let request: VolumeCommandRequest
  let processID: Int32
  let progress: (String) -> Void
  private let completion: GroupCommandService.Completion
  private var isFinished = false
  private(set) var isGivenUp = false
  var lockspace: LockspaceName?
  /// The group's lock first.
  var holders: [LockHolder] = []
  var leave: () -> Void = {}
  var committedSeqno: UInt32?

  init(
    request: VolumeCommandRequest, processID: Int32, progress: @escaping (String) -> Void,
    completion: @escaping GroupCommandService.Completion
  ) {
    self.request = request
    self.processID = processID
    self.progress = progress
    self.completion = completion
  }

  /// What waits for a lock ends; what is being written is written to its end.
  func giveUp() {
    isGivenUp = true
    for holder in holders where !holder.isHeld { holder.cancel() }
  }

  /// Releases all locks, the group's last and with the new seqno, and answers.
  func end(_ result: Result<[String], AdminFailure>) {
    guard !isFinished else { return }
    isFinished = true
    for holder in holders.dropFirst() { holder.release() }
    let block = committedSeqno.map { VersionBlock(version: $0).bytes }
    guard let group = holders.first else { return answer(result) }
    group.release(writing: block) { [self] in answer(result) }
  }

  private func answer(_ result: Result<[String], AdminFailure>) {
    leave()
    completion(result)
  }
}
