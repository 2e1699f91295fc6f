import ClusterTypes
import LockProtocol
import Logging
import NIOCore

/// Learns what the lock transport receives; called on the event loop, between read and write.
public protocol LockTransportDelegate: AnyObject {
  /// A packet of a peer, each one once and in the order in which the peer sent it.
  func lockTransport(_ transport: LockTransport, received packet: Packet, from node: NodeID)
  /// The same for a lock message, as nearly all packets are. Unless implemented the packet is received.
  func lockTransport(
    _ transport: LockTransport, received message: LockMessage, from node: NodeID)
  /// Everything that was there to read has been received. Does nothing unless implemented.
  func lockTransportReadComplete(_ transport: LockTransport)
  /// The orderly close of the pair is complete: this node, or that one, has left for good.
  func lockTransport(_ transport: LockTransport, closed node: NodeID)
  /// The node does not acknowledge what it is sent. Nothing reaches it until it has been removed
  /// and enabled again; it should be fenced.
  func lockTransport(_ transport: LockTransport, lost node: NodeID)
}

extension LockTransportDelegate {
  public func lockTransport(
    _ transport: LockTransport, received message: LockMessage, from node: NodeID
  ) {
    lockTransport(transport, received: Packet.lock(message), from: node)
  }

  public func lockTransportReadComplete(_ transport: LockTransport) {}
}

/// Connections between lock managers: the fs/dlm protocol on TCP (dlm-wire 2).
///
/// Peers are known by their source address alone. A peer may have several connections; all are
/// read, one is written to. Everything happens on the event loop that the caller passes in:
/// methods must be called there, and delegates are called there.
///
/// Queues are bounded by `Configuration.limits`: a peer that acknowledges nothing is disconnected,
/// its queue is dropped, and the delegate is told that it is lost.
public final class LockTransport {
  public struct Configuration: Sendable {
    public var node: NodeID
    /// Where to listen, and the source of outgoing connections. Port 0 takes any free port.
    public var address: SocketAddress
    /// The same on another network, for peers with which the first has no connection.
    public var secondAddress: SocketAddress?
    /// What this node speaks; 3.1 renounces numbers and acknowledgements.
    public var version: ProtocolVersion
    public var limits: PeerLink.Limits

    public init(
      node: NodeID, address: SocketAddress, secondAddress: SocketAddress? = nil,
      version: ProtocolVersion = .version3dot2, limits: PeerLink.Limits = PeerLink.Limits()
    ) {
      self.node = node
      self.address = address
      self.secondAddress = secondAddress
      self.version = version
      self.limits = limits
    }

    var addresses: NodeAddresses { NodeAddresses(first: address, second: secondAddress) }
  }

  public let configuration: Configuration
  /// Must live as long as the transport. (A weak reference would make every use of it slower.)
  public unowned var delegate: (any LockTransportDelegate)?

  /// TLS for connections made from now on, with peers that are all clvmd's; nil for plain TCP, which
  /// kernels speak.
  public private(set) var security: LinkSecurity?
  /// A peer must have shown who it is by then.
  static let handshakeTimeout = TimeAmount.seconds(5)
  /// The sources of accepted connections whose peers are not known yet.
  var strangers: [ObjectIdentifier: String] = [:]

  let eventLoop: any EventLoop
  let logger: Logger
  var logLimiter = LogLimiter()
  var addresses = PeerAddresses()
  var peers: [NodeID: LockPeer] = [:]
  /// The one that was sent to last: most likely also the next.
  @exclusivity(unchecked)
  private var lastPeer: LockPeer?
  let readBatch = ReadBatch()
  /// When the batch that is being read was begun.
  @exclusivity(unchecked)
  var readTime: Timestamp?
  private var state = State.created

  private enum State {
    case created
    case listening(Listeners)
    case stopped
  }

  public init(
    configuration: Configuration, security: LinkSecurity? = nil, eventLoop: any EventLoop,
    logger: Logger
  ) {
    self.configuration = configuration
    self.security = security
    self.eventLoop = eventLoop
    self.logger = logger
  }

  /// Where it listens, with the real port; nil unless started.
  public var listeningAddress: SocketAddress? {
    guard case .listening(let listeners) = state else { return nil }
    return listeners.first.localAddress
  }

  var isStopped: Bool {
    guard case .stopped = state else { return false }
    return true
  }

  /// Opens the listener. Kernels must not be told about this node before: a closed port makes
  /// them storm (dlm-wire 2). Fails with `TransportError.cannotListen`.
  public func start() -> EventLoopFuture<Void> {
    eventLoop.assertInEventLoop()
    let transport = NIOLoopBound(self, eventLoop: eventLoop)
    return listen(
      on: configuration.addresses, purpose: "the lock protocol", eventLoop: eventLoop
    ) { channel in
      try transport.value.addConnection(to: channel, dialedPeer: nil)
    }.map { listeners in
      transport.value.listening(listeners)
    }
  }

  private func listening(_ listeners: Listeners) {
    switch state {
    case .created:
      state = .listening(listeners)
    case .listening, .stopped:
      listeners.close(promise: nil)
    }
  }

  /// Closes the listener and all connections. Peers with which the close was not agreed are reset,
  /// so that they notice.
  public func stop() -> EventLoopFuture<Void> {
    eventLoop.assertInEventLoop()
    let listeners: Listeners? = if case .listening(let listeners) = state { listeners } else { nil }
    state = .stopped
    for peer in peers.values {
      // In finWait2 the peer has everything, and owes its own farewell only.
      if peer.link.state == .closed || peer.link.state == .finWait2 {
        for connection in peer.connections { connection.close() }
      }
      peer.forget()
    }
    peers = [:]
    lastPeer = nil
    return listeners?.close() ?? eventLoop.makeSucceededVoidFuture()
  }

  /// The other nodes and where they listen. Nodes that are gone, or have another address than
  /// before, are forgotten; new ones are disabled until `enable`.
  ///
  /// - Parameter secondAddresses: of nodes that have one, on another network. Kernels have none.
  public func setPeers(
    _ newAddresses: [NodeID: SocketAddress], secondAddresses: [NodeID: SocketAddress] = [:]
  ) throws(TransportError) {
    eventLoop.assertInEventLoop()
    addresses = try PeerAddresses(
      newAddresses.filter { $0.key != configuration.node }, second: secondAddresses)
    for (node, peer) in peers where addresses[node] != peer.addresses {
      peer.forget()
      peers[node] = nil
    }
    for (node, addresses) in addresses.all where peers[node] == nil {
      peers[node] = makePeer(node, at: addresses)
    }
  }

  private func makePeer(_ node: NodeID, at addresses: NodeAddresses) -> LockPeer {
    LockPeer(node: node, addresses: addresses, link: makeLink(to: node))
  }

  private func makeLink(to node: NodeID) -> PeerLink {
    PeerLink(
      local: configuration.node, peer: node, localVersion: configuration.version,
      limits: configuration.limits)
  }

  func beginNextLife(of peer: LockPeer) {
    peer.beginNextLife(with: makeLink(to: peer.node))
    if peer.primary != nil { run(peer.link.connected(), for: peer) }
  }

  /// Connections to and from the node are allowed from now on. To be called before the node can
  /// become a member.
  public func enable(_ node: NodeID) {
    guard let peer = peer(node) else { return }
    peer.isEnabled = true
    if peer.link.hasWork { connect(peer) }
  }

  /// No connections to and from the node any more; what is unacknowledged is kept.
  public func disable(_ node: NodeID) {
    guard let peer = peer(node) else { return }
    peer.isEnabled = false
    peer.abortConnections()
  }

  /// The node has left the view: no connection to or from it is made from now on. One that is open may
  /// still carry its farewell, until `disable` or `removeAddress`.
  public func refuseConnections(of node: NodeID) { peer(node)?.isEnabled = false }

  /// The way to the node may be broken: its connections are reset, and made again, on the other
  /// network if need be, when there is something to send.
  public func reconnect(_ node: NodeID) { peer(node)?.abortConnections() }

  /// The node has been fenced or has left: its connections are reset, its numbers forgotten, and
  /// it is disabled (dlm-wire 5.5).
  public func removeAddress(_ node: NodeID) {
    guard let peer = peer(node) else { return }
    peer.forget()
    peers[node] = makePeer(node, at: peer.addresses)
  }

  /// The node is a member of `userCount` lockspaces of which this node is one too.
  public func memberAdded(_ node: NodeID, userCount: Int) {
    guard let peer = peer(node) else { return }
    if peer.isBetweenLives { beginNextLife(of: peer) }
    run(peer.link.memberAdded(userCount: userCount), for: peer)
  }

  /// The node has left a lockspace of this node; `userCount` common ones are left.
  public func memberRemoved(_ node: NodeID, userCount: Int) {
    guard let peer = peer(node) else { return }
    run(peer.link.memberRemoved(userCount: userCount), for: peer)
  }

  /// For a control plane that does not tell death from departure; to be called after
  /// `memberRemoved`. What the node still sends, its farewell included, is taken as before. A status
  /// message on a connection that is made from now on, or membership, begins a new life of the node,
  /// and everything of the old one is forgotten.
  public func expectNextLife(of node: NodeID) {
    peer(node)?.expectNextLife()
  }

  /// This node has left its last lockspace: the close is agreed with every peer, and the delegate
  /// told of each.
  public func lastLockspaceReleased() {
    for peer in peers.values.sorted(by: { $0.node < $1.node }) {
      peer.closesWhenAgreed = true
      run(peer.link.lastLockspaceReleased(), for: peer)
    }
  }

  /// Sends the packet as soon as there is a connection. The node must be configured and enabled,
  /// and a member unless the packet is about status or names; otherwise it is dropped and logged.
  public func send(_ packet: Packet, to node: NodeID) {
    guard let peer = peer(node) else { return }
    peer.link.send(packet, effects: &peer.effects)
    performEffects(of: peer)
  }

  /// The same for a lock message, in a shorter way.
  public func send(_ message: LockMessage, to node: NodeID) {
    guard let peer = peer(node) else { return }
    if peer.effects.isEmpty, let connection = peer.primary,
      peer.link.sendNext(message, write: { write($0, to: connection, of: peer) })
    {
      return
    }
    peer.link.send(.lock(message), effects: &peer.effects)
    performEffects(of: peer)
  }

  /// How far the orderly close with the node has come; nil when it is not configured.
  public func closeState(of node: NodeID) -> PeerLink.CloseState? { peers[node]?.link.state }

  /// New keys, or others to believe: connections that are made from now on use them. Those of ends whose
  /// key is not believed any more are reset; a member makes them again with its new key.
  public func replaceSecurity(_ newSecurity: LinkSecurity) {
    eventLoop.assertInEventLoop()
    security = newSecurity
    for peer in peers.values {
      for connection in peer.connections where !isBelieved(connection) { connection.abort() }
    }
  }

  func isBelieved(_ connection: LockConnection) -> Bool {
    guard let certificate = connection.certificate, let security else { return true }
    return (try? security.trusted.check(certificate)) != nil
  }

  private func peer(_ node: NodeID) -> LockPeer? {
    eventLoop.assertInEventLoop()
    if let lastPeer, lastPeer.node == node, !lastPeer.isRemoved { return lastPeer }
    if let peer = peers[node] {
      lastPeer = peer
      return peer
    }
    warn("lock transport: node \(node) has no configured address")
    return nil
  }

  /// Logs at most once a minute.
  func warn(_ message: String) {
    if logLimiter.permits(message, at: eventLoop.now) { logger.warning("\(message)") }
  }
}
