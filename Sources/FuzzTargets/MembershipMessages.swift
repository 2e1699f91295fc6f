import ByteCoding
import ClusterMembership
import Fuzzing

extension FuzzTarget {
  /// What is decoded encodes to bytes that decode to the same.
  public static let membershipMessages = FuzzTarget(
    name: "membership-messages",
    summary: "a membership message decodes or is refused; encoding it gives it back",
    corpusFolder: "Fixtures/membership"
  ) { input throws(FuzzFailure) in
    var digest = ResultDigest()
    let message: MembershipMessage
    do throws(ByteDecodingError) {
      message = try MembershipMessage(decoding: input)
    } catch {
      switch error {
      case .truncated(let offset, _, _): digest.add(1 + min(offset, 64) << 8)
      case .invalid(let reason): digest.add(2 + reason.utf8.count << 8)
      }
      return digest.value
    }
    digest.add(3)
    guard let again = try? MembershipMessage(decoding: message.encoded) else {
      throw FuzzFailure("what was encoded does not decode: \(message)")
    }
    guard again == message else { throw FuzzFailure("\(message) became \(again)") }
    return digest.value
  }
}
