import ClusterTypes
import Logging
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
  private let clock: () -> Timestamp
  private weak var cluster: (any LockDaemonCluster)?
  private var machine: LockDaemonMachine
  private var server: LockDaemonServer?
  private var inputs: [LockDaemonMachine.Input] = []
  private var isHandling = false
  private lazy var timer = DeadlineTimer(eventLoop: eventLoop, clock: clock) { [unowned self] in
    handle(.timePassed)
  }

  /// `clock` is the machine's boot-time clock.
  public init(
    eventLoop: any EventLoop, machine: LockDaemonMachine.Configuration, logger: Logger,
    clock: @escaping () -> Timestamp, cluster: any LockDaemonCluster
  ) {
    self.eventLoop = eventLoop
    self.machine = LockDaemonMachine(configuration: machine)
    self.logger = logger
    self.clock = clock
    self.cluster = cluster
  }

  /// Begins to serve. Persistent locks are to be adopted before.
  public func start(_ configuration: LockDaemonServer.Configuration) -> EventLoopFuture<Void> {
    let server = LockDaemonServer(
      eventLoop: eventLoop, configuration: configuration, logger: logger, delegate: self)
    self.server = server
    return server.start()
  }

  public func stop(leavingFiles: Bool = false) -> EventLoopFuture<Void> {
    timer.set(nil)
    return server?.stop(leavingFiles: leavingFiles) ?? eventLoop.makeSucceededVoidFuture()
  }

  /// Nodes that failed to load the last change of a VG, by VG, with their reasons.
  public var reloadFailures: [String: [NodeID: String]] { machine.reloadFailures }

  /// Hands an event to the machine and carries its effects out. May be called while that happens:
  /// the event then waits for its turn.
  public func handle(_ input: LockDaemonMachine.Input) {
    eventLoop.preconditionInEventLoop()
    // A lost reply is known before the end of its connection, which may wait here already.
    if case .replyUndelivered = input {
      inputs.insert(input, at: 0)
    } else {
      inputs.append(input)
    }
    guard !isHandling else { return }
    isHandling = true
    defer { isHandling = false }
    while !inputs.isEmpty {
      for effect in machine.handle(inputs.removeFirst(), at: clock()) { carryOut(effect) }
    }
    timer.set(machine.nextDeadline)
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
    case .join, .leave, .countMembers, .lock, .convert, .cancel, .unlock, .reload, .persist,
      .forget, .adoptionFailed, .quit, .describe, .findHolders, .checkSharing:
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
