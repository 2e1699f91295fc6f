import ClusterCredentials
import ClusterTypes
import Logging
import NIOCore

/// How control connections come, are admitted, and go.
extension ControlChannels: ControlConnectionOwner {
  /// All handlers of a control connection, accepted or made by this node.
  func configurePipeline(of channel: any Channel, dialedNode: NodeID?) throws {
    let connection = ControlConnection(
      owner: self, dialedNode: dialedNode, localHello: hello, timing: configuration.timing)
    if let security {
      _ = try SecureHandshake(
        security: security, isClient: dialedNode != nil,
        timeout: configuration.timing.handshakeTimeout
      ) { source throws(ControlRefusal) in
        try self.admit(connection, from: source)
      } authenticated: {
        connection.certificate = $0
      } failed: {
        connection.refuse($0)
      }.addHandlers(to: channel)
    }
    try channel.pipeline.syncOperations.addHandler(connection)
  }

  func connectionOpened(_ connection: ControlConnection) throws(ControlRefusal) {
    // With TLS it was admitted before its handshake.
    guard connection.certificate == nil else { return }
    try admit(connection, from: connection.remoteAddress)
  }

  /// Before anything is read from it.
  private func admit(
    _ connection: ControlConnection, from source: SocketAddress?
  ) throws(ControlRefusal) {
    connection.remoteAddress = source
    _ = try node(of: connection)
    guard connection.dialedNode == nil else { return }
    let sameSourceCount = strangers.values.count {
      $0.remoteAddress?.ipAddress == source?.ipAddress
    }
    guard strangers.count < Self.maximumStrangerCount,
      sameSourceCount < Self.maximumStrangerCountPerSource
    else { throw .tooManyStrangers }
    strangers[ObjectIdentifier(connection)] = connection
  }

  /// The node whose configured address is at the other end.
  private func node(of connection: ControlConnection) throws(ControlRefusal) -> NodeID {
    guard isListening, let node = addresses.node(at: connection.remoteAddress)
    else { throw .unknownAddress }
    return node
  }

  func connection(_ connection: ControlConnection, check hello: Hello) throws(ControlRefusal) {
    let node = try node(of: connection)
    if let certificate = connection.certificate, let security {
      // Its key may have been withdrawn since the handshake.
      do throws(CredentialError) {
        try security.trusted.check(certificate)
      } catch {
        throw .notAuthenticated(error.description)
      }
    }
    try ControlAdmission(local: self.hello).check(
      hello, at: node, isDialed: connection.dialedNode != nil,
      isConfigured: { peers[$0] != nil }, certified: connection.certificate?.identity.node,
      current: peers[node]?.incarnation)
  }

  func connection(_ connection: ControlConnection, openedBy hello: Hello) {
    strangers[ObjectIdentifier(connection)] = nil
    guard let peer = peers[hello.node] else { return connection.end(.unconfigured) }
    connection.node = hello.node
    peer.attempt = .none
    peer.failedAttempts = 0
    let replaced = peer.channel
    peer.channel = connection
    peer.incarnation = hello.incarnation
    peer.openedAt = eventLoop.now
    replaced?.end(.replaced)
    logger.info("control channel with node \(hello.node) is up")
    delegate?.controlChannels(self, connected: hello.node, hello: hello)
  }

  func connection(_ connection: ControlConnection, received bytes: ArraySlice<UInt8>) {
    guard let node = connection.node else { return }
    delegate?.controlChannels(self, received: bytes, from: node)
  }

  func connection(_ connection: ControlConnection, refused reason: ControlRefusal) {
    strangers[ObjectIdentifier(connection)] = nil
    let address = connection.remoteAddress?.ipAddress ?? "an unknown address"
    warn("control connection with \(address) refused: \(reason)")
    if let peer = connection.dialedNode.flatMap({ peers[$0] }), case .connecting = peer.attempt {
      peer.attempt = .none
      dialLater(peer)
    }
    delegate?.controlChannels(self, refused: address, reason: reason)
  }

  func connection(_ connection: ControlConnection, ended reason: ControlDisconnection) {
    guard let node = connection.node else { return }
    if let peer = peers[node], peer.channel === connection { closed(peer) }
    logger.warning("control channel with node \(node) is down: \(reason)")
    delegate?.controlChannels(self, disconnected: node, reason: reason)
  }

  private func closed(_ peer: ControlPeer) {
    peer.channel = nil
    peer.incarnation = nil
    // Only a channel that lasted is a reason to try again at once.
    if let openedAt = peer.openedAt,
      eventLoop.now - openedAt >= configuration.timing.silenceTimeout
    {
      peer.backoff.reset()
    }
    dialLater(peer)
  }

  /// Connects after a pause, if it is for this node to connect.
  func dialLater(_ peer: ControlPeer) {
    guard isListening, !peer.isForgotten, hello.node > peer.node, peer.channel == nil,
      case .none = peer.attempt
    else { return }
    let task = eventLoop.assumeIsolated().scheduleTask(in: peer.backoff.next()) { [weak self] in
      guard let self, isListening, !peer.isForgotten else { return }
      dial(peer)
    }
    peer.attempt = .scheduled(task)
  }

  private func dial(_ peer: ControlPeer) {
    peer.attempt = .connecting
    let channels = NIOLoopBound(self, eventLoop: eventLoop)
    let node = peer.node
    let path = peer.addresses.path(
      from: configuration.addresses, tryCount: peer.failedAttempts)
    connect(from: path.source, to: path.target, eventLoop: eventLoop) { channel in
      try channels.value.configurePipeline(of: channel, dialedNode: node)
    }.assumeIsolated().whenFailure { [weak self] error in
      peer.attempt = .none
      peer.failedAttempts += 1
      guard let self, !peer.isForgotten else { return }
      warn("cannot make a control connection to node \(node) at \(path.target): \(error)")
      dialLater(peer)
    }
  }
}
