import ClusterTypes

/// What goes wrong in a world: power, paths, pauses, connections.
extension World {
  /// The node loses power. What it had written may still arrive, up to some point; the others are
  /// told by a reset, or by nothing at all.
  public mutating func crash(_ node: NodeID) {
    guard let life = slots[index(node)]?.life else { return }
    slots[index(node)] = nil
    for id in connections.keys.sorted() {
      guard let connection = connections[id] else { continue }
      let isAcceptor = connection.acceptor == (node, life)
      guard isAcceptor || connection.dialer == (node, life) else { continue }
      let outgoing = isAcceptor ? connection.toDialer : connection.toAcceptor
      let other = connection.receiver(atAcceptor: !isAcceptor).node
      let (kept, isTold) = draw(node, other) {
        (Int.random(in: 0...outgoing.count, using: &$0), $0.chance(50))
      }
      if isTold, !connection.isBroken {
        cut(id, atAcceptor: !isAcceptor, keeping: kept)
      } else {
        drop(id, isAcceptor ? \.toDialer : \.toAcceptor, after: kept)
      }
      if !isAcceptor { connections[id]?.awaitsDialer = false }
      close(id, atAcceptor: isAcceptor)
      if !isTold { connections[id]?.isBroken = false }
    }
  }

  /// The node does nothing until `resume`; what comes waits.
  public mutating func pause(_ node: NodeID, for duration: Duration) {
    guard let life = slots[index(node)]?.life, slots[index(node)]?.deferred == nil else { return }
    slots[index(node)]?.deferred = []
    agenda.schedule(.resume(node, life), after: duration)
  }

  public mutating func resume(_ node: NodeID) {
    guard let waiting = slots[index(node)]?.deferred else { return }
    slots[index(node)]?.deferred = nil
    for happening in waiting { agenda.schedule(happening, after: .zero) }
  }

  /// Nothing passes from one node to the other until the path is opened. TCP keeps what is written.
  public mutating func block(from: NodeID, to: NodeID) { blocked.insert(direction(from, to)) }

  public mutating func openPath(from: NodeID, to: NodeID) {
    guard blocked.remove(direction(from, to)) != nil else { return }
    for id in connections.keys.sorted() {
      guard let connection = connections[id] else { continue }
      for atAcceptor in [true, false]
      where connection.receiver(atAcceptor: atAcceptor).node == to
        && connection.receiver(atAcceptor: !atAcceptor).node == from
      {
        let path: WritableKeyPath<Connection, Connection.Flow> =
          atAcceptor ? \.toAcceptor : \.toDialer
        let count = connection[keyPath: path].stalled
        connections[id]?[keyPath: path].stalled = 0
        // TCP tries again in its own time, and then sends everything.
        let pause = delay(from, to)
        for _ in 0..<count {
          agenda.schedule(.arrival(id, atAcceptor: atAcceptor), after: pause)
        }
        let last = max(connection[keyPath: path].lastArrival, now + pause)
        connections[id]?[keyPath: path].lastArrival = last
      }
    }
  }

  /// All paths, all nodes.
  public mutating func healAll() {
    for direction in blocked.sorted() {
      guard let from = NodeID(Int32(direction / 64)), let to = NodeID(Int32(direction % 64)) else {
        continue
      }
      openPath(from: from, to: to)
    }
    for node in liveNodes { resume(node) }
  }

  /// The network loses every connection between the two.
  public mutating func breakConnections(_ one: NodeID, _ other: NodeID) {
    for id in connections.keys.sorted() {
      guard let connection = connections[id] else { continue }
      let ends = [connection.dialer.node, connection.acceptor.node]
      if ends == [one, other] || ends == [other, one] { breakConnection(id) }
    }
  }
}
