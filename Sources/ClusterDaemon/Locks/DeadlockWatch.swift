import ClusterTypes
import LockManager
import LockProtocol
import Logging
import NIOCore

/// Looks for deadlocks while a lock of this node waits for long: asks all members twice, tells what
/// both answers show, and gives up a request of this node if that was allowed.
///
/// Every node with a waiting lock does so by itself. All come to the same victim, and its own node
/// gives it up.
final class DeadlockWatch {
  /// How often it looks.
  static let interval = TimeAmount.seconds(5)
  /// A lock that waits for less is left alone.
  static let patience = Duration.seconds(3)

  private let survey: LockSurvey
  private let locks: InHouseLockspaces
  private let localNode: NodeID
  private let loop: any EventLoop
  private let logger: Logger
  private var isAsking = false
  private var nextLook: Scheduled<Void>?
  /// Those that were there at the last look.
  private var reported: Set<Set<WaitEdge>> = []
  /// The same in words, for `clvm status`.
  private(set) var sentences: [String] = []

  init(
    survey: LockSurvey, locks: InHouseLockspaces, localNode: NodeID, loop: any EventLoop,
    logger: Logger
  ) {
    self.survey = survey
    self.locks = locks
    self.localNode = localNode
    self.loop = loop
    self.logger = logger
  }

  func start() {
    nextLook = loop.assumeIsolated().scheduleTask(in: Self.interval) { [self] in
      look(patience: Self.patience)
      start()
    }
  }

  func stop() { nextLook?.cancel() }

  /// Looks, if a lock of this node has waited for longer than `patience`.
  func look(patience: Duration) {
    guard !isAsking else { return }
    guard locks.hasWaiter(longerThan: patience) else { return tell([], .init()) }
    isAsking = true
    survey.ask(onlyWaiting: true) { [self] first in
      let suspected = first.waitGraph
      guard !suspected.deadlocks.isEmpty else {
        isAsking = false
        return tell([], first)
      }
      survey.ask(onlyWaiting: true) { [self] second in
        isAsking = false
        tell(suspected.confirmed(by: second.waitGraph).deadlocks, second)
      }
    }
  }

  private func tell(_ deadlocks: [[WaitEdge]], _ survey: LockSurvey.Result) {
    let locks = Dictionary(
      survey.locks.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    var present: Set<Set<WaitEdge>> = []
    var sentences: [String] = []
    for cycle in deadlocks {
      let sentence = Self.sentence(cycle, locks)
      sentences.append(sentence)
      present.insert(Set(cycle))
      if !reported.contains(Set(cycle)) { logger.error("\(sentence)") }
      guard let victim = Self.victim(of: cycle, locks), victim.identity.node == localNode,
        let lock = locks[victim]
      else { continue }
      logger.warning("the deadlock is ended: \(Self.words(lock)) is given up, as it allowed")
      self.locks.giveUp(victim)
    }
    reported = present
    self.sentences = sentences
  }

  /// Every node finds the same one; nil when no request of the cycle may be given up.
  static func victim(of cycle: [WaitEdge], _ locks: [LockKey: LockReport.Lock]) -> LockKey? {
    cycle.map(\.waiter.key).filter { locks[$0]?.mayBeVictim == true }.max()
  }

  private static func sentence(
    _ cycle: [WaitEdge], _ locks: [LockKey: LockReport.Lock]
  ) -> String {
    let waits = cycle.map { wait in
      guard let waiter = locks[wait.waiter.key], let blocker = locks[wait.blocker.key] else {
        return "a lock of node \(wait.waiter.key.identity.node)"
          + " waits for one of node \(wait.blocker.key.identity.node)"
      }
      return "\(words(waiter)) waits for \(words(blocker))"
    }
    return "Deadlock: " + waits.joined(separator: "; ") + "."
  }

  private static func words(_ lock: LockReport.Lock) -> String {
    let process =
      lock.processID == 0
      ? "" : " process \(lock.processID)" + (lock.command.map { " (\($0))" } ?? "")
    let mode = lock.requested == .iv ? lock.granted : lock.requested
    return "\(lock.owner ?? "a lock") on node \(lock.identity.node)\(process)"
      + " with \(lock.resource) of \(lock.lockspace) in \(mode)"
  }
}
