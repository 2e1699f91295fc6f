import X509

/// Whom the nodes of a cluster believe: its authorities, less the keys that were withdrawn. All
/// nodes hold the same.
///
/// While keys are rotated there are two authorities, so that nodes with old and with new
/// certificates understand each other.
public struct TrustedKeys: Hashable, Sendable {
  public static let maximumAuthorityCount = 2
  public static let maximumRevokedCount = 1024

  public let cluster: ClusterIdentifier
  /// One or two, the newest first: it signs what is issued from now on.
  public private(set) var authorities: [AuthorityCertificate]
  /// Keys of removed nodes, and those that were replaced.
  public private(set) var revoked: Set<KeyFingerprint>

  /// Refuses none or too many authorities, and those of different clusters.
  public init(
    authorities: [AuthorityCertificate], revoked: Set<KeyFingerprint> = []
  ) throws(CredentialError) {
    guard let first = authorities.first else {
      throw CredentialError("there is no authority's certificate")
    }
    guard authorities.count <= Self.maximumAuthorityCount,
      Set(authorities.map(\.fingerprint)).count == authorities.count
    else {
      throw CredentialError(
        "\(authorities.count) authorities are given; one is usual, and two different ones while "
          + "keys are rotated")
    }
    guard authorities.allSatisfy({ $0.cluster == first.cluster }) else {
      throw CredentialError("the authorities belong to different clusters")
    }
    guard revoked.count <= Self.maximumRevokedCount else {
      throw CredentialError(
        "\(revoked.count) keys are withdrawn, more than \(Self.maximumRevokedCount); "
          + "'clvm cluster rotate-keys' makes the list unnecessary")
    }
    cluster = first.cluster
    self.authorities = authorities
    self.revoked = revoked
  }

  /// A new authority signs from now on, and the one before it is still believed.
  public func adding(_ authority: AuthorityCertificate) throws(CredentialError) -> Self {
    try Self(authorities: [authority] + authorities, revoked: revoked)
  }

  /// Only the newest authority is believed; what the older one had to withdraw is void anyhow.
  public func finishingRotation() throws(CredentialError) -> Self {
    try Self(authorities: Array(authorities.prefix(1)))
  }

  public func revoking(_ fingerprints: Set<KeyFingerprint>) throws(CredentialError) -> Self {
    try Self(authorities: authorities, revoked: revoked.union(fingerprints))
  }

  /// Judges a certificate that somebody presents.
  public func check(der: [UInt8]) throws(CredentialError) -> NodeCertificate {
    let presented = try NodeCertificate(der: der)
    try check(presented)
    return presented
  }

  /// There is one level below the authorities, and dates mean nothing: what is left of path
  /// validation (RFC 5280, section 6.1.3) is the issuer's name and its signature.
  public func check(_ presented: NodeCertificate) throws(CredentialError) {
    let node = presented.identity.node
    guard presented.identity.cluster == cluster else {
      throw CredentialError(
        "its certificate is for another cluster (\(presented.identity.cluster), and not \(cluster))"
      )
    }
    guard !revoked.contains(presented.fingerprint) else {
      throw CredentialError(
        "the key of node \(node) has been withdrawn; 'clvm cluster token' and 'clvm cluster join' "
          + "give the node a new one")
    }
    guard issuer(of: presented) != nil else {
      throw CredentialError(
        "the certificate of node \(node) is not signed by this cluster's authority")
    }
  }

  /// Which of the authorities has signed the certificate; nil when none has.
  public func issuer(of node: NodeCertificate) -> AuthorityCertificate? {
    let certificate = node.certificate
    return authorities.first { candidate in
      let authority = candidate.certificate
      return authority.subject == certificate.issuer
        && authority.publicKey.isValidSignature(certificate.signature, for: certificate)
    }
  }
}
