import Logging
import NIOCore

/// The places at which unmodified lvm commands look for lvmlockd, and the server behind them.
///
/// Called on its event loop only. lvm connects when the pid file exists; it is there while the
/// server is started.
public final class LockDaemonServer {
  public struct Configuration: Sendable {
    /// lvm takes another one from `LVM_LVMLOCKD_SOCKET`, lvmlockctl never does.
    public var socketPath: String
    /// Compiled into lvm.
    public var pidFilePath: String
    /// Abstract name of the datagram socket of lvmlockctl.
    public var dumpSocketName: String

    public init(
      socketPath: String = "/run/lvm/lvmlockd.socket",
      pidFilePath: String = "/run/lvmlockd.pid",
      dumpSocketName: String = "lvmlockd-dump.sock"
    ) {
      self.socketPath = socketPath
      self.pidFilePath = pidFilePath
      self.dumpSocketName = dumpSocketName
    }
  }

  private let eventLoop: any EventLoop
  private let configuration: Configuration
  private let server: FramedTextServer
  private let dumpSender: DumpSender
  private var pidFile: PidFile?

  public init(
    eventLoop: any EventLoop, configuration: Configuration, logger: Logger,
    delegate: any FramedTextServerDelegate
  ) {
    self.eventLoop = eventLoop
    self.configuration = configuration
    server = FramedTextServer(
      eventLoop: eventLoop, configuration: .init(path: configuration.socketPath), logger: logger,
      delegate: delegate)
    dumpSender = DumpSender(
      eventLoop: eventLoop, abstractName: configuration.dumpSocketName, logger: logger)
  }

  /// Fails with a `SocketFileError` when another lvmlockd runs on this host.
  public func start() -> EventLoopFuture<Void> {
    do throws(SocketFileError) {
      pidFile = try PidFile(creating: configuration.pidFilePath)
    } catch {
      return eventLoop.makeFailedFuture(error)
    }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    return server.start().flatMapErrorThrowing { error in
      bound.value.giveUpPidFile()
      throw error
    }
  }

  /// Sends a reply; `completion` hears whether it could be written.
  public func reply(
    to client: ClientID, _ text: [UInt8], completion: ((_ isDelivered: Bool) -> Void)? = nil
  ) {
    server.reply(to: client, text, completion: completion)
  }

  /// Sends what a reply to `info` or `dump` has announced.
  public func sendDump(_ text: [UInt8]) { dumpSender.send(text) }

  public func close(_ client: ClientID) { server.close(client) }

  /// Commands that wait see their connection closed; later ones do not try to connect, unless all is to
  /// look as after a kill.
  public func stop(leavingFiles: Bool = false) -> EventLoopFuture<Void> {
    giveUpPidFile(leavingIt: leavingFiles)
    return server.stop(leavingFile: leavingFiles)
  }

  private func giveUpPidFile(leavingIt: Bool = false) {
    if let file = pidFile.take(), !leavingIt { file.remove() }
  }
}
