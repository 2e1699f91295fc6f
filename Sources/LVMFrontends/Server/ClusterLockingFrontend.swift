import ClusterTypes
import Logging
import MachineShell
import NIOCore

/// Carries out what a `ClusterLockingFrontend` wants from the cluster, on its event loop.
public protocol ClusterLockingCluster: AnyObject {
  /// Everything but replies, disconnects and log lines comes here. Answers go to
  /// `ClusterLockingFrontend.handle`, at once or later.
  func carryOut(_ effect: ClusterLockingMachine.Effect)
  /// All effects of what has happened were carried out.
  func stepped()
}

/// clvmd's machine with its server, its clock and its log: the shell around the decisions.
///
/// Called on its event loop only. The machine takes part in what other nodes ask before the server
/// is started.
public final class ClusterLockingFrontend: ClusterLockingServerDelegate {
  private let eventLoop: any EventLoop
  private let logger: Logger
  private weak var cluster: (any ClusterLockingCluster)?
  private let runner: MachineRunner<ClusterLockingMachine>
  private var server: ClusterLockingServer?

  /// `clock` is the machine's boot-time clock.
  public init(
    eventLoop: any EventLoop, machine: ClusterLockingMachine.Configuration, logger: Logger,
    clock: @escaping () -> Timestamp, cluster: any ClusterLockingCluster
  ) {
    self.eventLoop = eventLoop
    self.logger = logger
    self.cluster = cluster
    runner = MachineRunner(
      ClusterLockingMachine(configuration: machine), eventLoop: eventLoop, clock: clock,
      wake: .timePassed)
    runner.carryOut = { [unowned self] in carryOut($0) }
    runner.stepped = { [unowned self] in self.cluster?.stepped() }
  }

  public var machine: ClusterLockingMachine { runner.machine }

  /// Begins to serve lvm commands.
  public func start(_ configuration: ClusterLockingServer.Configuration) -> EventLoopFuture<Void> {
    let server = ClusterLockingServer(
      eventLoop: eventLoop, configuration: configuration, logger: logger, delegate: self)
    self.server = server
    return server.start()
  }

  /// Disconnects all clients; what they hold is released as if they had died.
  public func stop(leavingFiles: Bool = false) -> EventLoopFuture<Void> {
    runner.stop()
    return server?.stop(leavingFiles: leavingFiles) ?? eventLoop.makeSucceededVoidFuture()
  }

  /// As `MachineRunner.handle`.
  public func handle(_ input: ClusterLockingMachine.Input) { runner.handle(input) }

  private func carryOut(_ effect: ClusterLockingMachine.Effect) {
    switch effect {
    case .reply(let client, let bytes): server?.reply(to: client, bytes)
    case .closeClient(let client): server?.close(client)
    case .log(let level, let text): logger.log(level: level.loggerLevel, "\(text)")
    case .lock, .convert, .cancel, .unlock, .send, .work, .persist, .restart:
      cluster?.carryOut(effect)
    }
  }

  public func clientConnected(_ client: ClientID, peer: SocketPeer) {
    handle(.clientConnected(client, processID: peer.processID))
  }

  public func received(
    _ request: Result<ClusterLockingRequest, ClusterLockingRequestError>, from client: ClientID
  ) {
    switch request {
    case .success(let request): handle(.received(client, request))
    case .failure(let error): handle(.malformed(client, error))
    }
  }

  public func clientClosed(_ client: ClientID) { handle(.clientClosed(client)) }
}

extension ClusterLockingMachine: Machine {}
