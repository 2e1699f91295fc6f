import AdminProtocol
import ClusterCredentials
import ClusterTypes

/// `clvm cluster rotate-keys`: a new authority and new keys for all nodes, while the cluster runs. Until
/// all nodes have theirs, old and new keys are believed; what is interrupted is taken up by the next call.
extension KeyChange {
  /// - Parameter report: gets a sentence for each step.
  /// - Returns: the fingerprint of the new authority.
  public func rotate(report: (String) -> Void) throws -> KeyFingerprint {
    try requireAll(states())
    var list = try directory.trustList()
    if list.keys.authorities.count == 1 {
      list = try begin(list)
      report("A new authority is believed beside the old one.")
    }
    try requireNone(distribute(list), "do not believe the new authority yet")
    // The newest of the list that this node's daemon has just stored.
    let authority = try directory.authority()
    for node in nodes { try renew(node, authority, report) }
    let states = try states()
    let old = states.states.filter { $0.authority != authority.certificate.fingerprint.description }
    try requireNone(old.map(\.node) + states.silentNodes, "have no new key yet")
    let last = try list.followed(by: list.keys.finishingRotation(), signedBy: authority)
    try requireNone(distribute(last), "still believe the old authority")
    try directory.finishRotation()
    report("The old authority and all keys that it signed are void.")
    return authority.certificate.fingerprint
  }

  /// A node that misses the middle of a rotation can follow its end only with a token.
  private func requireAll(_ states: States) throws {
    let missing = states.silentNodes.sorted()
    guard missing.isEmpty else {
      throw SetupError(
        "\(names(missing)): not connected. All nodes must be there while keys are rotated; one that is "
          + "gone for good is removed with 'clvm cluster remove-node'")
    }
  }

  private func requireNone(_ nodes: [NodeID], _ what: String) throws {
    guard nodes.isEmpty else {
      throw SetupError(
        "\(names(nodes.sorted())) \(what). Old and new keys are believed meanwhile; run 'clvm cluster "
          + "rotate-keys' again to go on")
    }
  }

  private func begin(_ list: TrustList) throws -> TrustList {
    let current = try directory.authority()
    let next = try ClusterAuthority(cluster: list.keys.cluster, clusterName: clusterName)
    // First: a list that names it is of no use without its key.
    try directory.storeNext(next)
    return try list.followed(by: list.keys.adding(next.certificate), signedBy: current)
  }

  private func renew(
    _ node: Node, _ authority: ClusterAuthority, _ report: (String) -> Void
  ) throws {
    let fingerprint = authority.certificate.fingerprint.description
    guard
      try !states().states.contains(where: { $0.node == node.id && $0.authority == fingerprint })
    else { return }
    let certificate = try certificate(for: node, authority)
    try directory.noteIssued(certificate)
    let lines = try certificate.pem.split(separator: "\n").map(String.init)
    if case .failed(let failure) = try ask(.install(node.id, certificate: lines)) {
      throw SetupError("\(name(node.id)): \(failure.message)")
    }
    report("Node \(name(node.id)) has a new key.")
  }

  private func certificate(
    for node: Node, _ authority: ClusterAuthority
  ) throws -> NodeCertificate {
    switch try ask(.renew(node.id)) {
    case .certificateRequest(let digits):
      return try authority.issue(VerifiedRequest(hexadecimal: digits), for: node.id)
    case .failed(let failure): throw SetupError("\(name(node.id)): \(failure.message)")
    default: throw SetupError("clvmd has answered another question")
    }
  }
}
