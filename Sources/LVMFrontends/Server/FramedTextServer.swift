import Logging
import NIOCore

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

  private let eventLoop: any EventLoop
  let configuration: Configuration
  let logger: Logger
  private(set) weak var delegate: (any FramedTextServerDelegate)?
  private let listener: UnixSocketListener
  private var connections: ClientTable<FramedTextConnection>

  public init(
    eventLoop: any EventLoop, configuration: Configuration, logger: Logger,
    delegate: any FramedTextServerDelegate
  ) {
    self.eventLoop = eventLoop
    self.configuration = configuration
    self.logger = logger
    self.delegate = delegate
    listener = UnixSocketListener(eventLoop: eventLoop)
    connections = ClientTable(path: configuration.path, countMax: configuration.clientCountMax)
  }

  /// Takes the socket's path and accepts clients. Fails with a `SocketFileError`.
  public func start() -> EventLoopFuture<Void> {
    let server = NIOLoopBound(self, eventLoop: eventLoop)
    return listener.start(path: configuration.path) { FramedTextConnection(server.value) }
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

  /// Disconnects all clients, which see the end of the stream, and removes the socket unless it is to
  /// look as after a kill.
  public func stop(leavingFile: Bool = false) -> EventLoopFuture<Void> {
    for connection in connections.inOrder { connection.close() }
    return listener.stop(leavingFile: leavingFile)
  }
}

/// What connections tell their server.
extension FramedTextServer {
  /// Admits a connection, or returns nil.
  func admit(_ connection: FramedTextConnection, _ peer: SocketPeer) -> ClientID? {
    guard let client = connections.admit(connection, logger) else { return nil }
    delegate?.clientConnected(client, peer: peer)
    return client
  }

  func ended(_ client: ClientID) {
    if connections.remove(client) { delegate?.clientClosed(client) }
  }
}
