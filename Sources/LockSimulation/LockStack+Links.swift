import ClusterSimulation
import ClusterTypes
import LockProtocol

/// Links and connections: what the daemon's lock transport does (dlm-wire 2).
extension LockStack {
  mutating func send(
    _ packet: Packet, to node: NodeID, at now: Timestamp, effects: inout Effects
  ) {
    run(node, at: now, effects: &effects) {
      var wanted: [PeerLink.Effect] = []
      $0.send(packet, effects: &wanted)
      return wanted
    }
  }

  mutating func run(
    _ node: NodeID, at now: Timestamp, effects: inout Effects,
    _ body: (inout PeerLink) -> [PeerLink.Effect]
  ) {
    guard let wanted = peers[node]?.run(body) else { return }
    perform(wanted, for: node, life: peers[node]?.life, at: now, effects: &effects)
  }

  private mutating func perform(
    _ wanted: [PeerLink.Effect], for node: NodeID, life: NodeLife?, at now: Timestamp,
    effects: inout Effects
  ) {
    for effect in wanted {
      switch effect {
      case .send(let bytes):
        guard let connection = peers[node]?.connections.first else { continue }
        effects.append(.write(connection, bytes))
      case .deliver(let packet):
        guard let life else { continue }
        deliver(packet, from: node, life: life, at: now, effects: &effects)
      case .connect: dial(node, at: now, effects: &effects)
      case .resetConnections:
        if peers[node]?.connections.isEmpty == true {
          dial(node, at: now, effects: &effects)
        } else {
          abortConnections(with: node, effects: &effects)
          run(node, at: now, effects: &effects) { $0.connectionLost() }
        }
      case .wake(let time): effects.append(.setTimer(Self.linkTimer(node), at: time))
      case .overflowed: effects.append(.report(.lost(node)))
      case .closed, .dropped: break
      }
    }
  }

  /// The node starts from nothing, and is not enabled.
  mutating func forget(_ node: NodeID, effects: inout Effects) {
    abortConnections(with: node, effects: &effects)
    peers[node] = Peer(link: PeerLink(local: local, peer: node, limits: limits))
  }

  private mutating func abortConnections(with node: NodeID, effects: inout Effects) {
    for id in peers[node]?.connections ?? [] {
      effects.append(.abort(id))
      peerOf[id] = nil
    }
    peers[node]?.connections = []
  }

  mutating func connected(
    _ id: ConnectionID, to node: NodeID, life: NodeLife, isDialed: Bool, at now: Timestamp,
    effects: inout Effects
  ) {
    if isDialed {
      // Dialed for an earlier life, which was forgotten since.
      guard let peer = peers[node], peer.isDialing, peer.life.map({ $0 <= life }) ?? true else {
        return effects.append(.abort(id))
      }
      peers[node]?.isDialing = false
    }
    guard peers[node]?.isEnabled == true else { return effects.append(.abort(id)) }
    peerOf[id] = (node, life)
    peers[node]?.connections.append(id)
    guard peers[node]?.connections.count == 1 else { return }
    let mutation = mutation
    run(node, at: now, effects: &effects) { $0.connected(mutation) }
  }

  mutating func received(
    _ bytes: [UInt8], on id: ConnectionID, isLastOfBatch: Bool, at now: Timestamp,
    effects: inout Effects
  ) {
    guard let (node, life) = peerOf[id] else { return }
    peers[node]?.redialMilliseconds = 0
    var wanted: [PeerLink.Effect] = []
    if let packet = peers[node]?.link.receive(bytes[...], at: now, effects: &wanted) {
      wanted.append(.deliver(packet))
    }
    if mutation == .deliversTwice, case .deliver(let packet) = wanted.last {
      wanted.append(.deliver(packet))
    }
    perform(wanted, for: node, life: life, at: now, effects: &effects)
    guard isLastOfBatch else { return }
    wanted = []
    peers[node]?.link.endReadBatch(effects: &wanted)
    perform(wanted, for: node, life: life, at: now, effects: &effects)
  }

  mutating func closed(_ id: ConnectionID, at now: Timestamp, effects: inout Effects) {
    guard let (node, _) = peerOf.removeValue(forKey: id) else { return }
    let wasPrimary = peers[node]?.connections.first == id
    peers[node]?.connections.removeAll { $0 == id }
    guard wasPrimary else { return }
    let mutation = mutation
    let hasAnother = peers[node]?.connections.isEmpty == false
    run(node, at: now, effects: &effects) {
      hasAnother ? $0.connected(mutation) : $0.connectionLost()
    }
  }

  /// Connects unless there is a connection, or an attempt at one.
  mutating func dial(_ node: NodeID, at now: Timestamp, effects: inout Effects) {
    guard let peer = peers[node], peer.isEnabled, peer.connections.isEmpty, !peer.isDialing else {
      return
    }
    peers[node]?.isDialing = true
    effects.append(
      .setTimer(Self.redialTimer(node), at: now + .milliseconds(peer.redialMilliseconds)))
    peers[node]?.redialMilliseconds = min(max(20, peer.redialMilliseconds * 2), 1000)
  }

  mutating func redial(_ node: NodeID, effects: inout Effects) {
    guard let peer = peers[node], peer.isEnabled, peer.connections.isEmpty, peer.isDialing else {
      peers[node]?.isDialing = false
      return
    }
    effects.append(.dial(node))
  }
}

extension PeerLink {
  fileprivate mutating func connected(_ mutation: LockMutation?) -> [Effect] {
    let effects = connected()
    return mutation == .forgetsRetransmission ? [] : effects
  }
}

extension LockStack {
  /// The links that are not closed, for whoever wonders why nothing comes to rest.
  var openLinks: String {
    peers.sorted { $0.key < $1.key }.filter { $0.value.link.state != .closed }.map { node, peer in
      " (to \(node): \(peer.link.state), \(peer.link.unacknowledgedCount) unacknowledged,"
        + " \(peer.connections.count) connections, dialing \(peer.isDialing),"
        + " enabled \(peer.isEnabled))"
    }.joined()
  }
}
