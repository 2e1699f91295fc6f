import NIOCore

/// One client of a `ClusterLockingServer`.
///
/// A client has one request under way; a second one is answered at once as busy, so the machine gets
/// every request as soon as it is whole. What bounds a client that sends and never reads is that
/// nothing more is read from it while its replies wait.
final class ClusterLockingConnection: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State {
    /// Not admitted yet, or refused, or gone.
    case closed
    case open(ClientID)
    /// To be closed once all replies are written; what the client sends is not looked at any more.
    case closing(ClientID)
  }

  private let server: ClusterLockingServer
  private var state: State = .closed
  private var buffer = ClusterLockingRequestBuffer()
  private var context: ChannelHandlerContext?
  private var unwrittenCount = 0
  private var owesRead = false

  init(_ server: ClusterLockingServer) { self.server = server }

  func channelActive(context: ChannelHandlerContext) {
    self.context = context
    guard let peer = SocketPeer(admittedOn: context.channel, server.logger),
      let client = server.admit(self, peer)
    else {
      context.close(promise: nil)
      return
    }
    state = .open(client)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .open(let client) = state else { return }
    do throws(ClusterLockingRequestError) {
      guard let request = try buffer.append(unwrapInboundIn(data).readableBytesView) else { return }
      server.delegate?.received(.success(request), from: client)
    } catch {
      buffer = ClusterLockingRequestBuffer()
      server.delegate?.received(.failure(error), from: client)
    }
  }

  /// Nothing is read from a client that does not take its replies.
  func read(context: ChannelHandlerContext) {
    if context.channel.isWritable { context.read() } else { owesRead = true }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if owesRead, context.channel.isWritable {
      owesRead = false
      context.read()
    }
    context.fireChannelWritabilityChanged()
  }

  /// Writes the whole reply at once: the client reads its fixed part with a single call.
  func reply(_ bytes: [UInt8]) {
    guard let context, case .open = state else { return }
    unwrittenCount += 1
    let connection = NIOLoopBound(self, eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)))
      .whenComplete { _ in connection.value.replied() }
  }

  private func replied() {
    unwrittenCount -= 1
    if unwrittenCount == 0, case .closing = state { closeNow() }
  }

  /// Closes the connection after the replies that are on their way.
  func close() {
    guard case .open(let client) = state else { return }
    state = .closing(client)
    if unwrittenCount == 0 { closeNow() }
  }

  func closeNow() { context?.close(promise: nil) }

  func channelInactive(context: ChannelHandlerContext) {
    let ended = state
    state = .closed
    self.context = nil
    switch ended {
    case .closed: break
    case .open(let client), .closing(let client): server.ended(client)
    }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    server.logger.info("a client's connection failed", metadata: ["reason": "\(error)"])
    context.close(promise: nil)
  }
}
