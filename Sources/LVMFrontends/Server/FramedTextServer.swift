import Logging
import NIOCore
import NIOPosix

/// Hears what the clients of a `FramedTextServer` do, always on its event loop.
public protocol FramedTextServerDelegate: AnyObject {
  func clientConnected(_ client: ClientID, peer: SocketPeer)
  /// One whole message without its terminator. The client's next message comes only after the reply
  /// to this one was written.
  func received(_ message: [UInt8], from client: ClientID)
  /// The completions of all replies to `client` were called before.
  func clientClosed(_ client: ClientID)
}

/// Serves text messages that end with `\n##\n` on a unix socket for root: lvmlockd's protocol, and
/// our own for administrators.
///
/// Everything happens on one event loop, on which also every method must be called. The strict order
/// of message and reply is the back-pressure: a client has one request under way, one reply to take,
/// and at the most `messageLengthMax` bytes waiting here.
public final class FramedTextServer {
  public struct Configuration: Sendable {
    public var path: String
    /// Bytes of a request; a client that sends more without an end is disconnected.
    public var messageLengthMax: Int
    /// Connections beyond this number are closed at once.
    public var clientCountMax: Int

    public init(path: String, messageLengthMax: Int = 64 << 10, clientCountMax: Int = 1_024) {
      self.path = path
      self.messageLengthMax = messageLengthMax
      self.clientCountMax = clientCountMax
    }
  }

  private enum State {
    case stopped
    case starting(UnixSocketFile)
    case listening(UnixSocketFile, any Channel)
  }

  private let eventLoop: any EventLoop
  let configuration: Configuration
  let logger: Logger
  private(set) weak var delegate: (any FramedTextServerDelegate)?
  private var state: State = .stopped
  private var connections: [ClientID: FramedTextConnection] = [:]
  private var lastClient: UInt64 = 0

  public init(
    eventLoop: any EventLoop, configuration: Configuration, logger: Logger,
    delegate: any FramedTextServerDelegate
  ) {
    self.eventLoop = eventLoop
    self.configuration = configuration
    self.logger = logger
    self.delegate = delegate
  }

  /// Takes the socket's path and accepts clients. Fails with a `SocketFileError`.
  public func start() -> EventLoopFuture<Void> {
    eventLoop.preconditionInEventLoop()
    guard case .stopped = state else { preconditionFailure("the server is started already") }
    let file: UnixSocketFile
    do throws(SocketFileError) {
      file = try UnixSocketFile.listen(path: configuration.path)
    } catch {
      return eventLoop.makeFailedFuture(error)
    }
    state = .starting(file)
    let server = NIOLoopBound(self, eventLoop: eventLoop)
    return ServerBootstrap(group: eventLoop)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(FramedTextConnection(server.value))
        }
      }
      .withBoundSocket(file.descriptor)
      .map { channel in server.value.started(file, channel) }
  }

  private func started(_ file: UnixSocketFile, _ channel: any Channel) {
    guard case .starting = state else {
      // `stop` came first.
      channel.close(promise: nil)
      return
    }
    state = .listening(file, channel)
  }

  /// Sends a reply; the terminator is added. `completion` hears whether it could be written.
  public func reply(
    to client: ClientID, _ text: [UInt8], completion: ((_ isDelivered: Bool) -> Void)? = nil
  ) {
    eventLoop.preconditionInEventLoop()
    guard let connection = connections[client] else {
      completion?(false)
      return
    }
    connection.reply(text, completion)
  }

  /// Sends a message that is no reply, for protocols that have such; lvmlockd's has not. A client
  /// that does not read costs a buffer, so there must be few of them.
  public func announce(to client: ClientID, _ text: [UInt8]) {
    eventLoop.preconditionInEventLoop()
    connections[client]?.announce(text)
  }

  /// Disconnects `client`; the delegate hears `clientClosed`.
  public func close(_ client: ClientID) {
    eventLoop.preconditionInEventLoop()
    connections[client]?.close()
  }

  /// Disconnects all clients, which see the end of the stream, and removes the socket.
  public func stop() -> EventLoopFuture<Void> {
    eventLoop.preconditionInEventLoop()
    let ended = state
    state = .stopped
    for client in connections.keys.sorted() { connections[client]?.close() }
    switch ended {
    case .stopped: return eventLoop.makeSucceededVoidFuture()
    case .starting(let file):
      file.remove()
      return eventLoop.makeSucceededVoidFuture()
    case .listening(let file, let channel):
      file.remove()
      return channel.close()
    }
  }
}

/// What connections tell their server.
extension FramedTextServer {
  /// Admits a connection, or returns nil.
  func admit(_ connection: FramedTextConnection, _ peer: SocketPeer) -> ClientID? {
    guard connections.count < configuration.clientCountMax else {
      logger.error(
        "too many clients",
        metadata: ["path": "\(configuration.path)", "limit": "\(configuration.clientCountMax)"])
      return nil
    }
    lastClient += 1
    let client = ClientID(lastClient)
    connections[client] = connection
    delegate?.clientConnected(client, peer: peer)
    return client
  }

  func ended(_ client: ClientID) {
    guard connections.removeValue(forKey: client) != nil else { return }
    delegate?.clientClosed(client)
  }
}
