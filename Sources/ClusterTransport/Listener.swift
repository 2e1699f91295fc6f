import NIOCore
import NIOPosix

/// Listens on `address`, with every accepted connection on the same event loop.
///
/// - Returns: a future that fails with `TransportError.cannotListen`.
func listen(
  on address: SocketAddress, purpose: String, eventLoop: any EventLoop,
  initializer: @escaping @Sendable (any Channel) throws -> Void
) -> EventLoopFuture<any Channel> {
  ServerBootstrap(group: eventLoop)
    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    .serverChannelOption(.backlog, value: 32)
    .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    .childChannelInitializer { channel in
      channel.eventLoop.makeCompletedFuture { try initializer(channel) }
    }
    .bind(to: address)
    .flatMapErrorThrowing { error in
      throw TransportError.cannotListen(on: address, purpose: purpose, reason: "\(error)")
    }
}

/// The listeners on a node's addresses.
struct Listeners {
  var first: any Channel
  var second: (any Channel)?

  func close() -> EventLoopFuture<Void> {
    let isClosed = first.close()
    guard let second else { return isClosed }
    return isClosed.and(second.close()).map { _ in }
  }

  func close(promise: EventLoopPromise<Void>?) {
    first.close(promise: promise)
    second?.close(promise: nil)
  }
}

/// Listens on both addresses, or on the first where there is no second.
func listen(
  on addresses: NodeAddresses, purpose: String, eventLoop: any EventLoop,
  initializer: @escaping @Sendable (any Channel) throws -> Void
) -> EventLoopFuture<Listeners> {
  let first = listen(
    on: addresses.first, purpose: purpose, eventLoop: eventLoop, initializer: initializer)
  guard let address = addresses.second else { return first.map { Listeners(first: $0) } }
  return first.flatMap { first in
    listen(on: address, purpose: purpose, eventLoop: eventLoop, initializer: initializer)
      .map { Listeners(first: first, second: $0) }
      .flatMapError { error in
        first.close().flatMapThrowing { throw error }
      }
  }
}

/// Connects from `source`, whose port is chosen by the system, to `destination`. Peers know this
/// node by its source address.
func connect(
  from source: SocketAddress, to destination: SocketAddress, eventLoop: any EventLoop,
  initializer: @escaping @Sendable (any Channel) throws -> Void
) -> EventLoopFuture<any Channel> {
  var anyPort = source
  anyPort.port = 0
  return ClientBootstrap(group: eventLoop)
    .channelOption(.tcpOption(.tcp_nodelay), value: 1)
    .connectTimeout(.seconds(5))
    .bind(to: anyPort)
    .channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture { try initializer(channel) }
    }
    .connect(to: destination)
}
