import ClusterTypes

/// A request at its place in the order of a lockspace.
public struct OrderedPosixLockRequest: Hashable, Sendable {
  /// Grows by one from 1 on within a generation of the lockspace.
  public var index: UInt64
  public var origin: NodeInstance
  /// The number of the request on its node: grows by one, over all generations.
  public var sequence: UInt64
  /// How far `origin` had come when it sent the request: it has answered all that was decided there.
  public var originIndex: UInt64
  public var request: PosixLockRequest
}

/// A request that was decided.
struct PosixLockOutcome: Hashable, Sendable {
  let origin: NodeInstance
  let sequence: UInt64
  let request: PosixLockRequest
  let result: PosixLockResult
}

/// All POSIX locks of a lockspace: the replicated part, the same on every node that has applied the same
/// requests. Nothing here depends on which node it is on.
struct PosixLockTable: Hashable, Sendable {
  /// Held and waiting locks together; beyond it requests are answered with ENOLCK.
  static let standardLimit = 1 << 18

  /// What the table knows of a node besides its locks.
  struct Session: Hashable, Sendable {
    /// Of its last request.
    var last: UInt64 = 0
    /// Its requests that were decided and perhaps not answered yet, with the index at which they were.
    var decided: [Decision] = []
  }

  struct Decision: Hashable, Sendable {
    let index: UInt64
    let sequence: UInt64
    let request: PosixLockRequest
    let result: PosixLockResult
  }

  let limit: Int
  /// Somebody holds locks that no table knows of any more: no new ones are given until all have left
  /// the lockspace.
  private(set) var isLost: Bool
  private(set) var files: [UInt64: FileLocks] = [:]
  private(set) var sessions: [NodeInstance: Session] = [:]
  /// Held and waiting.
  private(set) var count = 0

  init(isLost: Bool = false, limit: Int = Self.standardLimit) {
    self.isLost = isLost
    self.limit = limit
  }

  /// For a snapshot.
  init(
    isLost: Bool, files: [UInt64: FileLocks], sessions: [NodeInstance: Session],
    limit: Int = Self.standardLimit
  ) {
    self.limit = limit
    self.isLost = isLost
    self.files = files
    self.sessions = sessions
    count = files.values.reduce(0) { $0 + $1.count }
  }

  func session(of node: NodeInstance) -> Session { sessions[node] ?? Session() }

  func isWaiting(_ node: NodeInstance, _ sequence: UInt64, inode: UInt64) -> Bool {
    files[inode]?.waiters.contains { $0.node == node && $0.sequence == sequence } ?? false
  }

  /// Carries out the next request; returns all that this decided.
  mutating func apply(_ ordered: OrderedPosixLockRequest) -> [PosixLockOutcome] {
    forgetAnswered(ordered)
    sessions[ordered.origin, default: Session()].last = ordered.sequence
    let request = ordered.request
    // Taken out, so that it is changed in place.
    var file = files.removeValue(forKey: request.inode) ?? FileLocks()
    let before = file.count
    var outcomes: [PosixLockOutcome] = []
    if let result = carryOut(ordered, &file), !request.isClose {
      outcomes.append(
        PosixLockOutcome(
          origin: ordered.origin, sequence: ordered.sequence, request: request, result: result))
    }
    // A write lock that became a read lock lets others through, like one that is gone.
    if request.operation == .unlock || request.operation == .lock && !request.isExclusive {
      outcomes += Self.granted(file.grantWaiters())
    }
    count += file.count - before
    if !file.isEmpty { files[request.inode] = file }
    note(outcomes, at: ordered.index)
    return outcomes
  }

  /// Nil for a lock that has to wait.
  private func carryOut(
    _ ordered: OrderedPosixLockRequest, _ file: inout FileLocks
  ) -> PosixLockResult? {
    let request = ordered.request
    let holder = PosixLockHolder(node: ordered.origin, owner: request.owner)
    switch request.operation {
    case .unsupported: return .failure(.invalid)
    case .lock:
      guard !isLost, count < limit else { return .failure(.noLocks) }
      let waiter = FileLocks.Waiter(
        node: ordered.origin, sequence: ordered.sequence, request: request)
      let isFree =
        file.obstacle(to: holder, request.start, request.end, isExclusive: request.isExclusive)
        == nil
      if isFree {
        file.insert(waiter.lock)
        return .success
      }
      guard request.waits else { return .failure(.wouldBlock) }
      file.append(waiter)
      return nil
    case .unlock:
      if request.isClose { file.removeWaiters { $0.holder == holder } }
      return release(holder, request, &file) ? .success : .failure(.noLocks)
    case .get:
      guard !isLost else { return .failure(.noLocks) }
      let obstacle = file.obstacle(
        to: holder, request.start, request.end, isExclusive: request.isExclusive)
      return obstacle.map { .conflict($0) } ?? .success
    case .cancel:
      let wasWaiting = file.removeWaiters {
        $0.holder == holder && $0.request.start == request.start && $0.request.end == request.end
          && $0.request.isExclusive == request.isExclusive
          && $0.request.processID == request.processID
      }
      return wasWaiting ? .success : .failure(.notFound)
    }
  }

  /// False when so many parts would be left that there is no room for them.
  private func release(
    _ holder: PosixLockHolder, _ request: PosixLockRequest, _ file: inout FileLocks
  ) -> Bool {
    guard count >= 2 * limit else {
      file.release(holder, request.start, request.end)
      return true
    }
    let before = file
    file.release(holder, request.start, request.end)
    guard file.count > before.count else { return true }
    file = before
    return false
  }

  /// Only `nodes` are in the lockspace now, and have begun with nothing unless they are in `nodes`
  /// already: what others had is released.
  mutating func keep(_ nodes: Set<NodeInstance>) -> [PosixLockOutcome] {
    sessions = sessions.filter { nodes.contains($0.key) }
    var outcomes: [PosixLockOutcome] = []
    for inode in files.keys.sorted() {
      guard var file = files[inode] else { continue }
      file.remove { !nodes.contains($0) }
      outcomes += Self.granted(file.grantWaiters())
      files[inode] = file.isEmpty ? nil : file
    }
    count = files.values.reduce(0) { $0 + $1.count }
    note(outcomes, at: 0)
    return outcomes
  }

  /// What was decided in an earlier generation, or before its node sent this request, is answered.
  private mutating func forgetAnswered(_ ordered: OrderedPosixLockRequest) {
    // Whoever orders begins when all members have taken over what was decided before.
    guard ordered.index > 1 else {
      for node in sessions.keys { sessions[node]?.decided = [] }
      return
    }
    sessions[ordered.origin]?.decided.removeAll { $0.index <= ordered.originIndex }
  }

  private mutating func note(_ outcomes: [PosixLockOutcome], at index: UInt64) {
    for outcome in outcomes {
      sessions[outcome.origin, default: Session()].decided.append(
        Decision(
          index: index, sequence: outcome.sequence, request: outcome.request,
          result: outcome.result))
    }
  }

  private static func granted(_ waiters: [FileLocks.Waiter]) -> [PosixLockOutcome] {
    waiters.map {
      PosixLockOutcome(
        origin: $0.node, sequence: $0.sequence, request: $0.request, result: .success)
    }
  }
}
