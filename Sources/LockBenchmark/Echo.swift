import NIOCore
import NIOPosix

/// The yardstick: a message of the size of a lock message goes to another thread's socket and
/// comes back, through plain channel handlers.
struct Echo: Sendable {
  /// About what a lock message takes on the wire.
  static let messageLength = 144

  private let channel: any Channel
  private let client: NIOLoopBound<EchoClient>

  /// Sends back whatever comes, until the channel is closed.
  static func serve(
    on address: SocketAddress, eventLoop: any EventLoop
  ) async throws -> any Channel {
    try await ServerBootstrap(group: eventLoop)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(EchoServer())
        }
      }
      .bind(to: address).get()
  }

  static func connect(to address: SocketAddress, eventLoop: any EventLoop) async throws -> Echo {
    let client = try await eventLoop.submit {
      NIOLoopBound(EchoClient(), eventLoop: eventLoop)
    }.get()
    let channel = try await ClientBootstrap(group: eventLoop)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(client.value)
        }
      }
      .connect(to: address).get()
    return Echo(channel: channel, client: client)
  }

  /// Exchanges `count` messages.
  func exchange(_ count: Int, inFlight: Int) async throws -> Sample {
    let loop = channel.eventLoop
    return try await loop.flatSubmit { [client] in
      Repetition.run(count, inFlight: inFlight, on: loop) { _, _, probe in
        probe.begin()
        client.value.exchange {
          probe.end()
          probe.done()
        }
      }
    }.get()
  }

  func close() async throws { try await channel.close() }
}

private final class EchoServer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    context.write(data, promise: nil)
  }

  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}

/// Messages come back in the order they were sent. What one read leads to leaves in one write.
final class EchoClient: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let message = ByteBuffer(repeating: 0x5A, count: Echo.messageLength)
  private var context: ChannelHandlerContext?
  private var waiting: CircularBuffer<() -> Void> = []
  private var receivedBytes = 0
  private var isReading = false
  private var pending = ByteBuffer()

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func exchange(_ completion: @escaping () -> Void) {
    waiting.append(completion)
    pending.writeImmutableBuffer(message)
    guard !isReading, pending.readableBytes == Echo.messageLength else { return }
    context?.eventLoop.assumeIsolated().execute { [self] in flush() }
  }

  private func flush() {
    guard let context, pending.readableBytes > 0 else { return }
    context.writeAndFlush(wrapOutboundOut(pending), promise: nil)
    pending.clear()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    receivedBytes += unwrapInboundIn(data).readableBytes
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isReading = true
    while receivedBytes >= Echo.messageLength, let completion = waiting.popFirst() {
      receivedBytes -= Echo.messageLength
      completion()
    }
    isReading = false
    flush()
  }
}
