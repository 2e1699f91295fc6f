import ClusterTypes
import LockProtocol
import Testing

@testable import LockManager

/// A few machines on a table. Messages wait until the test delivers them.
struct Bench {
  struct Letter {
    let packet: Packet
    let from: NodeID
    let to: NodeID

    var isReply: Bool {
      if case .recovery(let message) = packet { message.type.isReply } else { false }
    }
  }

  var machines: [NodeID: LockspaceMachine] = [:]
  var letters: [Letter] = []
  /// What applications were told, by node.
  var told: [NodeID: [LockspaceMachine.Effect]] = [:]
  var now = Timestamp(milliseconds: 1000)

  /// Nodes 1 to `count`, running together.
  init(running count: Int32) throws {
    try self.init(stopped: count)
    start(Array(machines.keys))
  }

  init(stopped count: Int32, usesDirectory: Bool = true) throws {
    for number in 1...count { try add(number, usesDirectory: usesDirectory) }
  }

  mutating func add(
    _ number: Int32, shared: LockspaceConfiguration? = nil, usesDirectory: Bool = true
  ) throws {
    let node = try #require(NodeID(number))
    let name = try #require(LockspaceName("bench"))
    var configuration = LockspaceMachine.Configuration(
      name: name, localNode: node, usesDirectory: usesDirectory, seed: UInt64(number) * 1000)
    if let shared { configuration.shared = shared }
    machines[node] = LockspaceMachine(configuration)
  }

  static func node(_ number: Int32) -> NodeID {
    guard let node = NodeID(number) else { preconditionFailure("node \(number)") }
    return node
  }

  mutating func input(_ input: LockspaceMachine.Input, _ node: Int32) {
    let node = Self.node(node)
    let now = now
    var effects: [LockspaceMachine.Effect] = []
    machines[node]?.handle(input, at: now, effects: &effects)
    for effect in effects {
      switch effect {
      case .send(let packet, let to): letters.append(Letter(packet: packet, from: node, to: to))
      case .wake, .memberAdded, .memberRemoved: break
      case .completed, .released, .blocking, .refused, .recovered, .recoveryFailed:
        told[node, default: []].append(effect)
      }
    }
  }

  /// Delivers the oldest message that satisfies `condition`; false if there is none.
  @discardableResult
  mutating func deliver(where condition: (Letter) -> Bool = { _ in true }) -> Bool {
    guard let index = letters.firstIndex(where: condition) else { return false }
    let letter = letters.remove(at: index)
    input(.receive(letter.packet, from: letter.from), letter.to.rawValue)
    return true
  }

  mutating func deliver(_ type: LockMessageType) -> Bool {
    deliver { letter in
      if case .lock(let message) = letter.packet { message.type == type } else { false }
    }
  }

  mutating func deliver(_ type: RecoveryMessageType) -> Bool {
    deliver { letter in
      if case .recovery(let message) = letter.packet { message.type == type } else { false }
    }
  }

  /// Delivers everything, with time passing for polls and pauses, until nothing moves.
  mutating func settle(seconds: UInt64 = 3) {
    for _ in 0..<(seconds * 50) {
      while deliver() {}
      now = now + .milliseconds(20)
      for node in machines.keys.sorted() { input(.timer, node.rawValue) }
    }
    while deliver() {}
  }

  mutating func stopAll() {
    for node in machines.keys.sorted() { input(.stop, node.rawValue) }
  }

  mutating func start(_ nodes: [NodeID], departed: Set<NodeID> = [], settles: Bool = true) {
    for node in nodes.sorted() {
      input(
        .start(members: nodes.sorted().map { Member($0) }, departed: departed), node.rawValue)
    }
    if settles { settle() }
  }

  /// The node dies; the others recover without it.
  mutating func crash(_ number: Int32, settles: Bool = true) {
    let node = Self.node(number)
    machines[node] = nil
    letters.removeAll { $0.to == node || $0.from == node }
    stopAll()
    while deliver() {}
    start(Array(machines.keys), departed: [node], settles: settles)
  }

  mutating func lock(
    _ handle: UInt64, _ name: String, _ mode: LockMode, _ flags: LockFlags = [], on node: Int32
  ) throws {
    let resource = try #require(ResourceName(name))
    input(
      .lock(
        LockCall(
          handle: LockHandle(handle), resource: resource, mode: mode, flags: flags,
          processID: 7)), node)
  }

  mutating func convert(
    _ handle: UInt64, _ mode: LockMode, _ flags: LockFlags = [], value: [UInt8]? = nil,
    on node: Int32
  ) {
    input(.convert(LockHandle(handle), mode, flags: flags, valueBlock: value), node)
  }

  mutating func unlock(_ handle: UInt64, _ flags: LockFlags = [], on node: Int32) {
    input(.unlock(LockHandle(handle), flags: flags, valueBlock: nil), node)
  }

  /// What node's applications were told since the last question.
  mutating func news(_ node: Int32) -> [LockspaceMachine.Effect] {
    told.removeValue(forKey: Self.node(node)) ?? []
  }

  /// A name whose directory node is `node`, as node 1 sees it.
  func name(withDirectory node: Int32, _ stem: String = "name") throws -> String {
    let machine = try #require(machines.values.first)
    return try #require(
      (0..<1000).map { "\(stem)-\($0)" }.first {
        ResourceName($0).map { machine.directory.node(for: $0) } == Self.node(node)
      })
  }
}

extension LockspaceMachine.Effect {
  static func granted(_ handle: UInt64, _ mode: LockMode) -> Self {
    .completed(LockHandle(handle), LockOutcome(result: .granted, mode: mode))
  }

  static func ended(_ handle: UInt64, _ result: LockOutcome.Result, _ mode: LockMode?) -> Self {
    .completed(LockHandle(handle), LockOutcome(result: result, mode: mode))
  }
}
