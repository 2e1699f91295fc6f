import ClusterTypes

/// The lockspaces as the cluster has agreed on them, wherever that is kept: in the replicated state
/// above ordered messages (`LockspaceGroups`) or in the embedded provider's record.
public protocol AgreedLockspaces {
  /// Ascending by name.
  var lockspaces: [Lockspace] { get }
  /// Removed nodes that may still write: nothing starts before the death of each is proven.
  var unfencedNodes: [UnfencedNode] { get }
  /// These and the removed nodes that live as far as is known, and that only reservations keep from
  /// writing.
  var unprovenNodes: [UnfencedNode] { get }
  func lockspace(_ name: LockspaceName) -> Lockspace?
  /// Whether this node is a member and has been told to run the present generation.
  func isStartedHere(_ name: LockspaceName) -> Bool
  /// What keeps a lockspace from running, in sentences for the administrator; empty when nothing.
  func waits(for lockspace: Lockspace) -> [String]
}

extension LockspaceGroups: AgreedLockspaces {
  public var unprovenNodes: [UnfencedNode] { unfencedNodes }
}

extension Lockspace {
  /// Whose stop or recovery is awaited, in sentences.
  func nodeWaits() -> [String] {
    switch phase {
    case .started(let running):
      return members.map(\.node).filter { !running.contains($0) }.map {
        "node \($0) has not finished its recovery"
      }
    case .stopping(let stopped):
      return mustStop.subtracting(stopped).sorted().map { "node \($0) has not stopped" }
    }
  }
}
