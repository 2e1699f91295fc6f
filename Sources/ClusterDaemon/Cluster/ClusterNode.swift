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
  /// Something about lockspaces was agreed.
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
}

/// Membership and lockspace groups of this node, wired to the control channels.
///
/// Confined to the cluster's event loop, as everything that it calls.
final class ClusterNode {
  private enum Work {
    case membership(MembershipInput)
    case group(GroupInput)
  }

  let local: Member
  private let loop: any EventLoop
  private let logger: Logger
  private var provider: any MembershipProvider
  private(set) var groups: LockspaceGroups
  private let send: ([UInt8], NodeID) -> Void
  private var drivers: [LockspaceKind: any LockspaceDriver] = [:]
  private var observers: [any ClusterObserver] = []
  private var queue: [Work] = []
  private var isWorking = false
  private var wake: Scheduled<Void>?
  private var knownMembers: [NodeInstance] = []
  /// Removed and not known to be dead, as the observers were told.
  private var unfenced: Set<NodeInstance> = []

  /// `send` hands a membership message to the control channel of a node.
  init(
    local: Member, provider: any MembershipProvider, loop: any EventLoop, logger: Logger,
    send: @escaping ([UInt8], NodeID) -> Void
  ) {
    self.local = local
    self.provider = provider
    self.groups = LockspaceGroups(local: local.instance)
    self.loop = loop
    self.logger = logger
    self.send = send
  }

  func setDriver(_ driver: any LockspaceDriver, for kind: LockspaceKind) { drivers[kind] = driver }
  func addObserver(_ observer: any ClusterObserver) { observers.append(observer) }

  var view: View { provider.view }
  var isQuorate: Bool { provider.isQuorate }
  /// In the view, and hearing a majority: cluster-wide work can be done.
  var isOperational: Bool { provider.isQuorate && provider.view.contains(local.instance) }

  /// The members of a lockspace other than this node; empty when it does not exist.
  func otherMembers(of name: LockspaceName) -> [NodeInstance] {
    groups.lockspace(name)?.members.filter { $0 != local.instance } ?? []
  }

  func handle(_ input: MembershipInput) {
    queue.append(.membership(input))
    work()
  }

  func join(_ name: LockspaceName, _ kind: LockspaceKind) { handle(.join(name, kind)) }
  func leave(_ name: LockspaceName, _ kind: LockspaceKind) { handle(.leave(name, kind)) }
  func stopped(_ name: LockspaceName, generation: UInt64) {
    handle(.stopCompleted(name, generation: generation))
  }
  func running(_ name: LockspaceName, generation: UInt64) {
    handle(.startCompleted(name, generation: generation))
  }
  func vouchDead(_ instance: NodeInstance, evidence: String) {
    handle(.fenced(instance, evidence: evidence))
  }

  private func handle(_ input: GroupInput) {
    queue.append(.group(input))
    work()
  }

  /// Works off the queue. What effects cause comes after what was there before, so an order of
  /// deliveries is never overtaken by their consequences.
  private func work() {
    guard !isWorking else { return }
    isWorking = true
    var next = 0
    while next < queue.count {
      let work = queue[next]
      next += 1
      switch work {
      case .membership(let input): step(input)
      case .group(let input): step(input)
      }
    }
    queue.removeAll(keepingCapacity: true)
    isWorking = false
  }

  private func step(_ input: MembershipInput) {
    var effects: [MembershipEffect] = []
    provider.handle(input, at: .now, effects: &effects)
    for effect in effects {
      switch effect {
      case .send(let bytes, let node): send(bytes, node)
      case .reset(let snapshot): step(.reset(snapshot: snapshot))
      case .deliver(let message): step(.deliver(message.payload, from: message.sender))
      case .installed(let view): installed(view)
      case .snapshotNeeded: step(.snapshot(groups.snapshot))
      case .quorum(let isQuorate):
        logger.notice("\(isQuorate ? "quorum is there" : "quorum is lost")")
        for observer in observers { observer.quorumChanged(isQuorate) }
      case .evicted: for observer in observers { observer.evicted() }
      case .wake(let moment): schedule(moment)
      case .report(let text): logger.warning("\(text)")
      }
    }
  }

  private func installed(_ view: View) {
    logger.notice(
      "view \(view.id): node \(view.nodes.map(\.description).joined(separator: ", "))")
    let before = Set(knownMembers)
    knownMembers = view.members.map(\.instance)
    step(.installed(view))
    // The dead before the living: the same node may be back in a new life.
    for instance in before.subtracting(knownMembers).sorted() {
      for observer in observers { observer.nodeRemoved(instance) }
      if !groups.unfencedNodes.contains(where: { $0.instance == instance }) {
        tellFenced(instance)
      }
    }
    for observer in observers { observer.viewInstalled(view) }
  }

  private func step(_ input: GroupInput) {
    var effects: [GroupEffect] = []
    groups.handle(input, effects: &effects)
    let now = Set(groups.unfencedNodes.map(\.instance))
    let settled = unfenced.subtracting(now)
    unfenced = now
    // Before the starts that this makes possible.
    for instance in settled.sorted() { tellFenced(instance) }
    for effect in effects {
      switch effect {
      case .submit(let payload): queue.append(.membership(.submit(payload)))
      case .stop(let name, let kind, let generation):
        drivers[kind]?.stop(name, generation: generation)
      case .start(let order): drivers[order.kind]?.start(order)
      case .left(let name, let kind): drivers[kind]?.left(name)
      case .joinRefused(let name, let kind, let reason):
        logger.error("lockspace \(name) cannot be joined: \(reason)")
        drivers[kind]?.joinRefused(name, reason: reason)
      case .report(let text): logger.notice("\(text)")
      }
    }
    for driver in drivers.values { driver.groupsChanged() }
  }

  private func tellFenced(_ instance: NodeInstance) {
    for observer in observers { observer.nodeFenced(instance) }
  }

  private func schedule(_ moment: Timestamp) {
    wake?.cancel()
    let delay = TimeAmount.nanoseconds(Int64((moment - Timestamp.now).wholeNanoseconds))
    wake = loop.scheduleTask(in: delay) { [loopBound = NIOLoopBound(self, eventLoop: loop)] in
      loopBound.value.handle(.timer)
    }
  }
}
