import ClusterTypes
import Foundation
import Testing

@testable import ClusterCredentials

struct KeyDirectoryTests {
  private let folder = FileManager.default.temporaryDirectory.path + "/keys-\(UUID().uuidString)"
  private let authority: ClusterAuthority
  private let credential: NodeCredential

  init() throws {
    authority = try ClusterAuthority(cluster: .random(), clusterName: "test")
    let key = NodeKey()
    credential = try NodeCredential(
      key: key,
      certificate: try authority.issue(
        VerifiedRequest(decoding: try key.certificateRequest()), for: try #require(NodeID(1))))
  }

  @Test func keysAreReadAsTheyWereStoredAndForRootOnly() async throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let directory = KeyDirectory(path: folder)
    try directory.make()
    #expect(!directory.hasCredential)
    let trusted = try TrustedKeys(authorities: [authority.certificate])
      .revoking([credential.certificate.fingerprint])
    let list = try TrustList(signing: trusted, number: 7, by: authority)
    try directory.store(list)
    try directory.noteIssued(credential.certificate)
    try directory.store(authority)
    try directory.store(credential)
    #expect(directory.hasCredential)
    #expect(try directory.trustList() == list)
    #expect(
      try directory.issuedKeys(for: credential.identity.node) == [
        credential.certificate.fingerprint
      ])
    #expect(try directory.issuedKeys(for: try #require(NodeID(2))) == [])
    #expect(try directory.credential().certificate == credential.certificate)
    #expect(try directory.authority().certificate == authority.certificate)
    for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(file)")
      #expect(attributes[.posixPermissions] as? Int == 0o600, "\(file)")
    }
    let attributes = try FileManager.default.attributesOfItem(atPath: folder)
    #expect(attributes[.posixPermissions] as? Int == 0o700)
  }

  @Test(arguments: ["node.pem", "authority.key"])
  func privateKeyThatOthersCanReadIsRefused(file: String) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let directory = KeyDirectory(path: folder)
    try directory.make()
    try directory.store(
      try TrustList(
        signing: TrustedKeys(authorities: [authority.certificate]), number: 1, by: authority))
    try directory.store(authority)
    try directory.store(credential)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o640], ofItemAtPath: "\(folder)/\(file)")
    let error = #expect(throws: CredentialError.self) {
      _ = try directory.credential()
      _ = try directory.authority()
    }
    #expect(error?.description.contains("chmod 600") == true)
  }

  @Test func authorityKeysOfARotationAreFoundInEveryStateOfIt() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let directory = KeyDirectory(path: folder)
    try directory.make()
    try directory.store(authority)
    let keys = try TrustedKeys(authorities: [authority.certificate])
    let first = try TrustList(signing: keys, number: 1, by: authority)
    try directory.store(first)
    let newer = try ClusterAuthority(
      cluster: authority.certificate.cluster, clusterName: "test")
    try directory.storeNext(newer)
    #expect(try directory.authority().certificate == authority.certificate)
    let both = try first.followed(by: keys.adding(newer.certificate), signedBy: authority)
    try directory.store(both)
    #expect(try directory.authority().certificate == newer.certificate)
    #expect(try directory.signingAuthority().certificate == authority.certificate)
    try directory.store(try both.followed(by: both.keys.finishingRotation(), signedBy: newer))
    #expect(try directory.signingAuthority().certificate == newer.certificate)
    try directory.finishRotation()
    #expect(try directory.authority().certificate == newer.certificate)
    try directory.finishRotation()
  }

  @Test func nodeWithoutTheAuthoritysKeyIsToldWhereItIs() throws {
    let error = #expect(throws: CredentialError.self) {
      try KeyDirectory(path: folder).authority()
    }
    #expect(error?.description.contains("clvm cluster init") == true)
  }
}

struct TrustedKeysTests {
  @Test func twoAuthoritiesAtMostAndOfOneCluster() throws {
    let cluster = ClusterIdentifier.random()
    let authorities = try (0..<3).map { _ in
      try ClusterAuthority(cluster: cluster, clusterName: "test").certificate
    }
    let foreign = try ClusterAuthority(cluster: .random(), clusterName: "test").certificate
    let two = try TrustedKeys(authorities: [authorities[0]]).adding(authorities[1])
    #expect(two.authorities == [authorities[1], authorities[0]])
    #expect(throws: CredentialError.self) { try two.adding(authorities[2]) }
    #expect(throws: CredentialError.self) { try TrustedKeys(authorities: []) }
    #expect(throws: CredentialError.self) {
      try TrustedKeys(authorities: [authorities[0]]).adding(foreign)
    }
    #expect(try two.finishingRotation().authorities == [authorities[1]])
  }

  @Test func requestThatItsKeyDidNotSignIsRefused() throws {
    let request = try NodeKey().certificateRequest()
    let fingerprint = try VerifiedRequest(decoding: request).fingerprint
    var acceptedCount = 0
    for index in request.indices {
      var damaged = request
      damaged[index] ^= 1
      guard let verified = try? VerifiedRequest(decoding: damaged) else { continue }
      // Of the wrapping some bits say nothing; what counts is the key.
      acceptedCount += 1
      #expect(verified.fingerprint == fingerprint, "byte \(index)")
    }
    #expect(acceptedCount < 4)
  }

  @Test func authorityDoesNotPassForANode() async throws {
    let authority = try ClusterAuthority(cluster: .random(), clusterName: "test")
    #expect(throws: CredentialError.self) {
      try NodeCertificate(der: try authority.certificate.der)
    }
  }
}
