import ClusterSimulation
import ClusterTypes
import Testing

@testable import VolumeCoordination

/// The shared disk: two metadata areas with the seqnos in their slots.
struct SimulatedDisk {
  struct Area {
    var committed: UInt32
    var precommitted: UInt32?
  }
  var areas: [Area]
  var committed: UInt32 { areas.map(\.committed).max() ?? 0 }
}

/// One logical volume's device on one node, and the daemon there.
struct SimulatedNode {
  var instance: NodeInstance
  var participant: ChangeParticipant
  /// The machine has power: its device exists.
  var hasPower = true
  /// The daemon runs.
  var isRunning = true
  /// Cut off from the others; still running until it is fenced.
  var isIsolated = false
  var live: UInt32
  var inactive: UInt32?
  var isSuspended = false
}

/// A cluster of nodes under one change after another, with a queue of events in virtual time.
/// Messages are delayed, doubled and overtake each other; jobs fail; nodes die at any moment, and
/// are reported removed and then fenced.
struct SimulatedCluster {
  enum Event {
    case deliver(CoordinationMessage, from: NodeInstance, to: NodeInstance)
    /// `area` is the metadata area that this part of a commit writes.
    case jobEffect(VolumeJob, NodeInstance, area: Int?, fails: Bool)
    case jobDone(VolumeJob, NodeInstance, fails: [Bool], isUncertain: Bool)
    case input(CoordinationInput, NodeInstance)
    case tick(NodeInstance)
    case trouble(Trouble, NodeID)
    case powerOff(NodeInstance)
    case restart(NodeID)
  }

  /// What may happen to a node.
  enum Trouble: CaseIterable {
    case machineDies
    case daemonDies
    case isIsolated
    case losesQuorumForAWhile
  }

  static let volumeGroupID = String(repeating: "v", count: 32)

  let seed: UInt64
  var random: SeededGenerator
  var disk = SimulatedDisk(areas: [.init(committed: 1), .init(committed: 1)])
  var nodes: [NodeID: SimulatedNode] = [:]
  var queue: [(at: Timestamp, order: Int, event: Event)] = []
  var now = Timestamp(milliseconds: 1000)
  var scheduled = 0
  var changes: UInt64 = 0
  var coordinator: ChangeCoordinator?
  var result: ChangeResult?
  var fenced: Set<NodeInstance> = []
  var jobFailurePercent = 0
  var transcript: [String] = []
  var violation: String?

  init(seed: UInt64) {
    self.seed = seed
    random = SeededGenerator(seed: seed)
    for number in 1...Int32.random(in: 1...5, using: &random) {
      guard let node = NodeID(number) else { continue }
      let instance = NodeInstance(node, Incarnation(1))
      nodes[node] = SimulatedNode(
        instance: instance, participant: ChangeParticipant(node: instance), live: 1)
    }
    jobFailurePercent = [0, 0, 3, 15].randomElement(using: &random) ?? 0
  }

  mutating func schedule(_ event: Event, after milliseconds: ClosedRange<UInt64>) {
    scheduled += 1
    let delay = UInt64.random(in: milliseconds, using: &random)
    queue.append((now + .milliseconds(Int64(delay)), scheduled, event))
  }

  func isRunning(_ instance: NodeInstance) -> Bool {
    nodes[instance.node].map { $0.isRunning && $0.instance == instance } ?? false
  }

  mutating func note(_ text: String) { transcript.append("\(now): \(text)") }

  mutating func violate(_ text: String) {
    if violation == nil { violation = "seed \(seed) at \(now): \(text)" }
  }

  /// Runs the earliest event. False when there is none.
  mutating func step() -> Bool {
    guard
      let next = queue.indices.min(by: {
        (queue[$0].at, queue[$0].order) < (queue[$1].at, queue[$1].order)
      })
    else { return false }
    let (moment, _, event) = queue.remove(at: next)
    now = max(now, moment)
    perform(event)
    checkMappings()
    return true
  }

  private mutating func perform(_ event: Event) {
    switch event {
    case .deliver(let message, let sender, let receiver):
      guard isRunning(receiver), !(nodes[receiver.node]?.isIsolated ?? true) || sender == receiver
      else { return }
      feed(.message(message, from: sender), to: receiver)
    case .input(let input, let receiver): feed(input, to: receiver)
    case .tick(let instance):
      guard isRunning(instance) else { return }
      feed(.wake, to: instance)
      schedule(.tick(instance), after: 300...700)
    case .jobEffect(let job, let instance, let area, let fails):
      if isRunning(instance), !fails { applyJob(job, on: instance.node, area: area) }
    case .jobDone(let job, let instance, let fails, let isUncertain):
      guard isRunning(instance) else { return }
      feed(.jobFinished(job, endJob(job, instance.node, fails, isUncertain)), to: instance)
    case .trouble(let trouble, let node): strike(trouble, node)
    case .powerOff(let instance):
      guard nodes[instance.node]?.instance == instance else { return }
      nodes[instance.node]?.hasPower = false
      nodes[instance.node]?.isRunning = false
    case .restart(let node): restart(node)
    }
  }

  // MARK: Machines

  mutating func feed(_ input: CoordinationInput, to instance: NodeInstance) {
    guard isRunning(instance), var node = nodes[instance.node] else { return }
    let effects = node.participant.handle(input, at: now)
    nodes[instance.node] = node
    for effect in effects {
      switch effect {
      case .runJob(let job): run(job, on: instance)
      case .send(let message, let receiver): send(message, from: instance, to: receiver)
      case .report(let text): note("node \(instance.node): \(text)")
      }
    }
    if coordinator?.change.id.origin == instance {
      carryOut(coordinator?.handle(input, at: now) ?? [], of: instance)
    }
  }

  mutating func carryOut(_ effects: [ChangeCoordinator.Effect], of instance: NodeInstance) {
    for effect in effects {
      switch effect {
      case .runJob(let job): run(job, on: instance)
      case .send(let message, let receiver): send(message, from: instance, to: receiver)
      case .record: violate("there is no record")
      case .report(let text): note("coordinator \(instance.node): \(text)")
      case .finished(let result):
        note("finished: \(result.outcome)")
        self.result = result
        checkRelease(result)
      }
    }
  }

  private mutating func send(
    _ message: CoordinationMessage, from sender: NodeInstance, to receiver: NodeInstance
  ) {
    note("\(sender.node) -> \(receiver.node): \(message)")
    if nodes[sender.node]?.isIsolated == true, sender != receiver { return }
    // Through the codec, as in the daemon.
    guard let copy = try? CoordinationMessage(decoding: message.encode()[...]), copy == message
    else { return violate("\(message) does not survive its encoding") }
    if !random.chance(3) {
      schedule(.deliver(copy, from: sender, to: receiver), after: 0...20)
    }
    if random.chance(10) { schedule(.deliver(copy, from: sender, to: receiver), after: 0...9000) }
  }

  private mutating func run(_ job: VolumeJob, on instance: NodeInstance) {
    note("node \(instance.node) runs \(job)")
    var fails = [random.chance(jobFailurePercent)]
    // A slow job touches the disk or the device at some moment, and its end is noticed later.
    let isSlow = random.chance(5)
    let effect: ClosedRange<UInt64> = isSlow ? 1...8000 : 1...30
    if case .commit = job {
      fails = disk.areas.map { _ in random.chance(jobFailurePercent * 2) }
      for (area, fails) in fails.enumerated() {
        schedule(.jobEffect(job, instance, area: area, fails: fails), after: effect)
      }
    } else {
      schedule(.jobEffect(job, instance, area: nil, fails: fails[0]), after: effect)
    }
    schedule(
      .jobDone(job, instance, fails: fails, isUncertain: random.chance(jobFailurePercent)),
      after: isSlow ? 8001...40000 : 31...60)
  }

  /// After a crash of the coordinator the lock is free once it is fenced and all have recovered.
  var isQuiet: Bool {
    guard let coordinator else { return true }
    let origin = coordinator.change.id.origin
    if isRunning(origin), result == nil { return false }
    if !isRunning(origin), !fenced.contains(origin) { return false }
    return nodes.values.allSatisfy { node in
      node.isRunning && !node.isIsolated
        && !node.participant.isBusy(volumeGroupID: Self.volumeGroupID)
    }
  }
}
