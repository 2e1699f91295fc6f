import ClusterSimulation
import ClusterTypes
import LVMMetadata
import VolumeActivation
import VolumeCoordination
import VolumeJobs

/// Three nodes with three shared disks, under one operation of an administrator and whatever goes wrong.
///
/// Membership and locks are oracles: who is removed and fenced, and who has the volume group's lock,
/// is right by construction, in the order and with the delays of the real ones. Coordinator,
/// participants, jobs, metadata commits, plans and recovery are the product's.
public final class VolumeWorld {
  enum Event: Sendable {
    /// `life`: the receiver's, when it was sent. A connection does not outlive the daemon at its end.
    case deliver(CoordinationMessage, from: NodeInstance, to: NodeInstance, life: Int)
    case runJob(VolumeJob, NodeInstance)
    case jobDone(VolumeJob, VolumeJobResult, NodeInstance)
    case removed(NodeInstance, at: NodeInstance)
    case fenced(NodeInstance)
    case powerOff(NodeInstance)
    case restart(NodeID)
    case renew(NodeID)
    case renewed(NodeInstance, at: NodeInstance)
    case decide(RecordedStep, VolumeRequestID)
    case recorded(RecordedStep, VolumeRequestID)
    case wake(NodeInstance)
    case unstall(NodeID)
    case endRefusals(NodeID)
    case beginCommand(Int)
    case planCommand(Int)
    case report(NodeID)
    case heal
    case probe
    case end
  }

  public let run: VolumeRun
  let mutation: VolumeMutation?
  var random: SeededGenerator
  var agenda = Agenda<Event>()
  var nodes: [NodeID: SimulatedNode] = [:]
  let disks: [MemoryDevice]
  var texts = MetadataTextCache()
  var lock = GroupLockOracle()
  var record = RecordOracle()
  var commands: [VolumeCommand] = []
  /// Lives that ended and are not known to be dead to every survivor, or not settled.
  var openDeaths: Set<NodeInstance> = []
  /// Those of them that everybody has been told to be dead.
  var told: Set<NodeInstance> = []
  /// Members that go on with another daemon, with who has still to be told.
  var renewals: [NodeInstance: Set<NodeInstance>] = [:]
  var lives: UInt64 = 1

  // What the disks say, as whoever knows everything reads them.
  var committed: VolumeGroup
  var expected: [MappedDeviceUUID: ExpectedDevice] = [:]
  var contents: [UInt32: TextIdentity] = [:]
  var hasTornHeader = false
  var isHealed = false
  /// A coordinator is being told what nobody said.
  var isAssuming = false
  var isOver = false

  /// How many effects there were.
  public private(set) var effectCount = 0
  /// How many of them until the operation had its answer.
  public internal(set) var operationEffectCount = 0
  public internal(set) var violation: VolumeViolation?
  public internal(set) var situations: Set<VolumeSituation> = []
  public internal(set) var transcript: [String] = []
  let keepsTranscript: Bool
  /// Effects in order, for whoever plans faults: what, and on which node.
  public private(set) var effects: [(name: String, node: Int32)] = []

  public init(_ run: VolumeRun, keepsTranscript: Bool = false) {
    self.run = run
    self.keepsTranscript = keepsTranscript
    mutation = run.mutation
    random = SeededGenerator(seed: run.seed)
    disks = SampleDisks.make(for: run.operation)
    committed = SampleDisks.group(for: run.operation)
    for number in Int32(1)...3 {
      guard let id = NodeID(number) else { continue }
      nodes[id] = SimulatedNode(id, kernel: SampleDisks.kernel())
    }
    for node in nodes.values { startLife(of: node) }
    written()
    activateAtFirst()
    addCommands()
    for (index, id) in nodes.keys.sorted().enumerated() {
      agenda.schedule(.report(id), after: .milliseconds(3 + 7 * index))
    }
    agenda.schedule(.heal, at: Timestamp(milliseconds: 60_000))
    agenda.schedule(.probe, at: Timestamp(milliseconds: 90_000))
    agenda.schedule(.end, at: Timestamp(milliseconds: 110_000))
  }

  public var now: Timestamp { agenda.now }

  /// Runs to the end, or to the first violation.
  public func run(eventLimit: Int = 20_000) {
    var count = 0
    while violation == nil, !isOver, let event = agenda.next() {
      perform(event)
      afterEvent()
      count += 1
      guard count < eventLimit else {
        return violate(.everythingEnds, "still busy after \(count) events")
      }
    }
  }

  func startLife(of node: SimulatedNode) {
    node.jobs = VolumeGroupJobs(
      mapper: SimulatedMapper(node, self), disks: SimulatedDisks(node: node, world: self),
      volumeGroupID: committed.id.dashed)
  }

  func note(_ text: @autoclosure () -> String) {
    if keepsTranscript { transcript.append("\(now): \(text())") }
  }

  func hit(_ situation: VolumeSituation) { situations.insert(situation) }

  func violate(_ invariant: VolumeInvariant, _ finding: String) {
    guard violation == nil else { return }
    violation = VolumeViolation(run: run, invariant: invariant, time: now, finding: finding)
    note("VIOLATION: \(finding)")
  }

  // MARK: - Effects and faults

  /// Something is about to have an effect.
  func begin(_ name: @autoclosure () -> String, on node: SimulatedNode) -> Int {
    let effect = effectCount
    effectCount += 1
    if keepsTranscript || run.faults.isEmpty {
      let text = name()
      effects.append((text, node.id.rawValue))
      note("[\(effect)] node \(node.id): \(text)")
    }
    for fault in run.faults where fault.effect == effect && fault.moment == .before {
      strike(fault)
    }
    return effect
  }

  func end(_ effect: Int, on node: SimulatedNode) {
    for fault in run.faults where fault.effect == effect && fault.moment != .before {
      strike(fault)
    }
  }

  /// Whether the node goes down in the middle of this effect.
  func isCut(_ effect: Int, _ node: SimulatedNode) -> Bool {
    !hasTornHeader
      && run.faults.contains {
        $0.effect == effect && $0.moment == .within && $0.node == node.id.rawValue
          && [.powerCut, .daemonKill].contains($0.fault)
      }
  }

  // MARK: - Events

  private func perform(_ event: Event) {
    switch event {
    case .deliver(let message, let sender, let receiver, let life):
      guard let node = running(receiver, elseAgain: event), node.life == life,
        !message.isPreparation || !isRenewing(receiver)
      else { return }
      feed(.message(message, from: sender), to: node)
    case .runJob(let job, let instance):
      guard let node = running(instance, elseAgain: event) else { return }
      carryOut(job, on: node)
    case .jobDone(let job, let result, let instance):
      guard let node = running(instance, elseAgain: event) else { return }
      finish(job, result, on: node)
    case .decide(let step, let id): decide(step, of: id)
    case .recorded(let step, let id):
      guard let node = running(id.origin, elseAgain: event) else { return }
      feed(.recorded(id, step), to: node)
    case .removed(let instance, let observer):
      record.remove(instance)
      guard let node = running(observer, elseAgain: event) else { return }
      feed(.nodeRemoved(instance), to: node)
      outlive(instance, on: node)
      updateQuorum()
    case .fenced(let instance): tellDeath(of: instance)
    case .powerOff(let instance):
      if let node = nodes[instance.node], node.instance == instance, node.isPowered {
        hit(.stalledTooLong)
        powerDown(node)
      }
    case .restart(let id): if let node = nodes[id] { restart(node) }
    case .renew(let id): if let node = nodes[id] { bringBack(node) }
    case .renewed(let instance, let observer):
      guard let node = running(observer, elseAgain: event) else { return }
      tellRenewal(of: instance, to: node)
    case .wake(let instance):
      guard let node = running(instance, elseAgain: event) else { return }
      feed(.wake, to: node)
    case .unstall(let id):
      guard let node = nodes[id], node.stalledUntil != nil else { return }
      hit(.stalledInTime)
      node.stalledUntil = nil
    case .endRefusals(let id): nodes[id]?.refusesLoads = false
    case .beginCommand(let index): begin(command: index)
    case .planCommand(let index): plan(command: index)
    case .report(let id): report(on: id)
    case .heal: heal()
    case .probe: probe()
    case .end:
      checkEnd()
      isOver = true
    }
  }

  /// The node if this life of its daemon runs. What comes during a stall comes once more.
  private func running(_ instance: NodeInstance, elseAgain event: Event) -> SimulatedNode? {
    guard let node = nodes[instance.node], node.isRunning, node.instance == instance else {
      return nil
    }
    if let end = node.stalledUntil {
      agenda.schedule(event, at: end + .milliseconds(1))
      return nil
    }
    return node
  }

  private func afterEvent() {
    if operationEffectCount == 0, commands.first?.isOver == true {
      operationEffectCount = effectCount
    }
    for id in nodes.keys.sorted() {
      guard let node = nodes[id], node.isRunning else { continue }
      advanceSettling(node)
    }
    closeRenewals()
    closeDeaths()
    grantLocks()
    checkSuspends()
    for id in nodes.keys.sorted() {
      guard let node = nodes[id], node.isRunning, node.stalledUntil == nil,
        let moment = nextWake(node)
      else { continue }
      if node.wakeAt.map({ $0 <= now || moment < $0 }) ?? true {
        node.wakeAt = moment
        agenda.schedule(.wake(node.instance), at: moment)
      }
    }
  }

  private func nextWake(_ node: SimulatedNode) -> Timestamp? {
    let own = commands.filter { $0.origin == node.instance && !$0.isOver }
      .flatMap { [$0.coordinator?.nextWake, $0.collector?.nextWake].compactMap { $0 } }
    return (own + [node.participant.nextWake].compactMap { $0 }).min()
  }

  // MARK: - Machines

  func feed(_ input: CoordinationInput, to node: SimulatedNode) {
    for command in commands where command.origin == node.instance && !command.isOver {
      if let effects = command.coordinator?.handle(input, at: now) {
        carryOut(effects, of: command)
      }
      if let effects = command.collector?.handle(input, at: now) {
        carryOut(effects, of: command)
      }
    }
    guard node.isRunning else { return }
    if case .wake = input { node.wakeAt = nil }
    carryOut(node.participant.handle(input, at: now), on: node)
  }

  func carryOut(_ effects: [ChangeParticipant.Effect], on node: SimulatedNode) {
    let life = node.life
    for effect in effects {
      guard node.isRunning, node.life == life else { return }
      switch effect {
      case .runJob(let job): enqueue(job, on: node)
      case .send(let message, let receiver): send(message, from: node, to: receiver)
      case .report(let text): note("node \(node.id): \(text)")
      }
    }
  }

  func carryOut(_ effects: [ChangeCoordinator.Effect], of command: VolumeCommand) {
    guard let node = nodes[command.origin.node] else { return }
    for effect in effects {
      guard node.isRunning, node.instance == command.origin else { return }
      switch effect {
      case .runJob(let job): enqueue(job, on: node)
      case .send(let message, let receiver): send(message, from: node, to: receiver)
      case .record(let step): ask(step, of: command, on: node)
      case .report(let text): note("command \(command.index): \(text)")
      case .finished(let result): finish(command, result)
      }
    }
    assume(command)
  }

  func send(
    _ message: CoordinationMessage, from node: SimulatedNode, to receiver: NodeInstance
  ) {
    let sender = node.instance
    guard receiver != sender else {
      return agenda.schedule(
        .deliver(message, from: sender, to: sender, life: node.life), after: .zero)
    }
    let effect = begin("send \(message.name) to \(receiver.node)", on: node)
    guard node.isRunning, node.instance == sender else { return }
    let isKnown = !sent.insert(SentMessage(message: message, receiver: receiver)).inserted
    if isKnown { hit(.resent) }
    let life = nodes[receiver.node]?.life ?? 0
    let event = Event.deliver(message, from: sender, to: receiver, life: life)
    var delay = Duration.microseconds(UInt64.random(in: 200...900, using: &random))
    if node.delaysNextMessage {
      node.delaysNextMessage = false
      hit(.lateMessage)
      delay = .seconds(12)
    }
    if node.losesNextMessage {
      node.losesNextMessage = false
    } else if !node.isRemoved {
      agenda.schedule(event, after: delay)
      if node.echoes {
        agenda.schedule(event, after: .seconds(20))
      }
    }
    end(effect, on: node)
  }

  struct SentMessage: Hashable {
    let text: String
    init(message: CoordinationMessage, receiver: NodeInstance) { text = "\(message) \(receiver)" }
  }
  private var sent: Set<SentMessage> = []

  /// Work on the volume group is queued; a revert touches other things.
  private func enqueue(_ job: VolumeJob, on node: SimulatedNode) {
    if case .revert = job { return agenda.schedule(.runJob(job, node.instance), after: .zero) }
    node.queue.append(job)
    workOn(node)
  }

  private func workOn(_ node: SimulatedNode) {
    guard !node.isWorking, !node.queue.isEmpty else { return }
    node.isWorking = true
    let job = node.queue.removeFirst()
    agenda.schedule(.runJob(job, node.instance), after: .microseconds(300))
  }

  private func carryOut(_ job: VolumeJob, on node: SimulatedNode) {
    let instance = node.instance
    note("node \(node.id) runs \(job.name)")
    guard var jobs = node.jobs else { return }
    node.jobs = nil
    node.runsRecovery = job.isRecovery
    let text = commands.first { command in
      if case .writePrecommitted(let change) = job {
        command.change?.id == change.id
      } else {
        false
      }
    }?.text
    let result = mutated(job) { job in jobs.run(job, text: text) }
    node.runsRecovery = false
    guard node.isRunning, node.instance == instance else { return }
    node.jobs = jobs
    noteOutcome(of: job, result, on: node)
    note("node \(node.id) ends \(job.name): \(result)")
    agenda.schedule(.jobDone(job, result, instance), after: .microseconds(500))
  }

  private func finish(_ job: VolumeJob, _ result: VolumeJobResult, on node: SimulatedNode) {
    if case .revert = job {
      feed(.jobFinished(job, result), to: node)
      return
    }
    node.isWorking = false
    feed(.jobFinished(job, result), to: node)
    hurry(after: job, result, on: node)
    if node.isRunning { workOn(node) }
  }
}

extension VolumeJob {
  var isRecovery: Bool { if case .recover = self { true } else { false } }

  /// The first word of the case.
  var name: String { String("\(self)".prefix { $0 != "(" }) }
}

extension CoordinationMessage {
  var name: String { String("\(self)".prefix { $0 != "(" }) }

  /// Of a change that a node would have to take part in from its beginning.
  var isPreparation: Bool { if case .prepare = self { true } else { false } }
}
