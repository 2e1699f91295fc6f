import ClusterTransport
import ClusterTypes
import Glibc
import LockProtocol
import Logging
import NIOCore
import NIOPosix

/// The process around a `PeerSession`: standard input and output, the lock transport, and the end.
///
/// Confined to its event loop.
public final class PeerProcess: LockTransportDelegate {
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
  }

  /// How long the others may take to agree on the close, at most and once input has ended.
  private static let partingLimit = TimeAmount.seconds(30)
  private static let partingLimitAtEnd = TimeAmount.seconds(5)

  private let eventLoop: any EventLoop
  private let logger: Logger
  private let transport: LockTransport
  private let output: LineOutput
  private let ended: EventLoopPromise<Int32>
  private var session: PeerSession
  private var splitter = LineSplitter()
  private var hasInputEnded = false
  /// Members that have not agreed on the close yet; nil unless this node is leaving.
  private var parting: Set<NodeID>?
  private var partingDeadline: Scheduled<Void>?
  private var wake: Scheduled<Void>?
  /// Effects that wait for their turn, while an earlier one is carried out.
  private var effects: [PeerSession.Effect] = []
  private var isCarryingOut = false

  init(
    _ options: Options, output: LineOutput, eventLoop: any EventLoop, logger: Logger
  ) throws {
    self.eventLoop = eventLoop
    self.logger = logger
    self.output = output
    session = PeerSession(options.configuration)
    transport = LockTransport(
      configuration: .init(
        node: options.configuration.node, address: options.address, version: options.version),
      eventLoop: eventLoop, logger: logger)
    ended = eventLoop.makePromise()
    try transport.setPeers(options.peers)
    transport.delegate = self
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
    let process = try loop.flatSubmit {
      loop.makeCompletedFuture {
        NIOLoopBound(
          try PeerProcess(
            options, output: LineOutput(descriptor: output, pool: pool, eventLoop: loop),
            eventLoop: loop, logger: logger), eventLoop: loop)
      }
    }.wait()
    do {
      try loop.flatSubmit { process.value.transport.start() }.wait()
    } catch {
      try loop.submit { process.value.finish(1) }.wait()
      throw error
    }
    try loop.submit { process.value.listening(to: options.peers.keys.sorted()) }.wait()
    pool.submit { _ in Self.read(input, for: process, on: loop) }
    // Threads that wait for input or for a reader end with the process.
    return try loop.flatSubmit { process.value.ended.futureResult }.wait()
  }

  private func listening(to peers: [NodeID]) {
    for node in peers { transport.enable(node) }
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
    switch line {
    case .line(let bytes): carryOut(session.take(line: bytes, at: now))
    case .overlong: carryOut(session.takeOverlongLine(limit: LineSplitter.limit))
    }
  }

  private func inputEnded() {
    if let line = splitter.finish() { take(line) }
    hasInputEnded = true
    carryOut(session.inputEnded())
    guard session.hasLeft else { return finish(1) }
    if parting == nil { finish(0) } else { endParting(in: Self.partingLimitAtEnd) }
  }

  private var now: Timestamp { Timestamp(nanoseconds: eventLoop.now.uptimeNanoseconds) }

  // MARK: - Effects

  private func carryOut(_ new: [PeerSession.Effect]) {
    effects += new
    guard !isCarryingOut else { return }
    isCarryingOut = true
    var next = 0
    while next < effects.count {
      next += 1
      carryOut(effects[next - 1])
    }
    effects.removeAll(keepingCapacity: true)
    isCarryingOut = false
  }

  private func carryOut(_ effect: PeerSession.Effect) {
    switch effect {
    case .print(let line): output.write(line)
    case .send(let packet, let node): transport.send(packet, to: node)
    case .memberAdded(let node): transport.memberAdded(node, userCount: 1)
    case .memberRemoved(let node):
      transport.memberRemoved(node, userCount: 0)
      transport.expectNextLife(of: node)
    case .memberRenewed(let node):
      transport.removeAddress(node)
      transport.enable(node)
      transport.memberAdded(node, userCount: 1)
    case .release(let members):
      parting = Set(members)
      endParting(in: hasInputEnded ? Self.partingLimitAtEnd : Self.partingLimit)
      transport.lastLockspaceReleased()
      partIfAgreed()
    case .wake(let moment): schedule(moment)
    case .log(let text): logger.error("\(text)")
    }
  }

  private func schedule(_ moment: Timestamp) {
    wake?.cancel()
    wake = eventLoop.assumeIsolated().scheduleTask(
      deadline: .uptimeNanoseconds(moment.nanoseconds)
    ) { [self] in carryOut(session.timerFired(at: now)) }
  }

  // MARK: - The end

  private func endParting(in limit: TimeAmount) {
    partingDeadline?.cancel()
    partingDeadline = eventLoop.assumeIsolated().scheduleTask(in: limit) { [self] in
      endParting()
    }
  }

  private func partIfAgreed() {
    if parting?.isEmpty == true { endParting() }
  }

  private func endParting() {
    guard let silent = parting else { return }
    parting = nil
    partingDeadline?.cancel()
    carryOut(session.parted(silent: silent.sorted()))
    if hasInputEnded { finish(0) }
  }

  private func finish(_ code: Int32) {
    let ended = ended
    let stopped = transport.stop()
    output.drained().and(stopped).whenComplete { _ in ended.succeed(code) }
  }

  // MARK: - Lock transport

  public func lockTransport(
    _ transport: LockTransport, received packet: Packet, from node: NodeID
  ) {
    carryOut(session.receive(packet, from: node, at: now))
  }

  public func lockTransport(_ transport: LockTransport, closed node: NodeID) {
    parting?.remove(node)
    partIfAgreed()
  }

  public func lockTransport(_ transport: LockTransport, lost node: NodeID) {
    carryOut(session.lost(node))
  }
}
