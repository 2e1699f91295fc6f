import ClusterTypes
import SwiftASN1
import X509

/// What the cluster's authority has signed for a node: this key speaks for that node.
public struct NodeCertificate: Hashable, Sendable {
  let certificate: Certificate
  public let identity: NodeIdentity
  public let fingerprint: KeyFingerprint

  /// Reads the form and the identity; who signed it is for `TrustedKeys` to judge.
  public init(der: [UInt8]) throws(CredentialError) {
    do {
      try self.init(Certificate(derEncoded: der))
    } catch let error as CredentialError {
      throw error
    } catch {
      throw CredentialError("the certificate cannot be understood: \(error)")
    }
  }

  public init(pem: String) throws(CredentialError) {
    do {
      try self.init(Certificate(pemEncoded: pem))
    } catch let error as CredentialError {
      throw error
    } catch {
      throw CredentialError("it is no certificate: \(error)")
    }
  }

  init(_ certificate: Certificate) throws(CredentialError) {
    guard let uri = try certificate.onlyURI, let identity = NodeIdentity(uri: uri) else {
      throw CredentialError("the certificate names no node of a clvmd cluster")
    }
    self.certificate = certificate
    self.identity = identity
    fingerprint = try KeyFingerprint(of: certificate.publicKey)
  }

  public var der: [UInt8] {
    get throws(CredentialError) { try certificate.derBytes }
  }

  public var pem: String {
    get throws(CredentialError) { try certificate.pemText }
  }
}

/// A node's key and the certificate for it.
public struct NodeCredential: Sendable {
  public let key: NodeKey
  public let certificate: NodeCertificate

  /// Refuses a certificate that is for another key.
  public init(key: NodeKey, certificate: NodeCertificate) throws(CredentialError) {
    guard try key.fingerprint == certificate.fingerprint else {
      throw CredentialError("the certificate is not for the node's private key")
    }
    self.key = key
    self.certificate = certificate
  }

  public var identity: NodeIdentity { certificate.identity }
}

extension NodeCredential {
  /// Reads a private key and a certificate, in this order, as `nodePEM` writes them.
  init(nodePEM: String) throws(CredentialError) {
    let marker = "-----BEGIN CERTIFICATE-----"
    let parts = nodePEM.split(separator: marker, omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw CredentialError("it is not one private key followed by one certificate")
    }
    try self.init(
      key: NodeKey(pem: String(parts[0])), certificate: NodeCertificate(pem: marker + parts[1]))
  }

  var nodePEM: String {
    get throws(CredentialError) { key.pem + (try certificate.pem) }
  }
}
