import ClusterTypes

/// Why a control connection was refused; the text is for the administrator.
public enum ControlRefusal: Error, Hashable, Sendable {
  /// No configured node has the source address.
  case unknownAddress
  case wrongCluster(theirs: String, ours: String)
  case incompatibleVersion(theirs: ControlVersionRange, ours: ControlVersionRange)
  case unknownNode(NodeID)
  /// The node that says it is `claimed` has the address of `configured`.
  case addressOfAnotherNode(claimed: NodeID, configured: NodeID)
  /// Both nodes think that they have the greater number and must connect.
  case wrongDirection(NodeID)
  /// A channel of a later life of the same node exists.
  case olderIncarnation(NodeID)
  case malformedHello(String)
  case handshakeTimeout
  /// It has not proved to be a node of the cluster.
  case notAuthenticated(String)
  /// It says it is `claimed`, and its certificate is for `certified`.
  case certificateOfAnotherNode(claimed: NodeID, certified: NodeID)
  /// Usually the other side has refused, and its log says why.
  case closedDuringHandshake
  case failed(String)
  /// Too many connections that have not introduced themselves, from all sources or from this one.
  case tooManyStrangers
}

extension ControlRefusal: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownAddress:
      "no configured node has this address; check the node list on both sides"
    case .wrongCluster(let theirs, let ours):
      "it belongs to cluster '\(theirs)', this node to '\(ours)'"
    case .incompatibleVersion(let theirs, let ours):
      "it speaks control protocol \(theirs), this node \(ours); upgrade the older daemon"
    case .unknownNode(let node):
      "node \(node) is not in this node's configuration; make the node lists equal"
    case .addressOfAnotherNode(let claimed, let configured):
      "it says it is node \(claimed), but its address is configured for node \(configured)"
    case .wrongDirection(let node):
      "node \(node) must wait to be connected to, because its number is the smaller one"
    case .olderIncarnation(let node):
      "a later life of node \(node) is connected"
    case .malformedHello(let reason):
      "its introduction cannot be understood: \(reason)"
    case .handshakeTimeout:
      "it did not introduce itself in time"
    case .notAuthenticated(let reason): reason
    case .certificateOfAnotherNode(let claimed, let certified):
      "it says it is node \(claimed), but its certificate is for node \(certified)"
    case .closedDuringHandshake:
      "it closed the connection while the daemons introduced themselves; its log may say why"
    case .failed(let reason):
      "the connection failed: \(reason)"
    case .tooManyStrangers:
      "too many connections are waiting to introduce themselves"
    }
  }
}
