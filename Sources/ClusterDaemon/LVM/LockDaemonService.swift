import ClusterMembership
import ClusterTypes
import DistributedLockManager
import Glibc
import LVMFrontends
import LVMMetadata
import LockManager
import LockProtocol
import Logging
import NIOCore
import VolumeActivation

/// Does for lvm commands what the lvmlockd machine wants from the cluster.
///
/// Confined to the cluster's event loop.
final class LockDaemonService: LockDaemonCluster, ClusterObserver {
  private struct HeldLock {
    let lockspace: LockspaceName
    let handle: LockHandle
    let usesValueBlock: Bool
    let isOfGroup: Bool
    /// Of the operation under way, or the last one.
    var requested: ClusterLockMode
    var granted = ClusterLockMode.null
  }

  private unowned let node: ClusterNode
  private let locks: InHouseLockspaces
  private let volumes: VolumeService
  private let store: PersistentLockStore
  private let survey: LockSurvey
  private let sharing: SharingCheck
  private let logger: Logger
  private var clusterLocks: [LockToken: HeldLock] = [:]
  /// Who uses the locks that are about to be asked for.
  private var uses: [LockToken: LockUse] = [:]
  /// Answers and events go here.
  var handle: (LockDaemonMachine.Input) -> Void = { _ in } {
    didSet { isServed = true }
  }
  /// Whether there is a machine; without one no volume group is started here.
  private var isServed = false
  private var volumeLockWaiters: [VolumeLockID: (VolumeLockAnswer) -> Void] = [:]
  private var lastVolumeLock: UInt64 = 0
  /// Locks of active volumes that an earlier life held and this one has not claimed yet.
  private var reclaims: [String: LockspaceName] = [:]
  /// A claim has ended in the lockspace.
  var reclaimed: (LockspaceName) -> Void = { _ in }
  /// The client asked the daemon to quit and no lockspace is left.
  var quit: () -> Void = {}
  /// Settles what an lvm command that has ended left of a volume group on this node; says whether it had
  /// ended.
  var settle: (_ vg: String, _ processID: Int32, _ completion: @escaping (Bool) -> Void) -> Void = {
    $2(false)
  }
  /// A volume group's lockspace has been joined here.
  var started: (_ lockspace: LockspaceName) -> Void = { _ in }

  init(
    node: ClusterNode, locks: InHouseLockspaces, volumes: VolumeService,
    store: PersistentLockStore, survey: LockSurvey, sharing: SharingCheck, logger: Logger
  ) {
    self.node = node
    self.locks = locks
    self.volumes = volumes
    self.store = store
    self.survey = survey
    self.sharing = sharing
    self.logger = logger
  }

  /// How many active logical volumes of shared volume groups have their locks here.
  var persistentLockCount: Int { store.count }

  /// Whether an lvm command of this node holds the exclusive lock of the lockspace's volume group.
  func isChanging(_ lockspace: LockspaceName) -> Bool {
    clusterLocks.values.contains {
      $0.lockspace == lockspace && $0.isOfGroup && $0.granted == .exclusive
    }
  }

  /// Takes up the locks of active volumes that an earlier life of the daemon held.
  ///
  /// - Parameter devices: the mapped devices of this machine: what has none, and is not being made
  ///   active by a command, was deactivated without the daemon, and would keep its lock for ever. Nil
  ///   keeps all locks.
  func adopt(devices: [MappedDeviceUUID]?) throws {
    let recorded = try store.load()
    let locks = recorded.filter { lock in
      devices.map { lock.hasDevice(among: $0) || lock.isInTheMaking } ?? true
    }
    for lock in recorded where !locks.contains(lock) {
      logger.notice("forgetting the lock of \(lock.lvUUID) of VG \(lock.vg): it is not active")
      try store.remove(lock)
    }
    guard !locks.isEmpty else { return }
    for lock in locks { reclaims[lock.lvUUID] = LockspaceName("lvm_\(lock.vg)") }
    logger.notice("taking up \(locks.count) locks of active logical volumes")
    handle(.adopt(locks))
  }

  // MARK: - Locks of volumes that this node makes active or inactive together with others

  /// Changes the locks of several LVs of a volume group at once. `completion` gets an answer for each,
  /// in their order, when what they have in common is recorded for a later life of the daemon.
  ///
  /// - Parameter isProvisional: a life in which the change is not heard of any more gives the locks back,
  ///   where it finds nothing active.
  func changeVolumeLocks(
    _ requests: [VolumeLockRequest], isProvisional: Bool = false,
    completion: @escaping ([VolumeLockAnswer]) -> Void
  ) {
    guard isServed else {
      return completion(requests.map { _ in VolumeLockAnswer(.noLockspace, previous: nil) })
    }
    guard !requests.isEmpty else { return completion([]) }
    var answers = [VolumeLockAnswer?](repeating: nil, count: requests.count)
    var missing = requests.count
    store.beginGroup(of: requests.map(\.lvUUID), isProvisional: isProvisional)
    for (index, request) in requests.enumerated() {
      lastVolumeLock += 1
      let id = VolumeLockID(lastVolumeLock)
      volumeLockWaiters[id] = { [self] answer in
        answers[index] = answer
        missing -= 1
        guard missing == 0 else { return }
        change("store") { try $0.endGroup(of: requests.map(\.lvUUID)) }
        completion(answers.compactMap(\.self))
      }
      handle(.changeVolumeLock(id, request))
    }
  }

  /// The volumes of these locks are active for good.
  func confirmVolumeLocks(_ uuids: [String]) { change("store") { try $0.confirm(uuids) } }

  /// Locks that an earlier life took for a change of which nobody knows any more how it ended.
  func provisionalLocks(ofVolumeGroup vg: String) -> [PersistentLock] {
    store.provisionalLocks.filter { $0.vg == vg }
  }

  // MARK: - The cluster

  func viewInstalled(_ view: View) { clusterChanged() }
  func nodeRemoved(_ instance: NodeInstance) {}
  func nodeFenced(_ instance: NodeInstance) {}
  func quorumChanged(_ isQuorate: Bool) { clusterChanged() }
  func evicted() { handle(.clusterChanged(isRunning: false, isQuorate: false)) }

  private func clusterChanged() {
    handle(
      .clusterChanged(
        isRunning: node.view.contains(node.local.instance), isQuorate: node.isOperational))
  }

  // MARK: - Effects

  func carryOut(_ effect: LockDaemonMachine.Effect) {
    switch effect {
    case .join(let name): join(name)
    case .leave(let name): leave(name)
    case .countMembers(let question, let name):
      handle(.members(question, others: node.otherMembers(of: name).map(\.node)))
    case .lock(let token, let name, let resource, let mode, let isQueued, let usesValueBlock):
      lock(token, name, resource, mode, isQueued: isQueued, usesValueBlock: usesValueBlock)
    case .convert(let token, let mode, let isQueued, let writing):
      convert(token, to: mode, isQueued: isQueued, writing: writing)
    case .cancel(let token): if let lock = clusterLocks[token] { locks.cancel(lock.handle) }
    case .unlock(let token): if let lock = clusterLocks[token] { locks.unlock(lock.handle) }
    case .settle(let question, let vg, let processID):
      settle(vg, processID) { [self] in handle(.settled(question, hasEnded: $0)) }
    case .reload(let question, let vg): reload(question, vg)
    case .persist(let lock): change("store") { try $0.insert(lock) }
    case .forget(let lock): change("remove") { try $0.remove(lock) }
    case .volumeLockEnded(let id, let answer): volumeLockWaiters.removeValue(forKey: id)?(answer)
    case .adoptionFailed(let lock, let reason):
      endReclaim(lock.lvUUID)
      logger.critical(
        """
        logical volume \(lock.lvUUID) of VG \(lock.vg) is active on this node without a lock \
        (\(reason)): deactivate it, or make sure that no other node uses it
        """)
    case .describe(let token, let use): describe(token, use)
    case .findHolders(let question, let name, let resource): findHolders(question, name, resource)
    case .checkSharing(let question, let vg, let uuid):
      sharing.check(vg: vg, lvUUID: uuid) { [self] refusal in
        handle(.sharingChecked(question, refusal: refusal))
      }
    case .quit: quit()
    case .reply, .sendDump, .closeClient, .log:
      preconditionFailure("the front end's own effect: \(effect)")
    }
  }

  // MARK: - Locks of an earlier life

  func isReclaiming(_ name: LockspaceName) -> Bool { reclaims.values.contains(name) }

  private func endReclaim(_ uuid: String) {
    guard let lockspace = reclaims.removeValue(forKey: uuid) else { return }
    reclaimed(lockspace)
  }

  private func join(_ name: LockspaceName) {
    locks.join(name) { [self] failure in
      if let failure {
        reclaims = reclaims.filter { $0.value != name }
        handle(.joinFailed(name, reason: failure.description))
      } else {
        started(name)
        handle(.joined(name))
      }
    }
  }

  private func leave(_ name: LockspaceName) {
    for (token, lock) in clusterLocks where lock.lockspace == name {
      clusterLocks[token] = nil
      locks.unlock(lock.handle, flags: .forceUnlock)
    }
    reclaims = reclaims.filter { $0.value != name }
    locks.leave(name) { [self] in handle(.left(name)) }
  }

  private func lock(
    _ token: LockToken, _ name: LockspaceName, _ resource: [UInt8], _ mode: ClusterLockMode,
    isQueued: Bool, usesValueBlock: Bool
  ) {
    guard let resourceName = LockProtocol.ResourceName(resource) else {
      return handle(.lockRefused(token, .failed("'\(resource)' cannot name a resource")))
    }
    let text = String(decoding: resource, as: UTF8.self)
    let isReclaim = reclaims[text] == name
    let handle = locks.newHandle()
    let use = uses.removeValue(forKey: token)
    clusterLocks[token] = HeldLock(
      lockspace: name, handle: handle, usesValueBlock: usesValueBlock,
      isOfGroup: text == "VGLK", requested: mode)
    do throws(ClusterLockError) {
      try locks.lock(
        OwnedLockRequest(
          lockspace: name, resource: resourceName, mode: mode.lockManagerMode,
          flags: flags(isQueued: isQueued, usesValueBlock: usesValueBlock),
          processID: UInt32(bitPattern: use?.processID ?? 0), owner: use?.owner ?? "lvm",
          isReclaim: isReclaim),
        handle: handle, listener: events(of: token, reclaiming: isReclaim ? text : nil))
    } catch {
      clusterLocks[token] = nil
      self.handle(.lockRefused(token, .failed(error.description)))
    }
  }

  private func convert(
    _ token: LockToken, to mode: ClusterLockMode, isQueued: Bool, writing: [UInt8]?
  ) {
    guard let lock = clusterLocks[token] else {
      return handle(.lockRefused(token, .failed("the lock is gone with its lockspace")))
    }
    clusterLocks[token]?.requested = mode
    var flags = flags(isQueued: isQueued, usesValueBlock: lock.usesValueBlock)
    // Behind those who wait already: without it a stream of readers would starve a writer.
    if isQueued, mode > lock.granted { flags.insert(.queueConversion) }
    locks.convert(
      lock.handle, to: mode.lockManagerMode, flags: flags, valueBlock: writing)
  }

  private func describe(_ token: LockToken, _ use: LockUse) {
    if let lock = clusterLocks[token] {
      locks.describe(
        lock.handle, owner: use.owner, processID: UInt32(bitPattern: use.processID))
    } else {
      uses[token] = use
    }
  }

  private func findHolders(
    _ question: ClusterQuestionID, _ name: LockspaceName, _ resource: [UInt8]
  ) {
    guard let resource = LockProtocol.ResourceName(resource) else {
      return handle(.holders(question, []))
    }
    survey.ask(about: resource, in: name) { [self] result in
      handle(.holders(question, result.locks.compactMap(ResourceHolder.init)))
    }
  }

  private func flags(isQueued: Bool, usesValueBlock: Bool) -> LockFlags {
    var flags: LockFlags = []
    if !isQueued { flags.insert(.noQueue) }
    if usesValueBlock { flags.insert(.valueBlock) }
    return flags
  }

  private func events(
    of token: LockToken, reclaiming uuid: String?
  ) -> LockEvents {
    LockEvents(
      completed: { [self] outcome in
        completed(token, outcome)
        if let uuid, outcome.result == .granted { endReclaim(uuid) }
      },
      released: { [self] in
        clusterLocks[token] = nil
        handle(.lockGranted(token, valueBlock: nil))
      },
      refused: { [self] refusal in
        handle(.lockRefused(token, .failed(refusal.description)))
      })
  }

  private func completed(_ token: LockToken, _ outcome: LockOutcome) {
    if outcome.mode == nil { clusterLocks[token] = nil }
    switch outcome.result {
    case .granted:
      if let lock = clusterLocks[token] { clusterLocks[token]?.granted = lock.requested }
      let isValid = !outcome.flags.contains(.valueNotValid)
      handle(.lockGranted(token, valueBlock: isValid ? outcome.valueBlock : nil))
    case .wouldBlock: handle(.lockRefused(token, .heldElsewhere(by: nil)))
    case .cancelled: handle(.lockRefused(token, .cancelled))
    case .deadlock: handle(.lockRefused(token, .failed("the conversion would deadlock")))
    case .failed(let result):
      handle(.lockRefused(token, .failed("the lock manager answered \(result)")))
    }
  }

  private func reload(_ question: ClusterQuestionID, _ vg: String) {
    guard let name = LockspaceName("lvm_\(vg)") else {
      return handle(.reloaded(question, failures: [:]))
    }
    volumes.reload(volumeGroup: vg, on: node.otherMembers(of: name)) { [self] failures in
      handle(.reloaded(question, failures: failures))
    }
  }

  private func change(_ what: String, _ body: (PersistentLockStore) throws -> Void) {
    do {
      try body(store)
    } catch {
      logger.error("cannot \(what) the record of a persistent lock: \(error)")
    }
  }
}

extension PersistentLock {
  /// The command that took it still runs: it may have the lock's answer already, and make the device next.
  /// Another process by now only keeps a lock that nobody needs.
  var isInTheMaking: Bool { processID > 0 && (kill(processID, 0) == 0 || errno != ESRCH) }

  /// Whether the volume or a layer of it is among the devices; true when its id is none of LVM's.
  func hasDevice(among devices: [MappedDeviceUUID]) -> Bool {
    guard let id = LVMIdentifier(lvUUID) else { return true }
    return devices.contains { $0.logicalVolume == id }
  }
}

extension ResourceHolder {
  /// Nil unless the lock keeps somebody out.
  fileprivate init?(_ lock: LockReport.Lock) {
    let mode: ClusterLockMode
    switch lock.granted {
    case .ex, .pw: mode = .exclusive
    case .pr, .cw, .cr: mode = .shared
    case .nl, .iv: return nil
    }
    self.init(
      node: lock.identity.node,
      use: lock.owner.map { owner in
        LockUse(owner: owner, processID: Int32(bitPattern: lock.processID))
      }, mode: mode, age: lock.age)
  }
}

extension ClusterLockMode {
  fileprivate var lockManagerMode: LockProtocol.LockMode {
    switch self {
    case .null: .nl
    case .shared: .pr
    case .exclusive: .ex
    }
  }
}
