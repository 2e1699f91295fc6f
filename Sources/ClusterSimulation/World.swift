import ClusterTypes

/// Nodes, the network between them and one clock. Everything that happens comes from a seed, and
/// from what the driver of the simulation does to it.
///
/// The driver calls `step` until nothing is left to happen, and acts on what it returns:
///
///     while let occurrence = world.step() {
///       switch occurrence {
///       case .outside(let event): …            // what the driver itself has scheduled
///       case .acted(let node, let reports): …  // check whatever must hold now
///       case .nothing: break                   // a message or timer that met nobody
///       }
///     }
///
/// Machines of different kinds share one world by sharing a stack: `Stack` may be a struct of
/// several, with a message type that says which one is meant.
public struct World<Stack: NodeStack, Outside: Sendable> {
  public enum Occurrence {
    case outside(Outside)
    case acted(NodeID, [Stack.Report])
    case nothing
  }

  enum Happening: Sendable {
    case outside(Outside)
    case arrival(ConnectionID, atAcceptor: Bool)
    case dialed(NodeID, NodeLife, to: NodeID)
    case opened(ConnectionID, atAcceptor: Bool)
    case dialFailed(NodeID, NodeLife, to: NodeID)
    case closed(ConnectionID, atAcceptor: Bool)
    case timer(NodeID, NodeLife, Int, at: Timestamp)
    case resume(NodeID, NodeLife)
  }

  struct Node {
    var stack: Stack
    let life: NodeLife
    /// When each timer fires.
    var timers: [Int: Timestamp] = [:]
    /// Set while it does not run: what happens to it then, in order.
    var deferred: [Happening]?
  }

  /// How slow and how uneven the network is. May be changed at any time.
  public struct Conditions: Sendable {
    public var usualMicroseconds: ClosedRange<UInt64>
    /// That many messages of a hundred take ten times as long.
    public var spikePercent: Int

    public init(usualMicroseconds: ClosedRange<UInt64> = 50...2000, spikePercent: Int = 2) {
      self.usualMicroseconds = usualMicroseconds
      self.spikePercent = spikePercent
    }
  }

  /// Node ids are positive and small.
  public static var maximumNodeID: Int32 { 63 }

  public var conditions = Conditions()
  var agenda = Agenda<Happening>()
  /// By node id.
  var slots: [Node?] = Array(repeating: nil, count: Int(maximumNodeID) + 1)
  var connections: [ConnectionID: Connection] = [:]
  var lastConnection = 0
  var lastLife = 0
  /// Directions in which nothing passes; `from * 64 + to`.
  var blocked: Set<Int> = []
  /// One for each direction, so that what one pair does leaves the delays of the others alone.
  var directionRandom: [Int: SeededGenerator] = [:]
  let seed: UInt64
  /// Messages written and not yet delivered or lost.
  public internal(set) var messagesInFlight = 0
  public internal(set) var stepCount = 0
  var effects: [NodeEffect<Stack.Message, Stack.Report>] = []

  public init(seed: UInt64) { self.seed = seed }

  public var now: Timestamp { agenda.now }
  /// Nothing is under way on the network.
  public var isNetworkQuiet: Bool {
    messagesInFlight == 0
      && connections.values.allSatisfy {
        // The end of a connection that its side has not learned of yet is under way, too.
        !$0.awaitsDialer && !($0.isBroken && ($0.isDialerOpen || $0.isAcceptorOpen))
      }
  }

  // MARK: Nodes

  public var liveNodes: [NodeID] {
    slots.indices.compactMap { slots[$0] == nil ? nil : NodeID(Int32($0)) }
  }

  public func life(of node: NodeID) -> NodeLife? { slots[index(node)]?.life }

  public func isPaused(_ node: NodeID) -> Bool { slots[index(node)]?.deferred != nil }

  /// What the node's software looks like now; nil while it has no power.
  public func stack(of node: NodeID) -> Stack? { slots[index(node)]?.stack }

  public func withStack<Result>(of node: NodeID, _ body: (Stack) -> Result) -> Result? {
    slots[index(node)].map { body($0.stack) }
  }

  /// The node comes up; it must be down.
  public mutating func boot(_ node: NodeID, _ stack: Stack) {
    precondition(slots[index(node)] == nil, "node \(node) is up already")
    lastLife += 1
    slots[index(node)] = Node(stack: stack, life: NodeLife(rawValue: lastLife))
  }

  /// Hands an order to a live node, at once.
  public mutating func order(_ order: Stack.Order, to node: NodeID) -> [Stack.Report] {
    handle(.order(order), at: node)
  }

  func index(_ node: NodeID) -> Int {
    precondition(node.rawValue <= Self.maximumNodeID, "node id \(node) is too large to simulate")
    return Int(node.rawValue)
  }

  // MARK: Time

  public mutating func schedule(_ event: Outside, after delay: Duration) {
    agenda.schedule(.outside(event), after: delay)
  }

  public mutating func schedule(_ event: Outside, at time: Timestamp) {
    agenda.schedule(.outside(event), at: time)
  }

  /// The next thing happens; nil when nothing is left.
  public mutating func step() -> Occurrence? {
    guard let happening = agenda.next() else { return nil }
    stepCount += 1
    return happen(happening)
  }

  private mutating func happen(_ happening: Happening) -> Occurrence {
    switch happening {
    case .outside(let event): return .outside(event)
    case .arrival(let id, let atAcceptor): return arrive(id, atAcceptor: atAcceptor)
    case .dialed(let dialer, let life, let acceptor): dialed(dialer, life, to: acceptor)
    case .opened(let id, let atAcceptor): return opened(id, atAcceptor: atAcceptor)
    case .dialFailed(let dialer, let life, let acceptor):
      guard isRunning(dialer, life, or: happening) else { return .nothing }
      return act(dialer, .dialFailed(to: acceptor))
    case .closed(let id, let atAcceptor): return closed(id, atAcceptor: atAcceptor)
    case .timer(let node, let life, let key, let time):
      guard slots[index(node)]?.life == life, slots[index(node)]?.timers[key] == time,
        isRunning(node, life, or: happening)
      else { return .nothing }
      slots[index(node)]?.timers[key] = nil
      return act(node, .timer(key))
    case .resume(let node, let life):
      if slots[index(node)]?.life == life { resume(node) }
    }
    return .nothing
  }

  /// False when the node is not there in that life, or paused: then `happening` waits for it.
  mutating func isRunning(_ node: NodeID, _ life: NodeLife, or happening: Happening) -> Bool {
    guard slots[index(node)]?.life == life else { return false }
    guard slots[index(node)]?.deferred == nil else {
      slots[index(node)]?.deferred?.append(happening)
      return false
    }
    return true
  }

  mutating func act(_ node: NodeID, _ event: NodeEvent<Stack.Message, Stack.Order>) -> Occurrence {
    .acted(node, handle(event, at: node))
  }

  private mutating func handle(
    _ event: NodeEvent<Stack.Message, Stack.Order>, at node: NodeID
  ) -> [Stack.Report] {
    var effects: [NodeEffect<Stack.Message, Stack.Report>] = []
    swap(&effects, &self.effects)
    let (index, now) = (index(node), now)
    slots[index]?.stack.handle(event, at: now, effects: &effects)
    var reports: [Stack.Report] = []
    for effect in effects { carryOut(effect, of: node, reports: &reports) }
    effects.removeAll(keepingCapacity: true)
    swap(&effects, &self.effects)
    return reports
  }

  private mutating func carryOut(
    _ effect: NodeEffect<Stack.Message, Stack.Report>, of node: NodeID,
    reports: inout [Stack.Report]
  ) {
    switch effect {
    case .dial(let acceptor): dial(acceptor, from: node)
    case .write(let id, let message): write(message, on: id, from: node)
    case .abort(let id): abort(id, by: node)
    case .setTimer(let key, let time):
      guard let life = slots[index(node)]?.life else { return }
      slots[index(node)]?.timers[key] = time
      agenda.schedule(.timer(node, life, key, at: time), at: time)
    case .report(let report): reports.append(report)
    }
  }
}
