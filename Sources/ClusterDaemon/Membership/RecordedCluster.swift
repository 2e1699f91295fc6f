import ClusterMembership
import ClusterTypes
import DistributedLockManager
import LockspaceGroups
import Logging
import MachineShell
import NIOCore
import NIOPosix

/// The shell of the embedded provider: feeds `EmbeddedMembership` and carries out what it wants.
///
/// One record decides members, lockspaces and proofs alike, so there are no lockspace groups above it:
/// effects on lockspaces go to the drivers as they come. Confined to the cluster's event loop; the
/// node's memory and the quorum disk have a thread each, which may hang without stopping the loop.
final class RecordedCluster: ClusterEngine, RecordAccess {
  private enum Work {
    case input(EmbeddedInput)
    case request(Request, completion: (RequestOutcome) -> Void)
    case joinSpace(LockspaceName, LockspaceKind)
    case leaveSpace(LockspaceName, LockspaceKind)
  }

  let local: Member
  var tell: (ClusterEvent) -> Void = { _ in }
  /// Whether a control channel with a node is open.
  var isHeard: (NodeID) -> Bool = { _ in false }
  /// Tries whether anybody listens on a node; answers come as `probed`.
  var probe: (NodeID) -> Void = { _ in }

  private var machine: EmbeddedMembership
  private let storage: MembershipStorage
  private let keeper: any LeaseKeeper
  private let executor: any FenceExecutor
  private let loop: any EventLoop
  private let logger: Logger
  private let send: ([UInt8], NodeID) -> Void

  private var queue: [Work] = []
  private var isWorking = false
  private var isStopped = false
  private lazy var timer = DeadlineTimer(
    eventLoop: loop, clock: { .now }, fire: { [weak self] in self?.feed(.tick) })
  private var lockspaces: RecordedLockspaces
  private var requests = RequestTable()
  private var observers: [any RecordObserver] = []
  private var toldView: UInt64?
  private var wasOperational = false
  private var lives: [NodeSlot: UInt32] = [:]
  private var isDirty: Bool
  private var hasAskedForClean = false
  /// A new incarnation waits for its memory to be written; then this life ends.
  private var isRenewed = false
  private var nextProbe = Timestamp(nanoseconds: 0)
  private var departure: EventLoopPromise<Void>?
  /// Nodes whose frames name another slot than the record gives them, as reported.
  private var misplaced: Set<NodeID> = []

  init(
    setup: MembershipSetup, executor: any FenceExecutor, loop: any EventLoop, logger: Logger,
    send: @escaping ([UInt8], NodeID) -> Void
  ) {
    local = setup.local
    machine = setup.machine
    storage = MembershipStorage(setup)
    keeper = setup.keeper
    lockspaces = RecordedLockspaces(started: setup.keeper.findings.started)
    isDirty = setup.isDirty
    self.executor = executor
    self.loop = loop
    self.logger = logger
    self.send = send
  }

  // MARK: - What others ask

  var record: Record { machine.record }
  var localSlot: NodeSlot { machine.slot }
  /// A member has to have a lease; a node that is none yet, or a witness, hears somebody lead.
  var isQuorate: Bool {
    isOperational || !machine.isMember && machine.hearsQuorum(at: .now)
  }
  var isOperational: Bool { machine.isRunning(at: .now) }

  var view: View {
    guard machine.knowsRecord else { return .none }
    let record = machine.record
    let members = record.members.compactMap { member in
      record.instance(member.slot, member.incarnation).map {
        Member(
          instance: $0, bootID: member.bootID.description, startedClean: $0 == local.instance)
      }
    }
    return View(id: record.viewID, members: members)
  }

  var leader: NodeID? {
    guard machine.hearsQuorum(at: .now) else { return nil }
    let slot = machine.isLeader ? machine.slot : machine.leaderSlot
    return slot.flatMap { machine.record.node($0)?.id }
  }

  var groups: any AgreedLockspaces { agreement }

  private var agreement: RecordedAgreement {
    RecordedAgreement(
      record: machine.knowsRecord ? machine.record : unknownRecord,
      local: local.instance, life: machine.life,
      stopped: { [machine] in machine.nodesStopped(for: $0) },
      running: { [machine] in machine.nodesRunning($0) },
      fenceNote: { [machine, executor] node in
        guard let slot = machine.record.newestConfiguration[node]?.slot else { return nil }
        let notes = [machine.fenceProgress(of: slot), executor.note(about: node)]
        return notes.compactMap { $0 }.joined(separator: ", ")
      })
  }

  /// Before a decision is known nobody is in, and nothing runs.
  private var unknownRecord: Record {
    Record(clusterID: machine.record.clusterID, configuration: machine.record.configuration)
  }

  var waits: [String] {
    let unfenced = agreement.unfencedNodes.map(\.instance.node)
    let fences = zip(unfenced, agreement.fenceWaits).map { node, wait in
      "Every stopped lockspace waits for \(wait). If you have made sure that it is off, run: "
        + "clvm node fenced \(node)"
    }
    guard machine.record.node(machine.slot)?.isWitness != true else { return fences }
    let reason = machine.admissionObstacle.map { ["This node is not admitted: \($0)."] } ?? []
    return (machine.isMember ? [] : reason) + fences + storage.waits
  }

  func addObserver(_ observer: any RecordObserver) { observers.append(observer) }

  func submit(_ request: Request, completion: @escaping (RequestOutcome) -> Void) {
    enqueue(.request(request, completion: completion))
  }

  // MARK: - Inputs

  func start() { feed(.tick) }

  func stop() {
    isStopped = true
    timer.set(nil)
    storage.stop()
  }

  func handle(_ input: MembershipInput) {
    switch input {
    case .received(let bytes, let node): received(bytes, from: node)
    case .channelOpened, .channelClosed, .timer, .submit, .snapshot, .group: feed(.tick)
    }
  }

  private func received(_ bytes: [UInt8], from node: NodeID) {
    let message: MembershipMessage
    do {
      message = try MembershipMessage(decoding: bytes)
    } catch {
      return logger.error("node \(node) sent a membership message that is not one: \(error)")
    }
    guard machine.record.node(message.sender)?.id == node else {
      if misplaced.insert(node).inserted {
        logger.error(
          """
          node \(node) counts itself as another node of the cluster than this node does: the two have \
          been set up with different lists of nodes; its messages are ignored
          """)
      }
      return
    }
    feed(.received(message))
  }

  func probed(_ node: NodeID, isListening: Bool) {
    guard let slot = machine.record.newestConfiguration[node]?.slot else { return }
    feed(isListening ? .peerListens(slot) : .peerRefused(slot))
  }

  func join(_ name: LockspaceName, _ kind: LockspaceKind) { enqueue(.joinSpace(name, kind)) }
  func leave(_ name: LockspaceName, _ kind: LockspaceKind) { enqueue(.leaveSpace(name, kind)) }
  func stopped(_ name: LockspaceName, generation: UInt64) {
    feed(.spaceStopped(name, generation: generation))
  }
  func running(_ name: LockspaceName, generation: UInt64) {
    feed(.spaceStarted(name, generation: generation))
  }

  func vouchDead(_ instance: NodeInstance, _ kind: Evidence, by: String) {
    guard let slot = machine.record.newestConfiguration[instance.node]?.slot else { return }
    feed(.request(.prove(slot, instance.incarnation, kind, by: by)))
  }

  func leave() -> EventLoopFuture<Void> {
    guard machine.isMember, isOperational else { return loop.makeSucceededVoidFuture() }
    let promise = departure ?? loop.makePromise(of: Void.self)
    departure = promise
    submit(.leave) { [logger] outcome in
      guard case .refused(let reason) = outcome else { return }
      logger.warning("the cluster does not let this node leave: \(reason)")
      promise.succeed()
    }
    return promise.futureResult
  }

  // MARK: - The loop

  private func feed(_ input: EmbeddedInput) { enqueue(.input(input)) }

  /// Works off the queue: what effects cause comes after what was there before.
  private func enqueue(_ work: Work) {
    queue.append(work)
    guard !isWorking, !isStopped else { return }
    isWorking = true
    var next = 0
    while next < queue.count, !isStopped {
      let work = queue[next]
      next += 1
      step(work)
    }
    queue.removeAll(keepingCapacity: true)
    isWorking = false
    tellQuorum()
    probeSilentMembers()
  }

  private func step(_ work: Work) {
    switch work {
    case .input(let input): carryOut(advance(input))
    case .request(let request, let completion): ask(request, completion)
    case .joinSpace(let name, let kind):
      ask(.joinSpace(name, kind: kind.rawValue)) { [weak self] outcome in
        self?.answered(outcome, joining: name, kind)
      }
    case .leaveSpace(let name, let kind):
      ask(.leaveSpace(name)) { [weak self] outcome in
        self?.answered(outcome, leaving: name, kind)
      }
    }
    tell(.agreed)
  }

  private func ask(_ request: Request, _ completion: @escaping (RequestOutcome) -> Void) {
    let sequence = machine.nextRequestSequence
    let effects = advance(.request(request))
    guard machine.nextRequestSequence > sequence else {
      completion(.refused("too many requests of this node wait for a decision"))
      return carryOut(effects)
    }
    // Before its effects: a leader may have decided it among them.
    requests.add(
      RequestName(
        slot: machine.slot, incarnation: machine.incarnation, life: machine.life,
        sequence: sequence), completion)
    carryOut(effects)
  }

  private func advance(_ input: EmbeddedInput) -> [EmbeddedEffect] {
    var effects: [EmbeddedEffect] = []
    machine.handle(input, at: .now, effects: &effects)
    return effects
  }

  private func carryOut(_ effects: [EmbeddedEffect]) {
    for effect in effects { carryOut(effect) }
  }

  private func carryOut(_ effect: EmbeddedEffect) {
    switch effect {
    case .send(let slot, let message):
      if let node = machine.record.node(slot)?.id { send(message.encoded, node) }
    case .persist(let token, let state): persist(token, state)
    case .diskRound(let round):
      storage.run(round, on: loop) { [self] in feed(.diskRound(id: round.id, $0)) }
    case .writeMail(let mail): storage.write(mail, on: loop)
    case .setLease(let until):
      keeper.setLease(until: until)
      executor.leaseExtended(until: until)
    case .stopSpace, .startSpace, .leftSpace:
      if let order = lockspaces.driverEffect(for: effect, record: machine.record) {
        tell(.lockspace(order))
      }
    case .deliver(let message, _, _): delivered(message)
    case .reset: requests.missed()
    case .applied(let record, _): applied(record)
    case .runFence(let attempt, let timeout): runFence(attempt, timeout)
    case .readExclusions(let id, let exclusions): readExclusions(id, exclusions)
    case .selfFence(let reason):
      logger.critical("this node must write to shared disks no more: \(reason)")
      keeper.selfFence(reason: reason)
      tell(.evicted)
    case .renewed(let incarnation):
      logger.warning("the cluster went on without this node, which held nothing: it begins anew")
      _ = lockspaces.driverEffect(for: .renewed(incarnation), record: machine.record)
      for completion in requests.abandon() { completion(.unknown) }
      isRenewed = true
    case .left:
      departure?.succeed()
      departure = nil
    case .report(let text): logger.notice("\(text)")
    case .wake(let moment): timer.set(moment)
    }
  }

  private func persist(_ token: UInt64, _ state: PersistentState) {
    // Petting goes by lease from before the mark is on disk until after it is gone.
    if state.wasDirty, !isDirty {
      isDirty = true
      keeper.becomeDirty()
    }
    storage.persist(state, on: loop) { [self] error in
      if let error {
        logger.critical("the node's memory cannot be written: \(error)")
        return feed(.persistFailed(token: token))
      }
      if !state.wasDirty, isDirty {
        isDirty = false
        keeper.becomeClean()
      }
      feed(.persisted(token: token))
      if isRenewed, state.incarnation == machine.incarnation {
        isRenewed = false
        tell(.evicted)
      }
    }
  }

  // MARK: - What was decided

  private func applied(_ record: Record) {
    tellView(record)
    tell(.deaths)
    tellNewLives(record)
    for observer in observers { observer.recordApplied(record) }
    let last = record.requests.first {
      $0.slot == machine.slot && $0.incarnation == machine.incarnation
    }
    for (completion, outcome) in requests.settle(last) { completion(outcome) }
    askForClean(record)
  }

  private func tellView(_ record: Record) {
    guard toldView != record.viewID, record.viewID > 0 else { return }
    toldView = record.viewID
    tell(.view(view))
  }

  private func tellNewLives(_ record: Record) {
    let before = lives
    lives = Dictionary(
      record.members.map { ($0.slot, $0.life) }, uniquingKeysWith: { first, _ in first })
    for member in record.members where member.slot != machine.slot {
      guard let life = before[member.slot], life < member.life,
        let instance = record.instance(member.slot, member.incarnation)
      else { continue }
      tell(.renewed(instance))
    }
  }

  /// A node that is out of every lockspace says so while a quorum is there to decide it: it may be
  /// switched off then without anybody having to prove its death.
  private func askForClean(_ record: Record) {
    guard let own = record[member: machine.slot], own.incarnation == machine.incarnation,
      own.isDirty
    else {
      hasAskedForClean = false
      return
    }
    let isIdle = !record.spaces.contains {
      $0.members.contains(machine.slot) || $0.leaving.contains(machine.slot)
    }
    guard isIdle, !hasAskedForClean else { return }
    hasAskedForClean = true
    submit(.clean) { [weak self] outcome in
      if case .decided = outcome { return }
      self?.hasAskedForClean = false
    }
  }

  private func delivered(_ message: ControlMessage) {
    switch message.payload {
    case .message: break
    case .refused(let sequence, let reason):
      guard message.origin == machine.slot, message.incarnation == machine.incarnation,
        !requests.refused(sequence, message.incarnation, reason: reason)
      else { return }
      logger.warning("the cluster has refused what this node asked for: \(reason)")
      tell(.refused(reason))
    case .proven(let slot, let incarnation, let evidence, let by):
      let name = machine.record.node(slot)?.name ?? "the node in slot \(slot)"
      logger.notice("node \(name)/\(incarnation) can no longer write: \(evidence), \(by)")
    }
  }

  private func answered(
    _ outcome: RequestOutcome, joining name: LockspaceName, _ kind: LockspaceKind
  ) {
    switch outcome {
    case .decided: break
    case .refused(let reason): tell(.lockspace(.joinRefused(name, kind, reason: reason)))
    case .unknown:
      guard !isIn(name) else { return }
      tell(
        .lockspace(.joinRefused(name, kind, reason: "the cluster's answer was missed; try again")))
    }
  }

  private func answered(
    _ outcome: RequestOutcome, leaving name: LockspaceName, _ kind: LockspaceKind
  ) {
    // Where this node was never in, or is out already, no other word comes.
    if case .refused = outcome { return }
    if !isIn(name) { tell(.lockspace(.left(name, kind))) }
  }

  private func isIn(_ name: LockspaceName) -> Bool {
    machine.record.spaces.contains {
      $0.name == name && ($0.members.contains(machine.slot) || $0.leaving.contains(machine.slot))
    }
  }

  // MARK: - Fencing, quorum, other daemons

  private func runFence(_ attempt: FenceAttempt, _ timeout: UInt32) {
    guard let node = machine.record.node(attempt.victim) else {
      return feed(.fenceResult(attempt: attempt.id, exit: nil))
    }
    logger.warning("fencing node \(node.name), level \(attempt.level), attempt \(attempt.id)")
    let order = FenceOrder(
      attempt: attempt.id, victim: NodeInstance(node.id, attempt.incarnation),
      victimName: node.name, level: Int(attempt.level), isByReservation: attempt.isByReservation,
      timeout: .milliseconds(timeout))
    executor.run(order) { [self] result in
      let text: String
      switch result {
      case .exited(let exit):
        text = exit.map { $0 == 0 ? "succeeded" : "failed, exit \($0)" } ?? "did not end"
        feed(.fenceResult(attempt: attempt.id, exit: exit))
      case .excluded(let devices):
        text = "its keys are off the disks"
        feed(.excluded(attempt: attempt.id, devices: devices))
      }
      logger.warning("fencing node \(node.name), attempt \(attempt.id): \(text)")
    }
  }

  private func readExclusions(_ id: UInt64, _ exclusions: [Exclusion]) {
    let record = machine.record
    let nodes = exclusions.compactMap { record.instance($0.slot, $0.incarnation) }
    guard nodes.count == exclusions.count else { return feed(.exclusionsRead(id: id, .unknown)) }
    executor.readExclusions(nodes) { [self] kept in
      let broken = zip(exclusions, kept).filter { $0.1 == false }.map(\.0)
      if !broken.isEmpty { return feed(.exclusionsRead(id: id, .broken(broken))) }
      feed(.exclusionsRead(id: id, kept.allSatisfy { $0 == true } ? .hold : .unknown))
    }
  }

  private func tellQuorum() {
    let isOperational = isOperational
    guard isOperational != wasOperational else { return }
    wasOperational = isOperational
    tell(.quorum(isOperational))
    guard !isOperational, let departure else { return }
    // The last nodes of a cluster that is shut down: nobody is left to decide this departure.
    logger.notice("no quorum decides that this node leaves; it ends without")
    self.departure = nil
    departure.succeed()
  }

  /// The daemon of a member may be gone while its machine lives: a leader is patient with that, and so is
  /// a node that would race against it.
  private func probeSilentMembers() {
    guard machine.isLeader || machine.record.configuration.fenceRace,
      Timestamp.now >= nextProbe
    else { return }
    nextProbe = .now + .milliseconds(machine.record.timers.heartbeat)
    for member in machine.record.members where member.slot != machine.slot {
      guard let node = machine.record.node(member.slot)?.id, !isHeard(node) else { continue }
      probe(node)
    }
  }
}
