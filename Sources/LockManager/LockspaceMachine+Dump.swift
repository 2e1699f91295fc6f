import ClusterTypes
import LockProtocol

/// A lock in the whole cluster, for as long as it lives.
public struct LockIdentity: Hashable, Comparable, Sendable {
  /// The node whose application owns the lock.
  public var node: NodeID
  /// Its id there.
  public var lock: LockID

  public init(node: NodeID, lock: LockID) {
    self.node = node
    self.lock = lock
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.node, left.lock) < (right.node, right.lock)
  }
}

/// One lock on a resource, for administrators.
public struct LockDescription: Hashable, Sendable {
  public enum Queue: Hashable, Sendable { case granted, converting, waiting }

  public var identity: LockIdentity
  public var resource: ResourceName
  public var master: NodeID?
  /// The id on the wire, at this node.
  public var lockID: LockID
  /// The id at the other side, owner or master; none where there is no other, or it is unknown.
  public var remoteLockID: LockID
  public var queue: Queue
  /// The node whose application owns the lock.
  public var node: NodeID
  public var processID: UInt32
  /// IV for a waiting lock.
  public var granted: LockMode
  /// Nil for a granted lock.
  public var requested: LockMode?
  public var isOrphan: Bool
  /// The caller's handle; nil for locks of other nodes.
  public var handle: LockHandle?
  /// When it was granted, or began to wait, by the clock of the node that tells.
  public var since: Timestamp
  /// For how long it has been granted, or waits.
  public var age: Duration
}

/// One resource, for administrators.
public struct ResourceDescription: Hashable, Sendable {
  public var name: ResourceName
  public var directory: NodeID
  /// Nil while it is unknown.
  public var master: NodeID?
  /// False for one that is only remembered.
  public var isActive: Bool
  public var valueBlock: [UInt8]?
  public var lvbSequence: UInt32
  public var isValueNotValid: Bool
}

/// Who waits for whom on a resource that this node masters.
public struct WaitDescription: Hashable, Sendable {
  public var waiter: LockDescription
  /// Granted and converting locks whose mode is in the way, in queue order, at most
  /// `maximumBlockerCount` of them. Empty when the lock waits for its turn only.
  public var blockers: [LockDescription]
  /// The lock that must be granted, or go, before it is this one's turn.
  public var predecessor: LockDescription?

  public static let maximumBlockerCount = 64
}

extension LockspaceMachine {
  public enum State: Hashable, Sendable {
    case neverStarted, stopped, recovering, running
    case failed(RecoveryFailure)
  }

  public var state: State { recovery.phase.state }
  /// Grows with every completed recovery; 0 before the first.
  public var generation: UInt32 { recovery.generation }
  public var members: [NodeID] { recovery.members.map(\.node) }
  public var lockCount: Int { locks.count }
  public var resourceCount: Int { resources.count }

  /// The mode that a lock of this node is granted in, IV while it waits; nil for no lock.
  public func grantedMode(of handle: LockHandle) -> LockMode? {
    locks.find(handle).map { locks[$0].granted }
  }

  /// All resources this node knows, by name.
  public func resourceDescriptions() -> [ResourceDescription] {
    resources.ids.map { id in
      let resource = resources[id]
      return ResourceDescription(
        name: resource.name, directory: resource.directory, master: resource.master,
        isActive: resource.idleSince == nil, valueBlock: resource.valueBlock,
        lvbSequence: resource.lvbSequence, isValueNotValid: resource.isValueNotValid)
    }.sorted { $0.name < $1.name }
  }

  /// The locks that this node knows and that stand on a queue, by resource and in queue order: as
  /// master those of all nodes, otherwise its own.
  public func lockDescriptions(at now: Timestamp) -> [LockDescription] {
    resources.ids.map { resources[$0] }.sorted { $0.name < $1.name }.flatMap { resource in
      (resource.granted + resource.converting + resource.waiting).map { describe($0, at: now) }
    }
  }

  /// The waiting and converting locks of the resources that this node masters, with those who
  /// hold them up.
  public func waitDescriptions(at now: Timestamp) -> [WaitDescription] {
    resources.ids.map { resources[$0] }.filter { $0.master == localNode }
      .sorted { $0.name < $1.name }
      .flatMap { resource in
        let queue = resource.converting + resource.waiting
        return queue.indices.map { index in
          let waiter = queue[index]
          let wanted = locks[waiter].requested
          let blockers = (resource.granted + resource.converting).lazy.filter {
            $0 != waiter && !locks[$0].granted.isCompatible(with: wanted)
          }
          let hasPredecessor = index > 0 && !locks[waiter].flags.contains(.noOrder)
          return WaitDescription(
            waiter: describe(waiter, at: now),
            blockers: blockers.prefix(WaitDescription.maximumBlockerCount).map {
              describe($0, at: now)
            }, predecessor: hasPredecessor ? describe(queue[index - 1], at: now) : nil)
        }
      }
  }

  private func describe(_ id: LockID, at now: Timestamp) -> LockDescription {
    let lock = locks[id]
    let resource = resources[lock.resource]
    let queue: LockDescription.Queue =
      switch lock.queue {
      case .waiting, .unqueued: .waiting
      case .granted: .granted
      case .converting: .converting
      }
    let node =
      switch lock.owner {
      case .here: localNode
      case .node(let node): node
      }
    let ownID =
      switch lock.owner {
      case .here: lock.id
      case .node: lock.remoteID
      }
    return LockDescription(
      identity: LockIdentity(node: node, lock: ownID), resource: resource.name,
      master: resource.master, lockID: lock.id, remoteLockID: lock.remoteID, queue: queue,
      node: node, processID: lock.processID, granted: lock.granted,
      requested: queue == .granted ? nil : lock.requested, isOrphan: lock.isOrphan,
      handle: lock.handle, since: lock.since, age: now - lock.since)
  }
}
