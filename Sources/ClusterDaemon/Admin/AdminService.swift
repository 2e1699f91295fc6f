import AdminProtocol
import ClusterMembership
import ClusterTypes
import LVMFrontends
import Logging
import NIOCore
import NIOPosix

/// Answers what `clvm` asks. One request a connection; what a request holds ends with it.
///
/// Confined to the cluster's event loop.
final class AdminService: FramedTextServerDelegate, ClusterObserver {
  private struct Client {
    let processID: Int32
    var hasAsked = false
    /// Ends what the request holds, when the client goes away.
    var release: () -> Void = {}
  }

  private unowned let node: ClusterNode
  private let status: StatusReport
  private let commandLocks: CommandLocks
  private let resizes: ResizeService
  private let commands: GroupCommandService
  private let activations: ActivationService
  private let clusterFacts: ClusterFactsService
  private let keys: KeyService?
  /// Nil where the list of nodes is fixed.
  private let nodes: ConfigurationService?
  private let workers: VolumeWorkers
  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let logger: Logger
  private var clients: [ClientID: Client] = [:]
  private var fenceWaiters: [(instance: NodeInstance, client: ClientID)] = []
  /// Where replies go.
  weak var server: FramedTextServer?
  /// Nil where the kernel's lock manager is left alone.
  var posixLocks: PosixLockService?
  /// Whether a control channel with the node is open.
  var isHeard: (NodeID) -> Bool = { _ in false }

  init(
    node: ClusterNode, status: StatusReport, commandLocks: CommandLocks, resizes: ResizeService,
    commands: GroupCommandService, activations: ActivationService,
    clusterFacts: ClusterFactsService, keys: KeyService?,
    nodes: ConfigurationService?,
    workers: VolumeWorkers, loop: any EventLoop, pool: NIOThreadPool, logger: Logger
  ) {
    self.node = node
    self.status = status
    self.commandLocks = commandLocks
    self.resizes = resizes
    self.commands = commands
    self.activations = activations
    self.clusterFacts = clusterFacts
    self.keys = keys
    self.nodes = nodes
    self.workers = workers
    self.loop = loop
    self.pool = pool
    self.logger = logger
  }

  func clientConnected(_ client: ClientID, peer: SocketPeer) {
    clients[client] = Client(processID: peer.processID)
  }

  func clientClosed(_ client: ClientID) {
    fenceWaiters.removeAll { $0.client == client }
    clients.removeValue(forKey: client)?.release()
  }

  func received(_ bytes: [UInt8], from client: ClientID) {
    guard let state = clients[client] else { return }
    guard !state.hasAsked else {
      return fail(client, .invalidRequest, "A connection carries one request.")
    }
    clients[client]?.hasAsked = true
    do {
      carryOut(try AdminRequest(decoding: bytes), client, processID: state.processID)
    } catch {
      fail(client, .invalidRequest, error.description)
    }
  }

  private func carryOut(_ request: AdminRequest, _ client: ClientID, processID: Int32) {
    switch request {
    case .status: reply(.status(status.summary()), to: client)
    case .nodes: reply(.nodes(status.nodes()), to: client)
    case .lockspaces: reply(.lockspaces(status.lockspaces()), to: client)
    case .locks(let lockspace, let onlyWaiting):
      status.locks(in: lockspace, onlyWaiting: onlyWaiting) { [self] locks, survey in
        for (node, report) in survey.reports.sorted(by: { $0.key < $1.key })
        where report.omittedCount > 0 && !onlyWaiting {
          let count = report.omittedCount
          reply(.progress("Node \(node) knows \(count) more locks, not shown."), to: client)
        }
        reply(.locks(locks, silentNodes: survey.silent), to: client)
      }
    case .posixLocks(let lockspace, let onlyWaiting):
      listPosixLocks(lockspace, onlyWaiting: onlyWaiting, client)
    case .lock(let request):
      let release = commandLocks.lock(request, processID: processID) { [self] event in
        reply(event, to: client)
      }
      keep(release, for: client)
    case .nodeFenced(let victim, let authority): fenced(victim, by: authority, client)
    case .resize(let request):
      logger.notice(
        "\(request.command.rawValue) \(request.volumeGroup)/\(request.logicalVolume) is asked for")
      begin(client, AdminReply.resized) {
        resizes.resize(request, processID: processID, progress: $0, completion: $1)
      }
    case .activation(let request):
      logger.notice(
        "\(request.command) is asked to \(request.action.rawValue) volumes of \(request.volumeGroup)"
      )
      begin(client, AdminReply.activated) {
        activations.run(
          request, nodeID: { [status] in status.nodeID($0) }, processID: processID, progress: $0,
          completion: $1)
      }
    case .volumeCommand(let request):
      logger.notice("\(request.command) \(request.words.joined(separator: " ")) is asked for")
      begin(client, AdminReply.printed) {
        commands.run(request, processID: processID, progress: $0, completion: $1)
      }
    case .mappedDevices: mappedDevices(client)
    case .facts:
      clusterFacts.gather { [self] result in
        switch result {
        case .success(let facts): reply(.facts(facts), to: client)
        case .failure(let error): fail(client, .failed, "\(error)")
        }
      }
    case .keys(let request):
      guard let keys else {
        return fail(
          client, .refused, "This cluster has no keys; 'clvm cluster init' makes them.")
      }
      keys.carryOut(request) { [self] in reply($0, to: client) }
    case .changeConfiguration(let request):
      guard let nodes else {
        return fail(
          client, .refused,
          "Only the provider 'embedded' can change its nodes while it runs: edit clvmd.conf on all "
            + "nodes and restart clvmd.")
      }
      nodes.carryOut(request) { [self] result in
        switch result {
        case .success(let lines): reply(.printed(lines), to: client)
        case .failure(let failure): reply(.failed(failure), to: client)
        }
      }
    }
  }

  /// Begins what is given up when the client goes away, and what reports on its way.
  private func begin<Answer>(
    _ client: ClientID, _ answer: @escaping (Answer) -> AdminReply,
    _ command: (
      _ progress: @escaping (String) -> Void,
      _ completion: @escaping (Result<Answer, AdminFailure>) -> Void
    ) -> () -> Void
  ) {
    let progress = { [self] (text: String) in reply(.progress(text), to: client) }
    let completion = { [self] (result: Result<Answer, AdminFailure>) in
      switch result {
      case .success(let outcome): reply(answer(outcome), to: client)
      case .failure(let failure): reply(.failed(failure), to: client)
      }
    }
    keep(command(progress, completion), for: client)
  }

  private func keep(_ release: @escaping () -> Void, for client: ClientID) {
    if clients[client] == nil { release() } else { clients[client]?.release = release }
  }

  // MARK: - The administrator's word

  /// `authority`: another cluster manager that has fenced the node; nil for an administrator.
  private func fenced(_ victim: NodeID, by authority: String?, _ client: ClientID) {
    guard node.isOperational else {
      return fail(client, .noQuorum, "This node has no quorum: ask on a node that has.")
    }
    let member = node.view.instance(of: victim)
    let dead = node.groups.unprovenNodes.filter { $0.instance.node == victim }
    // A member's own earlier life may be called dead; a node that is only heard may be that life.
    let isOlder = member.map { present in dead.allSatisfy { $0.instance < present } } ?? false
    guard isOlder && !dead.isEmpty || member == nil && !isHeard(victim) else {
      return fail(
        client, .refused,
        "Node \(victim) is alive: this node hears it. Switch it off before you call it dead.")
    }
    guard !dead.isEmpty else {
      return fail(
        client, .notFound,
        "Nothing waits for node \(victim): it is not a removed node that may "
          + "still write.")
    }
    let awaited = node.groups.unfencedNodes
    // Nothing waits for one that reservations keep away.
    if !dead.contains(where: { awaited.contains($0) }) { reply(.done, to: client) }
    for unfenced in dead {
      if awaited.contains(unfenced) { fenceWaiters.append((unfenced.instance, client)) }
      if let authority {
        node.vouchDead(unfenced.instance, .externalAuthority, evidence: authority)
      } else {
        node.vouchDead(unfenced.instance, .administrator, evidence: "an administrator's word")
      }
    }
  }

  func nodeFenced(_ instance: NodeInstance) {
    let clients = fenceWaiters.filter { $0.instance == instance }.map(\.client)
    fenceWaiters.removeAll { $0.instance == instance }
    for client in clients where !fenceWaiters.contains(where: { $0.client == client }) {
      reply(.done, to: client)
    }
  }

  func requestRefused(_ reason: String) {
    let waiting = Set(fenceWaiters.map(\.client))
    fenceWaiters = []
    for client in waiting { fail(client, .refused, "The cluster refuses it: \(reason)") }
  }

  func viewInstalled(_ view: View) {}
  func nodeRemoved(_ instance: NodeInstance) {}
  func quorumChanged(_ isQuorate: Bool) {}
  func evicted() {}

  private func listPosixLocks(
    _ lockspace: LockspaceName?, onlyWaiting: Bool, _ client: ClientID
  ) {
    guard let posixLocks else {
      return fail(
        client, .refused,
        "This daemon leaves the kernel's lock manager alone (kernel_lockspaces/enabled).")
    }
    guard let report = posixLocks.report(lockspace: lockspace, onlyWaiting: onlyWaiting) else {
      let name = lockspace?.text ?? ""
      return fail(
        client, .notFound,
        "No cluster filesystem with lockspace \(name) is mounted on this node: ask on one that has it."
      )
    }
    for note in report.notes { reply(.progress(note), to: client) }
    reply(.posixLocks(report.locks), to: client)
  }

  // MARK: - Replies

  private func mappedDevices(_ client: ClientID) {
    pool.runIfActive(eventLoop: loop) { [workers] in try workers.mappedDevices() }
      .assumeIsolated().whenComplete { [self] result in
        switch result {
        case .success(let devices): reply(.mappedDevices(devices), to: client)
        case .failure(let error): fail(client, .failed, "\(error)")
        }
      }
  }

  private func fail(_ client: ClientID, _ reason: AdminFailure.Reason, _ message: String) {
    reply(.failed(AdminFailure(reason, message)), to: client)
  }

  private func reply(_ reply: AdminReply, to client: ClientID) {
    guard clients[client] != nil else { return }
    // The server adds the terminator.
    let text = Array(reply.encode().dropLast(AdminFraming.terminator.count))
    if reply.isFinal {
      server?.reply(to: client, text)
    } else {
      server?.announce(to: client, text)
    }
  }
}
