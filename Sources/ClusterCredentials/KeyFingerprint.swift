import Crypto
import SwiftASN1
import X509

/// SHA-256 of a certificate's public key (its SubjectPublicKeyInfo, DER). Names a key whatever
/// certificates are made for it.
public struct KeyFingerprint: Hashable, Sendable, CustomStringConvertible {
  public static let byteCount = 32

  public let bytes: [UInt8]

  /// Nil unless there are 32 bytes.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = Array(bytes)
  }

  init(of key: Certificate.PublicKey) throws(CredentialError) {
    do {
      var serializer = DER.Serializer()
      try serializer.serialize(key)
      bytes = Array(SHA256.hash(data: serializer.serializedBytes))
    } catch {
      throw CredentialError("a public key cannot be encoded: \(error)")
    }
  }

  private static let prefix = "sha256:"

  /// Nil unless `text` is `sha256:` and 64 hexadecimal digits.
  public init?(_ text: some StringProtocol) {
    guard text.hasPrefix(Self.prefix),
      let bytes = Hexadecimal.bytes(text.dropFirst(Self.prefix.count))
    else { return nil }
    self.init(bytes: bytes)
  }

  public var description: String { Self.prefix + Hexadecimal.text(bytes) }
}
