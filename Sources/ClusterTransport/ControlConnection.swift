import ByteCoding
import ClusterCredentials
import ClusterTypes
import NIOCore

/// What a control connection tells the channels that own it; all on the event loop.
protocol ControlConnectionOwner: AnyObject {
  /// The connection is up. Throws when the other end's address is nobody's.
  func connectionOpened(_ connection: ControlConnection) throws(ControlRefusal)
  /// The other end has introduced itself. Throws to refuse it.
  func connection(_ connection: ControlConnection, check hello: Hello) throws(ControlRefusal)
  /// Both ends have accepted each other: it is a channel now.
  func connection(_ connection: ControlConnection, openedBy hello: Hello)
  func connection(_ connection: ControlConnection, received bytes: ArraySlice<UInt8>)
  /// It never became a channel.
  func connection(_ connection: ControlConnection, refused reason: ControlRefusal)
  /// It was a channel and has ended.
  func connection(_ connection: ControlConnection, ended reason: ControlDisconnection)
}

/// Times and limits of a control channel.
public struct ControlTiming: Hashable, Sendable {
  /// An empty frame goes out this often.
  public var heartbeatInterval: TimeAmount
  /// A channel on which nothing was heard for so long is closed.
  public var silenceTimeout: TimeAmount
  /// An introduction must have come by then.
  public var handshakeTimeout: TimeAmount

  public init(
    heartbeatInterval: TimeAmount = .milliseconds(500), silenceTimeout: TimeAmount = .seconds(5),
    handshakeTimeout: TimeAmount = .seconds(5)
  ) {
    self.heartbeatInterval = heartbeatInterval
    self.silenceTimeout = silenceTimeout
    self.handshakeTimeout = handshakeTimeout
  }
}

/// One TCP connection between two daemons: introduction, frames, heartbeats, silence.
final class ControlConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  /// What may wait for the peer to read.
  static let outputLimit = 16 << 20

  /// The node that this node has connected to; nil for an accepted connection.
  let dialedNode: NodeID?
  /// The node at the other end; set by the owner when it has become a channel.
  var node: NodeID?
  /// With what the other end has proved to be a node; nil without TLS.
  var certificate: NodeCertificate?
  /// Known from the moment the connection is admitted.
  var remoteAddress: SocketAddress?
  private let owner: any ControlConnectionOwner
  private let localHello: Hello
  private let timing: ControlTiming
  private var splitter = ControlFrameSplitter(limit: Hello.maximumEncodedLength)
  private var state = State.created

  private enum State {
    case created
    /// The own introduction has been sent, the other is awaited.
    case greeting(any Channel, BatchedOutput, timeout: Scheduled<Void>)
    /// The other has been accepted, and is told so by the first heartbeat. Its own first
    /// heartbeat is awaited: without it this end would count on a channel that is being refused.
    case confirming(any Channel, BatchedOutput, Hello, timeout: Scheduled<Void>)
    case open(any Channel, BatchedOutput, Pulse)
    case ended
  }

  /// The heartbeat of an open channel, and when something was last heard.
  private final class Pulse {
    var lastHeard: NIODeadline
    var task: Scheduled<Void>?

    init(lastHeard: NIODeadline) { self.lastHeard = lastHeard }
  }

  init(
    owner: any ControlConnectionOwner, dialedNode: NodeID?, localHello: Hello,
    timing: ControlTiming
  ) {
    self.owner = owner
    self.dialedNode = dialedNode
    self.localHello = localHello
    self.timing = timing
  }

  var isOpen: Bool {
    guard case .open = state else { return false }
    return true
  }

  /// Sends a frame; a connection that is not open ignores it, because its end has been reported.
  func send(_ bytes: [UInt8]) {
    guard case .open(_, let output, _) = state else { return }
    if !output.append(ControlFrameSplitter.frame(bytes)) { end(.tooSlow) }
  }

  /// Ends an open channel and tells the owner.
  func end(_ reason: ControlDisconnection) {
    guard case .open(let channel, let output, let pulse) = state else { return }
    pulse.task?.cancel()
    state = .ended
    output.flush()
    channel.close(promise: nil)
    owner.connection(self, ended: reason)
  }

  /// Ends a connection that has not become a channel.
  func refuse(_ reason: ControlRefusal) {
    switch state {
    case .open, .ended: break
    case .created:
      state = .ended
      owner.connection(self, refused: reason)
    case .greeting(let channel, let output, let timeout),
      .confirming(let channel, let output, _, let timeout):
      timeout.cancel()
      state = .ended
      // The own introduction still goes out: from it the other side learns what is wrong.
      output.flush()
      channel.close(promise: nil)
      owner.connection(self, refused: reason)
    }
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    let output = BatchedOutput(channel: channel, batch: ReadBatch(), limit: Self.outputLimit)
    let timeout = channel.eventLoop.assumeIsolated().scheduleTask(in: timing.handshakeTimeout) {
      self.refuse(.handshakeTimeout)
    }
    remoteAddress = channel.remoteAddress
    state = .greeting(channel, output, timeout: timeout)
    do throws(ControlRefusal) {
      try owner.connectionOpened(self)
      _ = output.append(ControlFrameSplitter.frame(localHello.encoded()))
    } catch {
      refuse(error)
    }
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    splitter.append(unwrapInboundIn(data).readableBytesView)
    if case .open(let channel, _, let pulse) = state { pulse.lastHeard = channel.eventLoop.now }
    do throws(ByteDecodingError) {
      while try takeFrame() {}
    } catch {
      if isOpen { end(.malformed(error.text)) } else { refuse(.malformedHello(error.text)) }
    }
  }

  /// False when no whole frame is there, or none is wanted any more.
  private func takeFrame() throws(ByteDecodingError) -> Bool {
    switch state {
    case .created, .ended:
      return false
    case .greeting(let channel, let output, let timeout):
      guard let frame = try splitter.next() else { return false }
      let hello = try Hello(decoding: frame)
      guard admits(hello), case .greeting = state else { return false }
      state = .confirming(channel, output, hello, timeout: timeout)
      splitter.limit = ControlFrameSplitter.maximumLength
      _ = output.append(ControlFrameSplitter.frame([]))
      return true
    case .confirming(let channel, let output, let hello, let timeout):
      guard let frame = try splitter.next() else { return false }
      guard frame.isEmpty else { throw .invalid("a frame before the first heartbeat") }
      // Another channel of a later life may have opened meanwhile.
      guard admits(hello), case .confirming = state else { return false }
      timeout.cancel()
      open(channel, output)
      owner.connection(self, openedBy: hello)
      return true
    case .open:
      guard let frame = try splitter.next() else { return false }
      if !frame.isEmpty { owner.connection(self, received: frame) }
      return true
    }
  }

  /// Asks the owner; refuses if it does not want the node.
  private func admits(_ hello: Hello) -> Bool {
    do throws(ControlRefusal) {
      try owner.connection(self, check: hello)
      return true
    } catch {
      refuse(error)
      return false
    }
  }

  private func open(_ channel: any Channel, _ output: BatchedOutput) {
    let pulse = Pulse(lastHeard: channel.eventLoop.now)
    state = .open(channel, output, pulse)
    scheduleBeat(pulse, on: channel)
  }

  private func scheduleBeat(_ pulse: Pulse, on channel: any Channel) {
    pulse.task = channel.eventLoop.assumeIsolated().scheduleTask(in: timing.heartbeatInterval) {
      self.beat()
    }
  }

  private func beat() {
    guard case .open(let channel, _, let pulse) = state else { return }
    guard channel.eventLoop.now - pulse.lastHeard < timing.silenceTimeout else {
      end(.silent)
      return
    }
    send([])
    if isOpen { scheduleBeat(pulse, on: channel) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if isOpen { end(.failed("\(error)")) } else { refuse(.failed("\(error)")) }
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    if isOpen { end(.closedByPeer) } else { refuse(.closedDuringHandshake) }
    context.fireChannelInactive()
  }
}

extension ByteDecodingError {
  fileprivate var text: String {
    switch self {
    case .truncated: "it is cut short"
    case .invalid(let reason): reason
    }
  }
}
