import ClusterTypes
import Crypto
import FoundationEssentials
import SwiftASN1
import X509

/// The key that says which keys belong to the cluster's nodes, with its own certificate. It lies on
/// the node where `clvm cluster init` ran; no daemon reads it.
public struct ClusterAuthority: Sendable {
  let key: P256.Signing.PrivateKey
  public let certificate: AuthorityCertificate

  /// A new authority of the cluster. `clusterName` is for people who look at its certificate.
  public init(cluster: ClusterIdentifier, clusterName: String) throws(CredentialError) {
    let key = P256.Signing.PrivateKey()
    do {
      // Two authorities of one cluster must not have the same name, or a chain could be looked for
      // at the wrong one.
      let serial = Certificate.SerialNumber()
      let name = try DistinguishedName {
        OrganizationName("clvmd cluster \(clusterName)")
        CommonName("authority \(Hexadecimal.text(serial.bytes.prefix(8)))")
      }
      let certificate = try Certificate(
        version: .v3, serialNumber: serial, publicKey: .init(key.publicKey),
        notValidBefore: Date(timeIntervalSince1970: Self.validSeconds.lowerBound),
        notValidAfter: Date(timeIntervalSince1970: Self.validSeconds.upperBound), issuer: name,
        subject: name,
        signatureAlgorithm: .ecdsaWithSHA256,
        extensions: try Certificate.Extensions {
          Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
          Critical(KeyUsage(keyCertSign: true))
          SubjectAlternativeNames([
            .uniformResourceIdentifier(AuthorityCertificate.uri(of: cluster))
          ])
        },
        issuerPrivateKey: .init(key))
      self.key = key
      self.certificate = try AuthorityCertificate(certificate)
    } catch {
      throw CredentialError("the cluster's authority cannot be made: \(error)")
    }
  }

  public init(keyPEM: String, certificate: AuthorityCertificate) throws(CredentialError) {
    do {
      key = try P256.Signing.PrivateKey(pemRepresentation: keyPEM)
    } catch {
      throw CredentialError("it is no private key of a cluster's authority: \(error)")
    }
    self.certificate = certificate
    guard
      try KeyFingerprint(of: Certificate.PublicKey(key.publicKey)) == certificate.fingerprint
    else { throw CredentialError("the authority's private key and certificate do not fit") }
  }

  public var keyPEM: String { key.pemRepresentation + "\n" }

  /// Says that the requester's key speaks for `node`.
  public func issue(
    _ request: VerifiedRequest, for node: NodeID
  ) throws(CredentialError) -> NodeCertificate {
    try issue(request, for: node, validSeconds: Self.validSeconds)
  }

  /// - Parameter validSeconds: since 1970.
  package func issue(
    _ request: VerifiedRequest, for node: NodeID, validSeconds: ClosedRange<Double>
  ) throws(CredentialError) -> NodeCertificate {
    let identity = NodeIdentity(cluster: certificate.cluster, node: node)
    do {
      let subject = try DistinguishedName { CommonName("node \(node)") }
      return try NodeCertificate(
        Certificate(
          version: .v3, serialNumber: .init(), publicKey: request.publicKey,
          notValidBefore: Date(timeIntervalSince1970: validSeconds.lowerBound),
          notValidAfter: Date(timeIntervalSince1970: validSeconds.upperBound),
          issuer: certificate.certificate.subject, subject: subject,
          signatureAlgorithm: .ecdsaWithSHA256,
          extensions: try Certificate.Extensions {
            Critical(BasicConstraints.notCertificateAuthority)
            Critical(KeyUsage(digitalSignature: true))
            try ExtendedKeyUsage([.serverAuth, .clientAuth])
            SubjectAlternativeNames([.uniformResourceIdentifier(identity.uri)])
          },
          issuerPrivateKey: .init(key)))
    } catch {
      throw CredentialError("no certificate can be made for node \(node): \(error)")
    }
  }

  /// Nobody looks at these dates (membership design, section 5): a machine that starts with its
  /// clock in 1970 must still join. Others who read the certificate see one without an end
  /// (RFC 5280, 4.1.2.5).
  static let validSeconds: ClosedRange<Double> = 0...253_402_300_799
}

/// The certificate of a cluster's authority, as every node has it.
public struct AuthorityCertificate: Hashable, Sendable {
  let certificate: Certificate
  public let cluster: ClusterIdentifier
  public let fingerprint: KeyFingerprint

  private static let scheme = "clvmd://"
  private static let role = "/authority"

  static func uri(of cluster: ClusterIdentifier) -> String { "\(scheme)\(cluster)\(role)" }

  public init(der: [UInt8]) throws(CredentialError) {
    do {
      try self.init(Certificate(derEncoded: der))
    } catch let error as CredentialError {
      throw error
    } catch {
      throw CredentialError("the authority's certificate cannot be understood: \(error)")
    }
  }

  init(_ certificate: Certificate) throws(CredentialError) {
    guard let uri = try certificate.onlyURI,
      uri.hasPrefix(Self.scheme), uri.hasSuffix(Self.role),
      let cluster = ClusterIdentifier(uri.dropFirst(Self.scheme.count).dropLast(Self.role.count))
    else { throw CredentialError("the certificate is none of a clvmd cluster's authority") }
    self.certificate = certificate
    self.cluster = cluster
    fingerprint = try KeyFingerprint(of: certificate.publicKey)
  }

  public var der: [UInt8] {
    get throws(CredentialError) { try certificate.derBytes }
  }

  public var pem: String {
    get throws(CredentialError) { try certificate.pemText }
  }
}
