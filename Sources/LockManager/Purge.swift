import ClusterTypes
import LockProtocol

/// PURGE, any node to the owner: unlock the orphans of a process (dlm-wire 13). An orphan is a
/// persistent lock whose process is gone; it stays until it is adopted or purged.
extension LockspaceMachine {
  mutating func abandon(_ handle: LockHandle) {
    guard let id = lockID(of: handle) else { return }
    guard locks[id].flags.contains(.persistent) else {
      return unlock(handle, flags: [.forceUnlock, .invalidateValueBlock], valueBlock: nil)
    }
    locks[id].messageFlags.insert(.orphan)
    cancel(id, flags: [])
  }

  /// A lock call that takes an orphan over instead of making a lock.
  mutating func adoptOrphan(_ call: LockCall) {
    let orphans = resources.find(call.resource).map { resource in
      resources[resource].granted.filter {
        locks[$0].handle != nil && locks[$0].isOrphan && !locks[$0].isBusy
      }
    }
    guard let orphans, !orphans.isEmpty else { return refuse(call.handle, .noOrphan) }
    guard let id = orphans.first(where: { locks[$0].granted == call.mode }) else {
      return refuse(call.handle, .orphanInOtherMode)
    }
    locks.rename(id, to: call.handle)
    locks[id].processID = call.processID
    locks[id].messageFlags.remove(.orphan)
    locks[id].flags = call.flags.subtracting(.orphan)
    complete(id, .granted)
  }

  mutating func purge(_ node: NodeID, processID: UInt32) {
    guard node != localNode else { return purgeOrphans(of: processID) }
    let message = LockMessage(
      .purge, lockspaceID: configuration.lockspaceID, sender: localNode, nodeID: node.rawValue,
      processID: processID)
    effects.append(.send(.lock(message), to: node))
  }

  mutating func receivePurge(_ message: LockMessage) {
    guard message.nodeID == localNode.rawValue else { return drop() }
    purgeOrphans(of: message.processID)
  }

  private mutating func purgeOrphans(of processID: UInt32) {
    for id in locks.ids where locks.contains(id) {
      guard let handle = locks[id].handle, locks[id].isOrphan,
        processID == 0 || locks[id].processID == processID
      else { continue }
      unlock(handle, flags: [.forceUnlock, .invalidateValueBlock], valueBlock: nil)
    }
  }
}
