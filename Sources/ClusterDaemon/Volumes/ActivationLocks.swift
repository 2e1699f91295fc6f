import LVMFrontends
import Logging
import NIOCore
import NIOPosix
import VolumeCoordination
import VolumeJobs

/// Takes and gives up the locks of the volumes that this node makes active or inactive for a change of
/// several nodes: held before a device is made, and as long as one may be there.
///
/// Confined to the cluster's event loop.
final class ActivationLocks {
  private struct Share {
    let locks: [VolumeLock]
    /// What the node held before, in the order of `locks`; empty for a deactivation.
    var previous: [LockMode?] = []
  }

  /// Changes the locks of LVs; see `LockDaemonService.changeVolumeLocks`.
  var change:
    (
      _ requests: [VolumeLockRequest], _ isProvisional: Bool,
      _ completion: @escaping ([VolumeLockAnswer]) -> Void
    ) -> Void = { requests, _, completion in
      completion(requests.map { _ in VolumeLockAnswer(.noLockspace, previous: nil) })
    }
  /// The locks of these LVs stay.
  var confirm: (_ uuids: [String]) -> Void = { _ in }

  private let runner: any VolumeJobRunner
  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let logger: Logger
  /// This node's part in changes that it has prepared.
  private var shares: [VolumeRequestID: Share] = [:]

  init(runner: any VolumeJobRunner, loop: any EventLoop, pool: NIOThreadPool, logger: Logger) {
    self.runner = runner
    self.loop = loop
    self.pool = pool
    self.logger = logger
  }

  /// Has the locks follow a job that has ended; `completion` gets how job and locks ended together.
  func follow(
    _ job: VolumeJob, _ result: VolumeJobResult,
    completion: @escaping (VolumeJobResult) -> Void
  ) {
    switch (job, result) {
    case (.prepare(let change), .done) where change.kind.movesLocks:
      prepare(change, completion)
    case (.resume(let change), .done), (.isolate(let change), .done),
      (.isolate(let change), .recovered):
      end(change, isCarriedThrough: true) { completion(result) }
    case (.abandon(let change), .done), (.recover(_, _, let change?), .recovered):
      end(change, isCarriedThrough: false) { completion(result) }
    default: completion(result)
    }
  }

  private func prepare(
    _ change: VolumeChange, _ completion: @escaping (VolumeJobResult) -> Void
  ) {
    work { [runner] in
      runner.locks(of: change)
    } _: { [self] locks in
      shares[change.id] = Share(locks: locks)
      guard let mode = change.kind.lockMode else { return completion(.done) }
      let requests = locks.map { request($0, .lock(mode), change) }
      self.change(requests, true) { [self] answers in
        let obstacles = zip(locks, answers).compactMap { lock, answer in
          answer.isDone ? nil : Self.obstacle(change, lock, answer)
        }
        guard let first = obstacles.first else {
          shares[change.id]?.previous = answers.map(\.previous)
          return completion(.done)
        }
        let more = obstacles.count > 1 ? " (and \(obstacles.count - 1) more)" : ""
        // The change is abandoned for that; the locks that were granted go back right now.
        shares[change.id] = nil
        let taken = zip(locks, answers).filter { $1.isDone }
        restore(taken.map { ($0, $1.previous) }, change) { completion(.failed(first + more)) }
      }
    }
  }

  private static func obstacle(
    _ change: VolumeChange, _ lock: VolumeLock, _ answer: VolumeLockAnswer
  ) -> String {
    let name = "\(change.volumeGroup)/\(lock.name)"
    let reason =
      switch answer.result {
      case .noLockspace: "the volume group is not started here"
      case .exists: "it is active here exclusively; deactivate it first with lvchange -an \(name)"
      default: answer.obstacle ?? "lvmlockd's result \(answer.result)"
      }
    return "Logical volume \(name) cannot be locked here: \(reason)."
  }

  private func end(
    _ change: VolumeChange, isCarriedThrough: Bool, _ completion: @escaping () -> Void
  ) {
    guard let share = shares.removeValue(forKey: change.id) else { return completion() }
    switch (change.kind.lockMode != nil, isCarriedThrough) {
    case (true, true):
      confirm(share.locks.map(\.lock))
      completion()
    case (true, false): restore(Array(zip(share.locks, share.previous)), change, completion)
    case (false, true): giveUp(share.locks, change, completion)
    // Whatever was made inactive is active again, under the locks that were never given up.
    case (false, false): completion()
    }
  }

  /// Goes back to the modes of before.
  private func restore(
    _ taken: [(lock: VolumeLock, previous: LockMode?)], _ change: VolumeChange,
    _ completion: @escaping () -> Void
  ) {
    let kept = taken.compactMap { lock, previous in
      previous.flatMap {
        $0 == change.kind.lockMode ? nil : request(lock, .lock($0), change, mayWeaken: true)
      }
    }
    self.change(kept, false) { [self] answers in
      tell(kept, answers)
      giveUp(taken.filter { $0.previous == nil }.map(\.lock), change, completion)
    }
  }

  /// Unlocks what covers nothing that is active here.
  private func giveUp(
    _ locks: [VolumeLock], _ change: VolumeChange, _ completion: @escaping () -> Void
  ) {
    guard !locks.isEmpty else { return completion() }
    work { [runner, logger] () -> [VolumeLock] in
      do {
        return try runner.unusedLocks(among: locks, volumeGroupID: change.volumeGroupID)
      } catch {
        logger.error("\(change): the locks of its volumes stay on this node: \(error)")
        return []
      }
    } _: { [self] unused in
      let requests = unused.map { request($0, .unlock, change) }
      self.change(requests, false) { [self] answers in
        tell(requests, answers)
        completion()
      }
    }
  }

  private func request(
    _ lock: VolumeLock, _ wish: LockWish, _ change: VolumeChange, mayWeaken: Bool = false
  ) -> VolumeLockRequest {
    VolumeLockRequest(
      vg: change.volumeGroup, lvUUID: lock.lock, lvName: lock.name, wish: wish,
      owner: "clvm of node \(change.id.origin.node)", mayWeaken: mayWeaken)
  }

  private func tell(_ requests: [VolumeLockRequest], _ answers: [VolumeLockAnswer]) {
    for (request, answer) in zip(requests, answers) where !answer.isDone {
      logger.error(
        """
        the lock of \(request.vg)/\(request.lvName) cannot be given back (result \(answer.result)): \
        deactivate the volume on this node
        """)
    }
  }

  private func work<Result: Sendable>(
    _ job: @escaping @Sendable () -> Result, _ body: @escaping (Result) -> Void
  ) {
    pool.runIfActive(eventLoop: loop, job).assumeIsolated().whenSuccess(body)
  }
}

extension VolumeChange.Kind {
  /// The mode in which a node holds the locks of what it makes active; nil for all other kinds.
  fileprivate var lockMode: LockMode? {
    switch self {
    case .activate: .shared
    case .activateExclusively: .exclusive
    case .grow, .shrink, .refresh, .convert, .rename, .permission, .remove, .renameGroup,
      .deactivate:
      nil
    }
  }

  fileprivate var movesLocks: Bool { lockMode != nil || self == .deactivate }
}
