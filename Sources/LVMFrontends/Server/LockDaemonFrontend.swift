import ClusterTypes
import Logging
import MachineShell
import NIOCore

/// Carries out what a `LockDaemonFrontend` wants from the cluster, on its event loop.
public protocol LockDaemonCluster: AnyObject {
  /// Everything but replies, dumps, disconnects and log lines comes here. Answers go to
  /// `LockDaemonFrontend.handle`, at once or later.
  func carryOut(_ effect: LockDaemonMachine.Effect)
}

/// lvmlockd's machine with its server, its clock and its log: the shell around the decisions.
///
/// Called on its event loop only.
public final class LockDaemonFrontend: FramedTextServerDelegate {
  private let eventLoop: any EventLoop
  private let logger: Logger
  private weak var cluster: (any LockDaemonCluster)?
  private let runner: MachineRunner<LockDaemonMachine>
  private var server: LockDaemonServer?

  /// `clock` is the machine's boot-time clock.
  public init(
    eventLoop: any EventLoop, machine: LockDaemonMachine.Configuration, logger: Logger,
    clock: @escaping () -> Timestamp, cluster: any LockDaemonCluster
  ) {
    self.eventLoop = eventLoop
    self.logger = logger
    self.cluster = cluster
    runner = MachineRunner(
      LockDaemonMachine(configuration: machine), eventLoop: eventLoop, clock: clock,
      wake: .timePassed)
    runner.carryOut = { [unowned self] in carryOut($0) }
  }

  /// Begins to serve. Persistent locks are to be adopted before.
  public func start(_ configuration: LockDaemonServer.Configuration) -> EventLoopFuture<Void> {
    let server = LockDaemonServer(
      eventLoop: eventLoop, configuration: configuration, logger: logger, delegate: self)
    self.server = server
    return server.start()
  }

  public func stop(leavingFiles: Bool = false) -> EventLoopFuture<Void> {
    runner.stop()
    return server?.stop(leavingFiles: leavingFiles) ?? eventLoop.makeSucceededVoidFuture()
  }

  /// Nodes that failed to load the last change of a VG, by VG, with their reasons.
  public var reloadFailures: [String: [NodeID: String]] { runner.machine.reloadFailures }

  /// As `MachineRunner.handle`.
  public func handle(_ input: LockDaemonMachine.Input) {
    // A lost reply is known before the end of its connection, which may wait here already.
    let isFirst = if case .replyUndelivered = input { true } else { false }
    runner.handle(input, isFirst: isFirst)
  }

  private func carryOut(_ effect: LockDaemonMachine.Effect) {
    switch effect {
    case .reply(let client, let text):
      server?.reply(to: client, text) { [weak self] isDelivered in
        if !isDelivered { self?.handle(.replyUndelivered(client)) }
      }
    case .sendDump(let text): server?.sendDump(text)
    case .closeClient(let client): server?.close(client)
    case .log(let level, let text): logger.log(level: level.loggerLevel, "\(text)")
    case .join, .leave, .countMembers, .lock, .convert, .cancel, .unlock, .settle, .reload,
      .persist, .forget, .adoptionFailed, .quit, .describe, .findHolders, .checkSharing,
      .volumeLockEnded:
      cluster?.carryOut(effect)
    }
  }

  public func clientConnected(_ client: ClientID, peer: SocketPeer) {
    handle(.clientConnected(client, processID: peer.processID))
  }

  public func received(_ message: [UInt8], from client: ClientID) {
    handle(.received(client, message))
  }

  public func clientClosed(_ client: ClientID) { handle(.clientClosed(client)) }
}

extension LockDaemonLogLevel {
  var loggerLevel: Logger.Level {
    switch self {
    case .debug: .debug
    case .info: .info
    case .warning: .warning
    case .error: .error
    }
  }
}

extension LockDaemonMachine: Machine {}
