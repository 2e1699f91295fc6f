import ClusterSimulation
import ClusterTypes
import LockManager
import LockProtocol

/// Several lock managers in one world, a control plane above them, applications on top, and checks
/// around everything. The same scenario, actions and mutation give the same run.
public struct LockSimulation {
  enum Outside: Sendable {
    case action
    case orderDue(NodeID)
    case stopped(NodeID, NodeLife, epoch: Int)
    case startAll(epoch: Int)
    case detected(NodeID, NodeLife)
    case powerOff(NodeID, NodeLife)
    case heal([(from: NodeID, to: NodeID)])
    case recoveryCheck(until: Timestamp)
    /// Has everything come to rest?
    case restCheck
    case drain
  }

  enum Phase: Sendable {
    case acting
    /// No calls and no trouble until nothing moves.
    case settling(until: Timestamp)
    /// Everything is given up.
    case draining(until: Timestamp)
    case over
  }

  public let scenario: LockScenario
  public let actions: [PlannedAction]
  let mutation: LockMutation?

  var world: World<LockStack, Outside>
  var phase = Phase.acting
  var nextAction = 0
  /// For delays and choices of the control plane.
  var random: SeededGenerator
  var oracle = LockOracle()

  var locks: [LockHandle: ApplicationLock] = [:]
  var histories: [ValueHistory]
  var nextHandle: UInt64 = 1

  /// What each node does, as the control plane ordered it and the node reported it.
  var views: [NodeID: NodeView] = [:]
  /// Messages taken by machines so far.
  var deliveryCount = 0
  var rest = RestDetector()

  public private(set) var violation: Violation?
  public private(set) var transcript: Transcript

  static let recoveryPatience: Duration = .seconds(2)
  /// How long in virtual time things may take to come to rest, and to end.
  static let settlingPatience: Duration = .seconds(40)
  static let drainingPatience: Duration = .seconds(90)

  /// - Parameters:
  ///   - actions: nil for those of the scenario.
  ///   - transcriptLines: how many of the last lines to keep; 0 for none.
  public init(
    _ scenario: LockScenario, actions: [PlannedAction]? = nil, mutation: LockMutation? = nil,
    transcriptLines: Int = 0
  ) {
    self.scenario = scenario
    self.actions = actions ?? LockPlan.actions(of: scenario)
    self.mutation = mutation
    world = World(seed: scenario.seed)
    world.conditions = .init(usualMicroseconds: scenario.usualDelay)
    random = SeededGenerator(seed: scenario.seed ^ 0x0EAC)
    histories = Array(repeating: ValueHistory(), count: scenario.resourceCount)
    transcript = Transcript(capacity: transcriptLines)
    let nodes = (1...scenario.nodeCount).map(Names.node)
    for node in nodes { boot(node) }
    for node in nodes { join(node) }
    changeMembers()
    scheduleAction()
  }

  public var now: Timestamp { world.now }
  public var stepCount: Int { world.stepCount }

  /// Runs to the end, to the first violation, or for that many steps.
  public mutating func run(steps: Int = .max) {
    while violation == nil, world.stepCount < steps, step() {}
  }

  /// False when it is over.
  private mutating func step() -> Bool {
    if case .over = phase { return false }
    guard let occurrence = world.step() else {
      violate(.liveness, "nothing is left to happen before the end")
      return false
    }
    switch occurrence {
    case .nothing: break
    case .outside(let event): happen(event)
    case .acted(let node, let reports): examine(reports, of: node)
    }
    return true
  }

  private mutating func happen(_ event: Outside) {
    switch event {
    case .action: act()
    case .orderDue(let node): deliverOrder(to: node)
    case .stopped(let node, let life, let epoch): stopped(node, life, epoch: epoch)
    case .startAll(let epoch): startAll(epoch: epoch)
    case .detected(let node, let life): detected(node, life)
    case .powerOff(let node, let life): powerOff(node, life)
    case .heal(let paths): for path in paths { world.openPath(from: path.from, to: path.to) }
    case .recoveryCheck(let end): awaitRecovery(until: end)
    case .restCheck: restCheck()
    case .drain: drain()
    }
  }

  mutating func note(_ text: @autoclosure () -> String) {
    guard transcript.isKept else { return }
    transcript.add(text(), at: world.now)
  }

  mutating func violate(_ invariant: Invariant, _ text: String) {
    guard violation == nil else { return }
    violation = Violation(
      invariant: invariant, text: text, seed: scenario.seed, step: world.stepCount,
      time: world.now)
    note("VIOLATION of \(invariant.rawValue): \(text)")
  }
}

/// What must hold. The names are what `clvm-sim` prints.
public enum Invariant: String, CaseIterable, Sendable {
  case compatibility = "no incompatible holders"
  case singleMaster = "one master per resource and generation"
  case holderKnown = "the master knows each holder"
  case ghosts = "the master's locks have owners"
  case silence = "nothing is granted between stop and start"
  case singleCompletion = "one completion per request"
  case wakeUp = "no lost wake-up"
  case order = "no overtaking"
  case valueBlock = "a value block is the last one or invalid"
  case oldMessages = "messages of old generations change nothing"
  case lockIDs = "lock ids are not reused"
  case memory = "memory per peer is bounded"
  case blocking = "blockers are told"
  case agreement = "owner and master agree at rest"
  case rebuilt = "after recovery the living have the locks they had"
  case recovery = "recovery succeeds"
  case refusals = "correct calls are not refused"
  case liveness = "everything ends"
}

public struct Violation: Sendable, CustomStringConvertible {
  public let invariant: Invariant
  public let text: String
  public let seed: UInt64
  public let step: Int
  public let time: Timestamp

  public var description: String {
    "seed \(seed), step \(step), \(time): \(invariant.rawValue): \(text)"
  }
}

/// The last lines of what happened, each with its virtual time.
public struct Transcript: Sendable {
  public private(set) var lines: [String] = []
  let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  var isKept: Bool { capacity > 0 }

  mutating func add(_ text: String, at time: Timestamp) {
    let microseconds = time.nanoseconds / 1000
    let fraction = "\(1000 + microseconds % 1000)".dropFirst()
    lines.append("\(microseconds / 1000).\(fraction) ms  \(text)")
    if lines.count > 2 * capacity { lines.removeFirst(capacity) }
  }
}
