import ClusterTypes

/// Asks every other node of a volume group's lockspace to reload, and waits for all of them.
///
/// It runs on the node whose lvm command changed the volume group, after the commit and before
/// the lock is released. The lock goes only when each node has answered or is fenced; a node that
/// answers "failed" has answered, and the failure is the command's result.
public struct ReloadCollector: Sendable {
  public enum Effect: Equatable, Sendable {
    case send(CoordinationMessage, to: NodeInstance)
    case report(String)
    case finished(ReloadResult)
  }

  public let request: ReloadRequest
  private var missing: Set<NodeInstance>
  private var removed: Set<NodeInstance> = []
  private var answers: [NodeInstance: NodeReload] = [:]
  private var isFinished = false
  private let timing: CoordinationTiming
  private var began = Timestamp(nanoseconds: 0)
  private var resendAt = Timestamp(nanoseconds: 0)
  private var reportAt = Timestamp(nanoseconds: 0)

  /// `nodes`: the members of the volume group's lockspace without this node.
  public init(
    request: ReloadRequest, nodes: Set<NodeInstance>,
    timing: CoordinationTiming = CoordinationTiming()
  ) {
    self.request = request
    self.missing = nodes
    self.timing = timing
  }

  /// Begins. Call once.
  public mutating func start(at now: Timestamp) -> [Effect] {
    began = now
    reportAt = now + timing.reportInterval
    return ask(at: now) + finishIfComplete()
  }

  /// When `.wake` is due next; nil when it is over.
  public var nextWake: Timestamp? { isFinished ? nil : min(resendAt, reportAt) }

  /// Whom the reload waits for, as one sentence; nil when it is over.
  public var waitingFor: String? {
    guard !isFinished else { return nil }
    let names = missing.sorted().map { node in
      removed.contains(node) ? "node \(node.node) to be fenced" : "node \(node.node) to reload"
    }
    return "\(request) waits for " + names.joined(separator: ", ") + "."
  }

  public mutating func handle(_ input: CoordinationInput, at now: Timestamp) -> [Effect] {
    guard !isFinished else { return [] }
    var effects: [Effect] = []
    switch input {
    case .message(.reloaded(request.id, let volumes), let sender):
      accept(.finished(volumes), from: sender)
    case .message(.reloadFailed(request.id, let reason), let sender):
      accept(.failed(reason), from: sender)
    case .nodeRemoved(let node):
      if missing.contains(node), removed.insert(node).inserted {
        effects.append(
          .report("\(request): node \(node.node) left the cluster and must be fenced."))
      }
    case .nodeFenced(let node), .nodeRenewed(let node): accept(.fenced, from: node)
    case .wake:
      if now >= reportAt, let waitingFor {
        reportAt = now + timing.reportInterval
        let seconds = (now - began).wholeMilliseconds / 1000
        effects.append(.report("\(waitingFor) (\(seconds) s)"))
      }
      if now >= resendAt { effects += ask(at: now) }
    case .message, .jobFinished, .quorum, .recorded, .unrecorded, .orphaned: break
    }
    return effects + finishIfComplete()
  }

  private mutating func ask(at now: Timestamp) -> [Effect] {
    resendAt = now + timing.resendInterval
    return missing.subtracting(removed).sorted().map { .send(.reload(request), to: $0) }
  }

  private mutating func accept(_ answer: NodeReload, from node: NodeInstance) {
    guard missing.remove(node) != nil else { return }
    answers[node] = answer
  }

  private mutating func finishIfComplete() -> [Effect] {
    guard missing.isEmpty else { return [] }
    isFinished = true
    return [.finished(ReloadResult(request: request, nodes: answers))]
  }
}
