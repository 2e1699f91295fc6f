import ClusterTypes

/// Which life of a node each `comms` directory was written for.
///
/// The kernel tells a failed member from one that left by whether its `comms` directory is still
/// the one that was there when the member was added (kernel-dlm-control 1.1). A failure must
/// therefore remove the directory of the life that failed, once, and never that of the next life,
/// however many lockspaces still have to handle the failure.
public struct CommsTable: Equatable, Sendable {
  public let localNode: NodeID
  public private(set) var incarnations: [NodeID: Incarnation]

  /// `incarnations`: what an earlier run of the daemon wrote and left, when it is adopted.
  public init(localNode: NodeID, incarnations: [NodeID: Incarnation] = [:]) {
    self.localNode = localNode
    self.incarnations = incarnations
  }

  mutating func written(_ instance: NodeInstance) {
    incarnations[instance.node] = instance.incarnation
  }

  mutating func removed(_ node: NodeID) { incarnations[node] = nil }

  func isFor(_ instance: NodeInstance) -> Bool {
    incarnations[instance.node] == instance.incarnation
  }

  /// The directory belongs to a life after `instance`.
  func isNewer(than instance: NodeInstance) -> Bool {
    guard let written = incarnations[instance.node] else { return false }
    return written > instance.incarnation
  }
}
