import ClusterTypes

/// Who may have a control channel with this node.
struct ControlAdmission {
  var local: Hello

  /// Judges an introduction from a connection whose other end has the address of `configured`.
  ///
  /// - Parameters:
  ///   - isDialed: whether this node made the connection.
  ///   - isConfigured: whether a node is in the node list.
  ///   - certified: the node that its certificate is for; nil without TLS.
  ///   - current: the life of the node with which a channel exists.
  func check(
    _ hello: Hello, at configured: NodeID, isDialed: Bool, isConfigured: (NodeID) -> Bool,
    certified: NodeID? = nil, current: Incarnation?
  ) throws(ControlRefusal) {
    if let certified, certified != hello.node {
      throw .certificateOfAnotherNode(claimed: hello.node, certified: certified)
    }
    guard hello.clusterName == local.clusterName else {
      throw .wrongCluster(theirs: hello.clusterName, ours: local.clusterName)
    }
    guard hello.versions.newestCommon(with: local.versions) != nil else {
      throw .incompatibleVersion(theirs: hello.versions, ours: local.versions)
    }
    guard isConfigured(hello.node) else { throw .unknownNode(hello.node) }
    guard hello.node == configured else {
      throw .addressOfAnotherNode(claimed: hello.node, configured: configured)
    }
    guard isDialed == (local.node > hello.node) else { throw .wrongDirection(hello.node) }
    if let current, hello.incarnation < current { throw .olderIncarnation(hello.node) }
  }
}
