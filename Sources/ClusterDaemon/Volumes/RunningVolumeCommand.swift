import AdminProtocol
import ClusterTypes
import DistributedLockManager
import LVMFrontends
import LockProtocol
import NIOCore
import NIOPosix
import VolumeCoordination

/// A command of `clvm` under way on a shared volume group: its locks, its change, its answer.
///
/// Confined to the cluster's event loop.
final class RunningVolumeCommand<Answer> {
  typealias Completion = (Result<Answer, AdminFailure>) -> Void

  /// For those who wait for its locks: "clvm lvextend".
  let owner: String
  let processID: Int32
  /// Gets sentences for whoever waits.
  let progress: (String) -> Void
  private let completion: Completion
  private var isFinished = false
  private(set) var isGivenUp = false
  /// What lies in the volume group's lockspace, from when it was joined.
  fileprivate(set) var lockspace: LockspaceName?
  /// The group's lock first.
  fileprivate var holders: [LockHolder] = []
  fileprivate var leave: () -> Void = {}
  /// Gives the change up that is under way.
  fileprivate var cancelChange: () -> Void = {}
  /// The seqno of what was committed, for the lock's value block.
  var committedSeqno: UInt32?

  init(
    owner: String, processID: Int32, progress: @escaping (String) -> Void,
    completion: @escaping Completion
  ) {
    self.owner = owner
    self.processID = processID
    self.progress = progress
    self.completion = completion
  }

  /// The client went away: what waits for a lock ends, and what is not committed is taken back; what
  /// is being written is written to its end.
  func giveUp() {
    isGivenUp = true
    cancelChange()
    for holder in holders where !holder.isHeld { holder.cancel() }
  }

  /// Releases all locks, the group's last and with the new seqno, and answers.
  func end(_ result: Result<Answer, AdminFailure>) {
    guard !isFinished else { return }
    isFinished = true
    for holder in holders.dropFirst() { holder.release() }
    guard let group = holders.first else { return answer(result) }
    group.release(writing: committedSeqno.map { VersionBlock(version: $0).bytes }) { [self] in
      answer(result)
    }
  }

  func fail(_ reason: AdminFailure.Reason, _ text: String) {
    end(.failure(AdminFailure(reason, text)))
  }

  private func answer(_ result: Result<Answer, AdminFailure>) {
    leave()
    completion(result)
  }
}

/// What every command on a shared volume group needs: the lockspace, the group's exclusive lock, and
/// the way to change all nodes together.
///
/// Confined to the cluster's event loop.
struct VolumeCommandGround {
  /// As lvmlockd calls the lock of a volume group in its lockspace.
  private static let groupLock = "VGLK"

  unowned let node: ClusterNode
  let locks: InHouseLockspaces
  let volumes: VolumeService
  let workers: VolumeWorkers
  let loop: any EventLoop
  let pool: NIOThreadPool

  /// Takes the exclusive lock of the volume group; `body` goes on under it.
  func begin<Answer>(
    _ running: RunningVolumeCommand<Answer>, on group: String, _ body: @escaping () -> Void
  ) {
    guard node.isOperational else {
      return running.fail(
        .noQuorum, "This node has no quorum: volume group \(group) is not changed.")
    }
    guard let lockspace = LockspaceName("lvm_\(group)"), node.groups.isStartedHere(lockspace) else {
      return running.fail(
        .notFound,
        "Volume group \"\(group)\" is not started on this node. Start it with: "
          + "vgchange --lockstart \(group)")
    }
    running.lockspace = lockspace
    // A use of its own: whoever stops the volume group meanwhile does not take the locks away.
    locks.join(lockspace) { failure in
      if let failure { return running.fail(.failed, failure.description) }
      running.leave = { [locks] in locks.leave(lockspace) {} }
      lock(Self.groupLock, running, wait: .forever) { error in
        if let error { return running.fail(.failed, error.description) }
        body()
      }
    }
  }

  /// Takes a lock in the group's lockspace in EX.
  func lock<Answer>(
    _ name: String, _ running: RunningVolumeCommand<Answer>, wait: LockWait,
    completion: @escaping (ClusterLockError?) -> Void
  ) {
    guard !running.isGivenUp, let lockspace = running.lockspace,
      let resource = LockProtocol.ResourceName(name)
    else { return completion(.cancelled) }
    let holder = LockHolder(
      resource, in: lockspace, locks: locks, loop: loop, owner: running.owner,
      processID: UInt32(bitPattern: running.processID))
    running.holders.append(holder)
    holder.request(.ex, wait: wait, completion: completion)
  }

  /// Does blocking work on a worker thread; `body` gets its result.
  func work<Plan: Sendable, Answer>(
    _ running: RunningVolumeCommand<Answer>, _ job: @escaping @Sendable () throws -> Plan,
    _ body: @escaping (Plan) -> Void
  ) {
    pool.runIfActive(eventLoop: loop, job).assumeIsolated().whenComplete { result in
      switch result {
      case .success(let plan): body(plan)
      case .failure(let error as AdminFailure): running.end(.failure(error))
      case .failure(let error): running.fail(.failed, "\(error)")
      }
    }
  }

  /// The members that a change must reach; nil when the command was ended, because planning and
  /// locking took a while: whoever was removed meanwhile may have a volume active and must be known
  /// to be dead before anything changes.
  func members<Answer>(_ running: RunningVolumeCommand<Answer>, of group: String) -> [NodeInstance]?
  {
    guard !running.isGivenUp else {
      running.fail(.refused, "The request was given up.")
      return nil
    }
    guard let lockspace = running.lockspace, node.isOperational,
      node.groups.isStartedHere(lockspace),
      let members = node.groups.lockspace(lockspace)?.members
    else {
      running.fail(.refused, "Volume group \(group) is recovering on some node; try again.")
      return nil
    }
    return members
  }

  /// Carries a change through on all members. `body` gets the result once it is committed and every
  /// node has followed or is named; otherwise the command ends.
  func carryOut<Answer>(
    _ change: VolumeChange, _ running: RunningVolumeCommand<Answer>, on members: [NodeInstance],
    _ body: @escaping (ChangeResult) -> Void
  ) {
    running.cancelChange = { [volumes] in
      volumes.cancel(change.id, reason: "the client went away")
    }
    volumes.carryOut(change, participants: Set(members), report: running.progress) { result in
      switch result.outcome {
      case .committed:
        if change.kind.changesMetadata { running.committedSeqno = change.newSeqno }
        body(result)
      case .aborted(let failure): running.fail(.refused, "\(failure)")
      }
    }
  }
}
