import ByteCoding
import ClusterMembership
import Fuzzing

extension FuzzTarget {
  /// What the nodes of the embedded provider say to each other.
  public static let membershipMessages = messages(
    "membership-messages", of: "the embedded provider", corpusFolder: "Fixtures/membership",
    decode: { bytes throws(ByteDecodingError) in try MembershipMessage(decoding: bytes) },
    encode: \.encoded)

  /// What the nodes of the external provider say to each other.
  public static let externalProviderMessages = messages(
    "external-provider-messages", of: "the external provider",
    corpusFolder: "Fixtures/membership-external",
    decode: { bytes throws(ByteDecodingError) in try ProviderMessage(decoding: bytes) },
    encode: \.encoded)

  /// What the nodes say to each other through corosync.
  public static let corosyncMessages = messages(
    "corosync-messages", of: "the provider corosync", corpusFolder: "Fixtures/membership-corosync",
    decode: { bytes throws(ByteDecodingError) in try CorosyncMessage(decoding: bytes) },
    encode: \.encoded)

  /// What is decoded encodes to bytes that decode to the same.
  private static func messages<Message: Equatable & Sendable>(
    _ name: String, of provider: String, corpusFolder: String,
    decode: @escaping @Sendable ([UInt8]) throws(ByteDecodingError) -> Message,
    encode: @escaping @Sendable (Message) -> [UInt8]
  ) -> FuzzTarget {
    FuzzTarget(
      name: name,
      summary: "a message of \(provider) decodes or is refused; encoding it gives it back",
      corpusFolder: corpusFolder
    ) { input throws(FuzzFailure) in
      var digest = ResultDigest()
      let message: Message
      do throws(ByteDecodingError) {
        message = try decode(input)
      } catch {
        switch error {
        case .truncated(let offset, _, _): digest.add(1 + min(offset, 64) << 8)
        case .invalid(let reason): digest.add(2 + reason.utf8.count << 8)
        }
        return digest.value
      }
      digest.add(3)
      guard let again = try? decode(encode(message)) else {
        throw FuzzFailure("what was encoded does not decode: \(message)")
      }
      guard again == message else { throw FuzzFailure("\(message) became \(again)") }
      return digest.value
    }
  }
}
