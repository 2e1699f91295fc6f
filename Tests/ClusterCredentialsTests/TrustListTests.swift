import ClusterTypes
import Testing

@testable import ClusterCredentials

struct TrustListTests {
  private let cluster = ClusterIdentifier.random()
  private let old: ClusterAuthority
  private let new: ClusterAuthority
  private let first: TrustList

  init() throws {
    old = try ClusterAuthority(cluster: cluster, clusterName: "test")
    new = try ClusterAuthority(cluster: cluster, clusterName: "test")
    first = try TrustList(
      signing: TrustedKeys(authorities: [old.certificate]), number: 1, by: old)
  }

  private func withdrawal(after list: TrustList, by authority: ClusterAuthority) throws -> TrustList
  {
    let key = try NodeKey().fingerprint
    return try TrustList(
      signing: list.keys.revoking([key]), number: list.number + 1, by: authority)
  }

  @Test func listSurvivesItsTextAndNoChangeOfIt() throws {
    let list = try withdrawal(after: first, by: old)
    let text = try list.text
    #expect(try TrustList(text: text) == list)
    let other = try NodeKey().fingerprint.description
    let revoked = try #require(list.keys.revoked.first).description
    for changed in [
      text.replacing("number 2", with: "number 3"), text.replacing(revoked, with: other),
      text.replacing("revoked \(revoked)\n", with: ""),
      text.replacing("number 2", with: "number 2\nnumber 2"),
      text.replacing("number 2", with: "number 2 2"), text.replacing("signature", with: "signed"),
      try text.replacing(old.certificate.pem, with: new.certificate.pem), "",
    ] where changed != text {
      #expect(throws: CredentialError.self) { try TrustList(text: changed) }
    }
  }

  @Test func onlyNewerListsOfTheAuthorityReplaceOne() throws {
    let next = try withdrawal(after: first, by: old)
    #expect(try next.replaces(first))
    #expect(try !first.replaces(next))
    #expect(try !next.replaces(next))
    // Nobody may add an authority of his own and sign with it.
    let forged = try TrustList(
      signing: first.keys.adding(new.certificate), number: 9, by: new)
    #expect(throws: CredentialError.self) { try forged.replaces(first) }
    let foreign = try ClusterAuthority(cluster: .random(), clusterName: "test")
    let stranger = try TrustList(
      signing: TrustedKeys(authorities: [foreign.certificate]), number: 9, by: foreign)
    #expect(throws: CredentialError.self) { try stranger.replaces(first) }
    #expect(throws: CredentialError.self) {
      try TrustList(signing: first.keys, number: 2, by: new)
    }
  }

  @Test func rotationIsFollowedByWhoeverSeesItsMiddle() throws {
    let both = try first.followed(by: first.keys.adding(new.certificate), signedBy: old)
    let last = try both.followed(by: both.keys.finishingRotation(), signedBy: new)
    #expect(last.number == 3)
    #expect(last.keys.authorities == [new.certificate])
    let error = #expect(throws: CredentialError.self) { try last.replaces(first) }
    #expect(error?.description.contains("clvm cluster join --replace") == true)
  }
}
