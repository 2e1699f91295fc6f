import ClusterTypes

/// What this node wants to send, and the connection to send it on.
extension PeerLink {
  /// Sends a packet of this node, or keeps it until it can be sent.
  public mutating func send(_ packet: Packet, effects: inout [Effect]) {
    precondition(packet.sender == local, "a packet of node \(packet.sender) from node \(local)")
    if case .lock(let message) = packet,
      sendNext(message, write: { effects.append(.send(Array($0))) })
    {
      return
    }
    switch state {
    case .established: break
    case .closed:
      // A node that is no member yet may ask for the status; nothing else goes there.
      guard packet.isBare else { return effects.append(.dropped(.peerLeaving(state))) }
    case .finWait1, .finWait2, .closeWait, .closing, .lastAck:
      // The peer would take a status message for "shutdown stuck" (dlm-wire 5.4). After our own
      // finish nothing sequenced may follow; in closeWait it still may.
      guard state == .closeWait, !packet.isBare else {
        return effects.append(.dropped(.peerLeaving(state)))
      }
    case .overflowed:
      return effects.append(.dropped(.peerLeaving(state)))
    }
    transmit(packet, into: &effects)
  }

  /// The way of nearly all packets, without detours: a lock message for which there is a connection.
  /// Whatever effects wait to be carried out must have been.
  ///
  /// - Parameter write: gets the bytes that are to be written to the connection.
  /// - Returns: false, and nothing has happened, for any other message: `send` it.
  public mutating func sendNext(
    _ message: LockMessage, write: (UnsafeRawBufferPointer) -> Void
  ) -> Bool {
    guard state == .established, isConnected, isSequenced == true, message.sender == local,
      queue.count < limits.unacknowledgedCount,
      queue.byteCount + SequencedLockMessage.length(message) <= limits.unacknowledgedBytes
    else { return false }
    let sequence = queue.nextSequence
    queue.append {
      SequencedLockMessage.append(
        message, sequence: sequence, version: localVersion, to: &$0)
    }
    queue.withLast(write)
    return true
  }

  /// A connection to send on is there, a first or another one.
  public mutating func connected() -> [Effect] {
    isConnected = true
    guard state != .overflowed else { return [] }
    var effects: [Effect] = []
    // Nobody repeats an acknowledgement that went down with a connection; that of the peer's finish
    // may be the last thing it waits for.
    if isSequenced == true, expectedSequence != 0 { transmitAcknowledgement(into: &effects) }
    // Whatever the last connection may have lost goes first; newer messages follow it.
    effects += queue.unacknowledged.map(Effect.send)
    effects += waitingForConnection.map(Effect.send)
    waitingForConnection = []
    return effects
  }

  /// No connection is left to send on.
  public mutating func connectionLost() -> [Effect] {
    isConnected = false
    return hasWork ? [.connect] : []
  }

  /// Something waits for a connection.
  public var hasWork: Bool {
    state != .overflowed && !(queue.isEmpty && waitingForConnection.isEmpty)
  }

  mutating func transmit(_ packet: Packet, into effects: inout [Effect]) {
    if packet.isBare {
      transmitBare(Frame(.bare(packet), sender: local, version: localVersion), into: &effects)
      return
    }
    switch isSequenced {
    case nil:
      waitingForVersion.append(packet)
      if waitingForVersion.count > limits.unacknowledgedCount { overflow(into: &effects) }
    case true:
      transmitSequenced(
        Frame.encoded(
          packet, sequence: queue.nextSequence, sender: local, version: localVersion),
        into: &effects)
    case false:
      transmitBare(Frame(.bare(packet), sender: local, version: localVersion), into: &effects)
    }
  }

  mutating func transmitFinish(into effects: inout [Effect]) {
    finishSequence = queue.nextSequence
    transmitSequenced(
      Frame(.finish(queue.nextSequence), sender: local, version: localVersion).encoded(),
      into: &effects)
  }

  private mutating func transmitSequenced(
    _ bytes: [UInt8], into effects: inout [Effect]
  ) {
    queue.append { $0 += bytes }
    if queue.count > limits.unacknowledgedCount || queue.byteCount > limits.unacknowledgedBytes {
      overflow(into: &effects)
    } else {
      effects.append(isConnected ? .send(bytes) : .connect)
    }
  }

  private mutating func transmitBare(_ frame: Frame, into effects: inout [Effect]) {
    if isConnected {
      effects.append(.send(frame.encoded()))
      return
    }
    waitingForConnection.append(frame.encoded())
    effects.append(.connect)
    if isSequenced == false {
      // Everything is bare for this peer, and nothing of it will be repeated.
      if waitingForConnection.count > limits.unacknowledgedCount { overflow(into: &effects) }
    } else if waitingForConnection.count > limits.waitingBareCount {
      waitingForConnection.removeFirst()
    }
  }

  mutating func transmitAcknowledgement(into effects: inout [Effect]) {
    owesAcknowledgement = false
    // Without a connection there is nobody to tell: the peer retransmits and is told then.
    guard isConnected else { return }
    let frame = Frame(
      .acknowledgement(expectedSequence), sender: local, version: localVersion)
    effects.append(.send(frame.encoded()))
  }

  private mutating func overflow(into effects: inout [Effect]) {
    reset(to: .overflowed)
    waitingForConnection = []
    effects += [.resetConnections, .overflowed]
  }
}
