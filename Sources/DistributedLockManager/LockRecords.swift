import LockManager

/// What a node knows about its own locks, by their handles, which it hands out.
///
/// A handle is a slot in an array and, in its upper half, how often the slot was used before.
struct LockRecords<Record> {
  private struct Slot {
    var handle: LockHandle
    var isTaken = false
    var record: Record?
  }

  private var slots: [Slot] = []
  private var free: [Int] = []

  /// A handle without a record.
  mutating func reserve() -> LockHandle {
    if let slot = free.popLast() {
      slots[slot].handle = LockHandle(slots[slot].handle.rawValue + 1 << 32)
      slots[slot].isTaken = true
      return slots[slot].handle
    }
    let handle = LockHandle(1 << 32 | UInt64(slots.count))
    slots.append(Slot(handle: handle, isTaken: true))
    return handle
  }

  /// Its handle will not be used again.
  @discardableResult
  mutating func remove(_ handle: LockHandle) -> Record? {
    guard let slot = slot(of: handle) else { return nil }
    let record = slots[slot].record
    slots[slot].record = nil
    slots[slot].isTaken = false
    free.append(slot)
    return record
  }

  func isReserved(_ handle: LockHandle) -> Bool { slot(of: handle) != nil }

  /// Nil for a handle without a record. A record can be set until the handle is removed.
  subscript(handle: LockHandle) -> Record? {
    get { slot(of: handle).flatMap { slots[$0].record } }
    _modify {
      guard let slot = slot(of: handle) else {
        preconditionFailure("handle \(handle) is not reserved")
      }
      yield &slots[slot].record
    }
  }

  /// The handles that have a record, in the order of their slots.
  var handles: [LockHandle] { slots.filter { $0.record != nil }.map(\.handle) }

  private func slot(of handle: LockHandle) -> Int? {
    let slot = Int(truncatingIfNeeded: handle.rawValue & 0xFFFF_FFFF)
    guard slot < slots.count, slots[slot].handle == handle, slots[slot].isTaken else { return nil }
    return slot
  }
}
