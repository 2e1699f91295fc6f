import CLinux
import Glibc
import Logging
import NIOCore

/// The process at the other end of a unix socket.
public struct SocketPeer: Hashable, Sendable {
  public let processID: Int32
  public let userID: UInt32
}

extension SocketPeer {
  /// The peer of a connection, if it may talk to us: root, and whoever runs this daemon.
  init?(admittedOn channel: any Channel, _ logger: Logger) {
    var process: pid_t = 0
    var user: uid_t = 0
    var group: gid_t = 0
    let result = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
      of: NIOBSDSocket.Handle.self
    ) { clinux_peer_credentials($0, &process, &user, &group) }
    guard let result, result == 0 else {
      logger.error("a client without credentials was refused")
      return nil
    }
    guard user == 0 || user == geteuid() else {
      logger.warning(
        "a client was refused: only root may use this socket",
        metadata: ["uid": "\(user)", "pid": "\(process)"])
      return nil
    }
    self.init(processID: process, userID: user)
  }
}
