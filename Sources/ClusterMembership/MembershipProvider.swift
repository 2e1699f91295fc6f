import ClusterTypes

// The one interface through which everything above learns who is in the cluster and in which
// order things happen (membership-design 12). Whatever produces the views - an administrator's
// word, the embedded provider, corosync - the rules above are the same:
//
// * views are installed, and messages delivered, in one order at all members;
// * a message is delivered only after every member of the view has it, so whoever survives a
//   member's death has delivered all that the dead one has;
// * a node that joins, or that missed something, gets the replicated state whole (`reset`).
//
// The shell's loop: feed an input, carry out the effects in order, feed what comes back.

/// What can happen to a membership provider.
public enum MembershipInput: Sendable {
  /// An authenticated channel to `member` exists; replaces an earlier one to the same node.
  case channelOpened(Member)
  case channelClosed(NodeID)
  /// For the provider corosync: what corosync has said.
  case group(GroupEvent)
  case received([UInt8], from: NodeID)
  /// Deliver `payload` to all members, in order. More than 512 bytes are
  /// reported and not sent.
  case submit([UInt8])
  /// The answer to `snapshotNeeded`: the replicated state after all deliveries so far.
  case snapshot([UInt8])
  case timer
}

/// A message at its place in the common order.
public struct OrderedMessage: Hashable, Sendable {
  /// Grows by one for every message, through all views.
  public let index: UInt64
  public let sender: NodeInstance
  public let payload: [UInt8]
}

/// What a membership provider wants done, in this order.
public enum MembershipEffect: Equatable, Sendable {
  case send([UInt8], to: NodeID)
  /// Hand to corosync for all members of the group, this node included.
  case multicast([UInt8])
  /// Replace the replicated state by this snapshot; deliveries and a view follow.
  case reset(snapshot: [UInt8])
  case deliver(OrderedMessage)
  case installed(View)
  /// Answer at once with `MembershipInput.snapshot`.
  case snapshotNeeded
  /// Whether this node can reach a majority of the configured nodes.
  case quorum(Bool)
  /// The cluster went on without this incarnation; it can never be a member again.
  case evicted(viewID: UInt64)
  /// Call with `timer` at this moment; an earlier request is replaced.
  case wake(at: Timestamp)
  /// A sentence for the administrator.
  case report(String)
}

/// A source of views and of one message order.
public protocol MembershipProvider: Sendable {
  /// The newest installed view, `View.none` before the first.
  var view: View { get }
  var isQuorate: Bool { get }
  mutating func handle(
    _ input: MembershipInput, at now: Timestamp, effects: inout [MembershipEffect])
}
