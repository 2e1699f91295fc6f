import ByteCoding
import ClusterTypes
import LockManager
import LockProtocol
import Logging
import NIOCore

/// Asks every member of the cluster for the locks that it knows, and answers when others ask.
///
/// Confined to the cluster's event loop.
final class LockSurvey {
  /// What came back in time.
  struct Result {
    var reports: [NodeID: LockReport] = [:]
    /// Members that did not answer.
    var silent: [NodeID] = []
  }

  private struct Question {
    var awaited: Set<NodeID>
    var result: Result
    let completion: (Result) -> Void
    let timeout: Scheduled<Void>
  }

  /// A member that takes longer is called silent.
  static let patience = TimeAmount.seconds(2)

  private unowned let node: ClusterNode
  private let locks: InHouseLockspaces
  private let loop: any EventLoop
  private let logger: Logger
  private var questions: [UInt64: Question] = [:]
  private var lastID: UInt64 = 0
  var send: ([UInt8], NodeID) -> Void = { _, _ in }

  init(node: ClusterNode, locks: InHouseLockspaces, loop: any EventLoop, logger: Logger) {
    self.node = node
    self.locks = locks
    self.loop = loop
    self.logger = logger
  }

  /// - Parameter onlyWaiting: only resources that somebody waits for.
  func ask(onlyWaiting: Bool, completion: @escaping (Result) -> Void) {
    ask(locks.report(onlyWaiting: onlyWaiting), completion) { id in
      .question(id: id, onlyWaiting: onlyWaiting)
    }
  }

  /// The locks on one resource.
  func ask(
    about resource: ResourceName, in lockspace: LockspaceName,
    completion: @escaping (Result) -> Void
  ) {
    ask(locks.report(of: resource, in: lockspace), completion) { id in
      .questionAbout(id: id, lockspace, resource)
    }
  }

  private func ask(
    _ report: LockReport, _ completion: @escaping (Result) -> Void,
    _ message: (UInt64) -> LockSurveyMessage
  ) {
    let local = node.local.node
    var result = Result()
    result.reports[local] = report
    let others = Set(node.view.nodes).subtracting([local])
    guard !others.isEmpty else { return completion(result) }
    lastID += 1
    let id = lastID
    let timeout = loop.assumeIsolated().scheduleTask(in: Self.patience) { [self] in end(id) }
    questions[id] = Question(
      awaited: others, result: result, completion: completion, timeout: timeout)
    let question = message(id).encoded
    for other in others.sorted() { send(question, other) }
  }

  func received(_ bytes: ArraySlice<UInt8>, from sender: NodeID) {
    do throws(ByteDecodingError) {
      switch try LockSurveyMessage(decoding: bytes) {
      case .question(let id, let onlyWaiting):
        let report = locks.report(onlyWaiting: onlyWaiting)
        send(LockSurveyMessage.report(id: id, report).encoded, sender)
      case .questionAbout(let id, let lockspace, let resource):
        let report = locks.report(of: resource, in: lockspace)
        send(LockSurveyMessage.report(id: id, report).encoded, sender)
      case .report(let id, let report): take(report, id, from: sender)
      }
    } catch {
      logger.error("node \(sender) sent a message about locks that cannot be understood: \(error)")
    }
  }

  private func take(_ report: LockReport, _ id: UInt64, from sender: NodeID) {
    guard questions[id]?.awaited.remove(sender) != nil else { return }
    questions[id]?.result.reports[sender] = report
    if questions[id]?.awaited.isEmpty == true { end(id) }
  }

  private func end(_ id: UInt64) {
    guard var question = questions.removeValue(forKey: id) else { return }
    question.timeout.cancel()
    question.result.silent = question.awaited.sorted()
    question.completion(question.result)
  }
}

extension LockSurvey.Result {
  /// A lock that several nodes tell of: its place in the queue and its age as the master knows it,
  /// its owner as the owner's node does.
  private struct Told {
    var lock: LockReport.Lock
    var isByMaster: Bool
  }

  /// Every lock once, by lockspace, resource and queue.
  var locks: [LockReport.Lock] {
    var told: [LockKey: Told] = [:]
    var order: [LockKey] = []
    for (node, report) in reports.sorted(by: { $0.key < $1.key }) {
      for lock in report.locks {
        let isByMaster = lock.master == node
        guard var known = told[lock.key] else {
          told[lock.key] = Told(lock: lock, isByMaster: isByMaster)
          order.append(lock.key)
          continue
        }
        let owned = lock.owner == nil ? known.lock : lock
        if isByMaster { known = Told(lock: lock, isByMaster: true) }
        known.lock.owner = owned.owner
        known.lock.processID = owned.processID
        known.lock.command = owned.command
        known.lock.transaction = owned.transaction
        known.lock.mayBeVictim = owned.mayBeVictim
        told[lock.key] = known
      }
    }
    return order.compactMap { told[$0]?.lock }.enumerated().sorted {
      let (left, right) = ($0.element, $1.element)
      if left.lockspace != right.lockspace { return left.lockspace < right.lockspace }
      if left.resource != right.resource { return left.resource < right.resource }
      return $0.offset < $1.offset
    }.map(\.element)
  }

  /// For each waiting lock the locks that it waits for.
  var blockers: [LockKey: [LockKey]] {
    var blockers: [LockKey: [LockKey]] = [:]
    for report in reports.values {
      for wait in report.waits {
        let whole =
          wait.blockers + (wait.blockers.isEmpty ? wait.predecessor.map { [$0] } ?? [] : [])
        blockers[report.locks[wait.waiter].key] = whole.map { report.locks[$0].key }
      }
    }
    return blockers
  }

  var waitGraph: WaitGraph {
    var graph = WaitGraph()
    for (node, report) in reports {
      for lock in report.locks {
        guard lock.identity.node == node, let number = lock.transaction else { continue }
        graph.insert(lock.key, of: LockTransaction(node: node, number: number))
      }
      for wait in report.waits {
        let waiter = report.locks[wait.waiter]
        for blocker in Set(wait.blockers + (wait.predecessor.map { [$0] } ?? [])) {
          graph.insert(
            WaitEdge(
              master: node, generation: waiter.generation, waiter: waiter.party,
              blocker: report.locks[blocker].party))
        }
      }
    }
    return graph
  }
}

extension LockReport.Lock {
  fileprivate var party: WaitEdge.Party { WaitEdge.Party(key: key, since: since) }
}
