import ClusterCredentials
import ClusterTypes
import NIOCore
import NIOSSL
import NIOTLS

/// Puts TLS in front of a connection's handler, which hears of the connection only when the other
/// end is known. On the event loop.
struct SecureHandshake {
  /// What may come from somebody who is not known yet. A handshake of ours takes about 3 KiB.
  static let strangerByteLimit = 16 << 10

  let security: LinkSecurity
  let isClient: Bool
  let timeout: TimeAmount
  /// Before a byte is read. Throws to refuse the source.
  let admit: (SocketAddress?) throws(ControlRefusal) -> Void
  /// The other end has proved to be this node. Throws to refuse it.
  let authenticated: (NodeCertificate) throws(ControlRefusal) -> Void
  /// The connection ends without having been opened. Called at most once, and never after
  /// `authenticated` has returned.
  let failed: (ControlRefusal) -> Void

  /// To be called while the channel is set up, before the connection's own handler is added.
  ///
  /// - Returns: the handler at the front, for ending the connection without a farewell.
  func addHandlers(to channel: any Channel) throws -> StrangerGuard {
    let strangerGuard = StrangerGuard(byteLimit: Self.strangerByteLimit)
    let verdict = PeerVerdict()
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandler(strangerGuard)
    try pipeline.addHandler(security.handler(isClient: isClient, verdict: verdict))
    try pipeline.addHandler(HandshakeGate(self, strangerGuard, verdict))
    return strangerGuard
  }
}

/// In front of TLS: reads no more than a handshake needs until the other end is known.
final class StrangerGuard: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer

  private let byteLimit: Int
  private var receivedCount = 0
  private var isStranger = true
  private var isReadHeldBack = false
  private var context: ChannelHandlerContext?

  init(byteLimit: Int) { self.byteLimit = byteLimit }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if isStranger { receivedCount += unwrapInboundIn(data).readableBytes }
    context.fireChannelRead(data)
  }

  func read(context: ChannelHandlerContext) {
    if isStranger, receivedCount >= byteLimit {
      isReadHeldBack = true
    } else {
      context.read()
    }
  }

  /// The other end is known: everything is read from now on.
  func open() {
    isStranger = false
    if isReadHeldBack { context?.read() }
  }

  /// Ends the connection at once, without TLS's farewell.
  func close() { context?.close(promise: nil) }
}

/// Behind TLS: lets the connection's handler know that it is up when the other end is known.
private final class HandshakeGate: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let handshake: SecureHandshake
  private let strangerGuard: StrangerGuard
  private let verdict: PeerVerdict
  private var state = State.created

  private enum State {
    case created
    case waiting(timeout: Scheduled<Void>)
    case open
    case ended
  }

  init(_ handshake: SecureHandshake, _ strangerGuard: StrangerGuard, _ verdict: PeerVerdict) {
    self.handshake = handshake
    self.strangerGuard = strangerGuard
    self.verdict = verdict
  }

  func channelActive(context: ChannelHandlerContext) {
    let timeout = context.eventLoop.assumeIsolated().scheduleTask(in: handshake.timeout) {
      self.fail(.handshakeTimeout)
    }
    state = .waiting(timeout: timeout)
    do throws(ControlRefusal) {
      try handshake.admit(context.channel.remoteAddress)
    } catch {
      fail(error)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case .waiting(let timeout) = state, case .handshakeCompleted? = event as? TLSUserEvent
    else { return context.fireUserInboundEventTriggered(event) }
    guard case .success(let certificate)? = verdict.value else {
      return fail(.notAuthenticated("it shows no certificate"))
    }
    do throws(ControlRefusal) {
      try handshake.authenticated(certificate)
    } catch {
      return fail(error)
    }
    timeout.cancel()
    state = .open
    strangerGuard.open()
    context.fireChannelActive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch state {
    case .created, .waiting: fail(refusal(for: error))
    case .open:
      // The end without a farewell is followed by the end of the channel, which says enough.
      if case .uncleanShutdown? = error as? NIOSSLError { return }
      context.fireErrorCaught(error)
    case .ended: break
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail(.closedDuringHandshake)
    context.fireChannelInactive()
  }

  private func fail(_ reason: ControlRefusal) {
    switch state {
    case .created: break
    case .waiting(let timeout): timeout.cancel()
    case .open, .ended: return
    }
    state = .ended
    handshake.failed(reason)
    strangerGuard.close()
  }

  private func refusal(for error: any Error) -> ControlRefusal {
    if case .failure(let reason)? = verdict.value { return .notAuthenticated(reason.description) }
    let text = "\(error)"
    if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
      return .notAuthenticated(
        "it does not speak TLS; has it keys? 'clvm cluster join' gives it some")
    }
    if text.contains("PEER_DID_NOT_RETURN_A_CERTIFICATE") {
      return .notAuthenticated("it shows no certificate")
    }
    if text.contains("eofDuringHandshake") { return .closedDuringHandshake }
    return .failed(text)
  }
}
