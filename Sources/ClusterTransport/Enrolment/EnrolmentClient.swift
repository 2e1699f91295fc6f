import ByteCoding
import ClusterCredentials
import ClusterTypes
import NIOCore
import NIOPosix
import NIOSSL

/// Asks for membership with a token, on the machine that joins.
public enum EnrolmentClient {
  static let exchangeTimeout = TimeAmount.seconds(20)

  /// - Parameters:
  ///   - key: made on this machine; only the request for its certificate is sent.
  ///   - store: keeps what came. Until it has returned the cluster does not count the node as
  ///     joined. Not called when this machine was refused, or when what came does not fit.
  public static func join(
    _ token: JoinToken, key: NodeKey, eventLoop: any EventLoop,
    store: @escaping @Sendable (NodeCredential, Enrolment) throws -> Void
  ) -> EventLoopFuture<Void> {
    let outcome = eventLoop.makePromise(of: Void.self)
    do {
      let request = EnrolmentRequest(
        secret: token.secret, node: token.node, certificateRequest: try key.certificateRequest())
      var configuration = TLSConfiguration.makeClientConfiguration()
      configuration.minimumTLSVersion = .tlsv13
      configuration.certificateVerification = .noHostnameVerification
      configuration.shutdownTimeout = .seconds(1)
      let context = try NIOSSLContext(configuration: configuration)
      let target = try SocketAddress(ipAddress: token.address, port: Int(token.port))
      ClientBootstrap(group: eventLoop)
        .connectTimeout(.seconds(5))
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            let verdict = PeerVerdict()
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(
              NIOSSLClientHandler(
                context: context, serverHostname: nil,
                customVerificationCallback: judge(token, verdict)))
            try pipeline.addHandler(
              EnrolmentClientHandler(
                token: token, key: key, request: request.encoded, verdict: verdict,
                outcome: outcome, store: store))
          }
        }
        .connect(to: target)
        .whenFailure { error in
          outcome.fail(
            CredentialError(
              "\(token.address) port \(token.port) does not answer (\(error)); does "
                + "'clvm cluster token' still wait there?"))
        }
    } catch {
      outcome.fail(error)
    }
    return outcome.futureResult
  }

  /// The other end must have a certificate of the authority whose fingerprint is in the token.
  private static func judge(
    _ token: JoinToken, _ verdict: PeerVerdict
  ) -> NIOSSLCustomVerificationCallback {
    { presented, promise in
      let chain = presented.compactMap { try? $0.toDERBytes() }
      do throws(CredentialError) {
        guard chain.count == 2 else {
          throw CredentialError("the other end does not show its authority")
        }
        let authority = try AuthorityCertificate(der: chain[1])
        guard authority.fingerprint == token.authority, authority.cluster == token.cluster else {
          throw CredentialError("the other end is not of the cluster that made this token")
        }
        verdict.value = .success(try TrustedKeys(authorities: [authority]).check(der: chain[0]))
        promise.succeed(.certificateVerified)
      } catch {
        verdict.value = .failure(error)
        promise.succeed(.failed)
      }
    }
  }
}

private final class EnrolmentClientHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let token: JoinToken
  private let key: NodeKey
  private let request: [UInt8]
  private let verdict: PeerVerdict
  private let outcome: EventLoopPromise<Void>
  private let store: @Sendable (NodeCredential, Enrolment) throws -> Void
  private var splitter = ControlFrameSplitter(limit: EnrolmentReply.maximumEncodedLength)
  private var timeout: Scheduled<Void>?

  init(
    token: JoinToken, key: NodeKey, request: [UInt8], verdict: PeerVerdict,
    outcome: EventLoopPromise<Void>,
    store: @escaping @Sendable (NodeCredential, Enrolment) throws -> Void
  ) {
    self.token = token
    self.key = key
    self.request = request
    self.verdict = verdict
    self.outcome = outcome
    self.store = store
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    timeout = context.eventLoop.assumeIsolated().scheduleTask(
      in: EnrolmentClient.exchangeTimeout
    ) { [outcome] in
      outcome.fail(CredentialError("the cluster's node does not answer"))
      channel.close(promise: nil)
    }
    // Goes out when TLS knows the other end.
    let frame = ControlFrameSplitter.frame(request)
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: frame)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    splitter.append(unwrapInboundIn(data).readableBytesView)
    do {
      guard let frame = try splitter.next() else { return }
      switch try EnrolmentReply(decoding: frame) {
      case .refused(let reason): throw CredentialError(reason)
      case .enrolled(let enrolment): try accept(enrolment)
      }
      let farewell = ByteBuffer(bytes: ControlFrameSplitter.frame([]))
      let channel = context.channel
      context.writeAndFlush(wrapOutboundOut(farewell)).assumeIsolated().whenComplete {
        [outcome] result in
        switch result {
        case .success: outcome.succeed()
        case .failure(let error): outcome.fail(error)
        }
        channel.close(promise: nil)
      }
    } catch {
      outcome.fail(error)
      context.close(promise: nil)
    }
  }

  private func accept(_ enrolment: Enrolment) throws {
    let credential = try NodeCredential(key: key, certificate: enrolment.certificate)
    guard credential.identity == NodeIdentity(cluster: token.cluster, node: token.node),
      enrolment.trusted.keys.authorities.contains(where: { $0.fingerprint == token.authority })
    else {
      throw CredentialError("the cluster has sent the certificate of \(credential.identity)")
    }
    try store(credential, enrolment)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if case .failure(let reason)? = verdict.value {
      outcome.fail(reason)
    } else {
      outcome.fail(CredentialError("the connection failed: \(error)"))
    }
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    timeout?.cancel()
    outcome.fail(CredentialError("the cluster's node has ended the connection"))
  }
}
