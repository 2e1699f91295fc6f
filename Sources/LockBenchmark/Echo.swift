import NIOCore
import NIOPosix

/// The yardstick: messages of the size of a lock message go to another thread's socket and come
/// back, through plain channel handlers.
struct Echo: Sendable {
  enum Kind: CaseIterable {
    /// What one read brings goes back as it is: the other side does not know what a message is.
    case bytes
    /// Each message is cut out of the stream, answered by one of its own and handed to the channel by
    /// itself, as a program does that has something to do with each. Flushed once for each read.
    case messages
  }

  /// About what a lock message takes on the wire.
  static let messageLength = 144

  private let channel: any Channel
  private let client: NIOLoopBound<EchoClient>

  /// Sends back whatever comes, until the channel is closed.
  static func serve(
    _ kind: Kind, on address: SocketAddress, eventLoop: any EventLoop
  ) async throws -> any Channel {
    try await ServerBootstrap(group: eventLoop)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          switch kind {
          case .bytes: try channel.pipeline.syncOperations.addHandler(ByteEchoServer())
          case .messages: try channel.pipeline.syncOperations.addHandler(MessageEchoServer())
          }
        }
      }
      .bind(to: address).get()
  }

  static func connect(
    _ kind: Kind, to address: SocketAddress, eventLoop: any EventLoop
  ) async throws -> Echo {
    let client = try await eventLoop.submit {
      NIOLoopBound(EchoClient(kind), eventLoop: eventLoop)
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

private final class ByteEchoServer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    context.write(data, promise: nil)
  }

  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}

private final class MessageEchoServer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// The beginning of a message whose end has not come.
  private var rest = ByteBuffer()

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var received = unwrapInboundIn(data)
    if rest.readableBytes > 0 {
      rest.writeBuffer(&received)
      swap(&rest, &received)
    }
    while let message = received.readSlice(length: Echo.messageLength) {
      context.write(wrapOutboundOut(message), promise: nil)
    }
    rest = received
  }

  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}

/// Messages come back in the order they were sent. What one read leads to leaves in one flush.
final class EchoClient: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let kind: Echo.Kind
  private let message = ByteBuffer(repeating: 0x5A, count: Echo.messageLength)
  private var context: ChannelHandlerContext?
  private var waiting: CircularBuffer<() -> Void> = []
  private var receivedBytes = 0
  private var isReading = false
  private var isFlushDue = false
  private var pending = ByteBuffer()

  init(_ kind: Echo.Kind) { self.kind = kind }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func exchange(_ completion: @escaping () -> Void) {
    waiting.append(completion)
    switch kind {
    case .bytes: pending.writeImmutableBuffer(message)
    case .messages: context?.write(wrapOutboundOut(message), promise: nil)
    }
    guard !isReading, !isFlushDue else { return }
    isFlushDue = true
    context?.eventLoop.assumeIsolated().execute { [self] in flush() }
  }

  private func flush() {
    isFlushDue = false
    guard let context else { return }
    if pending.readableBytes > 0 {
      context.write(wrapOutboundOut(pending), promise: nil)
      pending.clear()
    }
    context.flush()
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
