import ClusterTypes

/// What one lock manager tells another: the inner message of the protocol, about one lockspace.
public enum Packet: Hashable, Sendable {
  case lock(LockMessage)
  case recovery(RecoveryMessage)

  public var lockspaceID: LockspaceID {
    switch self {
    case .lock(let message): message.lockspaceID
    case .recovery(let message): message.lockspaceID
    }
  }

  public var sender: NodeID {
    switch self {
    case .lock(let message): message.sender
    case .recovery(let message): message.sender
    }
  }

  /// True for status and names, which travel outside the sequence (dlm-wire 3).
  public var isBare: Bool {
    switch self {
    case .lock: false
    case .recovery(let message): message.type.isBare
    }
  }
}
