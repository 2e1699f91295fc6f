import ClusterTypes
import LockProtocol

/// What an owner waits for, and which answer ends it (dlm-wire 12).
///
/// Per lock there is one operation under way. A cancel or unlock may overtake it: then two answers
/// come, and the flags in `overlap` stand for the second.
extension LockspaceMachine {
  mutating func expectAnswer(to type: LockMessageType, for id: LockID, from node: NodeID) {
    locks[id].waitedFor = node
    guard locks[id].isBusy else {
      locks[id].outstanding = .reply(type, from: node)
      return
    }
    switch type {
    case .unlock: locks[id].overlap.insert(.unlock)
    case .cancel: locks[id].overlap.insert(.cancel)
    default: preconditionFailure("a \(type) must not overtake another operation")
    }
  }

  /// False when the answer is to be ignored: nothing of the kind is expected.
  mutating func endOutstanding(_ id: LockID, with type: LockMessageType) -> Bool {
    let overlap: Overlap =
      switch type {
      case .unlockReply: .unlock
      case .cancelReply: .cancel
      default: []
      }
    if !overlap.isEmpty, locks[id].overlap.contains(overlap) {
      // What it overtook is answered before, as messages keep their order.
      locks[id].overlap.remove(overlap)
    } else {
      guard case .reply(let awaited, _) = locks[id].outstanding, type.answers(awaited) else {
        return false
      }
    }
    locks[id].outstanding = .nothing
    locks[id].isResent = false
    return true
  }

  /// A request with an overlap ends without having reached the master.
  mutating func completeOverlap(_ id: LockID) {
    let resource = locks[id].resource
    if locks[id].overlap.contains(.unlock) {
      releaseAndForget(id, thenNextOn: resource)
    } else {
      completeAndForget(id, .cancelled, thenNextOn: resource)
    }
  }

  /// The node to which operations on a granted or queued lock go; nil if that is this node.
  func remoteMaster(of id: LockID) -> NodeID? {
    let master = resources[locks[id].resource].master
    return master == localNode ? nil : master
  }
}

extension LockMessageType {
  fileprivate func answers(_ awaited: LockMessageType) -> Bool {
    switch self {
    case .requestReply: awaited == .request || awaited == .lookup
    case .lookupReply: awaited == .lookup
    case .convertReply: awaited == .convert
    case .unlockReply: awaited == .unlock
    case .cancelReply: awaited == .cancel
    case .request, .convert, .unlock, .cancel, .grant, .blocking, .lookup, .remove, .purge: false
    }
  }
}
