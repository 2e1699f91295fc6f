import ClusterTypes

/// What must be on disk before something else may happen, and what waits for it.
///
/// One write is under way at a time; changes made meanwhile go out together in the next.
struct StableStore: Hashable, Sendable {
  /// What waits for a write.
  enum Deferred: Hashable, Sendable {
    case send(NodeSlot, MembershipMessage.Body)
    case ownVote(term: UInt64)
    case ownAcceptance(term: UInt64, index: UInt64)
    /// The node may join: its incarnation is on disk.
    case identity
    /// Lockspaces may start: `wasDirty` is on disk.
    case dirtyMark
  }

  private struct Waiting: Hashable, Sendable {
    var version: UInt64
    var action: Deferred
  }

  /// The newest, perhaps not on disk yet.
  private(set) var state: PersistentState
  private(set) var version: UInt64 = 0
  private(set) var durableVersion: UInt64 = 0
  private(set) var inFlight: UInt64?
  private var waiting: [Waiting] = []
  /// The last write failed. What waits goes on waiting: a node that cannot persist is a silent voter.
  private(set) var hasFailed = false

  init(_ state: PersistentState) { self.state = state }

  mutating func change(_ body: (inout PersistentState) -> Void) {
    body(&state)
    version += 1
  }

  /// The write to start now, if there is one.
  mutating func nextWrite() -> (token: UInt64, state: PersistentState)? {
    guard inFlight == nil, version > durableVersion, !hasFailed else { return nil }
    inFlight = version
    return (version, state)
  }

  /// Runs `action` when the present state is on disk: gives it back at once if it is already.
  mutating func whenDurable(_ action: Deferred) -> Deferred? {
    if durableVersion >= version { return action }
    waiting.append(Waiting(version: version, action: action))
    return nil
  }

  /// The write `token` is on disk: what may happen now, in order.
  mutating func written(_ token: UInt64) -> [Deferred] {
    guard token == inFlight else { return [] }
    inFlight = nil
    hasFailed = false
    durableVersion = max(durableVersion, token)
    let due = waiting.filter { $0.version <= durableVersion }
    waiting.removeAll { $0.version <= durableVersion }
    return due.map(\.action)
  }

  mutating func failed(_ token: UInt64) {
    guard token == inFlight else { return }
    inFlight = nil
    hasFailed = true
  }

  /// The present state is on disk.
  var isDurable: Bool { durableVersion >= version }

  mutating func tryAgain() { hasFailed = false }
}
