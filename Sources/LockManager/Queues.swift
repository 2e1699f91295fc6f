import ClusterTypes
import LockProtocol

/// The three queues of a resource, and the birth and death of locks (dlm-wire 7.5, 11.3).
extension LockspaceMachine {
  /// Puts a lock that is on no queue on one. Granted locks go to the head; the others to the tail,
  /// or to the head with `.headOfQueue`.
  mutating func place(_ id: LockID, on queue: QueueStatus) {
    precondition(locks[id].queue == .unqueued, "lock \(id) is on a queue already")
    let resource = locks[id].resource
    let isFirst = locks[id].flags.contains(.headOfQueue)
    locks[id].queue = queue
    switch queue {
    case .unqueued: break
    case .granted: resources[resource].granted.insert(id, at: 0)
    case .converting:
      resources[resource].converting.insert(
        id, at: isFirst ? 0 : resources[resource].converting.count)
    case .waiting:
      resources[resource].waiting.insert(id, at: isFirst ? 0 : resources[resource].waiting.count)
    }
  }

  /// Takes a lock off its queue, if it is on one.
  mutating func unqueue(_ id: LockID) {
    let resource = locks[id].resource
    switch locks[id].queue {
    case .unqueued: break
    case .granted: resources[resource].granted.remove(id)
    case .converting: resources[resource].converting.remove(id)
    case .waiting: resources[resource].waiting.remove(id)
    }
    locks[id].queue = .unqueued
  }

  mutating func move(_ id: LockID, to queue: QueueStatus) {
    unqueue(id)
    place(id, on: queue)
  }

  /// A new lock on no queue; nil when all ids are taken.
  mutating func makeLock(
    on resource: ResourceID, owner: LockOwner, processID: UInt32, flags: LockFlags,
    messageFlags: LockMessageFlags, callbacks: LockCallbacks
  ) -> LockID? {
    let now = now
    let id = locks.insert { id in
      Lock(
        id: id, resource: resource, owner: owner, processID: processID, flags: flags,
        messageFlags: messageFlags.intersection(.shared), callbacks: callbacks, since: now)
    }
    guard let id else {
      becomeIdleIfUnused(resource)
      return nil
    }
    resources[resource].lockCount += 1
    return id
  }

  /// The lock is gone; its resource becomes idle with its last lock.
  mutating func forget(_ id: LockID) {
    unqueue(id)
    let resource = locks[id].resource
    locks.remove(id)
    resources[resource].lockCount -= 1
    becomeIdleIfUnused(resource)
  }

  /// An idle resource is remembered for its master; the value block is not (dlm-wire 9).
  mutating func becomeIdleIfUnused(_ id: ResourceID) {
    guard resources[id].lockCount == 0, !resources[id].isInRecovery,
      resources[id].idleSince == nil
    else { return }
    resources[id].idleSince = now
    resources[id].valueBlock = nil
    resources[id].first = nil
    resources[id].isMasterUncertain = false
    // A record of a master that does not know it would send other nodes there for ever.
    if resources[id].isMasterUnconfirmed, !isMaster(of: id) { resources[id].master = nil }
    resources[id].isMasterUnconfirmed = false
    scheduleScan()
  }
}

extension Array where Element == LockID {
  mutating func removeFirst(equalTo id: LockID) {
    guard let index = firstIndex(of: id) else { preconditionFailure("lock \(id) not on its queue") }
    remove(at: index)
  }
}
