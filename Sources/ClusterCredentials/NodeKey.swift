import Crypto
import SwiftASN1
import X509

/// A node's private key (ECDSA over P-256). It is made on the node and never leaves it.
public struct NodeKey: Sendable {
  let key: P256.Signing.PrivateKey

  /// A new one.
  public init() { key = P256.Signing.PrivateKey() }

  public init(pem: String) throws(CredentialError) {
    do {
      key = try P256.Signing.PrivateKey(pemRepresentation: pem)
    } catch {
      throw CredentialError("it is no private key of a node: \(error)")
    }
  }

  public var pem: String { key.pemRepresentation + "\n" }

  public var fingerprint: KeyFingerprint {
    get throws(CredentialError) {
      try KeyFingerprint(of: Certificate.PublicKey(key.publicKey))
    }
  }

  /// A signed request (PKCS #10, DER) for a certificate of this key. The authority decides on the
  /// identity: a request says nothing but the key.
  public func certificateRequest() throws(CredentialError) -> [UInt8] {
    do {
      let request = try CertificateSigningRequest(
        version: .v1, subject: DistinguishedName(), privateKey: Certificate.PrivateKey(key),
        attributes: .init())
      var serializer = DER.Serializer()
      try serializer.serialize(request)
      return serializer.serializedBytes
    } catch {
      throw CredentialError("a certificate request cannot be made: \(error)")
    }
  }
}

/// A request for a certificate whose sender has shown that it holds the key.
public struct VerifiedRequest: Sendable {
  /// Longer ones are refused unread: one of our own has about 250 bytes.
  public static let maximumLength = 2048

  let publicKey: Certificate.PublicKey
  public let fingerprint: KeyFingerprint

  /// From pairs of hexadecimal digits.
  public init(hexadecimal digits: String) throws(CredentialError) {
    guard let bytes = Hexadecimal.bytes(digits) else {
      throw CredentialError("the certificate request is not in hexadecimal digits")
    }
    try self.init(decoding: bytes)
  }

  /// Refuses what is no request, has another kind of key, or is not signed by its own key.
  public init(decoding bytes: [UInt8]) throws(CredentialError) {
    guard bytes.count <= Self.maximumLength else {
      throw CredentialError("the certificate request has \(bytes.count) bytes, too many")
    }
    let request: CertificateSigningRequest
    do {
      request = try CertificateSigningRequest(derEncoded: bytes)
    } catch {
      throw CredentialError("the certificate request cannot be understood: \(error)")
    }
    guard P256.Signing.PublicKey(request.publicKey) != nil else {
      throw CredentialError("the certificate request is for a key of another kind than P-256")
    }
    guard request.publicKey.isValidSignature(request.signature, for: request) else {
      throw CredentialError("the certificate request is not signed by its own key")
    }
    publicKey = request.publicKey
    fingerprint = try KeyFingerprint(of: request.publicKey)
  }
}
