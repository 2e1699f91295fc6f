import NIOCore
import NIOPosix

/// The yardstick: a message of the size of a lock message goes to another thread's socket and
/// comes back, through plain channel handlers.
struct Echo: Sendable {
  /// About what a lock message takes on the wire.
  static let messageLength = 144

  private let server: any Channel
  private let client: any Channel
  private let handler: NIOLoopBound<EchoClient>

  static func start(client: any EventLoop, server: any EventLoop) async throws -> Self {
    let listener = try await ServerBootstrap(group: server)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(EchoServer())
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    guard let address = listener.localAddress else { throw ChannelError.unknownLocalAddress }
    let handler = try await client.submit { NIOLoopBound(EchoClient(), eventLoop: client) }.get()
    let channel = try await ClientBootstrap(group: client)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(handler.value)
        }
      }
      .connect(to: address).get()
    return Self(server: listener, client: channel, handler: handler)
  }

  /// Exchanges `count` messages and returns the time it took.
  func exchange(_ count: Int, inFlight: Int) async throws -> Duration {
    let loop = client.eventLoop
    return try await loop.flatSubmit {
      let start = ContinuousClock.now
      let promise = loop.makePromise(of: Duration.self)
      handler.value.exchange(count, inFlight: inFlight) {
        promise.succeed(ContinuousClock.now - start)
      }
      return promise.futureResult
    }.get()
  }

  func stop() async throws {
    try await client.close()
    try await server.close()
  }
}

private final class EchoServer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    context.write(data, promise: nil)
  }

  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}

/// Keeps a number of messages under way until all have come back.
final class EchoClient: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let message = ByteBuffer(repeating: 0x5A, count: Echo.messageLength)
  private var context: ChannelHandlerContext?
  private var toSend = 0
  private var toReceive = 0
  private var receivedBytes = 0
  private var completion: () -> Void = {}

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func exchange(_ count: Int, inFlight: Int, completion: @escaping () -> Void) {
    toSend = count
    toReceive = count
    self.completion = completion
    send(min(inFlight, count))
  }

  private func send(_ count: Int) {
    let count = min(count, toSend)
    guard count > 0, let context else { return }
    toSend -= count
    for _ in 0..<count { context.write(wrapOutboundOut(message), promise: nil) }
    context.flush()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    receivedBytes += unwrapInboundIn(data).readableBytes
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    let messages = receivedBytes / Echo.messageLength
    receivedBytes %= Echo.messageLength
    toReceive -= messages
    if toReceive == 0 { completion() } else { send(messages) }
  }
}
