import ClusterTypes

/// What happened to a node of a lockspace since the kernel was last started on its membership.
///
/// The difference between the first two decides whether the filesystem replays the node's journal.
/// Taking a failure for a leave loses data without a word; taking a leave for a failure replays the
/// journal of a node that may still write it.
public enum MemberChange: Equatable, Sendable {
  /// The node failed, and it has been fenced: its journal will be replayed. The incarnation is
  /// that of the life that failed.
  case nodeFailed(Incarnation)
  /// The node released the lockspace: the filesystem is told nothing.
  case nodeLeft
  /// The node failed and is a member again, in the new life given here.
  case nodeRenewed(Incarnation, NodeAddress)
  case nodeAdded(Incarnation, NodeAddress)
}
