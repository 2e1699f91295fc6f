import ClusterMembership
import ClusterSimulation
import ClusterTypes

/// A cluster of machines on a simulated network with simulated disks, fence devices and watchdogs.
/// One seed gives one history.
package final class MembershipWorld {
  enum Event: Sendable {
    case message(Int, to: NodeSlot)
    case refused(NodeSlot, to: NodeSlot, daemon: Int)
    case tick(NodeSlot, daemon: Int)
    case persisted(NodeSlot, daemon: Int, token: UInt64, store: Int, fails: Bool)
    indirect case diskWritten(NodeSlot, DiskSlot)
    case diskRead(NodeSlot, daemon: Int, round: UInt64)
    case diskFailed(NodeSlot, daemon: Int, round: UInt64)
    indirect case kernelStopped(NodeSlot, boot: Int, LockspaceName, generation: UInt64)
    indirect case kernelStarts(
      NodeSlot, boot: Int, LockspaceName, generation: UInt64, members: [NodeInstanceSlot],
      ticket: Int, kind: UInt8)
    indirect case recovered(NodeSlot, boot: Int, daemon: Int, LockspaceName, generation: UInt64)
    indirect case fenceActs(FenceAttempt)
    case fenceEnds(NodeSlot, daemon: Int, attempt: UInt64, exit: Int32?)
    indirect case keysRemoved(NodeSlot, daemon: Int, FenceAttempt)
    case excluded(NodeSlot, daemon: Int, attempt: UInt64)
    case readExclusions(NodeSlot, daemon: Int, id: UInt64, [Exclusion])
    indirect case exclusionsRead(NodeSlot, daemon: Int, id: UInt64, ExclusionReading)
    case loseReservation
    case leaseCheck(NodeSlot, boot: Int)
    case watchdog(NodeSlot, boot: Int)
    case boot(NodeSlot)
    case startDaemon(NodeSlot, boot: Int)
    case fault
    case heal(Int)
    case user
    case crashAgain(NodeSlot)
    case forget(NodeSlot, leader: NodeSlot, cut: Int)
    case calm
  }

  package let plan: SimulationPlan
  var chance: SeededGenerator
  var agenda = Agenda<Event>()
  let machines: [SimulatedMachine]
  let configuration: ClusterConfiguration
  let genesis: Record
  var messages: [MembershipMessage?] = []
  var freeMessages: [Int] = []
  var stores: [PersistentState?] = []
  var freeStores: [Int] = []
  var quorumDisk: [NodeSlot: DiskSlot] = [:]
  var mails: [NodeSlot: DiskMail] = [:]

  /// Directed cuts by id of the fault.
  var cuts: [Int: [UInt64]] = [:]
  /// Per sender the receivers that it does not reach.
  var unreachable: [UInt64]
  var lossPercent = 0
  var extraDelay: UInt64 = 0
  var nextFault = 1
  var fenceMood = 0
  var sharedDisks = ReservedDisks()
  /// Crash a machine when it has carried out this many more effects.
  var crashCountdown: (slot: NodeSlot, effects: Int)?
  var isCalm = false

  // What the checks know.
  package internal(set) var violations: [String] = []
  package internal(set) var situations: Set<Situation> = []
  var decisions: [UInt64: Decision] = [:]
  var newestIndex: UInt64 = 0
  var everRemoved: Set<NodeInstanceSlot> = []
  var everAdmitted: Set<NodeInstanceSlot> = []
  var attemptsDecided: [UInt64: UInt64] = [:]
  var admittedIn: [NodeInstanceSlot: UInt64] = [:]
  /// The decision that started a generation, and who was in the view then.
  var startViews: [UInt64: (index: UInt64, members: [NodeInstanceSlot])] = [:]
  var startedSets: [UInt64: [NodeInstanceSlot]] = [:]
  /// The lives of the members, by generation.
  var startedLives: [UInt64: [UInt32]] = [:]
  /// Incarnations that held lockspaces, and when the last of their I/O lands; max while they live.
  var writers: [NodeInstanceSlot: UInt64] = [:]
  var leaderLeaseEnds: [UInt64: UInt64] = [:]
  var messagesSeen: Set<[UInt8]> = []
  var deliveredBatches: [UInt64: [ControlMessage]] = [:]
  var operationCount: UInt64 = 0
  var operationsSeen: Set<VolumeOperation.ID> = []
  /// Who asked for the end of an operation, and how far its coordinator asked it to go.
  var endsAsked: [VolumeOperation.ID: Set<NodeSlot>] = [:]
  var operationSteps: [VolumeOperation.ID: VolumeOperation.Step] = [:]
  /// The terms in which they began.
  var operationTerms: [VolumeOperation.ID: UInt64] = [:]
  package internal(set) var views = 0
  package internal(set) var starts = 0
  package internal(set) var resets = 0
  package internal(set) var messagesSent = 0
  package internal(set) var bytesSent = 0
  var countsBytes = false
  package internal(set) var eventCount = 0
  var transcript: [String] = []
  package var keepsTranscript = false
  /// Called for every decision that is first seen committed.
  var onDecision: ((Decision, UInt64) -> Void)?
  /// Called when a kernel has recovered a lockspace.
  var onRecovery: ((NodeSlot, LockspaceName, UInt64) -> Void)?
  static let names = ["alpha", "beta", "gamma"].compactMap { LockspaceName($0) }
  /// The last one is the daemon's own and ends with it; the kernel's outlive it.
  static func kind(of name: LockspaceName) -> UInt8 {
    name == names.last ? Space.kindOfDaemon : 1
  }

  package init(_ plan: SimulationPlan) {
    self.plan = plan
    chance = SeededGenerator(seed: plan.seed)
    let count = plan.nodeCount + (plan.hasWitness ? 1 : 0)
    let slots = (0..<count).compactMap { NodeSlot($0) }
    machines = slots.map { SimulatedMachine(slot: $0) }
    unreachable = [UInt64](repeating: 0, count: count)
    let nodes = slots.compactMap { slot -> ConfiguredNode? in
      guard let id = NodeID(Int32(slot.index) + 1) else { return nil }
      return ConfiguredNode(
        slot: slot, id: id, name: "n\(id)", addresses: ["10.0.0.\(id)"],
        isWitness: plan.hasWitness && Int(slot.index) == plan.nodeCount,
        fenceLevels: plan.fenceLevels, reservationLevels: plan.reservationLevels)
    }
    configuration = ClusterConfiguration(
      nodes: nodes, hasDisk: plan.hasDisk, trustsWatchdog: plan.trustsWatchdog,
      fenceRace: plan.hasFenceRace, timers: plan.timers)
    genesis = Record(clusterID: 7, configuration: configuration)
    for slot in slots {
      machines[slot.index.asInt].rate = UInt64.random(in: 990_000...1_010_000, using: &chance)
      agenda.schedule(.boot(slot), at: Timestamp(milliseconds: 10 + random(0...800)))
    }
    agenda.schedule(.user, at: Timestamp(milliseconds: 5000))
    agenda.schedule(.fault, at: Timestamp(milliseconds: 20_000))
    agenda.schedule(.calm, at: plan.calmFrom)
  }

  func random(_ range: ClosedRange<UInt64>) -> UInt64 { UInt64.random(in: range, using: &chance) }
  var now: UInt64 { agenda.now.nanoseconds }

  func schedule(_ event: Event, inMilliseconds delay: UInt64) {
    agenda.schedule(event, at: Timestamp(nanoseconds: now + delay * 1_000_000))
  }

  func note(_ text: @autoclosure () -> String) {
    if keepsTranscript { transcript.append("\(now / 1_000_000) \(text())") }
  }

  /// Runs to the end, or to the first violation.
  package func run() {
    while violations.isEmpty, agenda.now < plan.end, let event = agenda.next() {
      eventCount += 1
      handle(event)
    }
    if violations.isEmpty { checkLiveness() }
  }

  /// Runs until `moment`.
  func run(until moment: UInt64) {
    while violations.isEmpty, now < moment, let event = agenda.next() {
      eventCount += 1
      handle(event)
    }
  }

  package var lastLines: [String] { Array(transcript.suffix(160)) }
  package var wholeHistory: [String] { transcript }

  func violate(_ text: String) {
    violations.append("at \(now / 1_000_000) ms: \(text)")
    note("VIOLATION \(text)")
  }

  // MARK: - Events

  private func handle(_ event: Event) {
    switch event {
    case .message(let index, let slot): arrive(index, slot)
    case .refused(let other, let slot, let daemon):
      feed(.peerRefused(other), slot, daemon)
    case .tick(let slot, let daemon): tick(slot, daemon)
    case .persisted(let slot, let daemon, let token, let store, let fails):
      persisted(slot, daemon, token, store, fails)
    case .diskWritten(let slot, let content): quorumDisk[slot] = content
    case .diskRead(let slot, let daemon, let round):
      let slots = quorumDisk.values.sorted { $0.slot < $1.slot }
      if mails[slot] != nil { situations.insert(.mailRead) }
      feed(.diskRound(id: round, .read(slots, mailbox: mails[slot])), slot, daemon)
    case .diskFailed(let slot, let daemon, let round):
      feed(.diskRound(id: round, .failed), slot, daemon)
    case .kernelStopped(let slot, let boot, let name, let generation):
      kernelStopped(slot, boot, name, generation)
    case .kernelStarts(
      let slot, let boot, let name, let generation, let members, let ticket, let kind):
      kernelStarts(slot, boot, name, generation, members, ticket, kind)
    case .recovered(let slot, let boot, let daemon, let name, let generation):
      guard machines[slot.index.asInt].boot == boot,
        machines[slot.index.asInt].kernel[name]?.generation == generation,
        machines[slot.index.asInt].kernel[name]?.isRunning == true
      else { return }
      onRecovery?(slot, name, now)
      feed(.spaceStarted(name, generation: generation), slot, daemon)
    case .fenceActs(let attempt): fenceActs(attempt)
    case .fenceEnds(let slot, let daemon, let attempt, let exit):
      feed(.fenceResult(attempt: attempt, exit: exit), slot, daemon)
    case .keysRemoved(let slot, let daemon, let attempt): keysRemoved(slot, daemon, attempt)
    case .excluded(let slot, let daemon, let attempt):
      feed(.excluded(attempt: attempt, devices: devices(of: slot)), slot, daemon)
    case .readExclusions(let slot, let daemon, let id, let exclusions):
      feed(.exclusionsRead(id: id, reading(exclusions, by: slot)), slot, daemon)
    case .exclusionsRead(let slot, let daemon, let id, let reading):
      feed(.exclusionsRead(id: id, reading), slot, daemon)
    case .loseReservation: loseReservation()
    case .leaseCheck(let slot, let boot): checkLease(slot, boot)
    case .watchdog(let slot, let boot): watchdogFires(slot, boot)
    case .boot(let slot): boot(slot)
    case .startDaemon(let slot, let boot): startDaemon(slot, boot)
    case .fault: causeFault()
    case .heal(let id): heal(id)
    case .user: userActs()
    case .crashAgain(let slot): powerOff(slot, "cascade")
    case .forget(let slot, let leader, let cut): forgetNewest(slot, leader, cut)
    case .calm: becomeCalm()
    }
  }

  /// Gives an input to a daemon, unless it is another one by now; a frozen one gets it later.
  func feed(_ input: EmbeddedInput, _ slot: NodeSlot, _ daemon: Int) {
    let index = slot.index.asInt
    guard machines[index].isUp, machines[index].daemonNumber == daemon else { return }
    if machines[index].frozenUntil > now {
      return putOff(input, slot, daemon)
    }
    noteGapEnd(index)
    var effects: [EmbeddedEffect] = []
    let local = machines[index].local(now)
    machines[index].daemon?.handle(
      input, at: Timestamp(nanoseconds: local), effects: &effects)
    checkAfter(slot)
    carryOut(effects, slot, daemon)
  }

  private func noteGapEnd(_ index: Int) {
    let machine = machines[index]
    guard machine.isGap, machine.frozenUntil > 0 else { return }
    machine.isGap = false
    machine.gapEnd = machine.local(now)
  }

  /// What reaches a frozen daemon waits in its queues, in order.
  private func putOff(_ input: EmbeddedInput, _ slot: NodeSlot, _ daemon: Int) {
    let at = Timestamp(nanoseconds: machines[slot.index.asInt].frozenUntil)
    switch input {
    case .received(let message): agenda.schedule(.message(store(message), to: slot), at: at)
    case .fenceResult(let attempt, let exit):
      agenda.schedule(.fenceEnds(slot, daemon: daemon, attempt: attempt, exit: exit), at: at)
    case .excluded(let attempt, _):
      agenda.schedule(.excluded(slot, daemon: daemon, attempt: attempt), at: at)
    case .exclusionsRead(let id, let reading):
      agenda.schedule(.exclusionsRead(slot, daemon: daemon, id: id, reading), at: at)
    case .spaceStopped(let name, let generation):
      agenda.schedule(
        .kernelStopped(
          slot, boot: machines[slot.index.asInt].boot, name, generation: generation), at: at)
    case .spaceStarted(let name, let generation):
      agenda.schedule(
        .recovered(
          slot, boot: machines[slot.index.asInt].boot, daemon: daemon, name,
          generation: generation), at: at)
    case .diskRound(let id, let result):
      if case .failed = result {
        agenda.schedule(.diskFailed(slot, daemon: daemon, round: id), at: at)
      } else {
        agenda.schedule(.diskRead(slot, daemon: daemon, round: id), at: at)
      }
    case .persisted(let token):
      agenda.schedule(
        .persisted(slot, daemon: daemon, token: token, store: -1, fails: false), at: at)
    case .persistFailed(let token):
      agenda.schedule(
        .persisted(slot, daemon: daemon, token: token, store: -1, fails: true), at: at)
    case .tick, .peerRefused, .peerListens, .spaceStuck, .request, .timeGap: break
    }
  }

  func store(_ message: MembershipMessage) -> Int {
    if let index = freeMessages.popLast() {
      messages[index] = message
      return index
    }
    messages.append(message)
    return messages.count - 1
  }

  private func arrive(_ index: Int, _ slot: NodeSlot) {
    guard let message = messages[index] else { return }
    messages[index] = nil
    freeMessages.append(index)
    let machine = machines[slot.index.asInt]
    if case .pong(let pong) = message.body, machine.frozenUntil <= now {
      machine.lastPong = max(machine.lastPong, pong.sentAt)
    }
    if machine.isUp {
      feed(.received(message), slot, machine.daemonNumber)
    } else if machine.isOn, case .ping = message.body, reaches(slot, message.sender) {
      // The machine answers that nobody listens.
      let sender = machines[message.sender.index.asInt].daemonNumber
      schedule(.refused(slot, to: message.sender, daemon: sender), inMilliseconds: 1)
    }
  }

  private func tick(_ slot: NodeSlot, _ daemon: Int) {
    let index = slot.index.asInt
    guard machines[index].daemonNumber == daemon, machines[index].isUp else { return }
    if machines[index].frozenUntil > now {
      agenda.schedule(
        .tick(slot, daemon: daemon),
        at: Timestamp(nanoseconds: machines[index].frozenUntil + 1))
      return
    }
    guard machines[index].wakeAt <= now else { return }
    machines[index].wakeAt = .max
    feed(.tick, slot, daemon)
  }

  private func persisted(
    _ slot: NodeSlot, _ daemon: Int, _ token: UInt64, _ store: Int, _ fails: Bool
  ) {
    let index = slot.index.asInt
    if store >= 0 {
      let state = stores[store]
      stores[store] = nil
      freeStores.append(store)
      guard machines[index].daemonNumber == daemon else { return }
      if !fails, let state { machines[index].durable = state }
    }
    feed(fails ? .persistFailed(token: token) : .persisted(token: token), slot, daemon)
  }
}

extension UInt8 {
  var asInt: Int { Int(self) }
}
