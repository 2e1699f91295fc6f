import ClusterTypes
import DistributedLockManager
import Glibc
import LockManager
import LockProtocol
import Logging
import NIOCore
import NIOPosix

/// The process around a `PeerSession`: standard input and output, the lock service, and the end.
///
/// Confined to its event loop.
public final class PeerProcess: LockServiceObserver {
  public struct Options: Sendable {
    public var configuration: PeerConfiguration
    /// Where to listen, and where connections come from.
    public var address: SocketAddress
    public var peers: [NodeID: SocketAddress]
    public var version: ProtocolVersion

    public init(
      configuration: PeerConfiguration, address: SocketAddress, peers: [NodeID: SocketAddress],
      version: ProtocolVersion
    ) {
      self.configuration = configuration
      self.address = address
      self.peers = peers
      self.version = version
    }

    fileprivate var plan: ServicePlan {
      ServicePlan(
        node: configuration.node, address: address, peers: peers, version: version,
        departuresAreTold: false)
    }
  }

  /// How long the others may take to agree on the close, at most and once input has ended.
  private static let partingLimit = TimeAmount.seconds(30)
  private static let partingLimitAtEnd = TimeAmount.seconds(5)

  private let eventLoop: any EventLoop
  private let service: LockService
  private let output: LineOutput
  private let ended: EventLoopPromise<Int32>
  private let session: PeerSession
  private var splitter = LineSplitter()
  private var hasInputEnded = false
  private var partingDeadline: Scheduled<Void>?

  init(_ options: Options, output: LineOutput, eventLoop: any EventLoop, logger: Logger) {
    self.eventLoop = eventLoop
    self.output = output
    ended = eventLoop.makePromise()
    service = LockService(options.plan, loop: eventLoop, logger: logger)
    let lockspace = ServedLockspace(service, options.configuration, eventLoop: eventLoop)
    session = PeerSession(options.configuration, lockspace: lockspace) { output.write($0) }
    service.observer = self
    lockspace.parted = { [unowned self] in parted(silent: []) }
    output.onFailure = { [unowned self] in finish(1) }
  }

  /// Runs until input has ended. Returns the exit code: 0 after `leave`, 1 without.
  ///
  /// To be called once, outside of event loops; it changes what SIGPIPE does.
  public static func run(
    _ options: Options, input: Int32 = STDIN_FILENO, output: Int32 = STDOUT_FILENO, logger: Logger
  ) throws -> Int32 {
    signal(SIGPIPE, SIG_IGN)
    let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
    let pool = NIOThreadPool(numberOfThreads: 2)
    pool.start()
    let process = try loop.submit {
      NIOLoopBound(
        PeerProcess(
          options, output: LineOutput(descriptor: output, pool: pool, eventLoop: loop),
          eventLoop: loop, logger: logger), eventLoop: loop)
    }.wait()
    do {
      try loop.flatSubmit { process.value.service.start(options.plan) }.wait()
    } catch {
      try loop.submit { process.value.finish(1) }.wait()
      throw error
    }
    pool.submit { _ in Self.read(input, for: process, on: loop) }
    // Threads that wait for input or for a reader end with the process.
    return try loop.flatSubmit { process.value.ended.futureResult }.wait()
  }

  /// Reads in a thread of its own, because standard input may be a file or a terminal.
  private static func read(
    _ descriptor: Int32, for process: NIOLoopBound<PeerProcess>, on loop: any EventLoop
  ) {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count > 0 {
        let chunk = Array(buffer[..<count])
        let taken = loop.flatSubmit {
          process.value.take(chunk)
          return process.value.output.ready()
        }
        // Fails only when the loop has ended, and the process with it.
        guard (try? taken.wait()) != nil else { return }
      } else if count < 0, errno == EAGAIN {
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        poll(&state, 1, -1)
      } else if count == 0 || errno != EINTR {
        return loop.execute { process.value.inputEnded() }
      }
    }
  }

  // MARK: - Input

  private func take(_ chunk: [UInt8]) {
    for line in splitter.append(chunk) { take(line) }
  }

  private func take(_ line: LineSplitter.Line) {
    let wasParting = session.isParting
    switch line {
    case .line(let bytes): session.take(line: bytes)
    case .overlong: session.takeOverlongLine(limit: LineSplitter.limit)
    }
    if session.isParting, !wasParting {
      endParting(in: hasInputEnded ? Self.partingLimitAtEnd : Self.partingLimit)
    }
  }

  private func inputEnded() {
    if let line = splitter.finish() { take(line) }
    hasInputEnded = true
    session.inputEnded()
    guard session.hasLeft else { return finish(1) }
    if session.isParting { endParting(in: Self.partingLimitAtEnd) } else { finish(0) }
  }

  // MARK: - The end

  private func endParting(in limit: TimeAmount) {
    partingDeadline?.cancel()
    partingDeadline = eventLoop.assumeIsolated().scheduleTask(in: limit) { [self] in
      parted(silent: service.giveUpClosing())
    }
  }

  /// - Parameter silent: members that did not agree in time.
  private func parted(silent: [NodeID]) {
    guard session.isParting else { return }
    partingDeadline?.cancel()
    session.parted(silent: silent)
    if hasInputEnded { finish(0) }
  }

  private func finish(_ code: Int32) {
    let ended = ended
    let stopped = service.stop()
    output.drained().and(stopped).whenComplete { _ in ended.succeed(code) }
  }

  // MARK: - The lock service

  package func lockspace(
    _ name: LockspaceName, recovered generation: UInt32, slots: [LockspaceSlot]
  ) {
    session.started(generation: generation, slots: slots)
  }

  package func lockspace(_ name: LockspaceName, failed failure: RecoveryFailure) {
    session.failed(failure)
  }

  package func lost(_ node: NodeID) { session.lost(node) }
}
