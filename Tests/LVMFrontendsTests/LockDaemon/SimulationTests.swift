import ClusterSimulation
import ClusterTypes
import Testing

@testable import LVMFrontends

/// Random clients on three nodes that ask, wait, die; nodes that crash and come back; quorum that
/// comes and goes; answers of the cluster in any order between nodes.
@Suite struct SimulationTests {
  @Test func nothingIsLostAndNothingIsGrantedTwice() {
    for seed in UInt64(1)...60 {
      var simulation = Simulation(seed: seed)
      for _ in 0..<400 where simulation.failures.isEmpty { simulation.step() }
      if simulation.failures.isEmpty { simulation.finish() }
      #expect(simulation.failures == [], "seed \(seed): \(simulation.trace.suffix(30))")
      if !simulation.failures.isEmpty { return }
    }
  }
}

struct Simulation {
  private var random: SeededGenerator
  private var cluster = TestCluster(nodes: 3)
  /// Connected clients, with the request that waits for a reply.
  private var clients: [TestClient: String?] = [:]
  /// VGs with a change that the other nodes have not reloaded, by node.
  private var unreloaded: [NodeID: Set<String>] = [:]
  var failures: [String] = []
  var trace: [String] = []

  private static let vgs = ["vg1", "vg2"]
  private static let uuids = ["u1", "u2"]

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    cluster.isHeldBack = true
  }

  private var nodes: [NodeID] { cluster.nodes.keys.sorted() }
  private var sortedClients: [TestClient] { clients.keys.sorted { $0.id < $1.id } }

  mutating func step() {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<12: connect()
    case 12..<50: ask()
    case 50..<56: close()
    case 56..<96: deliver()
    case 96..<98: pass(.milliseconds(Int.random(in: 1...15_000, using: &random)))
    case 98: changeQuorum()
    default: crash()
    }
    check()
  }

  /// Lets everybody leave and looks what remains.
  mutating func finish() {
    for node in nodes { cluster.send(.clusterChanged(isRunning: true, isQuorate: true), to: node) }
    while !clients.isEmpty, failures.isEmpty {
      settle()
      let count = clients.count
      for client in sortedClients where clients[client] == .some(nil) { close(client) }
      settle()
      pass(.seconds(25))
      settle()
      // Whoever waits now waits for a client that waits for it, or for LVs to be deactivated.
      if clients.count == count, let client = sortedClients.first { close(client) }
      check()
    }
    settle()
    for node in nodes {
      for (name, lockspace) in cluster.nodes[node]?.machine.lockspaces ?? [:] {
        for resource in lockspace.resources.values {
          if !resource.transients.isEmpty { fail("\(node) \(name): a transient lock is left") }
          if !resource.queue.isEmpty { fail("\(node) \(name): a request is left") }
          if resource.activity != .none { fail("\(node) \(name): \(resource.activity) goes on") }
        }
      }
    }
    for resource in cluster.manager.resources.values {
      if !resource.waiting.isEmpty || !resource.converting.isEmpty { fail("a lock still waits") }
    }
  }

  private mutating func settle() {
    while !cluster.manager.answers.isEmpty, failures.isEmpty { deliver() }
  }

  private mutating func fail(_ text: String) { failures.append(text) }

  private mutating func connect() {
    guard clients.count < 9, let node = nodes.randomElement(using: &random) else { return }
    clients[cluster.connect(to: node)] = .some(nil)
  }

  private mutating func ask() {
    let idle = sortedClients.filter { clients[$0] == .some(nil) }
    guard let client = idle.randomElement(using: &random) else { return }
    let request = randomRequest()
    trace.append(
      "\(client.node)/\(client.id): \(request.split(separator: "\n").joined(separator: " "))")
    clients[client] = request
    send { $0.send(request, from: client) }
  }

  private mutating func randomRequest() -> String {
    let vg = Self.vgs.randomElement(using: &random) ?? "vg1"
    let uuid = Self.uuids.randomElement(using: &random) ?? "u1"
    let mode = ["un", "sh", "ex"].randomElement(using: &random) ?? "un"
    switch Int.random(in: 0..<40, using: &random) {
    case 0..<6: return Request.global(mode)
    case 6..<18: return Request.vg(mode, vg)
    case 18..<26:
      return Request.lv(mode, persistent: Bool.random(using: &random), uuid: uuid)
    case 26..<29: return Request.update(Int.random(in: 1...50, using: &random))
    case 29..<34:
      return """
        request="start_vg" vg_name="\(vg)" vg_lock_type="dlm" vg_lock_args="1.0.0:lab"
        """
    case 34: return Request.simple("stop_vg", vg: vg)
    case 35:
      return Request.simple(
        ["free_vg", "rename_vg_before", "busy_vg"].randomElement(using: &random) ?? "", vg: vg)
    case 36: return Request.simple("free_lv", vg: "vg1") + "lv_uuid=\"\(uuid)\""
    case 37:
      return Request.simple(["kill_vg", "drop_vg"].randomElement(using: &random) ?? "", vg: vg)
    case 38:
      return "request=\"stop_all\"\nopts=\"\(Bool.random(using: &random) ? "wait" : "force")\""
    default: return "request=\"refresh_lv\"\npath=\"/dev//\(vg)/lv1\""
    }
  }

  private mutating func close() {
    guard let client = sortedClients.randomElement(using: &random) else { return }
    close(client)
  }

  private mutating func close(_ client: TestClient) {
    trace.append("\(client.node)/\(client.id) dies")
    clients[client] = nil
    if Int.random(in: 0..<4, using: &random) == 0 {
      send { $0.send(.replyUndelivered(client.id), to: client.node) }
    }
    noteEnd(of: client)
    send { $0.close(client) }
  }

  /// Half of the clients close their connection because their process has ended. With a VG's exclusive lock it
  /// may have committed something: its devices are settled, and the other nodes reload.
  private mutating func noteEnd(of client: TestClient) {
    guard Bool.random(using: &random), let process = cluster.processID(of: client) else { return }
    cluster.manager.endedProcesses.insert(process)
    for lockspace in (cluster.nodes[client.node]?.machine.lockspaces ?? [:]).values {
      guard lockspace.resources[.volumeGroup]?.transients[client.id] == .exclusive,
        let vg = lockspace.vg
      else { continue }
      unreloaded[client.node, default: []].insert(vg)
    }
  }

  private mutating func pass(_ duration: Duration) {
    send { $0.pass(duration) }
  }

  private mutating func changeQuorum() {
    guard let node = nodes.randomElement(using: &random) else { return }
    let isQuorate = Int.random(in: 0..<3, using: &random) > 0
    trace.append("\(node) quorum \(isQuorate)")
    send { $0.send(.clusterChanged(isRunning: true, isQuorate: isQuorate), to: node) }
  }

  /// The daemon of a node dies and comes back; its LVs stay active.
  private mutating func crash() {
    guard let node = nodes.randomElement(using: &random) else { return }
    trace.append("\(node) crashes")
    let locks = (cluster.nodes[node]?.records ?? [:]).sorted { $0.key < $1.key }.map {
      PersistentLock(
        vg: "vg1", vgUUID: nil, lockArguments: "1.0.0:lab", lvUUID: $0.key, mode: $0.value)
    }
    for client in sortedClients where client.node == node { clients[client] = nil }
    unreloaded[node] = nil
    cluster.manager.remove(node)
    cluster.nodes[node] = .init(
      machine: LockDaemonMachine(configuration: .init(clusterName: "lab")))
    send { $0.send(.clusterChanged(isRunning: true, isQuorate: true), to: node) }
    send { $0.send(.adopt(locks), to: node) }
  }

  /// The next answer of the cluster to a random node arrives.
  private mutating func deliver() {
    let waiting = Set(cluster.manager.answers.map(\.node)).sorted()
    guard let node = waiting.randomElement(using: &random),
      let index = cluster.manager.answers.firstIndex(where: { $0.node == node })
    else { return }
    let (_, input) = cluster.manager.answers.remove(at: index)
    trace.append("\(node) <- \(input)")
    if case .reloaded(let question, _) = input {
      noteReload(question, node)
    }
    send { $0.send(input, to: node) }
  }

  private mutating func noteReload(_ question: ClusterQuestionID, _ node: NodeID) {
    guard
      case .reloadBeforeRelease(let address)? = cluster.nodes[node]?.machine.questions[question],
      let vg = cluster.nodes[node]?.machine.lockspaces[address.lockspace]?.vg
    else { return }
    unreloaded[node]?.remove(vg)
  }

  /// Lets something happen, then looks at the replies and at VG locks that were given up.
  private mutating func send(_ event: (inout TestCluster) -> Void) {
    let before = exclusiveVolumeGroups()
    event(&cluster)
    for client in sortedClients {
      while let reply = cluster.reply(to: client) { take(reply, client) }
    }
    for (node, vgs) in before {
      let lowered = vgs.subtracting(exclusiveVolumeGroups()[node] ?? [])
      for vg in lowered where unreloaded[node]?.contains(vg) == true {
        let state = Lockspace.name(vg: vg).flatMap {
          cluster.nodes[node]?.machine.lockspaces[$0]?.state
        }
        if state == .started { fail("\(node): VG \(vg) was released before it was reloaded") }
        unreloaded[node]?.remove(vg)
      }
    }
  }

  /// VGs that a client holds exclusively, by node.
  private func exclusiveVolumeGroups() -> [NodeID: Set<String>] {
    cluster.nodes.mapValues { node in
      Set(
        node.machine.lockspaces.values.filter {
          $0.resources[.volumeGroup]?.heldMode == .exclusive
        }.compactMap(\.vg))
    }
  }

  private mutating func take(_ reply: TestCluster.Reply, _ client: TestClient) {
    guard case .some(.some(let request)) = clients[client] else {
      return fail("\(client.node)/\(client.id) got a reply that it did not ask for")
    }
    trace.append("\(client.node)/\(client.id) hears \(reply.result ?? 99)")
    clients[client] = .some(nil)
    guard reply.result == 0 else { return }
    switch LockDaemonMessage(decoding: Array(request.utf8)).request {
    case .updateVolumeGroup(let vg, version: _): unreloaded[client.node, default: []].insert(vg)
    case .lockVolumeGroup(let vg, .lock(let mode)):
      // Unless a stop_all that waited for this very moment has left the lockspace.
      let machine = cluster.nodes[client.node]?.machine
      guard let lockspace = Lockspace.name(vg: vg).flatMap({ machine?.lockspaces[$0] }),
        lockspace.state == .started
      else { return }
      if lockspace.resources[.volumeGroup]?.transients[client.id] != mode {
        fail("a granted VG lock is not held")
      }
    default: break
    }
  }

  private mutating func check() {
    var holders: [ResourceAddress: [(NodeID, LockMode)]] = [:]
    for node in nodes {
      guard let machine = cluster.nodes[node]?.machine else { continue }
      for (name, lockspace) in machine.lockspaces {
        for resource in lockspace.resources.values {
          checkLocally(resource, "\(node) \(name)", token: resource.token, node)
          if let mode = resource.heldMode {
            let address = ResourceAddress(lockspace: name, resource: resource.name)
            holders[address, default: []].append((node, mode))
          }
        }
      }
    }
    for (address, list) in holders where list.count > 1 {
      if list.contains(where: { $0.1 == .exclusive }) { fail("\(address) is held by \(list)") }
    }
    checkReplies()
  }

  private mutating func checkLocally(
    _ resource: LockResource, _ place: String, token: LockToken, _ node: NodeID
  ) {
    let exclusive = resource.transients.values.count { $0 == .exclusive }
    if exclusive > 1 || (exclusive == 1 && resource.transients.count > 1) {
      fail("\(place): two clients hold \(resource.name.text)")
    }
    let handle = FakeLockManager.Handle(node: node, token: token)
    let granted = cluster.manager.places[handle].flatMap {
      cluster.manager.resources[$0]?.granted[handle]
    }
    if let held = resource.heldMode, (granted ?? .null) < ClusterLockMode(held) {
      fail("\(place): \(resource.name.text) is held \(held), the cluster granted \(granted as Any)")
    }
    if resource.activity == .none, resource.clusterMode != granted {
      fail(
        "\(place): \(resource.name.text) is \(granted as Any), not \(resource.clusterMode as Any)")
    }
  }

  /// Whoever waits for a reply is known to wait, and nobody else.
  private mutating func checkReplies() {
    for (client, request) in clients {
      let isPending = cluster.nodes[client.node]?.machine.clients[client.id]?.pending != nil
      if isPending != (request != nil) {
        fail("\(client.id): the reply to \(request ?? "-") is lost")
      }
    }
  }
}
