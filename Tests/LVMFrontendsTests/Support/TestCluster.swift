import ClusterTypes
import ConfigText

@testable import LVMFrontends

/// Nodes with a machine each, over one fake lock manager, in virtual time.
struct TestCluster {
  typealias Input = LockDaemonMachine.Input

  struct Reply {
    let fields: ConfigSection

    var result: Int? { fields.integer("op_result").map(Int.init) }
    var flags: Set<String> {
      Set((fields.string("result_flags") ?? "").split(separator: ",").map(String.init))
        .subtracting(["none"])
    }
    var mode: String? { fields.string("mode") }
  }

  struct Node {
    var machine: LockDaemonMachine
    /// Replies that nobody has taken yet.
    var replies: [ClientID: [Reply]] = [:]
    var records: [String: LockMode] = [:]
    var dumps: [String] = []
    var closed: [ClientID] = []
    var failedAdoptions: [PersistentLock] = []
    var logs: [String] = []
    var hasQuit = false
    var volumeLocks: [VolumeLockID: VolumeLockAnswer] = [:]
  }

  var manager = FakeLockManager()
  var nodes: [NodeID: Node] = [:]
  var now = Timestamp(milliseconds: 1_000)
  private var clientCount: UInt64 = 0
  /// Answers of the cluster wait until `settle` is called.
  var isHeldBack = false

  /// - Parameter hasStarted: otherwise the daemons have heard nothing of the cluster yet.
  init(
    nodes count: Int32 = 1, clusterName: String = "lab", isQuorate: Bool = true,
    hasStarted: Bool = true
  ) {
    for number in 1...count {
      guard let id = NodeID(number) else { continue }
      nodes[id] = Node(machine: LockDaemonMachine(configuration: .init(clusterName: clusterName)))
      guard hasStarted else { continue }
      send(.clusterChanged(isRunning: true, isQuorate: true), to: id)
      if !isQuorate { send(.clusterChanged(isRunning: true, isQuorate: false), to: id) }
    }
  }

  static let node1 = NodeID(1) ?? Self.impossible()
  static let node2 = NodeID(2) ?? Self.impossible()

  private static func impossible() -> NodeID { preconditionFailure("small numbers are node ids") }

  mutating func send(_ input: Input, to node: NodeID) {
    let effects = nodes[node]?.machine.handle(input, at: now) ?? []
    for effect in effects where !manager.carryOut(effect, of: node) {
      switch effect {
      case .reply(let client, let text):
        let fields = (try? ConfigSection(parsing: text)) ?? ConfigSection()
        nodes[node]?.replies[client, default: []].append(Reply(fields: fields))
      case .sendDump(let text): nodes[node]?.dumps.append(String(decoding: text, as: UTF8.self))
      case .closeClient(let client): nodes[node]?.closed.append(client)
      case .persist(let lock): nodes[node]?.records[lock.lvUUID] = lock.mode
      case .forget(let lock): nodes[node]?.records[lock.lvUUID] = nil
      case .adoptionFailed(let lock, reason: _): nodes[node]?.failedAdoptions.append(lock)
      case .volumeLockEnded(let id, let answer): nodes[node]?.volumeLocks[id] = answer
      case .quit: nodes[node]?.hasQuit = true
      case .log(_, let text): nodes[node]?.logs.append(text)
      case .join, .leave, .countMembers, .lock, .convert, .cancel, .unlock, .settle, .reload,
        .describe, .findHolders, .checkSharing:
        break
      }
    }
    if !isHeldBack { settle() }
  }

  /// Delivers what the cluster answers until nothing moves.
  mutating func settle() {
    isHeldBack = true
    while !manager.answers.isEmpty {
      let (node, input) = manager.answers.removeFirst()
      send(input, to: node)
    }
    isHeldBack = false
  }

  mutating func connect(to node: NodeID = node1) -> TestClient {
    clientCount += 1
    let client = TestClient(node: node, id: ClientID(clientCount))
    send(.clientConnected(client.id, processID: Int32(clientCount)), to: node)
    return client
  }

  mutating func send(_ text: String, from client: TestClient) {
    send(.received(client.id, Array(text.utf8)), to: client.node)
  }

  func processID(of client: TestClient) -> Int32? {
    nodes[client.node]?.machine.clients[client.id]?.processID
  }

  mutating func close(_ client: TestClient) { send(.clientClosed(client.id), to: client.node) }

  /// The next reply to `client`, or nil when it still waits.
  mutating func reply(to client: TestClient) -> Reply? {
    guard nodes[client.node]?.replies[client.id]?.isEmpty == false else { return nil }
    return nodes[client.node]?.replies[client.id]?.removeFirst()
  }

  /// Sends `text` and takes the result of the reply; nil when there is none yet.
  mutating func ask(_ text: String, from client: TestClient) -> Int? {
    send(text, from: client)
    return reply(to: client)?.result
  }

  /// Moves the time on, waking machines when they want it.
  mutating func pass(_ duration: Duration) {
    let end = now + duration
    while let (deadline, node) = nodes.compactMap({ node, state in
      state.machine.nextDeadline.map { ($0, node) }
    }).min(by: { $0 < $1 }), deadline <= end {
      now = max(now, deadline)
      send(.timePassed, to: node)
    }
    now = end
  }

  /// Starts `vg` on `node`, as vgchange --lockstart does.
  mutating func start(_ vg: String, on node: NodeID = node1, cluster: String = "lab") -> Int? {
    let client = connect(to: node)
    defer { close(client) }
    return ask(
      """
      request="start_vg" vg_name="\(vg)" vg_lock_type="dlm" vg_lock_args="1.0.0:\(cluster)" \
      vg_uuid="UU" version=1 host_id=0 opts="none"
      """, from: client)
  }
}

struct TestClient: Hashable {
  let node: NodeID
  let id: ClientID
}

/// Requests as lvm spells them.
enum Request {
  static func global(_ mode: String) -> String {
    "request=\"lock_gl\"\ncmd =\"vgs\"\npid =7\nmode =\"\(mode)\"\nopts =\"none\"\n"
  }

  static func vg(_ mode: String, _ vg: String = "vg1") -> String {
    """
    request="lock_vg"\ncmd ="vgs"\npid =7\nmode ="\(mode)"\nopts ="none"
    vg_name ="\(vg)"\nvg_lock_type ="none"\nvg_lock_args ="none"\n
    """
  }

  static func lv(
    _ mode: String, persistent: Bool = false, uuid: String = "u1", command: String = "lvchange"
  ) -> String {
    """
    request="lock_lv"\ncmd ="\(command)"\npid =7\nmode ="\(mode)"
    opts ="\(persistent ? "persistent," : "none")"\nvg_name ="vg1"\nlv_name ="lv1"
    lv_uuid ="\(uuid)"\nvg_lock_type ="dlm"\nvg_lock_args ="1.0.0:lab"\nlv_lock_args ="dlm"\n
    """
  }

  static func update(_ version: Int) -> String {
    "request=\"vg_update\"\npid =7\nvg_name =\"vg1\"\nversion =\(version)\n"
  }

  static func simple(_ name: String, vg: String = "vg1") -> String {
    "request=\"\(name)\"\npid =7\nvg_name =\"\(vg)\"\nvg_lock_type =\"dlm\"\n"
  }
}
