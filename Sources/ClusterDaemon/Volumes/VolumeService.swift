import AdminProtocol
import ClusterMembership
import ClusterTypes
import DistributedLockManager
import Logging
import MachineShell
import NIOCore
import NIOPosix
import VolumeCoordination
import VolumeJobs

/// Carries out blocking work on disks and devices; called on worker threads.
protocol VolumeJobRunner: Sendable {
  func run(_ job: VolumeJob) -> VolumeJobResult
  /// The UUID text of a volume group by its name, read from disk; nil when there is none.
  func volumeGroupID(named name: String) throws -> String?
  /// What must be locked as long as the volumes of a prepared change are active.
  func locks(of change: VolumeChange) -> [VolumeLock]
  /// Those that cover nothing active on this node.
  func unusedLocks(among locks: [VolumeLock], volumeGroupID: String) throws -> [VolumeLock]
}

/// Wires the volume coordination machines to the network, the clock and the worker threads.
///
/// Confined to the cluster's event loop. Work on one volume group runs in order; the coordinator's
/// `revert` may run beside an `abandon`, because they touch different things.
final class VolumeService: ClusterObserver {
  private struct RunningChange {
    var coordinator: ChangeCoordinator
    let participants: Set<NodeInstance>
    let report: (String) -> Void
    let completion: (ChangeResult) -> Void
  }

  private struct RunningReload {
    var collector: ReloadCollector
    let completion: (ReloadResult) -> Void
  }

  private enum Event {
    case input(CoordinationInput)
    case startChange(VolumeRequestID)
    case startReload(VolumeRequestID)
    case cancelChange(VolumeRequestID, reason: String)
    case recoverLeftovers(volumeGroup: String, volumeGroupID: String)
  }

  private unowned let node: ClusterNode
  private let runner: any VolumeJobRunner
  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let logger: Logger
  private let send: ([UInt8], NodeID) -> Void
  private var participant: ChangeParticipant
  let activationLocks: ActivationLocks
  /// Nil where the cluster has no record.
  private let operations: RecordedOperations?
  private var changes: [VolumeRequestID: RunningChange] = [:]
  private var reloads: [VolumeRequestID: RunningReload] = [:]
  private var events: [Event] = []
  private var isWorking = false
  private lazy var timer = DeadlineTimer(
    eventLoop: loop, clock: { .now }, fire: { [weak self] in self?.handle(.input(.wake)) })
  private var tails: [String: EventLoopFuture<Void>] = [:]
  /// Begins above every number of an earlier daemon of the same member, which others remember.
  private var lastNumber = Timestamp.now.nanoseconds / 1_000_000
  /// Ids of the volume groups that are started here, by name.
  var volumeGroupIDs: [String: String] = [:]
  /// Who waits until a volume group is settled on this node, by name.
  private var settledWaiters: [(volumeGroup: String, body: () -> Void)] = []

  init(
    node: ClusterNode, runner: any VolumeJobRunner, loop: any EventLoop, pool: NIOThreadPool,
    logger: Logger, send: @escaping ([UInt8], NodeID) -> Void
  ) {
    self.node = node
    self.runner = runner
    self.loop = loop
    self.pool = pool
    self.logger = logger
    self.send = send
    participant = ChangeParticipant(node: node.local.instance)
    activationLocks = ActivationLocks(runner: runner, loop: loop, pool: pool, logger: logger)
    operations = RecordedOperations(node, logger: logger)
    operations?.isBusy = { [unowned self] in participant.isBusy(volumeGroupID: $0) }
  }

  /// The changes of all nodes that the record tells of; empty where there is none.
  var runningOperations: [OperationStatus] { operations?.status ?? [] }

  func nextRequestID() -> VolumeRequestID {
    lastNumber += 1
    return VolumeRequestID(origin: node.local.instance, number: lastNumber)
  }

  /// Carries `change` through on all `participants`. The caller holds the volume group's lock in
  /// EX until `completion`. `report` gets sentences for whoever waits.
  func carryOut(
    _ change: VolumeChange, participants: Set<NodeInstance>, report: @escaping (String) -> Void,
    completion: @escaping (ChangeResult) -> Void
  ) {
    changes[change.id] = RunningChange(
      coordinator: ChangeCoordinator(
        change: change, participants: participants, hasQuorum: node.isOperational,
        isRecorded: operations != nil && participants != [node.local.instance]),
      participants: participants,
      report: report,
      completion: completion)
    handle(.startChange(change.id))
  }

  /// Gives a change up that is not committed yet.
  func cancel(_ id: VolumeRequestID, reason: String) {
    handle(.cancelChange(id, reason: reason))
  }

  /// Has every other member of the volume group's lockspace load what changed on disk.
  /// `completion` gets the reasons of those that could not; nodes that died are none of them.
  func reload(
    volumeGroup: String, on others: [NodeInstance],
    completion: @escaping ([NodeID: String]) -> Void
  ) {
    guard !others.isEmpty else { return completion([:]) }
    if let id = volumeGroupIDs[volumeGroup] {
      return startReload(volumeGroup, id, on: others, completion)
    }
    let lookUp = pool.runIfActive(eventLoop: loop) { [runner] in
      try runner.volumeGroupID(named: volumeGroup)
    }
    lookUp.assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success(let id?):
        startReload(volumeGroup, id, on: others, completion)
      case .success(nil):
        // The command removed or renamed the volume group: there is nothing to load.
        completion([:])
      case .failure(let error):
        completion([node.local.node: "\(volumeGroup) cannot be read: \(error)"])
      }
    }
  }

  private func startReload(
    _ volumeGroup: String, _ volumeGroupID: String, on others: [NodeInstance],
    _ completion: @escaping ([NodeID: String]) -> Void
  ) {
    let request: ReloadRequest
    do {
      request = try ReloadRequest(
        id: nextRequestID(), volumeGroup: volumeGroup, volumeGroupID: volumeGroupID)
    } catch {
      return completion([node.local.node: "\(error)"])
    }
    // Whoever was removed and is known to be dead by now will never be reported again.
    let unfenced = Set(node.groups.unfencedNodes.map(\.instance))
    let alive = others.filter { node.view.contains($0) || unfenced.contains($0) }
    reloads[request.id] = RunningReload(
      collector: ReloadCollector(request: request, nodes: Set(alive))
    ) { result in
      var failures: [NodeID: String] = [:]
      for (instance, outcome) in result.nodes {
        if let reason = outcome.failure { failures[instance.node] = reason }
      }
      completion(failures)
    }
    handle(.startReload(request.id))
    for instance in alive where unfenced.contains(instance) {
      handle(.input(.nodeRemoved(instance)))
    }
  }

  /// Settles what an earlier life of the daemon left half done in a volume group.
  func recoverLeftovers(volumeGroup: String, volumeGroupID: String) {
    handle(.recoverLeftovers(volumeGroup: volumeGroup, volumeGroupID: volumeGroupID))
  }

  /// Calls `body` when nothing that a dead coordinator left is open in the volume group here.
  func whenSettled(volumeGroup: String, _ body: @escaping () -> Void) {
    settledWaiters.append((volumeGroup, body))
    tellSettled()
  }

  /// What is waited for, in sentences.
  var waits: [String] {
    participant.openChanges + changes.values.compactMap(\.coordinator.waitingFor)
      + reloads.values.compactMap(\.collector.waitingFor)
  }

  // MARK: - Inputs

  func received(_ bytes: ArraySlice<UInt8>, from instance: NodeInstance) {
    do {
      let message = try CoordinationMessage(decoding: bytes)
      // Meant for an earlier life of this daemon: the coordinator says it again to whom it concerns.
      if case .prepare(let change) = message, !takesPart(in: change) { return }
      handle(.input(.message(message, from: instance)))
    } catch {
      logger.error("node \(instance.node) sent a volume message that is none: \(error)")
    }
  }

  /// Whether this life of the daemon is known to the nodes on which the volume group is started.
  private func takesPart(in change: VolumeChange) -> Bool {
    guard let lockspace = LockspaceName("lvm_\(change.volumeGroup)") else { return false }
    return node.view.contains(node.local.instance) && node.groups.isStartedHere(lockspace)
  }

  func viewInstalled(_ view: View) {}
  func nodeRemoved(_ instance: NodeInstance) {
    handle(.input(.nodeRemoved(instance)))
    for orphan in operations?.orphans(of: instance) ?? [] { handle(.input(orphan)) }
  }
  func nodeFenced(_ instance: NodeInstance) { handle(.input(.nodeFenced(instance))) }
  /// It cannot go on with what it had begun, as if it had died and come back at once.
  func memberRenewed(_ instance: NodeInstance) {
    nodeRemoved(instance)
    handle(.input(.nodeRenewed(instance)))
  }
  func agreementChanged() { operations?.endOrphans() }
  func quorumChanged(_ isQuorate: Bool) { handle(.input(.quorum(isQuorate))) }
  func evicted() { handle(.input(.quorum(false))) }

  // MARK: - Stepping

  private func handle(_ event: Event) {
    events.append(event)
    guard !isWorking else { return }
    isWorking = true
    var next = 0
    while next < events.count {
      let event = events[next]
      next += 1
      step(event)
    }
    events.removeAll(keepingCapacity: true)
    isWorking = false
    tellSettled()
    scheduleWake()
  }

  private func step(_ event: Event) {
    let now = Timestamp.now
    switch event {
    case .startChange(let id):
      if let effects = changes[id]?.coordinator.start(at: now) { carryOut(effects, of: id) }
    case .cancelChange(let id, let reason):
      if let effects = changes[id]?.coordinator.cancel(reason: reason, at: now) {
        carryOut(effects, of: id)
      }
    case .startReload(let id):
      if let effects = reloads[id]?.collector.start(at: now) { carryOut(effects, ofReload: id) }
    case .recoverLeftovers(let name, let id):
      carryOut(participant.recoverLeftovers(volumeGroup: name, volumeGroupID: id))
    case .input(let input): step(input, at: now)
    }
  }

  private func step(_ input: CoordinationInput, at now: Timestamp) {
    for id in changes.keys.sorted(by: { $0.number < $1.number }) {
      if let effects = changes[id]?.coordinator.handle(input, at: now) { carryOut(effects, of: id) }
    }
    for id in reloads.keys.sorted(by: { $0.number < $1.number }) {
      if let effects = reloads[id]?.collector.handle(input, at: now) {
        carryOut(effects, ofReload: id)
      }
    }
    carryOut(participant.handle(input, at: now))
  }

  private func carryOut(_ effects: [ChangeCoordinator.Effect], of id: VolumeRequestID) {
    for effect in effects {
      switch effect {
      case .runJob(let job): run(job)
      case .send(let message, let target): send(message, to: target)
      case .record(let step): record(step, of: id)
      case .report(let text):
        logger.notice("\(text)")
        changes[id]?.report(text)
      case .finished(let result): changes.removeValue(forKey: id)?.completion(result)
      }
    }
  }

  private func record(_ step: RecordedStep, of id: VolumeRequestID) {
    guard let running = changes[id] else { return }
    operations?.tell(step, of: running.coordinator.change, on: running.participants) { [self] in
      handle(.input($0))
    }
  }

  private func carryOut(_ effects: [ReloadCollector.Effect], ofReload id: VolumeRequestID) {
    for effect in effects {
      switch effect {
      case .send(let message, let target): send(message, to: target)
      case .report(let text): logger.notice("\(text)")
      case .finished(let result): reloads.removeValue(forKey: id)?.completion(result)
      }
    }
  }

  private func carryOut(_ effects: [ChangeParticipant.Effect]) {
    for effect in effects {
      switch effect {
      case .runJob(let job): run(job)
      case .send(let message, let target): send(message, to: target)
      case .report(let text): logger.notice("\(text)")
      }
    }
  }

  private func send(_ message: CoordinationMessage, to target: NodeInstance) {
    if target == node.local.instance {
      events.append(.input(.message(message, from: target)))
    } else if node.view.contains(target) {
      send(message.encode(), target.node)
    }
  }

  private func run(_ job: VolumeJob) {
    let queue = job.volumeGroupID + (job.isRevert ? "/revert" : "")
    let previous = tails[queue] ?? loop.makeSucceededVoidFuture()
    let result = previous.flatMap { [pool, loop, runner] in
      pool.runIfActive(eventLoop: loop) { runner.run(job) }
    }
    tails[queue] = result.map { _ in }.recover { _ in }
    result.assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success(let outcome):
        activationLocks.follow(job, outcome) { [self] in handle(.input(.jobFinished(job, $0))) }
      case .failure(let error):
        handle(.input(.jobFinished(job, .failed("the daemon is stopping: \(error)"))))
      }
    }
  }

  private func tellSettled() {
    guard !isWorking else { return }
    let ready = settledWaiters.filter { !participant.isRecovering(volumeGroup: $0.volumeGroup) }
    settledWaiters.removeAll { !participant.isRecovering(volumeGroup: $0.volumeGroup) }
    for waiter in ready { waiter.body() }
  }

  private func scheduleWake() {
    let moments =
      [participant.nextWake] + changes.values.map(\.coordinator.nextWake)
      + reloads.values.map(\.collector.nextWake)
    timer.set(moments.compactMap { $0 }.min())
  }
}

extension VolumeJob {
  fileprivate var isRevert: Bool {
    if case .revert = self { true } else { false }
  }
}

extension NodeReload {
  /// Why the node does not run on the new mapping; nil when it does, or is dead.
  fileprivate var failure: String? {
    switch self {
    case .fenced: return nil
    case .failed(let reason): return reason
    case .finished(let volumes):
      let reasons = volumes.compactMap { volume in
        if case .failed(let reason) = volume.outcome { reason } else { nil }
      }
      return reasons.isEmpty ? nil : reasons.joined(separator: "; ")
    }
  }
}
