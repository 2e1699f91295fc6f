import ClusterTypes

/// Who a certificate speaks for: one node of one cluster. In the certificate it is the only subject
/// alternative name, the URI `clvmd://CLUSTER/node/ID`.
public struct NodeIdentity: Hashable, Sendable, CustomStringConvertible {
  public let cluster: ClusterIdentifier
  public let node: NodeID

  public init(cluster: ClusterIdentifier, node: NodeID) {
    self.cluster = cluster
    self.node = node
  }

  /// Nil for any other URI.
  public init?(uri: String) {
    guard uri.hasPrefix(Self.scheme) else { return nil }
    let parts = uri.dropFirst(Self.scheme.count).split(
      separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[1] == "node", let cluster = ClusterIdentifier(parts[0]),
      let node = NodeID(parts[2]),
      // One spelling only: a sign or a leading zero is somebody else's idea of a number.
      node.description == parts[2]
    else { return nil }
    self.init(cluster: cluster, node: node)
  }

  private static let scheme = "clvmd://"

  public var uri: String { "\(Self.scheme)\(cluster)/node/\(node)" }
  public var description: String { "node \(node) of cluster \(cluster)" }
}
