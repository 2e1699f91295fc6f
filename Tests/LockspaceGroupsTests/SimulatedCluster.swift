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
  var provider: any MembershipProvider
  var groups: LockspaceGroups
  var isAlive = true
  /// Its kernel goes on without it.
  var isDaemonDead = false
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
  /// By view and index: a majority that knows no history may form while a minority has one.
  var deliveries: [[UInt64]: [UInt8]] = [:]
  var deliveryCount = 0
  var views: [UInt64: View] = [:]
  var violations: [String] = []
  /// How many earlier lives were declared over by a restarted daemon.
  var vouchedFor = 0
  /// Instances that are dead for certain.
  var dead: Set<NodeInstance> = []
  /// corosync on the nodes; nil with the external provider.
  var corosync: SimulatedProcessGroup?
  /// The replicated state with which each view began.
  var states: [UInt64: [UInt8]] = [:]

  init(count: Int32, seed: UInt64, withCorosync: Bool = false) {
    ids = (1...count).compactMap { NodeID($0) }
    random = SeededGenerator(seed: seed)
    if withCorosync {
      corosync = SimulatedProcessGroup(nodeCount: ids.count)
      corosync?.reform([ids], random: &random)
    }
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
    let process = GroupProcess(node: id, pid: UInt32(incarnation.rawValue))
    nodes[id] = SimulatedNode(
      member: member, provider: provider(member, process),
      groups: LockspaceGroups(local: member.instance, unseen: corosync == nil ? [] : ids))
    nodes[id]?.wanted = wanted
    // With corosync, an earlier life may be known to nobody, and this one speaks for it.
    nodes[id]?.mustVouch = bootID != nil || corosync != nil
    for other in ids where other != id { connect(id, other) }
    corosync?.join(process)
  }

  private func provider(_ member: Member, _ process: GroupProcess) -> any MembershipProvider {
    if corosync != nil {
      return CorosyncProvider(
        .init(local: member, process: process, linkGrace: .seconds(3)))
    }
    return ExternalProvider(
      .init(
        local: member, nodes: ids, settle: .milliseconds(500), linkGrace: .seconds(3),
        roundTimeout: .seconds(2)))
  }

  mutating func kill(_ id: NodeID) {
    guard let node = nodes[id], node.isAlive else { return }
    dead.insert(node.member.instance)
    nodes[id]?.isAlive = false
    nodes[id]?.running = [:]
    endDaemon(id)
    if let corosync {
      let components = corosync.components.map { $0.filter { $0 != id } }
      self.corosync?.reform(components, random: &random)
    }
  }

  /// The daemon ends, and what it had started in the kernel goes on.
  mutating func endDaemon(_ id: NodeID) {
    nodes[id]?.isDaemonDead = true
    for other in ids where other != id { disconnect(id, other) }
    corosync?.leave(id)
  }

  /// A first view of daemons of which none has a history. Numbers within a ring may be used again when
  /// those that knew them have ended.
  private mutating func noteBeginning(_ view: View, at id: NodeID) {
    let first = LockspaceGroups(local: NodeInstance(id, Incarnation(0)), unseen: ids).snapshot
    guard corosync != nil, nodes[id]?.groups.snapshot == first, let known = views[view.id],
      !known.members.contains(where: { view.contains($0.instance) })
    else { return }
    views[view.id] = nil
    states[view.id] = nil
    deliveries = deliveries.filter { $0.key[0] != view.id }
  }

  func pair(_ left: NodeID, _ right: NodeID) -> [NodeID] { [min(left, right), max(left, right)] }

  mutating func connect(_ left: NodeID, _ right: NodeID) {
    let pair = pair(left, right)
    guard !open.contains(pair), !cut.contains(pair), let one = nodes[left], one.isAlive,
      let two = nodes[right], two.isAlive, !one.isDaemonDead, !two.isDaemonDead
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
    guard nodes[id]?.isAlive == true, nodes[id]?.isDaemonDead == false else { return }
    var effects: [MembershipEffect] = []
    nodes[id]?.provider.handle(input, at: now, effects: &effects)
    for effect in effects { carryOut(effect, at: id) }
  }

  private mutating func carryOut(_ effect: MembershipEffect, at id: NodeID) {
    switch effect {
    case .send(let bytes, let target): queues[[id, target]]?.append(bytes)
    case .multicast(let bytes): corosync?.multicast(bytes, from: id)
    case .reset(let snapshot): feed(.reset(snapshot: snapshot), to: id)
    case .deliver(let message):
      let place = [corosync == nil ? 0 : nodes[id]?.provider.view.id ?? 0, message.index]
      if let known = deliveries[place], known != message.payload {
        violations.append("message \(message.index) differs at node \(id)")
      }
      deliveries[place] = message.payload
      deliveryCount += 1
      feed(.deliver(message.payload, from: message.sender), to: id)
    case .installed(let view):
      noteBeginning(view, at: id)
      if let known = views[view.id], known != view {
        violations.append("view \(view.id) differs at node \(id)")
      }
      views[view.id] = view
      feed(.installed(view), to: id)
      note(nodes[id]?.groups.snapshot ?? [], of: view, at: id)
    case .snapshotNeeded:
      if let snapshot = nodes[id]?.groups.snapshot { feed(.snapshot(snapshot), to: id) }
    case .evicted:
      nodes[id]?.wasEvicted = true
      corosync?.leave(id)
    case .wake(let moment): nodes[id]?.wake = moment
    case .quorum, .report: break
    }
  }

  private mutating func note(_ state: [UInt8], of view: View, at id: NodeID) {
    if let known = states[view.id], known != state {
      violations.append("the state that view \(view.id) begins with differs at node \(id)")
    }
    states[view.id] = state
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
    guard let node = nodes[id], node.isAlive, !node.isDaemonDead, node.mustVouch,
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
    guard let node = nodes[id], node.isAlive, !node.isDaemonDead, !node.work.isEmpty else {
      return
    }
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

  /// The next word of corosync to a node, if there is one.
  mutating func hearCorosync(at id: NodeID) {
    guard let event = corosync?.nextEvent(for: id, random: &random) else { return }
    feed(.group(event), to: id)
  }

  /// The nodes that have power form these rings now.
  mutating func partition(_ parts: [[NodeID]]) {
    guard corosync != nil else { return }
    let powered = parts.map { $0.filter { nodes[$0]?.isAlive == true } }
    corosync?.reform(powered, random: &random)
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

  /// corosync is started first, and finds the part that has the most nodes.
  mutating func powerOn(_ id: NodeID) {
    if let corosync, !corosync.isRunning(id) {
      var components = corosync.components
      let largest = components.indices.max { components[$0].count < components[$1].count }
      if let largest {
        components[largest] = (components[largest] + [id]).sorted()
      } else {
        components = [[id]]
      }
      self.corosync?.reform(components, random: &random)
    }
    boot(id)
  }

  /// An evicted node reboots; if it held nothing, its daemon just starts again.
  mutating func replaceEvicted() {
    for id in ids {
      guard let node = nodes[id], node.isAlive, node.wasEvicted || node.isDaemonDead else {
        continue
      }
      if !node.running.isEmpty {
        kill(id)
        powerOn(id)
      } else {
        dead.insert(node.member.instance)
        endDaemon(id)
        boot(id, sameBoot: node.member.bootID, wanted: node.wanted)
      }
    }
  }

  /// The administrator makes sure that a removed node is off, and says so on some node.
  mutating func fenceRemoved() {
    for id in ids {
      guard let node = nodes[id], node.isAlive, !node.isDaemonDead, node.provider.isQuorate,
        node.provider.view.contains(node.member.instance),
        let victim = node.groups.unfencedNodes.first
      else {
        continue
      }
      let machine = nodes[victim.instance.node]
      let isUnknownLife =
        victim.instance.incarnation.rawValue == 0
        && machine.map { !node.provider.view.contains($0.member.instance) } == true
      if machine?.member.instance == victim.instance || isUnknownLife {
        kill(victim.instance.node)
      }
      feed(.fenced(victim.instance, evidence: "administrator"), to: id)
      return
    }
  }
}
