import ClusterTypes
import LockProtocol

/// What a recovery has still to do with a resource; kept when the recovery is aborted
/// (dlm-wire 15.1).
struct RecoveryMarks: OptionSet, Hashable, Sendable {
  let rawValue: UInt8
  /// The locks must go to the new master (15.5).
  static let sendLocks = Self(rawValue: 1)
  /// The master changed: the LVB is found anew, if this node is it (15.6).
  static let newMaster = Self(rawValue: 2)
  /// A holder of PW or EX is gone with the LVB in its hands (15.5).
  static let lvbLost = Self(rawValue: 4)
  /// Locks may be grantable that were not before (15.8).
  static let grantPass = Self(rawValue: 8)
  /// There are conversions between PR and CW whose granted mode is unknown (15.6).
  static let middleConversion = Self(rawValue: 16)
}

/// One resource as this node knows it: as master, as owner of locks on it, as its directory node,
/// or as several of these.
struct Resource: Sendable {
  let name: ResourceName
  /// That of the name (dlm-wire 11.1).
  let hash: UInt32
  var directory: NodeID
  /// Who keeps the queues; nil while unknown.
  var master: NodeID?
  /// The master was remembered from earlier use and may have changed: the first request finds out
  /// (dlm-wire 11.5).
  var isMasterUncertain = false
  /// This node keeps the directory entry, and in the last recovery the master did not claim the
  /// resource: only an answer on its way kept it alive here, and the master may have forgotten it.
  var isMasterUnconfirmed = false
  /// The request that finds the master; all others of this node wait in `behindFirst`.
  var first: LockID?
  var behindFirst: [LockID] = []

  // At the master all locks stand on the queues, elsewhere this node's own.
  var granted = LockQueue()
  var converting = LockQueue()
  var waiting = LockQueue()

  var valueBlock: [UInt8]?
  var lvbSequence: UInt32 = 0
  /// The value block is not to be trusted.
  var isValueNotValid = false

  /// Locks of all kinds, also those on no queue.
  var lockCount = 0
  /// When the last lock went; nil while the resource is active (dlm-wire 11.3).
  var idleSince: Timestamp?
  /// In the snapshot of the running recovery: does not become idle before its end.
  var isInRecovery = false
  var marks: RecoveryMarks = []

  init(name: ResourceName, hash: UInt32, directory: NodeID, master: NodeID?) {
    self.name = name
    self.hash = hash
    self.directory = directory
    self.master = master
  }
}

extension Resource {
  /// Fills the free slots of a `ResourceTable`.
  static let vacant: Resource = {
    guard let name = ResourceName("vacant"), let node = NodeID(1) else {
      preconditionFailure("neither is outside the limits")
    }
    var resource = Resource(name: name, hash: 0, directory: node, master: nil)
    resource.lockCount = -1
    return resource
  }()

  var isVacant: Bool { lockCount < 0 }
}

/// The slot of a resource in the table. Never on the wire.
struct ResourceID: Hashable, Sendable {
  let slot: Int
  static let none = Self(slot: -1)
}

/// All resources of a lockspace, by name and by slot.
struct ResourceTable: Sendable {
  /// A vacant slot holds `Resource.vacant`.
  private var slots: [Resource] = []
  private var freeSlots: [Int] = []
  private var byName = SlotIndex()

  var count: Int { byName.count }

  func find(_ name: ResourceName) -> ResourceID? { find(name, hash: name.hash) }

  /// - Parameter hash: that of `name`.
  func find(_ name: ResourceName, hash: UInt32) -> ResourceID? {
    byName.find(hash) { slots[$0].name == name && !slots[$0].isVacant }.map { ResourceID(slot: $0) }
  }

  /// There must be none of that name yet.
  mutating func insert(_ resource: Resource) -> ResourceID {
    let id: ResourceID
    if let slot = freeSlots.popLast() {
      id = ResourceID(slot: slot)
      slots[slot] = resource
    } else {
      id = ResourceID(slot: slots.count)
      slots.append(resource)
    }
    byName.insert(id.slot, hash: resource.hash)
    return id
  }

  mutating func remove(_ id: ResourceID) {
    byName.remove(id.slot, hash: self[id].hash)
    slots[id.slot] = .vacant
    freeSlots.append(id.slot)
  }

  /// `id` must be that of a live resource.
  subscript(id: ResourceID) -> Resource {
    _read {
      precondition(!slots[id.slot].isVacant, "no resource in slot \(id.slot)")
      yield slots[id.slot]
    }
    _modify {
      precondition(!slots[id.slot].isVacant, "no resource in slot \(id.slot)")
      yield &slots[id.slot]
    }
  }

  /// Ids of all resources, in the order of their slots.
  var ids: [ResourceID] {
    slots.indices.lazy.filter { !slots[$0].isVacant }.map { ResourceID(slot: $0) }
  }
}
