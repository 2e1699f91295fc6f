import Logging
import NIOCore

/// One client of a `FramedTextServer`.
final class FramedTextConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State {
    /// Not admitted yet, or refused.
    case closed
    case idle(ClientID)
    /// The delegate has a message.
    case answering(ClientID)
    /// The reply is on its way.
    case replying(ClientID, completion: ((Bool) -> Void)?)
  }

  private let server: FramedTextServer
  private var state: State = .closed
  private var buffer: FramedTextBuffer
  private var context: ChannelHandlerContext?
  private var isDelivering = false

  init(_ server: FramedTextServer) {
    self.server = server
    self.buffer = FramedTextBuffer(limit: server.configuration.messageLengthMax)
  }

  func channelActive(context: ChannelHandlerContext) {
    self.context = context
    guard let peer = SocketPeer(admittedOn: context.channel, server.logger),
      let client = server.admit(self, peer)
    else {
      close()
      return
    }
    state = .idle(client)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .closed = state { return }
    do throws(FramedTextError) {
      try buffer.append(unwrapInboundIn(data).readableBytesView)
      deliver()
    } catch {
      server.logger.warning("a client was disconnected", metadata: ["reason": "\(error)"])
      close()
    }
  }

  /// Hands messages to the delegate, one after the reply to the other.
  ///
  /// A loop, because a reply may be written within the delegate's call: a client that sends
  /// thousands of messages at once must not nest thousands of calls.
  private func deliver() {
    guard !isDelivering else { return }
    isDelivering = true
    defer { isDelivering = false }
    while case .idle(let client) = state, let message = buffer.nextMessage() {
      state = .answering(client)
      server.delegate?.received(message, from: client)
    }
  }

  func reply(_ text: [UInt8], _ completion: ((Bool) -> Void)?) {
    guard case .answering(let client) = state, let context else {
      completion?(false)
      return
    }
    state = .replying(client, completion: completion)
    var bytes = context.channel.allocator.buffer(
      capacity: text.count + FramedTextBuffer.terminator.count)
    bytes.writeBytes(text)
    bytes.writeBytes(FramedTextBuffer.terminator)
    let connection = NIOLoopBound(self, eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(bytes)).whenComplete { result in
      switch result {
      case .success: connection.value.replied(isDelivered: true)
      case .failure: connection.value.replied(isDelivered: false)
      }
    }
  }

  /// Writes a message that is not the reply: progress before it, or a notice while none is due.
  func announce(_ text: [UInt8]) {
    guard let context else { return }
    var bytes = context.channel.allocator.buffer(
      capacity: text.count + FramedTextBuffer.terminator.count)
    bytes.writeBytes(text)
    bytes.writeBytes(FramedTextBuffer.terminator)
    context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
  }

  private func replied(isDelivered: Bool) {
    guard case .replying(let client, let completion) = state else { return }
    state = .idle(client)
    completion?(isDelivered)
    deliver()
  }

  func close() { context?.close(promise: nil) }

  func channelInactive(context: ChannelHandlerContext) {
    let ended = state
    state = .closed
    self.context = nil
    switch ended {
    case .closed: break
    case .idle(let client), .answering(let client): server.ended(client)
    case .replying(let client, let completion):
      completion?(false)
      server.ended(client)
    }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    server.logger.info("a client's connection failed", metadata: ["reason": "\(error)"])
    context.close(promise: nil)
  }
}
