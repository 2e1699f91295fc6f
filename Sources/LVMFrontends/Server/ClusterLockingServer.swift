import Logging
import NIOCore

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

  private let eventLoop: any EventLoop
  private let configuration: Configuration
  let logger: Logger
  private(set) weak var delegate: (any ClusterLockingServerDelegate)?
  private let listener: UnixSocketListener
  private var pidFile: PidFile?
  private var connections: ClientTable<ClusterLockingConnection>

  public init(
    eventLoop: any EventLoop, configuration: Configuration, logger: Logger,
    delegate: any ClusterLockingServerDelegate
  ) {
    self.eventLoop = eventLoop
    self.configuration = configuration
    self.logger = logger
    self.delegate = delegate
    listener = UnixSocketListener(eventLoop: eventLoop)
    connections = ClientTable(
      path: configuration.socketPath, countMax: configuration.clientCountMax)
  }

  /// Takes the pid file and the socket's path, and accepts clients. Fails with a `SocketFileError`.
  public func start() -> EventLoopFuture<Void> {
    do throws(SocketFileError) {
      if let path = configuration.pidFilePath { pidFile = try PidFile(creating: path) }
    } catch {
      return eventLoop.makeFailedFuture(error)
    }
    let server = NIOLoopBound(self, eventLoop: eventLoop)
    return listener.start(path: configuration.socketPath) { ClusterLockingConnection(server.value) }
      .flatMapErrorThrowing { error in
        server.value.giveUpPidFile()
        throw error
      }
  }

  /// Sends a reply; nothing happens when the client is gone.
  func reply(to client: ClientID, _ bytes: [UInt8]) { connections[client]?.reply(bytes) }

  /// Disconnects a client once it has taken its replies; the delegate hears `clientClosed`.
  func close(_ client: ClientID) { connections[client]?.close() }

  /// Disconnects all clients, which see the end of the stream, and removes the files unless it is to
  /// look as after a kill.
  public func stop(leavingFiles: Bool = false) -> EventLoopFuture<Void> {
    giveUpPidFile(leavingIt: leavingFiles)
    for connection in connections.inOrder { connection.closeNow() }
    return listener.stop(leavingFile: leavingFiles)
  }

  private func giveUpPidFile(leavingIt: Bool = false) {
    if let file = pidFile.take(), !leavingIt { file.remove() }
  }
}

/// What connections tell their server.
extension ClusterLockingServer {
  /// Admits a connection, or returns nil.
  func admit(_ connection: ClusterLockingConnection, _ peer: SocketPeer) -> ClientID? {
    guard let client = connections.admit(connection, logger) else { return nil }
    delegate?.clientConnected(client, peer: peer)
    return client
  }

  func ended(_ client: ClientID) {
    if connections.remove(client) { delegate?.clientClosed(client) }
  }
}
