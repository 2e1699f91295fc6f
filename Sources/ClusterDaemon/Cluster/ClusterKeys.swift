import ClusterCredentials
import ClusterTransport

extension DaemonConfiguration.Cluster {
  /// This node's keys, read and judged; nil for a cluster without keys. A cluster that has an id
  /// does not run without them.
  func linkSecurity() throws -> LinkSecurity? {
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
      return try LinkSecurity(credential, trusted: try directory.trustedKeys())
    } catch {
      throw DaemonError(
        "the keys in \(keyDirectory) cannot be used: \(error); 'clvm cluster token' on a node of the "
          + "cluster and 'clvm cluster join' here give this node a key")
    }
  }
}
