import ClusterCredentials
import ClusterTypes
import NIOCore
import NIOPosix
import NIOSSL

/// Waits on the node that holds the authority's key until a machine has joined with one token. The
/// authority's key is in this process only, and no daemon ever has it.
public final class EnrolmentServer: Sendable {
  /// Machines that are being talked to; more are turned away.
  static let maximumConnectionCount = 8
  /// Handshake, request and answer must be over by then.
  static let exchangeTimeout = TimeAmount.seconds(10)

  private let channel: any Channel
  private let outcome: EventLoopPromise<NodeCertificate>

  private init(channel: any Channel, outcome: EventLoopPromise<NodeCertificate>) {
    self.channel = channel
    self.outcome = outcome
  }

  /// Listens at the token's address and port. Fails with `TransportError.cannotListen` or
  /// `CredentialError`.
  ///
  /// - Parameters:
  ///   - credential: of this node, with which it shows the joining machine who it is.
  ///   - configuration: the text of the new node's clvmd.conf.
  ///   - record: keeps what was issued, before anybody gets it. Called on the event loop.
  public static func start(
    _ token: JoinToken, authority: ClusterAuthority, credential: NodeCredential,
    trusted: TrustList, configuration: String, eventLoop: any EventLoop,
    record: @escaping @Sendable (NodeCertificate) throws(CredentialError) -> Void
  ) throws -> EventLoopFuture<EnrolmentServer> {
    let context = try NIOSSLContext(configuration: serverConfiguration(credential, authority))
    let address = try SocketAddress(ipAddress: token.address, port: Int(token.port))
    let outcome = eventLoop.makePromise(of: NodeCertificate.self)
    return eventLoop.flatSubmit {
      let office = NIOLoopBound(
        EnrolmentOffice(
          desk: EnrolmentDesk(
            token: token, authority: authority, trusted: trusted, configuration: configuration),
          outcome: outcome, record: record),
        eventLoop: eventLoop)
      return listen(
        on: address, purpose: "machines that join the cluster", eventLoop: eventLoop
      ) { channel in
        let strangerGuard = StrangerGuard(byteLimit: SecureHandshake.strangerByteLimit)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(strangerGuard)
        try pipeline.addHandler(NIOSSLServerHandler(context: context))
        try pipeline.addHandler(EnrolmentServerHandler(office.value, strangerGuard))
      }
    }.map { EnrolmentServer(channel: $0, outcome: outcome) }
      .flatMapErrorThrowing { error in
        outcome.fail(error)
        throw error
      }
  }

  /// The authority's certificate goes along: the joining machine knows its fingerprint only.
  private static func serverConfiguration(
    _ credential: NodeCredential, _ authority: ClusterAuthority
  ) throws -> TLSConfiguration {
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: [
        .certificate(try NIOSSLCertificate(bytes: credential.certificate.der, format: .der)),
        .certificate(try NIOSSLCertificate(bytes: authority.certificate.der, format: .der)),
      ],
      privateKey: .privateKey(
        try NIOSSLPrivateKey(bytes: Array(credential.key.pem.utf8), format: .pem)))
    configuration.minimumTLSVersion = .tlsv13
    configuration.shutdownTimeout = .seconds(1)
    return configuration
  }

  /// Where it listens, with the real port.
  public var address: SocketAddress? { channel.localAddress }

  /// The certificate of the machine that has joined. Fails when the token is void or has expired.
  public var joined: EventLoopFuture<NodeCertificate> { outcome.futureResult }

  /// The token is void after this time.
  public func expire(after time: TimeAmount) {
    channel.eventLoop.scheduleTask(in: time) { [outcome] in
      outcome.fail(CredentialError("the token has expired, and nobody has joined"))
    }
  }

  public func stop() -> EventLoopFuture<Void> {
    outcome.fail(CredentialError("waiting has been ended"))
    return channel.close().flatMapError { [loop = channel.eventLoop] _ in
      loop.makeSucceededVoidFuture()
    }
  }
}

/// What the connections of one server share; on its event loop.
private final class EnrolmentOffice {
  var desk: EnrolmentDesk
  let outcome: EventLoopPromise<NodeCertificate>
  let record: (NodeCertificate) throws(CredentialError) -> Void
  var connectionCount = 0

  init(
    desk: EnrolmentDesk, outcome: EventLoopPromise<NodeCertificate>,
    record: @escaping (NodeCertificate) throws(CredentialError) -> Void
  ) {
    self.desk = desk
    self.outcome = outcome
    self.record = record
  }
}

/// One machine that wants to join.
private final class EnrolmentServerHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let office: EnrolmentOffice
  private let strangerGuard: StrangerGuard
  private var splitter = ControlFrameSplitter(limit: EnrolmentRequest.maximumEncodedLength)
  private var timeout: Scheduled<Void>?
  /// Issued on this connection, and not known to have arrived.
  private var issued: NodeCertificate?
  private var hasAnswered = false

  init(_ office: EnrolmentOffice, _ strangerGuard: StrangerGuard) {
    self.office = office
    self.strangerGuard = strangerGuard
  }

  func channelActive(context: ChannelHandlerContext) {
    office.connectionCount += 1
    timeout = context.eventLoop.assumeIsolated().scheduleTask(
      in: EnrolmentServer.exchangeTimeout
    ) { self.strangerGuard.close() }
    guard office.connectionCount <= EnrolmentServer.maximumConnectionCount else {
      return strangerGuard.close()
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    splitter.append(unwrapInboundIn(data).readableBytesView)
    do {
      while let frame = try splitter.next() { take(frame, context) }
    } catch {
      strangerGuard.close()
    }
  }

  private func take(_ frame: ArraySlice<UInt8>, _ context: ChannelHandlerContext) {
    guard !hasAnswered else {
      // The new node has stored what it got.
      if frame.isEmpty, let issued { office.outcome.succeed(issued) }
      return context.close(promise: nil)
    }
    hasAnswered = true
    let reply = office.desk.answer(frame)
    if case .enrolled(let enrolment) = reply {
      issued = enrolment.certificate
      strangerGuard.open()
    }
    do throws(CredentialError) {
      if let issued { try office.record(issued) }
      let bytes = ControlFrameSplitter.frame(try reply.encoded())
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    } catch {
      office.outcome.fail(error)
      strangerGuard.close()
    }
    if issued == nil, !office.desk.isOpen {
      office.outcome.fail(CredentialError("the token is void: \(reply.reason)"))
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { strangerGuard.close() }

  func channelInactive(context: ChannelHandlerContext) {
    timeout?.cancel()
    office.connectionCount -= 1
    if issued != nil {
      // Does nothing when the machine has said that all is well.
      office.outcome.fail(
        CredentialError(
          "a machine had the right token and went away before it had stored its certificate; make "
            + "a new token"))
    }
  }
}

extension EnrolmentReply {
  fileprivate var reason: String {
    switch self {
    case .refused(let reason): reason
    case .enrolled: ""
    }
  }
}
