import ClusterTypes

/// Connections: opened, written to, broken. A connection delays at random and keeps the order of
/// each direction. What is lost with it is the end of what was under way, never its middle.
extension World {
  struct Connection {
    /// One direction: what is under way, oldest first.
    struct Flow {
      var messages: [(arrival: Timestamp, message: Stack.Message)] = []
      /// Messages that have been taken out.
      var head = 0
      var lastArrival = Timestamp(nanoseconds: 0)
      /// Arrivals that met a blocked path and are repeated when it opens.
      var stalled = 0

      var count: Int { messages.count - head }
    }

    let dialer: (node: NodeID, life: NodeLife)
    let acceptor: (node: NodeID, life: NodeLife)
    var toAcceptor = Flow()
    var toDialer = Flow()
    /// An end is open from `connected` to `closed` or `abort`.
    var isDialerOpen = false
    var isAcceptorOpen = false
    /// The dialer has not learned yet that it is open.
    var awaitsDialer = true
    /// Nothing that is written any more arrives.
    var isBroken = false

    func receiver(atAcceptor: Bool) -> (node: NodeID, life: NodeLife) {
      atAcceptor ? acceptor : dialer
    }

    func isOpen(atAcceptor: Bool) -> Bool { atAcceptor ? isAcceptorOpen : isDialerOpen }
  }

  // MARK: Chance

  func direction(_ from: NodeID, _ to: NodeID) -> Int { index(from) * 64 + index(to) }

  mutating func delay(_ from: NodeID, _ to: NodeID) -> Duration {
    let conditions = conditions
    return draw(from, to) { random in
      var microseconds = UInt64.random(in: conditions.usualMicroseconds, using: &random)
      if random.chance(conditions.spikePercent) { microseconds *= 10 }
      return .microseconds(microseconds)
    }
  }

  /// A choice about what passes from one node to the other.
  mutating func draw<Value>(
    _ from: NodeID, _ to: NodeID, _ body: (inout SeededGenerator) -> Value
  ) -> Value {
    let direction = direction(from, to)
    let seed = seed
    return body(
      &directionRandom[
        direction, default: SeededGenerator(seed: seed ^ UInt64(direction) << 40)])
  }

  func isBlocked(_ from: NodeID, _ to: NodeID) -> Bool {
    !blocked.isEmpty && blocked.contains(direction(from, to))
  }

  // MARK: Opening

  mutating func dial(_ acceptor: NodeID, from dialer: NodeID) {
    guard let life = slots[index(dialer)]?.life else { return }
    if isBlocked(dialer, acceptor) || isBlocked(acceptor, dialer) {
      let patience = draw(dialer, acceptor) { Int64.random(in: 100...600, using: &$0) }
      agenda.schedule(
        .dialFailed(dialer, life, to: acceptor), after: .milliseconds(patience))
    } else {
      agenda.schedule(.dialed(dialer, life, to: acceptor), after: delay(dialer, acceptor))
    }
  }

  mutating func dialed(_ dialer: NodeID, _ life: NodeLife, to acceptor: NodeID) {
    guard slots[index(dialer)]?.life == life else { return }
    guard let acceptorLife = slots[index(acceptor)]?.life, !isBlocked(dialer, acceptor),
      !isBlocked(acceptor, dialer)
    else {
      return agenda.schedule(
        .dialFailed(dialer, life, to: acceptor), after: delay(acceptor, dialer))
    }
    lastConnection += 1
    let id = ConnectionID(rawValue: lastConnection)
    connections[id] = Connection(dialer: (dialer, life), acceptor: (acceptor, acceptorLife))
    agenda.schedule(.opened(id, atAcceptor: true), after: .zero)
    let openedAtDialer = now + delay(acceptor, dialer)
    agenda.schedule(.opened(id, atAcceptor: false), at: openedAtDialer)
    // What the acceptor writes at once does not overtake that.
    connections[id]?.toDialer.lastArrival = openedAtDialer
  }

  mutating func opened(_ id: ConnectionID, atAcceptor: Bool) -> Occurrence {
    guard let connection = connections[id] else { return .nothing }
    let own = connection.receiver(atAcceptor: atAcceptor)
    let other = connection.receiver(atAcceptor: !atAcceptor)
    guard isRunning(own.node, own.life, or: .opened(id, atAcceptor: atAcceptor)) else {
      return .nothing
    }
    if atAcceptor {
      // Lost before the acceptor could take it.
      guard !connection.isBroken else { return .nothing }
      connections[id]?.isAcceptorOpen = true
    } else {
      connections[id]?.awaitsDialer = false
      connections[id]?.isDialerOpen = true
      guard !connection.isBroken else {
        // The acceptor did not want it.
        close(id, atAcceptor: false)
        return act(own.node, .dialFailed(to: other.node))
      }
    }
    return act(
      own.node, .connected(id, to: other.node, life: other.life, isDialed: !atAcceptor))
  }

  // MARK: Messages

  mutating func write(_ message: Stack.Message, on id: ConnectionID, from node: NodeID) {
    guard let connection = connections[id], !connection.isBroken else { return }
    let atAcceptor = connection.dialer.node == node
    let to = connection.receiver(atAcceptor: atAcceptor).node
    let arrival = now + delay(node, to)
    let path: WritableKeyPath<Connection, Connection.Flow> =
      atAcceptor ? \.toAcceptor : \.toDialer
    let time = max(arrival, connection[keyPath: path].lastArrival)
    connections[id]?[keyPath: path].messages.append((time, message))
    connections[id]?[keyPath: path].lastArrival = time
    messagesInFlight += 1
    agenda.schedule(.arrival(id, atAcceptor: atAcceptor), at: time)
  }

  mutating func arrive(_ id: ConnectionID, atAcceptor: Bool) -> Occurrence {
    guard let connection = connections[id] else { return .nothing }
    let path: WritableKeyPath<Connection, Connection.Flow> =
      atAcceptor ? \.toAcceptor : \.toDialer
    let flow = connection[keyPath: path]
    let receiver = connection.receiver(atAcceptor: atAcceptor)
    let sender = connection.receiver(atAcceptor: !atAcceptor)
    guard flow.count > 0 else { return .nothing }
    if isBlocked(sender.node, receiver.node) {
      connections[id]?[keyPath: path].stalled += 1
      return .nothing
    }
    guard let life = slots[index(receiver.node)]?.life, life == receiver.life else {
      // A later life of the node answers with a reset; a node without power with nothing.
      if slots[index(receiver.node)] != nil { cut(id, atAcceptor: !atAcceptor, keeping: 0) }
      drop(id, path, after: 0)
      return .nothing
    }
    let happening = Happening.arrival(id, atAcceptor: atAcceptor)
    guard isRunning(receiver.node, receiver.life, or: happening) else { return .nothing }
    guard connection.isOpen(atAcceptor: atAcceptor) else {
      drop(id, path, after: 0)
      return .nothing
    }
    guard
      let message = connections[id]?[keyPath: path].takeFirst()
    else { return .nothing }
    messagesInFlight -= 1
    let next = flow.count > 1 ? flow.messages[flow.head + 1].arrival : nil
    return act(
      receiver.node,
      .received(id, message, isLastOfBatch: next.map { $0 > now } ?? true))
  }

  // MARK: Closing

  /// Forgets all but the first `count` messages of a direction.
  mutating func drop(
    _ id: ConnectionID, _ path: WritableKeyPath<Connection, Connection.Flow>, after count: Int
  ) {
    guard let flow = connections[id]?[keyPath: path], flow.count > count else { return }
    messagesInFlight -= flow.count - count
    connections[id]?[keyPath: path].messages.removeLast(flow.count - count)
  }

  /// The network loses the connection; each side learns it at its own time, after what still
  /// arrives.
  mutating func breakConnection(_ id: ConnectionID) {
    guard let connection = connections[id], !connection.isBroken else { return }
    connections[id]?.isBroken = true
    for atAcceptor in [true, false] {
      let count = (atAcceptor ? connection.toAcceptor : connection.toDialer).count
      let from = connection.receiver(atAcceptor: !atAcceptor).node
      let to = connection.receiver(atAcceptor: atAcceptor).node
      let kept = draw(from, to) { Int.random(in: 0...count, using: &$0) }
      cut(id, atAcceptor: atAcceptor, keeping: kept)
    }
  }

  /// One side will see the end of the connection after `keeping` more messages.
  mutating func cut(_ id: ConnectionID, atAcceptor: Bool, keeping: Int) {
    guard let connection = connections[id] else { return }
    connections[id]?.isBroken = true
    drop(id, atAcceptor ? \.toAcceptor : \.toDialer, after: keeping)
    let flow = atAcceptor ? connection.toAcceptor : connection.toDialer
    let from = connection.receiver(atAcceptor: !atAcceptor).node
    let to = connection.receiver(atAcceptor: atAcceptor).node
    let time = max(now, keeping > 0 ? flow.lastArrival : now) + delay(from, to)
    agenda.schedule(.closed(id, atAcceptor: atAcceptor), at: time)
  }

  mutating func closed(_ id: ConnectionID, atAcceptor: Bool) -> Occurrence {
    let happening = Happening.closed(id, atAcceptor: atAcceptor)
    guard let connection = connections[id], connection.isOpen(atAcceptor: atAcceptor) else {
      return .nothing
    }
    let own = connection.receiver(atAcceptor: atAcceptor)
    let other = connection.receiver(atAcceptor: !atAcceptor)
    if isBlocked(other.node, own.node) {
      // A reset does not pass either; whoever waits gives up some time.
      agenda.schedule(happening, after: .milliseconds(100))
      return .nothing
    }
    guard isRunning(own.node, own.life, or: happening) else { return .nothing }
    close(id, atAcceptor: atAcceptor)
    return act(own.node, .closed(id))
  }

  /// A node ends a connection with a reset.
  mutating func abort(_ id: ConnectionID, by node: NodeID) {
    guard let connection = connections[id] else { return }
    let isAcceptor = connection.acceptor.node == node
    let wasBroken = connection.isBroken
    close(id, atAcceptor: isAcceptor)
    guard !wasBroken else { return }
    let outgoing = isAcceptor ? connection.toDialer : connection.toAcceptor
    let other = connection.receiver(atAcceptor: !isAcceptor).node
    let kept = draw(node, other) { Int.random(in: 0...outgoing.count, using: &$0) }
    cut(id, atAcceptor: !isAcceptor, keeping: kept)
  }

  /// Nothing arrives at this end any more.
  mutating func close(_ id: ConnectionID, atAcceptor: Bool) {
    drop(id, atAcceptor ? \.toAcceptor : \.toDialer, after: 0)
    connections[id]?.isBroken = true
    if atAcceptor {
      connections[id]?.isAcceptorOpen = false
    } else {
      connections[id]?.isDialerOpen = false
    }
    if let connection = connections[id], !connection.isAcceptorOpen, !connection.isDialerOpen,
      !connection.awaitsDialer
    {
      drop(id, \.toAcceptor, after: 0)
      drop(id, \.toDialer, after: 0)
      connections[id] = nil
    }
  }
}

extension World.Connection.Flow {
  mutating func takeFirst() -> Stack.Message? {
    guard count > 0 else { return nil }
    let message = messages[head].message
    head += 1
    if head == messages.count {
      messages.removeAll(keepingCapacity: true)
      head = 0
    } else if head > 256 {
      messages.removeFirst(head)
      head = 0
    }
    return message
  }
}
