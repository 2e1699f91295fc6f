import ClusterMembership
import ClusterTypes
import DistributedLockManager
import LockspaceGroups
import Logging
import NIOCore

/// Runs lockspaces of one kind on this node, as the groups say.
protocol LockspaceDriver: AnyObject {
  /// Stops the lockspace, if it runs here, and calls `ClusterNode.stopped`.
  func stop(_ name: LockspaceName, generation: UInt64)
  /// Starts it and calls `ClusterNode.running`, unless a newer stop comes first.
  func start(_ order: StartOrder)
  /// This node is out of the lockspace.
  func left(_ name: LockspaceName)
  /// The cluster does not let this node join.
  func joinRefused(_ name: LockspaceName, reason: String)
  /// Something about lockspaces was agreed, or this node has lost or won its quorum.
  func groupsChanged()
}

/// Wants to know who comes and goes.
protocol ClusterObserver: AnyObject {
  func viewInstalled(_ view: View)
  /// Removed from the view; whether it can still write is open until `nodeFenced`.
  func nodeRemoved(_ instance: NodeInstance)
  func nodeFenced(_ instance: NodeInstance)
  func quorumChanged(_ isQuorate: Bool)
  /// The cluster went on without this life of the node.
  func evicted()
  /// A member's daemon was started again within the same incarnation: what the old one had in memory is
  /// gone, and the daemon's own lockspaces with it.
  func memberRenewed(_ instance: NodeInstance)
  /// Something about lockspaces was agreed or heard; comes often.
  func agreementChanged()
  /// Something that this node asked the cluster for was refused.
  func requestRefused(_ reason: String)
}

extension ClusterObserver {
  func memberRenewed(_ instance: NodeInstance) {}
  func agreementChanged() {}
  func requestRefused(_ reason: String) {}
}

/// This node as a part of the cluster: who is in, which lockspaces run, and whom to tell.
///
/// Confined to the cluster's event loop, as everything that it calls.
final class ClusterNode {
  private let engine: any ClusterEngine
  private let logger: Logger
  private var drivers: [LockspaceKind: any LockspaceDriver] = [:]
  private var observers: [any ClusterObserver] = []
  private var knownMembers: [NodeInstance] = []
  /// Removed and not known to be dead, as the observers were told.
  private var unfenced: Set<NodeInstance> = []

  init(engine: any ClusterEngine, logger: Logger) {
    self.engine = engine
    self.logger = logger
    engine.tell = { [unowned self] in carryOut($0) }
  }

  func setDriver(_ driver: any LockspaceDriver, for kind: LockspaceKind) { drivers[kind] = driver }
  func addObserver(_ observer: any ClusterObserver) { observers.append(observer) }

  var local: Member { engine.local }
  var view: View { engine.view }
  var groups: any AgreedLockspaces { engine.groups }
  /// The embedded provider's record; nil with providers that have none.
  var record: (any RecordAccess)? { engine as? any RecordAccess }
  var isQuorate: Bool { engine.isQuorate }
  /// In the view, and hearing a majority: cluster-wide work can be done.
  var isOperational: Bool { engine.isOperational }
  var leader: NodeID? { engine.leader }
  var waits: [String] { engine.waits }

  /// The members of a lockspace other than this node; empty when it does not exist.
  func otherMembers(of name: LockspaceName) -> [NodeInstance] {
    groups.lockspace(name)?.members.filter { $0 != local.instance } ?? []
  }

  func start() { engine.start() }
  func leave() -> EventLoopFuture<Void> { engine.leave() }
  func stop() { engine.stop() }
  func handle(_ input: MembershipInput) { engine.handle(input) }
  func probed(_ node: NodeID, isListening: Bool) {
    engine.probed(node, isListening: isListening)
  }
  func join(_ name: LockspaceName, _ kind: LockspaceKind) { engine.join(name, kind) }
  func leave(_ name: LockspaceName, _ kind: LockspaceKind) { engine.leave(name, kind) }
  func stopped(_ name: LockspaceName, generation: UInt64) {
    engine.stopped(name, generation: generation)
  }
  func running(_ name: LockspaceName, generation: UInt64) {
    engine.running(name, generation: generation)
  }
  func vouchDead(_ instance: NodeInstance, _ kind: Evidence, evidence: String) {
    engine.vouchDead(instance, kind, by: evidence)
  }

  // MARK: - What the cluster wants

  private func carryOut(_ event: ClusterEvent) {
    switch event {
    case .view(let view): installed(view)
    case .lockspace(let effect): carryOut(effect)
    case .deaths: tellDeaths()
    case .agreed:
      for driver in drivers.values { driver.groupsChanged() }
      for observer in observers { observer.agreementChanged() }
    case .quorum(let isQuorate):
      logger.notice("\(isQuorate ? "quorum is there" : "quorum is lost")")
      for observer in observers { observer.quorumChanged(isQuorate) }
      for driver in drivers.values { driver.groupsChanged() }
    case .renewed(let instance):
      logger.notice("the daemon of node \(instance.node) was started again")
      for observer in observers { observer.memberRenewed(instance) }
    case .evicted: for observer in observers { observer.evicted() }
    case .refused(let reason): for observer in observers { observer.requestRefused(reason) }
    }
  }

  private func carryOut(_ effect: GroupEffect) {
    switch effect {
    case .stop(let name, let kind, let generation):
      drivers[kind]?.stop(name, generation: generation)
    case .start(let order): drivers[order.kind]?.start(order)
    case .left(let name, let kind): drivers[kind]?.left(name)
    case .joinRefused(let name, let kind, let reason):
      logger.error("lockspace \(name) cannot be joined: \(reason)")
      drivers[kind]?.joinRefused(name, reason: reason)
    case .submit, .report: break
    }
  }

  private func installed(_ view: View) {
    logger.notice(
      "view \(view.id): node \(view.nodes.map(\.description).joined(separator: ", "))")
    let before = Set(knownMembers)
    knownMembers = view.members.map(\.instance)
    // The dead before the living: the same node may be back in a new life.
    for instance in before.subtracting(knownMembers).sorted() {
      for observer in observers { observer.nodeRemoved(instance) }
      if !groups.unfencedNodes.contains(where: { $0.instance == instance }) {
        tellFenced(instance)
      }
    }
    for observer in observers { observer.viewInstalled(view) }
  }

  private func tellDeaths() {
    let now = Set(groups.unfencedNodes.map(\.instance))
    let settled = unfenced.subtracting(now)
    unfenced = now
    for instance in settled.sorted() { tellFenced(instance) }
  }

  private func tellFenced(_ instance: NodeInstance) {
    for observer in observers { observer.nodeFenced(instance) }
  }
}
