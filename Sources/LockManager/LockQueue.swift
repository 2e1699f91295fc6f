import LockProtocol

/// The locks on one queue of a resource, first one first.
///
/// Most queues hold two locks at most: these need no memory of their own.
struct LockQueue: Sendable {
  private enum Storage: Sendable {
    case empty
    case one(LockID)
    case two(LockID, LockID)
    /// Three or more.
    case many([LockID])
  }

  private var storage = Storage.empty

  mutating func insert(_ id: LockID, at index: Int) {
    precondition(index <= count, "no place \(index) in a queue of \(count)")
    switch storage {
    case .empty: storage = .one(id)
    case .one(let other): storage = index == 0 ? .two(id, other) : .two(other, id)
    case .two(let first, let second):
      var ids = [first, second]
      ids.insert(id, at: index)
      storage = .many(ids)
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
    case .two(let first, let second): storage = .one(index == 0 ? second : first)
    case .many(var ids):
      storage = .empty
      ids.remove(at: index)
      storage = ids.count > 2 ? .many(ids) : .two(ids[0], ids[1])
    }
  }
}

extension LockQueue: RandomAccessCollection {
  var startIndex: Int { 0 }

  var endIndex: Int {
    switch storage {
    case .empty: 0
    case .one: 1
    case .two: 2
    case .many(let ids): ids.count
    }
  }

  subscript(index: Int) -> LockID {
    precondition(index < endIndex, "no lock \(index) on a queue of \(endIndex)")
    switch storage {
    case .empty: preconditionFailure("no lock in an empty queue")
    case .one(let id): return id
    case .two(let first, let second): return index == 0 ? first : second
    case .many(let ids): return ids[index]
    }
  }
}

extension LockQueue {
  static func + (left: Self, right: Self) -> [LockID] { Array(left) + right }
}
