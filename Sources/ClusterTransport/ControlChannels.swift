import ClusterCredentials
import ClusterTypes
import Logging
import NIOCore

/// Learns what the control channels receive; called on the event loop.
public protocol ControlChannelsDelegate: AnyObject {
  /// There is a channel with the node now, and both ends have accepted each other.
  func controlChannels(_ channels: ControlChannels, connected node: NodeID, hello: Hello)
  func controlChannels(
    _ channels: ControlChannels, disconnected node: NodeID, reason: ControlDisconnection)
  func controlChannels(
    _ channels: ControlChannels, received bytes: ArraySlice<UInt8>, from node: NodeID)
  /// A connection from or to this IP address did not become a channel.
  func controlChannels(
    _ channels: ControlChannels, refused address: String, reason: ControlRefusal)
}

/// The daemons' own connections, for membership and volume coordination: one channel for each
/// pair of nodes, made by the node with the greater number.
///
/// A channel delivers whole frames in order until it ends; what a broken channel has lost is for
/// the layers above. Of two connections of the same node the newer one counts, unless an earlier
/// life of the node has made it. A peer that does not read is disconnected.
///
/// Everything happens on the event loop that the caller passes in: methods must be called there,
/// and the delegate is called there.
public final class ControlChannels {
  public struct Configuration: Sendable {
    /// Where to listen, and the source of outgoing connections. Port 0 takes any free port.
    public var address: SocketAddress
    /// The same on another network, for peers with which the first has no connection.
    public var secondAddress: SocketAddress?
    public var timing: ControlTiming

    public init(
      address: SocketAddress, secondAddress: SocketAddress? = nil,
      timing: ControlTiming = ControlTiming()
    ) {
      self.address = address
      self.secondAddress = secondAddress
      self.timing = timing
    }

    var addresses: NodeAddresses { NodeAddresses(first: address, second: secondAddress) }
  }

  /// Accepted connections that have not introduced themselves yet.
  public static let maximumStrangerCount = 64
  /// The same from one address.
  public static let maximumStrangerCountPerSource = 4

  public let configuration: Configuration
  public weak var delegate: (any ControlChannelsDelegate)?
  /// How this node introduces itself on connections made from now on.
  public var hello: Hello

  /// TLS for connections made from now on; nil leaves them open to everybody on the network.
  /// `replaceSecurity` also looks at those that exist.
  private(set) var security: LinkSecurity?

  let eventLoop: any EventLoop
  let logger: Logger
  var logLimiter = LogLimiter()
  var addresses = PeerAddresses()
  var peers: [NodeID: ControlPeer] = [:]
  var strangers: [ObjectIdentifier: ControlConnection] = [:]
  private var state = State.created

  private enum State {
    case created
    case listening(Listeners)
    case stopped
  }

  public init(
    configuration: Configuration, hello: Hello, security: LinkSecurity? = nil,
    eventLoop: any EventLoop, logger: Logger
  ) {
    self.configuration = configuration
    self.hello = hello
    self.security = security
    self.eventLoop = eventLoop
    self.logger = logger
  }

  /// Where it listens, with the real port; nil unless started.
  public var listeningAddress: SocketAddress? {
    guard case .listening(let listeners) = state else { return nil }
    return listeners.first.localAddress
  }

  public var connectedPeers: Set<NodeID> {
    Set(peers.lazy.filter { $0.value.channel != nil }.map(\.key))
  }

  public var configuredPeers: Set<NodeID> { Set(peers.keys) }

  var isListening: Bool {
    guard case .listening = state else { return false }
    return true
  }

  /// Opens the listener, then connects to the peers with smaller numbers. Fails with
  /// `TransportError.cannotListen`.
  public func start() -> EventLoopFuture<Void> {
    eventLoop.assertInEventLoop()
    let channels = NIOLoopBound(self, eventLoop: eventLoop)
    return listen(
      on: configuration.addresses, purpose: "control connections", eventLoop: eventLoop
    ) { channel in
      try channels.value.configurePipeline(of: channel, dialedNode: nil)
    }.map { listeners in
      channels.value.listening(listeners)
    }
  }

  private func listening(_ listeners: Listeners) {
    switch state {
    case .created:
      state = .listening(listeners)
      for peer in peers.values { dialLater(peer) }
    case .listening, .stopped:
      listeners.close(promise: nil)
    }
  }

  /// Ends all channels and closes the listener.
  public func stop() -> EventLoopFuture<Void> {
    eventLoop.assertInEventLoop()
    let listeners: Listeners? = if case .listening(let listeners) = state { listeners } else { nil }
    state = .stopped
    for peer in peers.values { forget(peer, reason: .stopped) }
    peers = [:]
    for stranger in strangers.values { stranger.refuse(.closedDuringHandshake) }
    return listeners?.close() ?? eventLoop.makeSucceededVoidFuture()
  }

  /// The other nodes and where they listen. Channels with nodes that are gone, or have another
  /// address than before, end.
  ///
  /// - Parameter secondAddresses: of nodes that have one, on another network.
  public func setPeers(
    _ newAddresses: [NodeID: SocketAddress], secondAddresses: [NodeID: SocketAddress] = [:]
  ) throws(TransportError) {
    eventLoop.assertInEventLoop()
    addresses = try PeerAddresses(
      newAddresses.filter { $0.key != hello.node }, second: secondAddresses)
    for (node, peer) in peers where addresses[node] != peer.addresses {
      peers[node] = nil
      forget(peer, reason: .unconfigured)
    }
    for (node, addresses) in addresses.all where peers[node] == nil {
      let peer = ControlPeer(node: node, addresses: addresses)
      peers[node] = peer
      dialLater(peer)
    }
  }

  /// Sends a frame of 1 byte to 1 MiB.
  ///
  /// - Returns: false when there is no channel with the node, so that the frame is dropped.
  @discardableResult
  public func send(_ bytes: [UInt8], to node: NodeID) -> Bool {
    eventLoop.assertInEventLoop()
    precondition(
      (1...ControlFrameSplitter.maximumLength).contains(bytes.count),
      "a control frame of \(bytes.count) bytes")
    guard let channel = peers[node]?.channel else { return false }
    channel.send(bytes)
    return true
  }

  /// Ends the channel with the node. It is made again after a pause.
  public func disconnect(_ node: NodeID, reason: String) {
    eventLoop.assertInEventLoop()
    peers[node]?.channel?.end(.requested(reason))
  }

  /// New keys, or others to believe: connections that are made from now on use them. Channels go
  /// on, unless the other end's key is not believed any more.
  public func replaceSecurity(_ newSecurity: LinkSecurity) {
    eventLoop.assertInEventLoop()
    security = newSecurity
    for peer in peers.values {
      guard let channel = peer.channel, let certificate = channel.certificate else { continue }
      do throws(CredentialError) {
        try newSecurity.trusted.check(certificate)
      } catch {
        channel.end(.distrusted(error.description))
      }
    }
  }

  private func forget(_ peer: ControlPeer, reason: ControlDisconnection) {
    peer.isForgotten = true
    if case .scheduled(let task) = peer.attempt { task.cancel() }
    peer.channel?.end(reason)
  }

  /// Logs at most once a minute.
  func warn(_ message: String) {
    if logLimiter.permits(message, at: eventLoop.now) { logger.warning("\(message)") }
  }
}

/// Another daemon as the control channels see it.
final class ControlPeer {
  let node: NodeID
  let addresses: NodeAddresses
  /// Attempts to connect that failed since the last that did not.
  var failedAttempts = 0
  var channel: ControlConnection?
  /// Of the life that `channel` belongs to.
  var incarnation: Incarnation?
  var openedAt: NIODeadline?
  var attempt = Attempt.none
  var backoff = Backoff(first: .milliseconds(100), limit: .seconds(2))
  /// It is not configured any more; nothing of it will happen.
  var isForgotten = false

  enum Attempt {
    case none
    case scheduled(Scheduled<Void>)
    case connecting
  }

  init(node: NodeID, addresses: NodeAddresses) {
    self.node = node
    self.addresses = addresses
  }
}
