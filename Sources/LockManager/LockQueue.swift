import LockProtocol

/// The locks on one queue of a resource, first one first.
///
/// Most queues hold one lock or none: these need no memory of their own.
struct LockQueue: Sendable {
  private enum Storage: Sendable {
    case empty
    case one(LockID)
    /// Two or more.
    case many([LockID])
  }

  private var storage = Storage.empty

  mutating func insert(_ id: LockID, at index: Int) {
    switch storage {
    case .empty:
      precondition(index == 0, "no place \(index) in an empty queue")
      storage = .one(id)
    case .one(let other):
      precondition(index <= 1, "no place \(index) in a queue of one")
      storage = .many(index == 0 ? [id, other] : [other, id])
    case .many(var ids):
      storage = .empty
      ids.insert(id, at: index)
      storage = .many(ids)
    }
  }

  /// The lock must be on the queue.
  mutating func remove(_ id: LockID) {
    guard let index = firstIndex(of: id) else { preconditionFailure("lock \(id) not on its queue") }
    switch storage {
    case .empty, .one: storage = .empty
    case .many(var ids):
      storage = .empty
      ids.remove(at: index)
      storage = ids.count > 1 ? .many(ids) : .one(ids[0])
    }
  }
}

extension LockQueue: RandomAccessCollection {
  var startIndex: Int { 0 }

  var endIndex: Int {
    switch storage {
    case .empty: 0
    case .one: 1
    case .many(let ids): ids.count
    }
  }

  subscript(index: Int) -> LockID {
    switch storage {
    case .empty: preconditionFailure("no lock in an empty queue")
    case .one(let id): id
    case .many(let ids): ids[index]
    }
  }
}

extension LockQueue {
  static func + (left: Self, right: Self) -> [LockID] { Array(left) + right }
}
