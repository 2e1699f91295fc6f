import ClusterMembership
import ClusterTypes
import LockspaceGroups
import Logging
import MachineShell
import NIOCore

/// Lockspace groups above a membership provider that orders messages.
final class OrderedCluster: ClusterEngine {
  private enum Work {
    case membership(MembershipInput)
    case group(GroupInput)
  }

  let local: Member
  var tell: (ClusterEvent) -> Void = { _ in }
  private let loop: any EventLoop
  private let logger: Logger
  private let send: ([UInt8], NodeID) -> Void
  private var provider: any MembershipProvider
  private var lockspaces: LockspaceGroups
  private var queue: [Work] = []
  private var isWorking = false
  private var isEvicted = false
  private lazy var timer = DeadlineTimer(
    eventLoop: loop, clock: { .now }, fire: { [weak self] in self?.handle(.timer) })
  /// With the provider corosync.
  private let corosync: CorosyncReader?

  /// `send` hands a membership message to the control channel of a node. `unseen`: see
  /// `LockspaceGroups`.
  init(
    local: Member, provider: any MembershipProvider, corosync: CorosyncReader? = nil,
    unseen: [NodeID] = [], loop: any EventLoop, logger: Logger,
    send: @escaping ([UInt8], NodeID) -> Void
  ) {
    self.local = local
    self.provider = provider
    self.corosync = corosync
    lockspaces = LockspaceGroups(local: local.instance, unseen: unseen)
    self.loop = loop
    self.logger = logger
    self.send = send
  }

  var view: View { provider.view }
  var isQuorate: Bool { provider.isQuorate }
  var isOperational: Bool {
    provider.isQuorate && provider.view.contains(local.instance) && !isEvicted
  }
  var leader: NodeID? { nil }
  var groups: any AgreedLockspaces { lockspaces }

  var waits: [String] {
    lockspaces.unfencedNodes.map { unfenced in
      let victim = unfenced.instance.node
      let what =
        unfenced.isUnknownLife
        ? "has not been seen since all daemons were started, and" : "was removed and"
      return
        "Node \(victim) \(what) may still write: no lockspace starts before it is known "
        + "to be dead. Make sure that it is off, then run: clvm node fenced \(victim)"
    }
  }

  func start() {
    corosync?.start(on: loop) { [loopBound = NIOLoopBound(self, eventLoop: loop)] event in
      loopBound.value.handle(.group(event))
    }
  }

  func leave() -> EventLoopFuture<Void> {
    corosync?.leave()
    return loop.makeSucceededVoidFuture()
  }

  func stop() {
    timer.set(nil)
    corosync?.stop()
  }

  func probed(_ node: NodeID, isListening: Bool) {}

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
  func vouchDead(_ instance: NodeInstance, _ kind: Evidence, by: String) {
    handle(.fenced(instance, evidence: by))
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
      case .multicast(let bytes): corosync?.multicast(bytes)
      case .reset(let snapshot): step(.reset(snapshot: snapshot))
      case .deliver(let message): step(.deliver(message.payload, from: message.sender))
      case .installed(let view):
        step(.installed(view))
        tell(.view(view))
      case .snapshotNeeded: step(.snapshot(lockspaces.snapshot))
      case .quorum(let isQuorate): tell(.quorum(isQuorate))
      case .evicted:
        isEvicted = true
        corosync?.leave()
        tell(.evicted)
      case .wake(let moment): timer.set(moment)
      case .report(let text): logger.warning("\(text)")
      }
    }
  }

  private func step(_ input: GroupInput) {
    var effects: [GroupEffect] = []
    lockspaces.handle(input, effects: &effects)
    tell(.deaths)
    for effect in effects {
      switch effect {
      case .submit(let payload): queue.append(.membership(.submit(payload)))
      case .report(let text): logger.notice("\(text)")
      case .stop, .start, .left, .joinRefused: tell(.lockspace(effect))
      }
    }
    tell(.agreed)
  }
}
