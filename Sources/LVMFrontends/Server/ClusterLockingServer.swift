import Logging
import NIOCore
import NIOPosix

/// Hears what the clients of a `ClusterLockingServer` do, always on its event loop.
public protocol ClusterLockingServerDelegate: AnyObject {
  func clientConnected(_ client: ClientID, peer: SocketPeer)
  /// A whole request, or why what came is none.
  func received(
    _ request: Result<ClusterLockingRequest, ClusterLockingRequestError>, from client: ClientID)
  func clientClosed(_ client: ClientID)
}

/// The socket of LVM 2.02's clvmd and its pid file (clvmd-socket spec, section 1).
///
/// Called on its event loop only. Both files are there while the server is started; after a kill the
/// next start takes them over.
public final class ClusterLockingServer {
  public struct Configuration: Sendable {
    /// Compiled into lvm.
    public var socketPath: String
    /// Nil for none.
    public var pidFilePath: String?
    /// Connections beyond this number are closed at once.
    public var clientCountMax: Int

    public init(
      socketPath: String = "/run/lvm/clvmd.sock", pidFilePath: String? = "/run/clvmd.pid",
      clientCountMax: Int = 2_048
    ) {
      self.socketPath = socketPath
      self.pidFilePath = pidFilePath
      self.clientCountMax = clientCountMax
    }
  }

  private enum State {
    case stopped
    case starting(UnixSocketFile)
    case listening(UnixSocketFile, any Channel)
  }

  private let eventLoop: any EventLoop
  private let configuration: Configuration
  let logger: Logger
  private(set) weak var delegate: (any ClusterLockingServerDelegate)?
  private var state: State = .stopped
  private var pidFile: PidFile?
  private var connections: [ClientID: ClusterLockingConnection] = [:]
  private var lastClient: UInt64 = 0

  public init(
    eventLoop: any EventLoop, configuration: Configuration, logger: Logger,
    delegate: any ClusterLockingServerDelegate
  ) {
    self.eventLoop = eventLoop
    self.configuration = configuration
    self.logger = logger
    self.delegate = delegate
  }

  /// Takes the pid file and the socket's path, and accepts clients. Fails with a `SocketFileError`.
  public func start() -> EventLoopFuture<Void> {
    eventLoop.preconditionInEventLoop()
    guard case .stopped = state else { preconditionFailure("the server is started already") }
    let file: UnixSocketFile
    do throws(SocketFileError) {
      if let path = configuration.pidFilePath { pidFile = try PidFile(creating: path) }
      file = try UnixSocketFile.listen(path: configuration.socketPath)
    } catch {
      removePidFile()
      return eventLoop.makeFailedFuture(error)
    }
    state = .starting(file)
    let server = NIOLoopBound(self, eventLoop: eventLoop)
    return ServerBootstrap(group: eventLoop)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ClusterLockingConnection(server.value))
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

  /// Sends a reply; nothing happens when the client is gone.
  func reply(to client: ClientID, _ bytes: [UInt8]) { connections[client]?.reply(bytes) }

  /// Disconnects a client once it has taken its replies; the delegate hears `clientClosed`.
  func close(_ client: ClientID) { connections[client]?.close() }

  /// Disconnects all clients, which see the end of the stream, and removes the files.
  public func stop() -> EventLoopFuture<Void> {
    eventLoop.preconditionInEventLoop()
    let ended = state
    state = .stopped
    removePidFile()
    for client in connections.keys.sorted() { connections[client]?.closeNow() }
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

  private func removePidFile() {
    if let file = pidFile.take() { file.remove() }
  }
}

/// What connections tell their server.
extension ClusterLockingServer {
  /// Admits a connection, or returns nil.
  func admit(_ connection: ClusterLockingConnection, _ peer: SocketPeer) -> ClientID? {
    guard connections.count < configuration.clientCountMax else {
      logger.error(
        "too many clients",
        metadata: [
          "path": "\(configuration.socketPath)", "limit": "\(configuration.clientCountMax)",
        ])
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
