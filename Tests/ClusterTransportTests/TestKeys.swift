import ClusterCredentials
import ClusterTypes
import Testing

@testable import ClusterTransport

/// The keys of a cluster that lives as long as a test.
struct TestKeys: Sendable {
  let authority: ClusterAuthority

  init(cluster: ClusterIdentifier = .random()) throws {
    authority = try ClusterAuthority(cluster: cluster, clusterName: "test")
  }

  var trusted: TrustedKeys {
    get throws { try TrustedKeys(authorities: [authority.certificate]) }
  }

  var list: TrustList {
    get throws { try TrustList(signing: trusted, number: 1, by: authority) }
  }

  /// A new key of the node.
  func credential(_ node: NodeID) throws -> NodeCredential {
    let key = NodeKey()
    let request = try VerifiedRequest(decoding: try key.certificateRequest())
    return try NodeCredential(key: key, certificate: try authority.issue(request, for: node))
  }

  /// - Parameter trusted: whom the node believes; this authority if not given.
  func security(_ node: NodeID, trusted: TrustedKeys? = nil) throws -> LinkSecurity {
    try LinkSecurity(credential(node), trusted: try trusted ?? self.trusted)
  }
}
