import ClusterTypes
import DistributedLockManager
import LVMFrontends
import LockProtocol
import Logging
import NIOCore
import NIOPosix

/// Brings this node's devices of a volume group onto the committed metadata: when the group is
/// started here, because an earlier life of the daemon may have left devices suspended or missed a
/// change; and before its lockspace goes on without a member that died, because that one may have
/// committed a change and told nobody.
///
/// Confined to the cluster's event loop.
final class LeftoverRecovery {
  private let locks: InHouseLockspaces
  private let volumes: VolumeService
  private let workers: VolumeWorkers
  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let logger: Logger
  /// Whether an lvm command of this node holds the exclusive lock of the volume group.
  var isChangedHere: (LockspaceName) -> Bool = { _ in false }
  /// Locks that an earlier life took for a change whose end nobody knows; see `LockDaemonService`.
  var provisionalLocks: (_ volumeGroup: String) -> [PersistentLock] = { _ in [] }
  var confirmLocks: (_ uuids: [String]) -> Void = { _ in }
  var giveBackLocks:
    ([VolumeLockRequest], _ completion: @escaping ([VolumeLockAnswer]) -> Void) -> Void = { _, _ in
    }

  init(
    locks: InHouseLockspaces, volumes: VolumeService, workers: VolumeWorkers,
    loop: any EventLoop, pool: NIOThreadPool, logger: Logger
  ) {
    self.locks = locks
    self.volumes = volumes
    self.workers = workers
    self.loop = loop
    self.pool = pool
    self.logger = logger
  }

  /// The lockspace of a volume group has been joined.
  func started(_ lockspace: LockspaceName) {
    guard lockspace.text.hasPrefix("lvm_"), lockspace.text != "lvm_global" else { return }
    let name = String(lockspace.text.dropFirst(4))
    // A group of that name was perhaps removed and made anew: until it was read, its id is unknown.
    volumes.volumeGroupIDs[name] = nil
    pool.runIfActive(eventLoop: loop) { [workers] in try workers.inspect(volumeGroup: name) }
      .assumeIsolated().whenComplete { [self] result in
        switch result {
        case .success(let inspection?):
          volumes.volumeGroupIDs[name] = inspection.volumeGroupID
          if !inspection.activeVolumes.isEmpty || !provisionalLocks(name).isEmpty {
            recover(name, inspection.volumeGroupID, lockspace)
          }
        case .success(nil): break
        case .failure(let error):
          logger.error("the devices of volume group \(name) cannot be looked at: \(error)")
        }
      }
  }

  /// Under the volume group's lock, so that nobody is changing it meanwhile. Where locks are to be given
  /// back, nobody may activate anything either.
  private func recover(_ name: String, _ id: String, _ lockspace: LockspaceName) {
    guard let resource = ResourceName(Array("VGLK".utf8)) else { return }
    locks.join(lockspace) { [self] failure in
      if let failure { return logger.error("\(failure)") }
      let lock = LockHolder(
        resource, in: lockspace, locks: locks, loop: loop, owner: "recovery of \(name)")
      lock.ended = { [self] in locks.leave(lockspace) {} }
      let mode: LockProtocol.LockMode = provisionalLocks(name).isEmpty ? .pr : .ex
      lock.request(mode, wait: .forever) { [self] error in
        if let error { return logger.error("volume group \(name) cannot be settled: \(error)") }
        volumes.recoverLeftovers(volumeGroup: name, volumeGroupID: id)
        volumes.whenSettled(volumeGroup: name) { [self] in
          settleLocks(name) { lock.release() }
        }
      }
    }
  }

  /// An activation on several nodes was under way when the earlier life ended: what is active keeps its
  /// lock, what is not loses it.
  private func settleLocks(_ name: String, _ completion: @escaping () -> Void) {
    let locks = provisionalLocks(name)
    guard !locks.isEmpty else { return completion() }
    pool.runIfActive(eventLoop: loop) { [workers] in
      try workers.inspect(volumeGroup: name)?.activeVolumes ?? []
    }.assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success(let active):
        let uuids = locks.map(\.lvUUID)
        confirmLocks(uuids.filter(active.contains))
        let requests = uuids.filter { !active.contains($0) }.map {
          VolumeLockRequest(vg: name, lvUUID: $0, lvName: $0, wish: .unlock, owner: "clvmd")
        }
        giveBackLocks(requests) { [self] answers in
          for (request, answer) in zip(requests, answers) where !answer.isDone {
            logger.error(
              "the lock of inactive LV \(request.lvUUID) stays: lvmlockd's result \(answer.result)")
          }
          completion()
        }
      case .failure(let error):
        logger.error("the devices of volume group \(name) cannot be looked at: \(error)")
        completion()
      }
    }
  }

  /// The connection of an lvm command that held the exclusive lock of a volume group is gone. If the command
  /// itself has ended, it may have left devices suspended, on either side of its commit: they go by what
  /// the disk says. The group's lock is still held for it until `completion`, so that nobody else is at work.
  ///
  /// - Parameter completion: gets whether the process has ended; nothing is done for one that has not.
  func settle(
    volumeGroup name: String, leftByProcess process: Int32,
    completion: @escaping (_ hasEnded: Bool) -> Void
  ) {
    pool.runIfActive(eventLoop: loop) { [workers] in
      guard ProcessState(of: process).isOver else { return EndedCommand?.none }
      return EndedCommand(inspection: try workers.inspect(volumeGroup: name))
    }.assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success(nil): completion(false)
      case .success(let ended?):
        guard let inspection = ended.inspection, !inspection.activeVolumes.isEmpty else {
          return completion(true)
        }
        settle(name, inspection.volumeGroupID) { completion(true) }
      case .failure(let error):
        logger.error("the devices of volume group \(name) cannot be looked at: \(error)")
        guard let id = volumes.volumeGroupIDs[name] else { return completion(true) }
        settle(name, id) { completion(true) }
      }
    }
  }

  private struct EndedCommand: Sendable {
    let inspection: VolumeWorkers.Inspection?
  }

  /// A member of the lockspace has died and is fenced; `start` lets the others go on. If a command
  /// of this node holds the volume group's lock, nobody else has changed the group, and the command
  /// itself is at work on the devices: they are left to it.
  func settle(_ lockspace: LockspaceName, then start: @escaping () -> Void) {
    guard lockspace.text.hasPrefix("lvm_"), lockspace.text != "lvm_global" else { return start() }
    let name = String(lockspace.text.dropFirst(4))
    volumes.whenSettled(volumeGroup: name) { [self] in
      guard !isChangedHere(lockspace) else { return start() }
      if let id = volumes.volumeGroupIDs[name] { return settle(name, id, then: start) }
      // A new life that has not read the group yet may have its devices all the same.
      pool.runIfActive(eventLoop: loop) { [workers] in try workers.inspect(volumeGroup: name) }
        .assumeIsolated().whenComplete { [self] result in
          switch result {
          case .success(let inspection?):
            volumes.volumeGroupIDs[name] = inspection.volumeGroupID
            settle(name, inspection.volumeGroupID, then: start)
          case .success(nil): start()
          case .failure(let error):
            logger.error("the devices of volume group \(name) cannot be looked at: \(error)")
            start()
          }
        }
    }
  }

  private func settle(_ name: String, _ id: String, then start: @escaping () -> Void) {
    volumes.recoverLeftovers(volumeGroup: name, volumeGroupID: id)
    volumes.whenSettled(volumeGroup: name, start)
  }
}
