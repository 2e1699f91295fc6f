import ClusterMembership
import ClusterSimulation
import ClusterTypes
import LockspaceGroups

/// One machine: provider, groups, and a kernel that only remembers what runs.
struct SimulatedNode {
  enum Work: Equatable {
    case stop(LockspaceName, UInt64)
    case start(LockspaceName, UInt64, members: [NodeInstance])
  }

  var member: Member
  var provider: ExternalProvider
  var groups: LockspaceGroups
  var isAlive = true
  /// Lockspaces that run in this node's kernel, with generation and members.
  var running: [LockspaceName: (generation: UInt64, members: [NodeInstance])] = [:]
  /// Lockspaces that some user here has open.
  var wanted: Set<LockspaceName> = []
  /// Lockspaces whose release waits for `left`, as a kernel's does.
  var releasing: Set<LockspaceName> = []
  var work: [Work] = []
  var wake: Timestamp?
  var wasEvicted = false
  /// The daemon started again on the same boot, and has not yet said that its earlier life is over.
  var mustVouch = false
}

/// N nodes with ordered, breakable channels; all choices come from the seed.
struct SimulatedCluster {
  let ids: [NodeID]
  var random: SeededGenerator
  var now = Timestamp(milliseconds: 1000)
  var nodes: [NodeID: SimulatedNode] = [:]
  var queues: [[NodeID]: [[UInt8]]] = [:]
  /// Pairs (lower id first) whose channel is open, and pairs that the network cuts.
  var open: Set<[NodeID]> = []
  var cut: Set<[NodeID]> = []
  var nextIncarnation: UInt64 = 1
  var deliveries: [UInt64: [UInt8]] = [:]
  var views: [UInt64: View] = [:]
  var violations: [String] = []
  /// How many earlier lives were declared over by a restarted daemon.
  var vouchedFor = 0
  /// Instances that are dead for certain.
  var dead: Set<NodeInstance> = []

  init(count: Int32, seed: UInt64) {
    ids = (1...count).compactMap { NodeID($0) }
    random = SeededGenerator(seed: seed)
    for id in ids { boot(id) }
  }

  /// - Parameter wanted: what the users of a daemon that starts again on the same boot still want.
  mutating func boot(
    _ id: NodeID, sameBoot bootID: String? = nil, wanted: Set<LockspaceName> = []
  ) {
    let incarnation = Incarnation(nextIncarnation)
    nextIncarnation += 1
    let member = Member(
      instance: NodeInstance(id, incarnation), bootID: bootID ?? "boot-\(incarnation)",
      startedClean: true)
    let configuration = ExternalProvider.Configuration(
      local: member, nodes: ids, settle: .milliseconds(500), linkGrace: .seconds(3),
      roundTimeout: .seconds(2))
    nodes[id] = SimulatedNode(
      member: member, provider: ExternalProvider(configuration),
      groups: LockspaceGroups(local: member.instance))
    nodes[id]?.wanted = wanted
    nodes[id]?.mustVouch = bootID != nil
    for other in ids where other != id { connect(id, other) }
  }

  mutating func kill(_ id: NodeID) {
    guard let node = nodes[id], node.isAlive else { return }
    dead.insert(node.member.instance)
    nodes[id]?.isAlive = false
    nodes[id]?.running = [:]
    for other in ids where other != id { disconnect(id, other) }
  }

  func pair(_ left: NodeID, _ right: NodeID) -> [NodeID] { [min(left, right), max(left, right)] }

  mutating func connect(_ left: NodeID, _ right: NodeID) {
    let pair = pair(left, right)
    guard !open.contains(pair), !cut.contains(pair), let one = nodes[left], one.isAlive,
      let two = nodes[right], two.isAlive
    else { return }
    open.insert(pair)
    queues[[left, right]] = []
    queues[[right, left]] = []
    feed(.channelOpened(two.member), to: left)
    feed(.channelOpened(one.member), to: right)
  }

  mutating func disconnect(_ left: NodeID, _ right: NodeID) {
    guard open.remove(pair(left, right)) != nil else { return }
    queues[[left, right]] = nil
    queues[[right, left]] = nil
    feed(.channelClosed(right), to: left)
    feed(.channelClosed(left), to: right)
  }

  mutating func feed(_ input: MembershipInput, to id: NodeID) {
    guard nodes[id]?.isAlive == true else { return }
    var effects: [MembershipEffect] = []
    nodes[id]?.provider.handle(input, at: now, effects: &effects)
    for effect in effects { carryOut(effect, at: id) }
  }

  private mutating func carryOut(_ effect: MembershipEffect, at id: NodeID) {
    switch effect {
    case .send(let bytes, let target): queues[[id, target]]?.append(bytes)
    case .reset(let snapshot): feed(.reset(snapshot: snapshot), to: id)
    case .deliver(let message):
      if let known = deliveries[message.index], known != message.payload {
        violations.append("message \(message.index) differs at node \(id)")
      }
      deliveries[message.index] = message.payload
      feed(.deliver(message.payload, from: message.sender), to: id)
    case .installed(let view):
      if let known = views[view.id], known != view {
        violations.append("view \(view.id) differs at node \(id)")
      }
      views[view.id] = view
      feed(.installed(view), to: id)
    case .snapshotNeeded:
      if let snapshot = nodes[id]?.groups.snapshot { feed(.snapshot(snapshot), to: id) }
    case .evicted: nodes[id]?.wasEvicted = true
    case .wake(let moment): nodes[id]?.wake = moment
    case .quorum, .report: break
    }
  }

  mutating func feed(_ input: GroupInput, to id: NodeID) {
    var effects: [GroupEffect] = []
    nodes[id]?.groups.handle(input, effects: &effects)
    for effect in effects {
      switch effect {
      case .submit(let payload): feed(.submit(payload), to: id)
      case .stop(let name, _, let generation): nodes[id]?.work.append(.stop(name, generation))
      case .start(let order):
        nodes[id]?.work.append(.start(order.name, order.generation, members: order.members))
      case .left(let name, _):
        nodes[id]?.running[name] = nil
        nodes[id]?.releasing.remove(name)
      case .joinRefused(let name, _, let reason):
        violations.append("node \(id) may not join \(name): \(reason)")
      case .report: break
      }
    }
  }

  /// A daemon that started again joins what is wanted, then says that its earlier life is over.
  private mutating func vouch(_ id: NodeID) {
    guard let node = nodes[id], node.isAlive, node.mustVouch,
      node.provider.view.contains(node.member.instance)
    else { return }
    nodes[id]?.mustVouch = false
    for name in node.wanted.sorted() { feed(.join(name, .kernel), to: id) }
    for dead in node.groups.unfencedNodes
    where dead.instance.node == id && dead.instance < node.member.instance {
      vouchedFor += 1
      feed(.fenced(dead.instance, evidence: "restarted daemon"), to: id)
    }
  }

  /// Carries out the oldest kernel work of a node and checks the start rules.
  mutating func doWork(at id: NodeID) {
    vouch(id)
    guard let node = nodes[id], node.isAlive, !node.work.isEmpty else { return }
    let work = nodes[id]?.work.removeFirst()
    switch work {
    case .stop(let name, let generation):
      nodes[id]?.running[name] = nil
      feed(.stopCompleted(name, generation: generation), to: id)
    case .start(let name, let generation, let members):
      let isStale = node.work.contains { work in
        if case .stop(name, _) = work { true } else { false }
      }
      guard !isStale else { return }
      for (other, machine) in nodes where machine.isAlive && other != id {
        guard let theirs = machine.running[name] else { continue }
        if theirs.generation != generation || theirs.members != members {
          violations.append(
            "node \(id) starts \(name) generation \(generation) while node \(other) runs "
              + "\(theirs.generation)")
        }
      }
      nodes[id]?.running[name] = (generation, members)
      feed(.startCompleted(name, generation: generation), to: id)
    case nil: break
    }
  }

  mutating func deliverOne() {
    let ready = queues.filter { !$0.value.isEmpty }.keys.sorted {
      ($0[0], $0[1]) < ($1[0], $1[1])
    }
    guard let channel = ready.randomElement(using: &random),
      let bytes = queues[channel]?.removeFirst()
    else { return }
    feed(.received(bytes, from: channel[0]), to: channel[1])
  }

  mutating func advance(_ delay: Duration) {
    now = now + delay
    for id in ids {
      guard let wake = nodes[id]?.wake, wake <= now else { continue }
      nodes[id]?.wake = nil
      feed(.timer, to: id)
    }
  }

  /// An evicted node reboots; if it held nothing, its daemon just starts again.
  mutating func replaceEvicted() {
    for id in ids {
      guard let node = nodes[id], node.isAlive, node.wasEvicted else { continue }
      let wasDirty = !node.running.isEmpty
      kill(id)
      if wasDirty {
        boot(id)
      } else {
        boot(id, sameBoot: node.member.bootID, wanted: node.wanted)
      }
    }
  }

  /// The administrator makes sure that a removed node is off, and says so on some node.
  mutating func fenceRemoved() {
    for id in ids {
      guard let node = nodes[id], node.isAlive, let victim = node.groups.unfencedNodes.first else {
        continue
      }
      if nodes[victim.instance.node]?.member.instance == victim.instance {
        kill(victim.instance.node)
      }
      feed(.fenced(victim.instance, evidence: "administrator"), to: id)
      return
    }
  }
}
