import ClusterTypes

/// How a change ended. Only now may the volume group's lock be released.
public struct ChangeResult: Equatable, Sendable {
  public enum Outcome: Equatable, Sendable {
    /// The new metadata is on the disks, and every node that lives runs on it, but for those in
    /// `stranded`. Of a change that writes none: every node has carried it out.
    case committed
    /// The old metadata is on the disks, and every node that lives runs on it.
    case aborted(ChangeFailure)
  }

  public let change: VolumeChange
  public let outcome: Outcome
  /// How long each node's devices stood still, in milliseconds by its own clock. A node that was
  /// fenced is missing.
  public let suspendedMilliseconds: [NodeInstance: UInt64]
  /// Nodes that could not follow, and why. The volumes concerned fail all I/O there: they must not
  /// write through a mapping that is no longer theirs.
  public let stranded: [NodeInstance: String]
  /// Sentences for the administrator about what went less than perfectly.
  public let warnings: [String]
}

/// Why a change was given up before its commit.
public struct ChangeFailure: Equatable, Sendable, CustomStringConvertible {
  /// The node that said no or did not answer; nil when the reason concerns no single node.
  public let node: NodeID?
  public let reason: String

  public init(node: NodeID?, reason: String) {
    self.node = node
    self.reason = reason
  }

  public var description: String { node.map { "Node \($0): \(reason)" } ?? reason }
}
