import ClusterTypes
import LockProtocol

/// What checkers of the simulation see of a machine. It is not part of the module's interface: the
/// package's own programs look from outside at what no caller needs to know.
package struct LockInspection: Sendable {
  package let id: LockID
  package let remoteID: LockID
  /// The node whose application owns the lock.
  package let owner: NodeID
  /// Nil at a master for a lock of another node.
  package let handle: LockHandle?
  package let granted: LockMode
  package let requested: LockMode
  package let queue: QueueStatus
  package let flags: LockFlags
  package let wantsBlocking: Bool
  /// An answer to the owner is due.
  package let isBusy: Bool
}

package struct ResourceInspection: Sendable {
  package let name: ResourceName
  package let directory: NodeID
  package let master: NodeID?
  package let isIdle: Bool
  package let granted: [LockInspection]
  package let converting: [LockInspection]
  package let waiting: [LockInspection]
  /// The locks that became grantable in a recovery have not been granted yet.
  package let awaitsGrantPass: Bool

  package var holders: [LockInspection] { granted + converting }
  package var locks: [LockInspection] { granted + converting + waiting }
}

extension LockspaceMachine {
  package func inspect(_ name: ResourceName) -> ResourceInspection? {
    resources.find(name).map(inspect)
  }

  package func inspectAll() -> [ResourceInspection] { resources.ids.map(inspect) }

  package func inspect(_ handle: LockHandle) -> LockInspection? {
    locks.find(handle).map { inspect(locks[$0]) }
  }

  package func inspect(_ id: LockID) -> LockInspection? {
    locks.contains(id) ? inspect(locks[id]) : nil
  }

  /// Whether this node is the master of a resource with locks.
  package func masters(_ name: ResourceName) -> Bool {
    guard let id = resources.find(name) else { return false }
    return resources[id].master == localNode && resources[id].idleSince == nil
  }

  /// Lock messages and calls that wait for the end of a recovery.
  package var waitingCount: Int { requestQueue.count + heldCalls.count + heldCallbacks.count }

  /// True for a message that must change nothing: an answer to a question of an earlier recovery, or
  /// anything but a status question while stopped (dlm-wire 14.2).
  package func mustIgnore(_ packet: Packet) -> Bool {
    guard case .recovery(let message) = packet else { return false }
    if message.type.isReply, message.sequenceReply != recovery.sequence { return true }
    return state == .stopped && message.type != .status
  }

  /// Changes when anything changes that the protocol is about.
  package func fingerprint() -> Int {
    var hasher = Hasher()
    hasher.combine(recovery.status)
    hasher.combine(recovery.sequence)
    hasher.combine(recovery.generation)
    hasher.combine(recovery.departed)
    hasher.combine(recovery.question?.id)
    hasher.combine(recovery.pollCount)
    hasher.combine(recovery.lookups.count)
    hasher.combine(recovery.unansweredLocks)
    hasher.combine(waitingCount)
    for id in resources.ids {
      let resource = resources[id]
      hasher.combine(resource.name)
      hasher.combine(resource.master)
      hasher.combine(resource.marks)
      hasher.combine(resource.valueBlock)
      hasher.combine(resource.isValueNotValid)
      hasher.combine(Array(resource.granted))
      hasher.combine(Array(resource.converting))
      hasher.combine(Array(resource.waiting))
    }
    for id in locks.ids {
      hasher.combine(id)
      hasher.combine(locks[id].remoteID)
      hasher.combine(locks[id].granted)
      hasher.combine(locks[id].requested)
      hasher.combine(locks[id].outstanding)
      hasher.combine(locks[id].valueBlock)
    }
    return hasher.finalize()
  }

  private func inspect(_ id: ResourceID) -> ResourceInspection {
    let resource = resources[id]
    return ResourceInspection(
      name: resource.name, directory: resource.directory, master: resource.master,
      isIdle: resource.idleSince != nil, granted: resource.granted.map { inspect(locks[$0]) },
      converting: resource.converting.map { inspect(locks[$0]) },
      waiting: resource.waiting.map { inspect(locks[$0]) },
      awaitsGrantPass: resource.marks.contains(.grantPass))
  }

  private func inspect(_ lock: Lock) -> LockInspection {
    let (owner, handle): (NodeID, LockHandle?) =
      switch lock.owner {
      case .here(let handle): (localNode, handle)
      case .node(let node): (node, nil)
      }
    return LockInspection(
      id: lock.id, remoteID: lock.remoteID, owner: owner, handle: handle, granted: lock.granted,
      requested: lock.requested, queue: lock.queue, flags: lock.flags,
      wantsBlocking: wantsBlocking(lock.id), isBusy: lock.isBusy)
  }
}
