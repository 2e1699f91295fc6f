import ClusterCredentials
import ClusterTransport

/// A node's key and whom it believes, as they lie in its directory: read and judged.
struct NodeKeys: Sendable {
  let directory: KeyDirectory
  let credential: NodeCredential
  let list: TrustList

  func security() throws(CredentialError) -> LinkSecurity {
    try LinkSecurity(credential, trusted: list.keys)
  }
}

extension DaemonConfiguration.Cluster {
  /// This node's keys; nil for a cluster without keys. A cluster that has an id does not run without
  /// them.
  func nodeKeys() throws -> NodeKeys? {
    guard let id else { return nil }
    let directory = KeyDirectory(path: keyDirectory)
    do throws(CredentialError) {
      guard directory.hasCredential else {
        throw CredentialError("this node has no key yet")
      }
      let credential = try directory.credential()
      guard credential.identity == NodeIdentity(cluster: id, node: localNode.id) else {
        throw CredentialError(
          "the certificate is that of \(credential.identity), and this is node \(localNode.id) of "
            + "cluster \(id)")
      }
      let keys = NodeKeys(
        directory: directory, credential: credential, list: try directory.trustList())
      // What cannot be used is refused now.
      _ = try keys.security()
      return keys
    } catch {
      throw DaemonError(
        "the keys in \(keyDirectory) cannot be used: \(error); 'clvm cluster token' on a node of the "
          + "cluster and 'clvm cluster join' here give this node a key")
    }
  }
}
