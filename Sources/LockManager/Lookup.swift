import ClusterTypes
import LockProtocol

/// LOOKUP, owner to directory node: who is the master? And its answer (dlm-wire 11.4, 11.5).
///
/// Whoever asks first for a resource that nobody masters becomes its master. A directory node that
/// is the master itself takes the lookup as the request.
extension LockspaceMachine {
  // MARK: The directory node

  mutating func receiveLookup(_ message: LockMessage) {
    guard let name = message.resourceName, directoryNode(forHash: name.hash) == localNode else {
      return replyToLookup(message, master: -1, result: .invalidArgument)
    }
    let id = resources.find(name) ?? makeRecord(named: name, master: message.sender)
    let master = resources[id].master ?? message.sender
    guard master != localNode else { return receiveRequest(message) }
    resources[id].master = master
    // Who is told that it is the master will act as one.
    if master == message.sender { resources[id].isMasterUnconfirmed = false }
    if resources[id].idleSince != nil { resources[id].idleSince = now }
    replyToLookup(message, master: master.rawValue, result: .granted)
  }

  /// A directory record: a resource that this node does not use.
  mutating func makeRecord(named name: ResourceName, master: NodeID?) -> ResourceID {
    let id = makeResource(named: name, hash: name.hash, master: master)
    becomeIdleIfUnused(id)
    return id
  }

  private mutating func replyToLookup(_ message: LockMessage, master: Int32, result: LockResult) {
    let reply = LockMessage(
      .lookupReply, lockspaceID: configuration.lockspaceID, sender: localNode, nodeID: master,
      lockID: message.lockID, result: result)
    effects.append(.send(.lock(reply), to: message.sender))
  }

  // MARK: The owner

  mutating func receiveLookupReply(_ message: LockMessage) {
    let id = message.lockID
    guard locks.contains(id), locks[id].handle != nil,
      endOutstanding(id, with: .lookupReply)
    else { return drop() }
    let resource = locks[id].resource
    let master = NodeID(message.nodeID)
    resources[resource].master = master.flatMap { recovery.isMember($0) ? $0 : nil }
    if !locks[id].overlap.isEmpty {
      completeOverlap(id)
    } else if resources[resource].master != nil || message.nodeID == -1 {
      request(id)
    } else {
      // A master that is no member: the directory node will know better soon.
      pauseRequest(id)
    }
  }
}
