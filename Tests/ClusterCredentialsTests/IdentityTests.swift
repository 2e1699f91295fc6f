import ClusterTypes
import Testing

@testable import ClusterCredentials

struct IdentityTests {
  private let cluster = ClusterIdentifier.random()

  @Test func clusterIdentifierIsReadAsItIsWritten() {
    #expect(ClusterIdentifier(cluster.description) == cluster)
    #expect(ClusterIdentifier(cluster.description.uppercased()) == cluster)
    #expect(ClusterIdentifier.random() != cluster)
    let text = "00112233-4455-6677-8899-aabbccddeeff"
    #expect(ClusterIdentifier(text)?.description == text)
    #expect(ClusterIdentifier(text.replacing("-", with: ""))?.description == text)
    for wrong in ["", "0011", text + "0", text.dropFirst() + "-", text.replacing("a", with: "g")] {
      #expect(ClusterIdentifier(wrong) == nil, "\(wrong)")
    }
  }

  @Test func identityIsOneURIWithOneSpelling() throws {
    let identity = NodeIdentity(cluster: cluster, node: try #require(NodeID(3)))
    #expect(identity.uri == "clvmd://\(cluster)/node/3")
    #expect(NodeIdentity(uri: identity.uri) == identity)
    for wrong in ["03", "+3", "0", "-1", "3/", "", "4294967296"] {
      #expect(NodeIdentity(uri: "clvmd://\(cluster)/node/\(wrong)") == nil, "\(wrong)")
    }
    #expect(NodeIdentity(uri: "https://\(cluster)/node/3") == nil)
  }

  @Test func tokenIsReadAsItIsWrittenAndOnlyWhole() throws {
    let authority = try ClusterAuthority(cluster: cluster, clusterName: "test")
    for address in ["192.0.2.1", "2001:db8::1"] {
      let token = JoinToken(
        cluster: cluster, authority: authority.certificate.fingerprint,
        node: try #require(NodeID(2)), address: address, port: 21066)
      #expect(try JoinToken(text: token.text) == token)
      for count in 0..<token.text.count {
        #expect(throws: CredentialError.self) {
          try JoinToken(text: String(token.text.prefix(count)))
        }
      }
      var damaged = Array(token.text.utf8)
      damaged[20] = damaged[20] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
      #expect(throws: CredentialError.self) {
        try JoinToken(text: String(decoding: damaged, as: UTF8.self))
      }
    }
    #expect(throws: CredentialError.self) { try JoinToken(text: "clvmd-💣") }
  }
}
