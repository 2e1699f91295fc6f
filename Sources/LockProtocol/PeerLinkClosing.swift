import ClusterTypes

/// What the control plane knows about the peer, and the orderly close (dlm-wire 5.4).
extension PeerLink {
  /// The peer has become a member of one more of our lockspaces; `userCount` of them it has now.
  public mutating func memberAdded(userCount: Int) -> [Effect] {
    self.userCount = userCount
    switch state {
    case .closed, .finWait1, .finWait2, .closeWait, .closing, .lastAck: reset(to: .established)
    case .established, .overflowed: break
    }
    return []
  }

  /// The peer is a member of one less of our lockspaces; `userCount` are left.
  public mutating func memberRemoved(userCount: Int) -> [Effect] {
    self.userCount = userCount
    var effects: [Effect] = []
    if userCount == 0, state == .closeWait {
      state = .lastAck
      transmitFinish(into: &effects)
    }
    return effects
  }

  /// This node has left its last lockspace. The `closed` effect says when the peer has agreed.
  public mutating func lastLockspaceReleased() -> [Effect] {
    userCount = 0
    var effects: [Effect] = []
    switch state {
    case .established where isSequenced == true:
      state = .finWait1
      transmitFinish(into: &effects)
    case .closeWait:
      state = .lastAck
      transmitFinish(into: &effects)
    case .established:
      // A peer without numbers knows no close.
      reset(to: .closed)
      effects.append(.closed)
    case .closed, .overflowed:
      effects.append(.closed)
    case .finWait1, .finWait2, .closing, .lastAck:
      break
    }
    return effects
  }

  /// The node has been fenced, or has left the cluster: nothing of its past counts any more.
  public mutating func addressRemoved() -> [Effect] {
    userCount = 0
    waitingForConnection = []
    reset(to: .closed)
    return [.resetConnections, .closed]
  }

  mutating func takeFinish(into effects: inout [Effect]) {
    switch state {
    case .established:
      transmitAcknowledgement(into: &effects)
      if userCount == 0 {
        state = .lastAck
        transmitFinish(into: &effects)
      } else {
        state = .closeWait
      }
    case .finWait1:
      transmitAcknowledgement(into: &effects)
      state = .closing
    case .finWait2:
      transmitAcknowledgement(into: &effects)
      finishClose(into: &effects)
    case .lastAck: break
    case .closed, .closeWait, .closing, .overflowed:
      effects.append(.dropped(.unexpectedFinish(state)))
    }
  }

  mutating func finishAcknowledged(into effects: inout [Effect]) {
    switch state {
    case .finWait1: state = .finWait2
    case .closing, .lastAck: finishClose(into: &effects)
    case .closed, .established, .finWait2, .closeWait, .overflowed: break
    }
  }

  private mutating func finishClose(into effects: inout [Effect]) {
    reset(to: .closed)
    effects.append(.closed)
  }
}
