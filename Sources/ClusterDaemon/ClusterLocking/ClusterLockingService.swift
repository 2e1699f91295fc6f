import ClusterMembership
import ClusterTypes
import DistributedLockManager
import LVMFrontends
import LVMMetadata
import LockManager
import LockProtocol
import Logging
import NIOCore
import NIOPosix

/// Does for commands of LVM 2.02 what clvmd's machine wants from the cluster: locks in the lockspace
/// `clvmd` under the original's resource names and modes, messages to the other nodes, work on
/// devices.
///
/// Confined to the cluster's event loop.
final class ClusterLockingService: ClusterLockingCluster, ClusterObserver {
  private struct HeldLock {
    let handle: LockHandle
    let resource: String
  }

  /// As the original's in the kernel's DLM, so that a mixed cluster stays possible.
  static let lockspaceText = "clvmd"

  private unowned let node: ClusterNode
  private let locks: InHouseLockspaces
  private let worker: ClusterLockingWorker
  private let store: ClusteredVolumeStore
  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let logger: Logger
  private let send: ([UInt8], NodeID) -> Void
  private let lockspace: LockspaceName
  private var clusterLocks: [LockToken: HeldLock] = [:]
  /// Volumes whose locks an earlier life held and this one has not claimed yet.
  private var reclaims: Set<String> = []
  /// Whose devices an earlier life may have left suspended or on an old mapping.
  private var unsettledGroups: [ClusterLockingWorker.Leftovers.Group] = []
  /// Starts of the lockspace that wait until what a dead node left suspended here is resumed.
  private var waitingStarts: [() -> Void] = []
  private var members: [NodeID] = []
  private var isLeaving = false

  private let machine: ClusterLockingMachine.Configuration
  private(set) lazy var frontend = ClusterLockingFrontend(
    eventLoop: loop, machine: machine, logger: logger, clock: { .now }, cluster: self)
  /// A claim has ended in the lockspace.
  var reclaimed: (LockspaceName) -> Void = { _ in }
  /// `clvmd -S`: this process becomes the daemon anew.
  var restart: () -> Void = {}

  init(
    machine: ClusterLockingMachine.Configuration, node: ClusterNode, locks: InHouseLockspaces,
    worker: ClusterLockingWorker, store: ClusteredVolumeStore, loop: any EventLoop,
    pool: NIOThreadPool, logger: Logger, send: @escaping ([UInt8], NodeID) -> Void
  ) throws {
    guard let lockspace = LockspaceName(Self.lockspaceText) else {
      throw DaemonError("'\(Self.lockspaceText)' cannot name a lockspace")
    }
    self.lockspace = lockspace
    self.machine = machine
    self.node = node
    self.locks = locks
    self.worker = worker
    self.store = store
    self.loop = loop
    self.pool = pool
    self.logger = logger
    self.send = send
  }

  // MARK: - Start

  /// Takes up the locks of what is active here already, and joins the lockspace. To be called before
  /// other nodes are heard.
  ///
  /// - Parameter exclusive: volumes that `-E` names.
  func start(exclusive: [String]) -> EventLoopFuture<Void> {
    pool.runIfActive(eventLoop: loop) { [worker] in
      Result { try worker.findLeftovers() }
    }.assumeIsolated().flatMapThrowing { [self] found in
      try adopt(found, exclusive: exclusive)
    }.nonisolated()
  }

  private func adopt(
    _ found: Result<ClusterLockingWorker.Leftovers, any Error>, exclusive: [String]
  ) throws {
    var modes = try store.load()
    switch found {
    case .success(let leftovers):
      for volume in modes.keys where !leftovers.volumesWithDevices.contains(volume) {
        modes[volume] = nil
        persist(volume, nil)
      }
      for volume in leftovers.clusteredVolumes where modes[volume] == nil {
        modes[volume] = .concurrentRead
      }
      for volume in exclusive where leftovers.volumesWithDevices.contains(volume) {
        modes[volume] = .exclusive
      }
      let groups = Set(modes.keys.compactMap { VolumeIdentity($0)?.group })
      unsettledGroups = leftovers.suspendedGroups
      for id in groups where !unsettledGroups.contains(where: { $0.id == id }) {
        if let name = leftovers.groupNames[id] { unsettledGroups.append(.init(id: id, name: name)) }
      }
    case .failure(let error):
      // Better a lock too many than a volume without one.
      logger.warning("cannot look for active logical volumes: \(error)")
    }
    if !modes.isEmpty {
      logger.notice("taking up \(modes.count) locks of active clustered logical volumes")
    }
    reclaims = Set(modes.keys)
    locks.join(lockspace) { [self] failure in joined(failure) }
    frontend.handle(.adopt(modes))
  }

  private func joined(_ failure: DaemonError?) {
    if let failure {
      logger.critical("LVM 2.02's commands cannot be served: \(failure)")
      reclaims = []
      return
    }
    for group in unsettledGroups { settle(group) }
    unsettledGroups = []
  }

  /// Under the volume group's lock, so that nobody is changing it meanwhile.
  private func settle(_ group: ClusterLockingWorker.Leftovers.Group) {
    guard let resource = LockProtocol.ResourceName(Array("V_\(group.name)".utf8)) else { return }
    let lock = LockHolder(
      resource, in: lockspace, locks: locks, loop: loop, owner: "recovery of \(group.name)")
    lock.request(.pr, wait: .forever) { [self] error in
      if let error {
        return logger.error("volume group \(group.name) cannot be settled: \(error)")
      }
      pool.runIfActive(eventLoop: loop) { [worker] in try worker.recover(group.id) }
        .assumeIsolated().whenComplete { [self] result in
          if case .failure(let error) = result {
            logger.error("volume group \(group.name) is not as its metadata says: \(error)")
          }
          lock.release()
        }
    }
  }

  /// How many volumes are active here for LVM 2.02.
  var activeVolumeCount: Int { frontend.machine.heldVolumes.count }

  /// The daemon stops: nothing more is taken up.
  func prepareStop() { isLeaving = true }

  // MARK: - The cluster

  func viewInstalled(_ view: View) { clusterChanged() }
  func nodeRemoved(_ instance: NodeInstance) { clusterChanged() }
  func quorumChanged(_ isQuorate: Bool) { clusterChanged() }
  func evicted() { frontend.handle(.quorumChanged(false)) }

  /// What this life of the node left here is to be settled even if its next life is a member already.
  func nodeFenced(_ instance: NodeInstance) {
    if members.contains(instance.node) {
      members.removeAll { $0 == instance.node }
      frontend.handle(.membersChanged(members))
    }
    clusterChanged()
  }

  /// Who has the lockspace, and who had it and is not known to be dead.
  func clusterChanged() {
    let present = node.groups.lockspace(lockspace)?.members.map(\.node) ?? []
    let unfenced = node.groups.unfencedNodes.map(\.instance.node).filter { members.contains($0) }
    let now = Set(present + unfenced).sorted()
    if now != members {
      members = now
      frontend.handle(.membersChanged(now))
    }
    let isQuorate = node.isOperational
    if frontend.machine.hasQuorum != isQuorate { frontend.handle(.quorumChanged(isQuorate)) }
  }

  /// A member of the lockspace has died and is fenced: the others go on when nothing that it
  /// suspended is suspended here any more.
  func settle(_ name: LockspaceName, then start: @escaping () -> Void) {
    guard name == lockspace, frontend.machine.isRecovering else { return start() }
    waitingStarts.append(start)
  }

  func stepped() {
    guard !waitingStarts.isEmpty, !frontend.machine.isRecovering else { return }
    let starts = waitingStarts
    waitingStarts = []
    for start in starts { start() }
  }

  func isReclaiming(_ name: LockspaceName) -> Bool { name == lockspace && !reclaims.isEmpty }

  private func endReclaim(_ volume: String) {
    guard reclaims.remove(volume) != nil else { return }
    reclaimed(lockspace)
  }

  func received(_ bytes: ArraySlice<UInt8>, from instance: NodeInstance) {
    do {
      frontend.handle(.message(try ClusterLockingMessage(decoding: bytes), from: instance.node))
    } catch {
      logger.error("node \(instance.node) sent a command of LVM that is none: \(error)")
    }
  }

  // MARK: - Effects

  func carryOut(_ effect: ClusterLockingMachine.Effect) {
    switch effect {
    case .lock(let token, let resource, let mode, let isQueued, let isReclaim):
      lock(token, resource, mode, isQueued: isQueued, isReclaim: isReclaim)
    case .convert(let token, let mode):
      guard let lock = clusterLocks[token] else {
        return frontend.handle(.lockRefused(token, .failed("the lock is gone with its lockspace")))
      }
      locks.convert(lock.handle, to: mode.lockManagerMode, flags: .noQueue, valueBlock: nil)
    case .cancel(let token): if let lock = clusterLocks[token] { locks.cancel(lock.handle) }
    case .unlock(let token):
      if let lock = clusterLocks.removeValue(forKey: token) { locks.unlock(lock.handle) }
    case .send(let target, let message):
      if target != node.local.node { send(message.encoded, target) }
    case .work(let job, let work): run(work, job)
    case .persist(let volume, let mode): persist(volume, mode)
    case .restart: restart()
    case .reply, .closeClient, .log: preconditionFailure("the front end's own effect: \(effect)")
    }
  }

  private func run(_ work: ClusterLockingMachine.Work, _ job: ClusterLockingJobID) {
    pool.runIfActive(eventLoop: loop) { [worker] in worker.run(work) }.assumeIsolated()
      .whenComplete { [self] result in
        switch result {
        case .success(let outcome):
          if let failure = outcome.failure { logger.warning("\(work): \(failure)") }
          frontend.handle(.worked(job, outcome))
        case .failure(let error):
          frontend.handle(.worked(job, .init(failure: "the daemon is stopping: \(error)")))
        }
      }
  }

  private func lock(
    _ token: LockToken, _ text: String, _ mode: ClusterLockingMode, isQueued: Bool, isReclaim: Bool
  ) {
    guard let resource = LockProtocol.ResourceName(Array(text.utf8)) else {
      return frontend.handle(
        .lockRefused(token, .failed("'\(text)' is too long to name a resource")))
    }
    let handle = locks.newHandle()
    clusterLocks[token] = HeldLock(handle: handle, resource: text)
    do throws(ClusterLockError) {
      try locks.lock(
        OwnedLockRequest(
          lockspace: lockspace, resource: resource, mode: mode.lockManagerMode,
          flags: isQueued ? [] : .noQueue, processID: 0, owner: "lvm 2.02 (\(text))",
          isReclaim: isReclaim),
        handle: handle, listener: events(of: token, reclaiming: isReclaim ? text : nil))
    } catch {
      clusterLocks[token] = nil
      frontend.handle(.lockRefused(token, .failed(error.description)))
      if isReclaim { endReclaim(text) }
    }
  }

  private func events(of token: LockToken, reclaiming volume: String?) -> LockEvents {
    LockEvents(
      completed: { [self] outcome in
        completed(token, outcome)
        if let volume { endReclaim(volume) }
      },
      released: { [self] in clusterLocks[token] = nil },
      refused: { [self] refusal in
        frontend.handle(.lockRefused(token, .failed(refusal.description)))
      })
  }

  private func completed(_ token: LockToken, _ outcome: LockOutcome) {
    if outcome.mode == nil { clusterLocks[token] = nil }
    switch outcome.result {
    case .granted: frontend.handle(.lockGranted(token))
    case .wouldBlock: frontend.handle(.lockRefused(token, .heldElsewhere(by: nil)))
    case .cancelled: frontend.handle(.lockRefused(token, .cancelled))
    case .deadlock:
      frontend.handle(.lockRefused(token, .failed("the conversion would deadlock")))
    case .failed(let result):
      frontend.handle(.lockRefused(token, .failed("the lock manager answered \(result)")))
    }
  }

  private func persist(_ volume: String, _ mode: ClusterLockingMode?) {
    // What is given back because the daemon stops is active all the same.
    guard !isLeaving else { return }
    do {
      try store.set(mode, of: volume)
    } catch {
      logger.error("the record of the lock of volume \(volume) cannot be kept: \(error)")
    }
  }
}

extension ClusterLockingMode {
  fileprivate var lockManagerMode: LockProtocol.LockMode {
    switch self {
    case .concurrentRead: .cr
    case .protectedRead: .pr
    case .protectedWrite: .pw
    case .exclusive: .ex
    }
  }
}
