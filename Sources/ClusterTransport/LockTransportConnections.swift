import ClusterTypes
import LockProtocol
import Logging
import NIOCore

/// The transport's connections, and the carrying out of what the links decide.
extension LockTransport: LockConnectionOwner {
  /// Beyond what the links keep, for acknowledgements and status messages that are not read.
  private var outputLimit: Int { configuration.limits.unacknowledgedBytes + (16 << 20) }

  /// All handlers of a connection, accepted or made by this node. Kernels speak plain TCP.
  func addConnection(to channel: any Channel, dialedPeer: LockPeer?) throws {
    let connection = LockConnection(
      owner: self, dialedPeer: dialedPeer, batch: readBatch, outputLimit: outputLimit)
    if let security { try addTLS(security, to: channel, for: connection) }
    try channel.pipeline.syncOperations.addHandler(connection)
  }

  private func addTLS(
    _ security: LinkSecurity, to channel: any Channel, for connection: LockConnection
  ) throws {
    let handshake = SecureHandshake(
      security: security, isClient: connection.dialedPeer != nil, timeout: Self.handshakeTimeout
    ) { source throws(ControlRefusal) in
      try self.admit(connection, from: source)
    } authenticated: { certificate throws(ControlRefusal) in
      self.strangers[ObjectIdentifier(connection)] = nil
      let node = certificate.identity.node
      let peer =
        connection.dialedPeer?.node ?? self.addresses.node(at: channel.remoteAddress)
      guard let peer, peer == node else {
        throw .notAuthenticated("it has the certificate of node \(node), but not its address")
      }
      connection.certificate = certificate
    } failed: { reason in
      self.strangers[ObjectIdentifier(connection)] = nil
      let address = channel.remoteAddress?.ipAddress ?? "an unknown address"
      self.warn("lock transport: connection with \(address) refused: \(reason)")
    }
    connection.strangerGuard = try handshake.addHandlers(to: channel)
  }

  /// Before anything is read from a connection.
  private func admit(
    _ connection: LockConnection, from source: SocketAddress?
  ) throws(ControlRefusal) {
    guard connection.dialedPeer == nil else { return }
    guard let host = source?.ipAddress, addresses.node(at: source) != nil else {
      throw .unknownAddress
    }
    guard strangers.values.count(where: { $0 == host }) < LockPeer.maximumConnectionCount else {
      throw .tooManyStrangers
    }
    strangers[ObjectIdentifier(connection)] = host
  }

  func connectionOpened(_ connection: LockConnection) {
    connection.dialedPeer?.attempt = .none
    let peer =
      connection.dialedPeer ?? addresses.node(at: connection.remoteAddress).flatMap { peers[$0] }
    guard let peer else {
      let source = connection.remoteAddress?.ipAddress ?? "an unknown address"
      warn("lock transport: refused a connection from \(source): no configured node has it")
      connection.close()
      return
    }
    guard isBelieved(connection) else { return connection.close() }
    guard peer.isEnabled, !isStopped else {
      if connection.dialedPeer == nil {
        warn("lock transport: refused a connection from node \(peer.node): it is not enabled")
      }
      connection.close()
      return
    }
    peer.failedAttempts = 0
    if peer.add(connection) { run(peer.link.connected(), for: peer) }
  }

  func connection(_ connection: LockConnection, received frame: UnsafeRawBufferPointer) {
    guard let peer = connection.peer, !peer.isRemoved else { return }
    // What waits to be delivered goes first.
    if connection.life == peer.linkLife, peer.effects.isEmpty,
      let message = peer.link.receiveNext(frame)
    {
      delegate?.lockTransport(self, received: message, from: peer.node)
    } else {
      take(Array(frame)[...], of: peer, on: connection)
    }
  }

  private func take(_ frame: ArraySlice<UInt8>, of peer: LockPeer, on connection: LockConnection) {
    if connection.life != peer.linkLife { settleLife(of: peer, by: frame, on: connection) }
    if let packet = peer.link.receive(frame, at: now, effects: &peer.effects) {
      peer.effects.append(.deliver(packet))
    }
    performEffects(of: peer)
  }

  /// The first message on a connection that was made when the peer might have been dead. Only a node
  /// that becomes a member asks for the status; all else goes on with the old life.
  private func settleLife(
    of peer: LockPeer, by frame: ArraySlice<UInt8>, on connection: LockConnection
  ) {
    if let message = try? Frame(decoding: frame), case .bare(let packet) = message.content,
      packet.isBare
    {
      beginNextLife(of: peer)
    } else if peer.keepsLife(connection) {
      run(peer.link.connected(), for: peer)
    }
  }

  func connectionReadComplete(_ connection: LockConnection) {
    delegate?.lockTransportReadComplete(self)
    readTime = nil
    guard let peer = connection.peer, !peer.isRemoved else { return }
    peer.backoff.reset()
    peer.link.endReadBatch(effects: &peer.effects)
    performEffects(of: peer)
  }

  func connection(_ connection: LockConnection, failed error: any Error) {
    guard let peer = connection.peer else { return }
    warn("lock transport: connection with node \(peer.node) reset: \(error)")
  }

  func connectionClosed(_ connection: LockConnection) {
    // TLS failed: the dialing has to go on.
    if let peer = connection.dialedPeer, connection.peer == nil, case .connecting = peer.attempt {
      peer.attempt = .none
      peer.failedAttempts += 1
      if !peer.isRemoved, peer.link.hasWork { connect(peer) }
    }
    guard let peer = connection.peer, peer.remove(connection), !peer.isRemoved else { return }
    // Another connection takes over only after everything unacknowledged has gone out on it.
    let effects = peer.primary == nil ? peer.link.connectionLost() : peer.link.connected()
    run(effects, for: peer)
  }

  /// All that is read at once is read at the same moment.
  private var now: Timestamp {
    if let readTime { return readTime }
    let now = Timestamp(nanoseconds: eventLoop.now.uptimeNanoseconds)
    readTime = now
    return now
  }

  func run(_ effects: [PeerLink.Effect], for peer: LockPeer) {
    peer.effects += effects
    performEffects(of: peer)
  }

  /// Carries out what the link has decided, in order. An effect that causes others, because the
  /// delegate answers a packet at once, is finished first.
  func performEffects(of peer: LockPeer) {
    guard !peer.isPerforming else { return }
    peer.isPerforming = true
    var next = 0
    while next < peer.effects.count {
      let effect = peer.effects[next]
      next += 1
      perform(effect, for: peer)
    }
    peer.effects.removeAll(keepingCapacity: true)
    peer.isPerforming = false
  }

  private func perform(_ effect: PeerLink.Effect, for peer: LockPeer) {
    switch effect {
    case .send(let bytes):
      if let connection = peer.primary {
        bytes.withUnsafeBytes { write($0, to: connection, of: peer) }
      }
    case .deliver(let packet):
      delegate?.lockTransport(self, received: packet, from: peer.node)
    case .connect:
      connect(peer)
    case .resetConnections:
      if peer.link.state != .overflowed {
        warn("messages of node \(peer.node) are missing; resetting its connections to get them")
      }
      if peer.connections.isEmpty { connect(peer) } else { peer.abortConnections() }
    case .closed:
      if peer.endLife() { run(peer.link.connected(), for: peer) }
      if peer.closesWhenAgreed {
        peer.closesWhenAgreed = false
        for connection in peer.connections { connection.close() }
      }
      delegate?.lockTransport(self, closed: peer.node)
    case .wake(let moment):
      schedule(moment, for: peer)
    case .dropped(let reason):
      warn("lock transport, node \(peer.node): \(reason)")
    case .overflowed:
      logger.error("node \(peer.node) does not acknowledge; it is lost until it has been fenced")
      delegate?.lockTransport(self, lost: peer.node)
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, to connection: LockConnection, of peer: LockPeer) {
    if connection.write(bytes) { return }
    logger.error("node \(peer.node) does not read what it is sent; resetting the connection")
    connection.abort()
  }

  private func schedule(_ moment: Timestamp, for peer: LockPeer) {
    peer.timer?.cancel()
    peer.timer = eventLoop.assumeIsolated().scheduleTask(
      deadline: .uptimeNanoseconds(moment.nanoseconds)
    ) { [self] in
      guard !peer.isRemoved else { return }
      readTime = nil
      run(peer.link.timerFired(at: now), for: peer)
    }
  }

  /// Connects unless there is a connection, or an attempt at one.
  func connect(_ peer: LockPeer) {
    // A node that has left does not listen any more, and one that is dead answers nobody.
    guard peer.isEnabled, !isStopped, !peer.isBetweenLives, peer.primary == nil,
      case .none = peer.attempt
    else { return }
    let task = eventLoop.assumeIsolated().scheduleTask(in: peer.backoff.next()) { [self] in
      guard case .scheduled = peer.attempt else { return }
      peer.attempt = .none
      guard peer.isEnabled, !isStopped, peer.primary == nil else { return }
      dial(peer)
    }
    peer.attempt = .scheduled(task)
  }

  private func dial(_ peer: LockPeer) {
    peer.attempt = .connecting
    let bound = NIOLoopBound((self, peer), eventLoop: eventLoop)
    let path = peer.addresses.path(
      from: configuration.addresses, tryCount: peer.failedAttempts)
    ClusterTransport.connect(
      from: path.source, to: path.target, eventLoop: eventLoop
    ) { channel in
      let (transport, peer) = bound.value
      try transport.addConnection(to: channel, dialedPeer: peer)
    }.assumeIsolated().whenFailure { [self] error in
      peer.attempt = .none
      peer.failedAttempts += 1
      guard !peer.isRemoved else { return }
      warn("lock transport: cannot connect to node \(peer.node) at \(path.target): \(error)")
      if peer.link.hasWork { connect(peer) }
    }
  }
}
