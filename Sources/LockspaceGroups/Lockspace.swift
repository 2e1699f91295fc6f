import ClusterTypes

/// Who runs a lockspace on each member: the kernel's fs/dlm or the daemon's own lock manager.
public enum LockspaceKind: UInt8, Hashable, Sendable, CustomStringConvertible {
  case kernel = 1
  /// `Space.kindOfDaemon` to the embedded provider.
  case inHouse = 2

  public var description: String {
    switch self {
    case .kernel: "kernel"
    case .inHouse: "in-house"
    }
  }
}

/// How a former member went.
public enum Departure: UInt8, Hashable, Sendable {
  /// It dropped its locks and asked to leave.
  case left = 1
  /// It died, and its death is proven: its journal must be replayed (kernel-dlm-control 1,
  /// trap 1).
  case failed = 2
}

/// One named lockspace as all nodes agree on it.
///
/// A change of members raises the generation and stops the lockspace on everybody who has it;
/// when all have said that they stopped, it starts again with the new members
/// (kernel-dlm-control 7).
public struct Lockspace: Hashable, Sendable {
  public enum Phase: Hashable, Sendable {
    /// These nodes have stopped for the present generation.
    case stopping(stopped: Set<NodeID>)
    /// These nodes run the present generation.
    case started(running: Set<NodeID>)
  }

  public let name: LockspaceName
  public let kind: LockspaceKind
  /// Unique over all lockspaces and their whole history, so that an acknowledgement of an
  /// earlier one can never be counted.
  public internal(set) var generation: UInt64
  public internal(set) var phase: Phase
  /// Ascending by node id.
  public internal(set) var members: [NodeInstance]
  /// Nodes that asked to leave; they stop with the members and are gone at the next start.
  public internal(set) var leaving: [NodeInstance]
  /// Who went since all members last ran, and how.
  public internal(set) var departures: [NodeInstance: Departure]

  /// Whose stop the next start needs.
  var mustStop: Set<NodeID> { Set((members + leaving).map(\.node)) }

  func includes(_ instance: NodeInstance) -> Bool {
    members.contains(instance) || leaving.contains(instance)
  }
}

/// A removed node whose death is not proven yet. As long as there is one, nothing starts.
public struct UnfencedNode: Hashable, Sendable {
  public let instance: NodeInstance
  public let bootID: String
  /// The view that removed it.
  public let viewID: UInt64

  /// Nobody remembers whether the node had a life that may still write.
  public var isUnknownLife: Bool { instance.incarnation.rawValue == 0 }
}

extension UnfencedNode {
  init(unseen node: NodeID) {
    self.init(instance: NodeInstance(node, Incarnation(0)), bootID: "", viewID: 0)
  }
}
