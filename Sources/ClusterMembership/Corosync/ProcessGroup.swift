import ClusterTypes

/// A process in corosync's process group (CPG).
public struct GroupProcess: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// corosync's id of the node, which is clvmd's too.
  public let node: NodeID
  public let pid: UInt32

  public init(node: NodeID, pid: UInt32) {
    self.node = node
    self.pid = pid
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.node, left.pid) < (right.node, right.pid)
  }

  public var description: String { "process \(pid) of node \(node)" }
}

/// A ring of corosync's: a set of nodes that pass one token. Its number is kept on disk by corosync
/// and is higher than that of any ring in which one of its nodes was before.
public struct GroupRing: Hashable, Sendable {
  /// The node that formed the ring.
  public let representative: UInt32
  public let sequence: UInt64

  public init(representative: UInt32, sequence: UInt64) {
    self.representative = representative
    self.sequence = sequence
  }
}

/// What corosync says, in the order in which it says it.
public enum GroupEvent: Sendable {
  /// These processes are in the group, and this node is in `ring`. Members that go from one
  /// configuration to the next together have been delivered the same messages before.
  case configuration([GroupProcess], GroupRing)
  /// Sent by a member, this process included; every member is delivered it at the same place.
  case message([UInt8], from: GroupProcess)
  /// What votequorum makes of a ring. It comes independently of the order of the rest.
  case quorum(Bool, GroupRing)
  /// corosync has ended, or does not speak to this process any more.
  case lost(reason: String)
}
