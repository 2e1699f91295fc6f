import LockProtocol

/// All locks of a lockspace, by their id.
///
/// An id is a slot in an array and, in its upper bits, how often the slot was used before, so that
/// an answer to a lock that is gone does not hit its successor.
struct LockTable: Sendable {
  private static let slotBits: UInt32 = 22
  private static let slotMask: UInt32 = 1 << slotBits - 1

  /// A vacant slot holds `Lock.vacant`. Slot 0 always does: id 0 means no lock.
  private var slots: [Lock] = [.vacant]
  private var freeIDs: [LockID] = []
  private var byHandle = SlotIndex()
  private(set) var count = 0
  /// What is added to the id of a slot when it is used again.
  private let reuseStep: UInt32

  init(faults: MachineFaults) {
    reuseStep = faults.contains(.reusesLockIDs) ? 0 : 1 << Self.slotBits
  }

  /// Nil when all ids are taken.
  mutating func insert(_ make: (LockID) -> Lock) -> LockID? {
    let id: LockID
    if let free = freeIDs.popLast() {
      id = free
    } else {
      guard slots.count <= Self.slotMask else { return nil }
      id = LockID(UInt32(slots.count))
      slots.append(.vacant)
    }
    let slot = Self.slot(id)
    slots[slot] = make(id)
    if let handle = slots[slot].handle { byHandle.insert(slot, hash: handle.hash) }
    count += 1
    return id
  }

  mutating func remove(_ id: LockID) {
    precondition(contains(id), "lock \(id) removed twice")
    let slot = Self.slot(id)
    if let handle = slots[slot].handle { byHandle.remove(slot, hash: handle.hash) }
    slots[slot] = .vacant
    freeIDs.append(LockID(id.rawValue &+ reuseStep))
    count -= 1
  }

  func contains(_ id: LockID) -> Bool {
    let slot = Self.slot(id)
    return id != .none && slot < slots.count && slots[slot].id == id
  }

  /// The lock of this node with that handle.
  func find(_ handle: LockHandle) -> LockID? {
    byHandle.find(handle.hash) { slots[$0].handle == handle }.map { slots[$0].id }
  }

  /// Gives a lock of this node, which `id` must be that of, another handle.
  mutating func rename(_ id: LockID, to handle: LockHandle) {
    let slot = Self.slot(id)
    if let old = slots[slot].handle { byHandle.remove(slot, hash: old.hash) }
    slots[slot].owner = .here(handle)
    byHandle.insert(slot, hash: handle.hash)
  }

  /// `id` must be that of a live lock.
  subscript(id: LockID) -> Lock {
    _read {
      precondition(contains(id), "no lock \(id)")
      yield slots[Self.slot(id)]
    }
    _modify {
      precondition(contains(id), "no lock \(id)")
      yield &slots[Self.slot(id)]
    }
  }

  /// Ids of all locks, in the order of their slots.
  var ids: [LockID] { slots.lazy.map(\.id).filter { $0 != .none } }

  private static func slot(_ id: LockID) -> Int { Int(id.rawValue & slotMask) }
}

extension LockHandle {
  /// Callers often count: neighbours must not share a place, and counting must not either.
  fileprivate var hash: UInt32 {
    UInt32(truncatingIfNeeded: (rawValue &* 0x9E37_79B9_7F4A_7C15) >> 32)
  }
}
