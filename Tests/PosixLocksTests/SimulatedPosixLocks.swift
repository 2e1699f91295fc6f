import ClusterSimulation
import ClusterTypes

@testable import PosixLocks

/// Nodes with one lockspace, channels that break, daemons that end, and the cluster's stops and starts.
struct SimulatedPosixLocks {
  struct Node {
    var instance: NodeInstance
    var machine: PosixLockspace?
    var kernel = SimulatedKernel()
    var journal: [UInt8] = []
    var isAlive = true
    var isMember = false
    /// Has stopped for the change under way.
    var hasStopped = true
    var hasStarted = false
  }

  static let identifier: UInt32 = 4711

  var random: SeededGenerator
  var nodes: [NodeID: Node] = [:]
  private var channels: [[NodeID]: [[UInt8]]] = [:]
  private var broken: Set<[NodeID]> = []
  /// Of the change under way, or of the last one.
  private(set) var generation: UInt64 = 0
  private(set) var members: [NodeInstance] = []
  private var leaving: Set<NodeID> = []
  private(set) var complaints: [String] = []
  private(set) var grants = 0

  init(seed: UInt64, nodeCount: Int) {
    random = SeededGenerator(seed: seed)
    for number in 1...nodeCount {
      guard let id = NodeID(Int32(number)) else { continue }
      nodes[id] = Node(instance: NodeInstance(id, Incarnation(1)))
    }
  }

  var ids: [NodeID] { nodes.keys.sorted() }
  var aliveMembers: [NodeID] {
    ids.filter { nodes[$0]?.isAlive == true && nodes[$0]?.isMember == true }
  }

  // MARK: - Membership

  /// Everybody has to stop, and begins again with those who are members then.
  mutating func change() {
    generation += 1
    for id in ids {
      let runs = nodes[id]?.isAlive == true && nodes[id]?.machine != nil
      nodes[id]?.hasStopped = !runs
      nodes[id]?.hasStarted = false
    }
    members = ids.compactMap { id in
      guard let node = nodes[id], node.isAlive, node.isMember else { return nil }
      return node.instance
    }
  }

  mutating func join(_ id: NodeID) {
    guard let node = nodes[id], node.isAlive, !node.isMember, !leaving.contains(id) else { return }
    nodes[id]?.isMember = true
    change()
  }

  mutating func leave(_ id: NodeID) {
    guard let node = nodes[id], node.isAlive, node.isMember, node.machine != nil,
      node.kernel.busyOwners.isEmpty
    else { return }
    // Its processes have closed their files.
    nodes[id]?.kernel.held = [:]
    nodes[id]?.isMember = false
    leaving.insert(id)
    change()
  }

  mutating func kill(_ id: NodeID) {
    guard nodes[id]?.isAlive == true else { return }
    nodes[id]?.isAlive = false
    nodes[id]?.isMember = false
    nodes[id]?.machine = nil
    leaving.remove(id)
    for other in ids where other != id { dropChannel(id, other) }
    change()
  }

  mutating func reboot(_ id: NodeID) {
    guard let node = nodes[id], !node.isAlive, allHaveStopped else { return }
    nodes[id] = Node(
      instance: NodeInstance(id, Incarnation(node.instance.incarnation.rawValue + 1)))
    for other in ids where other != id { open(id, other) }
  }

  /// The daemon ends and comes back; its kernel and processes go on.
  mutating func restartDaemon(_ id: NodeID, losingTheEnd: Bool) {
    guard let node = nodes[id], node.isAlive, node.machine != nil, !leaving.contains(id) else {
      return
    }
    for other in ids where other != id { dropChannel(id, other) }
    // A part of an entry that was being written.
    let journal = node.journal + (losingTheEnd ? [9, 0, 0, 0, 1] : [])
    var effects: [PosixLockspace.Effect] = []
    do {
      let machine = try PosixLockspace(
        identifier: Self.identifier, local: node.instance,
        journal: PosixLockJournalEntry.entries(in: journal), effects: &effects)
      nodes[id]?.machine = machine
      nodes[id]?.journal = machine.image.encoded
    } catch {
      complaints.append("node \(id): its journal cannot be read: \(error)")
    }
    carryOut(effects, at: id)
    change()
    nodes[id]?.hasStopped = true
    for other in ids where other != id { open(id, other) }
  }

  var allHaveStopped: Bool { nodes.values.allSatisfy(\.hasStopped) }

  mutating func stopOrStart(_ id: NodeID) {
    guard let node = nodes[id], node.isAlive else { return }
    if !node.hasStopped {
      nodes[id]?.machine?.stop()
      nodes[id]?.hasStopped = true
    }
    guard allHaveStopped, !node.hasStarted else { return }
    // Deaths are proven before anything starts.
    for id in ids where nodes[id]?.isAlive == false { nodes[id]?.kernel = SimulatedKernel() }
    nodes[id]?.hasStarted = true
    if leaving.remove(id) != nil {
      run(id) { $0.leave(effects: &$1) }
      nodes[id]?.machine = nil
      nodes[id]?.journal = []
      nodes[id]?.kernel = SimulatedKernel()
    }
    guard node.isMember else { return }
    if nodes[id]?.machine == nil {
      let machine = PosixLockspace(
        identifier: Self.identifier, local: node.instance, isEnabled: true)
      nodes[id]?.machine = machine
      nodes[id]?.journal = machine.image.encoded
    }
    run(id) { [generation, members] in
      $0.start(generation: generation, members: members, effects: &$1)
    }
  }

  // MARK: - Channels

  private func pair(_ one: NodeID, _ other: NodeID) -> [NodeID] { [one, other].sorted() }

  private mutating func dropChannel(_ one: NodeID, _ other: NodeID) {
    broken.insert(pair(one, other))
    channels[[one, other]] = nil
    channels[[other, one]] = nil
  }

  mutating func breakChannel(_ one: NodeID, _ other: NodeID) { dropChannel(one, other) }

  mutating func open(_ one: NodeID, _ other: NodeID) {
    guard nodes[one]?.isAlive == true, nodes[other]?.isAlive == true,
      broken.remove(pair(one, other)) != nil
    else { return }
    run(one) { $0.connected(other, effects: &$1) }
    run(other) { $0.connected(one, effects: &$1) }
  }

  mutating func openAll() {
    for one in ids { for other in ids where one < other { open(one, other) } }
  }

  /// False when nothing is under way.
  @discardableResult
  mutating func deliverOne() -> Bool {
    let full = channels.filter { !$0.value.isEmpty }.keys.sorted {
      $0.lexicographicallyPrecedes($1)
    }
    guard let way = full.randomElement(using: &random), let bytes = channels[way]?.removeFirst(),
      let sender = nodes[way[0]]?.instance
    else { return false }
    guard let message = try? PosixLockMessage(decoding: bytes) else {
      complaints.append("a message that cannot be read")
      return true
    }
    run(way[1]) { $0.received(message, from: sender, effects: &$1) }
    return true
  }

  mutating func tick(_ id: NodeID) { run(id) { $0.tick(effects: &$1) } }

  // MARK: - Processes

  mutating func ask(_ id: NodeID, _ request: PosixLockRequest) {
    guard let node = nodes[id], node.machine != nil else { return }
    nodes[id]?.kernel.ask(request, as: node.instance)
    run(id) { $0.request(request, effects: &$1) }
  }

  private mutating func run(
    _ id: NodeID, _ body: (inout PosixLockspace, inout [PosixLockspace.Effect]) -> Void
  ) {
    guard var machine = nodes[id]?.machine else { return }
    var effects: [PosixLockspace.Effect] = []
    body(&machine, &effects)
    nodes[id]?.machine = machine
    carryOut(effects, at: id)
  }

  private mutating func carryOut(_ effects: [PosixLockspace.Effect], at id: NodeID) {
    guard let instance = nodes[id]?.instance else { return }
    for effect in effects {
      switch effect {
      case .send(let message, let other):
        guard !broken.contains(pair(id, other)), nodes[other]?.isAlive == true else { continue }
        channels[[id, other], default: []].append(message.encoded)
      case .journal(.image(let bytes)):
        nodes[id]?.journal = PosixLockJournalEntry.image(bytes).encoded
      case .journal(let entry): nodes[id]?.journal += entry.encoded
      case .answer(let bytes, let sequence):
        if let (inode, lock) = nodes[id]?.kernel.take(bytes, as: instance) {
          grants += 1
          check(lock, inode)
        }
        nodes[id]?.journal += PosixLockJournalEntry.answered(sequence: sequence).encoded
      }
    }
    if let complaint = nodes[id]?.kernel.complaints.last {
      complaints.append("node \(id): \(complaint)")
    }
  }

  private mutating func check(_ lock: HeldPosixLock, _ inode: UInt64) {
    for (id, node) in nodes where node.kernel.contradicts(lock, inode: inode) {
      complaints.append("file \(inode): \(lock) was granted over what node \(id) holds")
    }
  }

  /// Lets everything come to rest.
  mutating func settle() {
    openAll()
    for _ in 0..<50 {
      for id in ids { stopOrStart(id) }
      while deliverOne() {}
      for id in ids { tick(id) }
    }
  }
}
