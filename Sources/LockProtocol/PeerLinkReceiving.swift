import ByteCoding
import ClusterTypes

/// What comes from the peer, whichever connection it came on.
extension PeerLink {
  /// The way of nearly all messages, without detours: takes a lock message in its turn. Nil, and
  /// nothing has happened, for any other: `receive` it.
  public mutating func receiveNext(_ frame: UnsafeRawBufferPointer) -> LockMessage? {
    guard state != .closed, state != .overflowed, gap == nil, localVersion == .version3dot2,
      peerVersion == .version3dot2,
      let message = SequencedLockMessage.decode(
        frame, sequence: expectedSequence, sender: peer, version: .version3dot2)
    else { return nil }
    expectedSequence &+= 1
    owesAcknowledgement = true
    return message
  }

  /// Takes one whole message.
  ///
  /// - Returns: the packet in it, if it is simply the next one that is due; to be handed to the lock
  ///   manager after the effects. Anything else is done by effects.
  public mutating func receive(
    _ bytes: ArraySlice<UInt8>, at now: Timestamp, effects: inout [Effect]
  ) -> Packet? {
    guard state != .overflowed else { return nil }
    if let message = bytes.withUnsafeBytes({ receiveNext($0) }) { return .lock(message) }
    if let packet = takeNext(bytes) { return packet }
    do throws(FrameDecodingError) {
      try take(Frame(decoding: bytes), at: now, into: &effects)
    } catch {
      if case .envelope(let sequence, _) = error, state != .closed, isSequenced == true {
        // A kernel would refuse the envelope for ever; here the sequence goes on without it.
        _ = accept(sequence, at: now, into: &effects)
      }
      effects.append(.dropped(.malformed(error)))
    }
    return nil
  }

  /// Any envelope in its turn, without detours. Nil, and nothing has happened, for anything else.
  private mutating func takeNext(_ bytes: ArraySlice<UInt8>) -> Packet? {
    guard state != .closed, gap == nil, isSequenced == true else { return nil }
    var reader = ByteReader(bytes)
    guard let header = try? FrameHeader(from: &reader), header.command == .envelope,
      header.version == peerVersion, header.number == expectedSequence,
      case .sequenced(_, let packet)? = try? Frame.contentOfEnvelope(
        sequence: header.number, from: &reader), packet.sender == peer
    else { return nil }
    expectedSequence &+= 1
    owesAcknowledgement = true
    return packet
  }

  /// All bytes that were there have been read.
  public mutating func endReadBatch(effects: inout [Effect]) {
    if owesAcknowledgement { transmitAcknowledgement(into: &effects) }
  }

  /// The moment of the last `wake` effect has come.
  public mutating func timerFired(at now: Timestamp) -> [Effect] {
    guard var gap else { return [] }
    guard now >= gap.deadline else { return [.wake(at: gap.deadline)] }
    var effects: [Effect] = []
    if gap.missing == expectedSequence {
      effects.append(.resetConnections)
      gap.patience = min(gap.patience * 2, Self.maximumGapPatience)
    } else {
      gap.missing = expectedSequence
      gap.patience = Self.gapPatience
    }
    gap.deadline = now + gap.patience
    self.gap = gap
    effects.append(.wake(at: gap.deadline))
    return effects
  }

  private mutating func take(_ frame: Frame, at now: Timestamp, into effects: inout [Effect]) {
    if let peerVersion, peerVersion != frame.version {
      effects.append(.dropped(.versionChanged(frame.version)))
      return
    }
    if case .bare(let packet) = frame.content, packet.isBare, packet.sender == peer {
      openByStatus()
    }
    guard state != .closed else { return takeWhenClosed(frame, into: &effects) }
    if peerVersion == nil {
      peerVersion = frame.version
      let packets = waitingForVersion
      waitingForVersion = []
      for packet in packets { transmit(packet, into: &effects) }
    }
    switch frame.content {
    case .bare(let packet):
      guard packet.isBare || isSequenced == false else {
        effects.append(.dropped(.wrongPlace))
        return
      }
      deliver(packet, into: &effects)
    case .sequenced, .finish, .acknowledgement:
      guard isSequenced == true else {
        effects.append(.dropped(.wrongPlace))
        return
      }
      takeSequenced(frame.content, at: now, into: &effects)
    }
  }

  /// This side has closed. A finish message that still comes is one whose acknowledgement was lost:
  /// it is given again, or the peer would wait until the node is removed. (A kernel gives none.)
  private mutating func takeWhenClosed(_ frame: Frame, into effects: inout [Effect]) {
    guard case .finish(let sequence) = frame.content, localVersion == .version3dot2, isConnected
    else { return effects.append(.dropped(.peerNotMember)) }
    let answer = Frame(.acknowledgement(sequence &+ 1), sender: local, version: localVersion)
    effects.append(.send(answer.encoded()))
  }

  /// A status or names message: the peer has a lockspace with us. If the close was under way the
  /// peer has started anew ("shutdown stuck", dlm-wire 5.4).
  private mutating func openByStatus() {
    switch state {
    case .closed, .finWait1, .finWait2, .closeWait, .closing, .lastAck: reset(to: .established)
    case .established, .overflowed: break
    }
  }

  private mutating func takeSequenced(
    _ content: Frame.Content, at now: Timestamp, into effects: inout [Effect]
  ) {
    switch content {
    case .bare: break
    case .sequenced(let sequence, let packet):
      if accept(sequence, at: now, into: &effects) { deliver(packet, into: &effects) }
    case .finish(let sequence):
      let owedBefore = owesAcknowledgement
      if accept(sequence, at: now, into: &effects) {
        owesAcknowledgement = owedBefore
        takeFinish(into: &effects)
      }
    case .acknowledgement(let next):
      guard queue.acknowledge(before: next) else {
        effects.append(.dropped(.acknowledgedUnsent(next)))
        return
      }
      if let finishSequence, next.isAtOrAfter(finishSequence &+ 1) {
        finishAcknowledged(into: &effects)
      }
    }
  }

  private func deliver(_ packet: Packet, into effects: inout [Effect]) {
    guard packet.sender == peer else {
      effects.append(.dropped(.wrongSender(packet.sender)))
      return
    }
    effects.append(.deliver(packet))
  }

  /// Whether the message with this number is the next one; an earlier or later one is dropped
  /// (dlm-wire 5.2).
  private mutating func accept(
    _ sequence: UInt32, at now: Timestamp, into effects: inout [Effect]
  ) -> Bool {
    if sequence == expectedSequence {
      expectedSequence &+= 1
      owesAcknowledgement = true
      if let gap, expectedSequence.isAtOrAfter(gap.highest &+ 1) { self.gap = nil }
      return true
    }
    if expectedSequence.isAtOrAfter(sequence) {
      transmitAcknowledgement(into: &effects)
    } else if gap != nil {
      if let highest = gap?.highest, sequence.isAtOrAfter(highest) { gap?.highest = sequence }
    } else {
      let deadline = now + Self.gapPatience
      gap = Gap(
        missing: expectedSequence, highest: sequence, deadline: deadline,
        patience: Self.gapPatience)
      effects.append(.wake(at: deadline))
    }
    return false
  }
}
