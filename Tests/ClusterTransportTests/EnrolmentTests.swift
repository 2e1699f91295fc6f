import ByteCoding
import ClusterCredentials
import ClusterTypes
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import ClusterTransport

/// Joining with a token, over real sockets.
@Suite(.timeLimit(.minutes(5)))
struct EnrolmentTests {
  private let loop = MultiThreadedEventLoopGroup.singleton.next()
  private let keys: TestKeys
  private let one: NodeID
  private let two: NodeID

  init() throws {
    keys = try TestKeys()
    one = try #require(NodeID(1))
    two = try #require(NodeID(2))
  }

  private func token(port: Int? = nil, secret: [UInt8]? = nil) throws -> JoinToken {
    JoinToken(
      cluster: keys.authority.certificate.cluster,
      authority: keys.authority.certificate.fingerprint, node: two, address: "127.0.0.1",
      port: UInt16(port ?? 0), secret: secret)
  }

  private func start(_ token: JoinToken) async throws -> EnrolmentServer {
    try await EnrolmentServer.start(
      token, authority: keys.authority, credential: keys.credential(one), trusted: keys.list,
      configuration: "the configuration", eventLoop: loop, record: { _ in }
    ).get()
  }

  /// The same token with the port at which the server listens.
  private func reachable(_ token: JoinToken, _ server: EnrolmentServer) throws -> JoinToken {
    try self.token(port: server.address?.port, secret: token.secret)
  }

  private func join(_ token: JoinToken) async throws -> (NodeCredential, Enrolment) {
    let stored = Mutex<(NodeCredential, Enrolment)?>(nil)
    try await EnrolmentClient.join(token, key: NodeKey(), eventLoop: loop) {
      credential, enrolment in
      stored.withLock { $0 = (credential, enrolment) }
    }.get()
    return try #require(stored.withLock { $0 })
  }

  @Test func machineWithTheTokenGetsACertificateThatTheClusterBelieves() async throws {
    let token = try token()
    let server = try await start(token)
    let (credential, enrolment) = try await join(reachable(token, server))
    let joined = try await server.joined.get()
    #expect(joined.fingerprint == credential.certificate.fingerprint)
    #expect(credential.identity == NodeIdentity(cluster: token.cluster, node: two))
    #expect(enrolment.configuration == "the configuration")
    try keys.trusted.check(credential.certificate)
    try await server.stop().get()
  }

  @Test func tokenIsGoodForOneMachine() async throws {
    let token = try token()
    let server = try await start(token)
    _ = try await join(reachable(token, server))
    let error = await #expect(throws: CredentialError.self) {
      try await join(reachable(token, server))
    }
    #expect(error?.description.contains("has been used") == true)
    try await server.stop().get()
  }

  @Test func guessingMakesTheTokenVoid() async throws {
    let token = try token()
    let server = try await start(token)
    for _ in 0..<EnrolmentDesk.maximumWrongSecretCount {
      let guess = try self.token(port: server.address?.port)
      let error = await #expect(throws: CredentialError.self) { try await join(guess) }
      #expect(error?.description.contains("not the one that is waited for") == true)
    }
    await #expect(throws: CredentialError.self) { try await server.joined.get() }
    await #expect(throws: CredentialError.self) { try await join(reachable(token, server)) }
    try await server.stop().get()
  }

  /// Who answers must be of the authority in the token; the secret is not sent to anybody else.
  @Test func impostorIsNotToldTheSecret() async throws {
    let impostor = try TestKeys(cluster: keys.authority.certificate.cluster)
    let token = try token()
    let server = try await EnrolmentServer.start(
      token, authority: impostor.authority, credential: impostor.credential(one),
      trusted: impostor.list, configuration: "", eventLoop: loop, record: { _ in }
    ).get()
    let error = await #expect(throws: CredentialError.self) {
      try await join(reachable(token, server))
    }
    #expect(error?.description.contains("not of the cluster that made this token") == true)
    try await server.stop().get()
    await #expect(throws: CredentialError("waiting has been ended")) {
      try await server.joined.get()
    }
  }

  @Test func expiredTokenIsVoid() async throws {
    let server = try await start(token())
    server.expire(after: .zero)
    let error = await #expect(throws: CredentialError.self) { try await server.joined.get() }
    #expect(error?.description.contains("has expired") == true)
    try await server.stop().get()
  }

  @Test func failureToStoreIsToldToTheCluster() async throws {
    let token = try token()
    let server = try await start(token)
    let target = try reachable(token, server)
    await #expect(throws: CredentialError("disk full")) {
      try await EnrolmentClient.join(target, key: NodeKey(), eventLoop: loop) { _, _ in
        throw CredentialError("disk full")
      }.get()
    }
    let error = await #expect(throws: CredentialError.self) { try await server.joined.get() }
    #expect(error?.description.contains("went away") == true)
    try await server.stop().get()
  }

  @Test func requestsAreBoundedAndDecodeToThemselves() throws {
    let request = EnrolmentRequest(
      secret: ClusterIdentifier.random().bytes, node: two,
      certificateRequest: try NodeKey().certificateRequest())
    #expect(try EnrolmentRequest(decoding: request.encoded[...]) == request)
    #expect(request.encoded.count <= EnrolmentRequest.maximumEncodedLength)
    for count in 0..<request.encoded.count {
      #expect(throws: ByteDecodingError.self) {
        try EnrolmentRequest(decoding: request.encoded.prefix(count))
      }
    }
    var desk = EnrolmentDesk(
      token: try token(), authority: keys.authority, trusted: try keys.list, configuration: "")
    #expect(desk.answer([1, 2, 3]) != .refused(""))
    #expect(desk.isOpen)
  }
}
