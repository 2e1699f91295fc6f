import ClusterTypes

/// The locks of one file: what is held, and who waits for what, in order.
///
/// The rules are those of fcntl(2): an owner's locks never conflict with its own, a new one replaces what
/// it overlaps, and neighbours of one kind become one.
struct FileLocks: Hashable, Sendable {
  struct Waiter: Hashable, Sendable {
    let node: NodeInstance
    /// The number of the request on its node.
    let sequence: UInt64
    let request: PosixLockRequest

    var holder: PosixLockHolder { PosixLockHolder(node: node, owner: request.owner) }
  }

  /// Ascending by holder, then by start; no two ranges of one holder overlap, and neighbours differ in
  /// kind.
  private(set) var held: [HeldPosixLock] = []
  /// First come, first served.
  private(set) var waiters: [Waiter] = []

  init() {}

  /// For a snapshot; nil when the ranges cannot have come about.
  init?(held: [HeldPosixLock], waiters: [Waiter]) {
    for (lock, next) in zip(held, held.dropFirst()) {
      guard lock.holder < next.holder || lock.holder == next.holder && lock.end < next.start else {
        return nil
      }
    }
    guard held.allSatisfy({ $0.start <= $0.end }) else { return nil }
    self.held = held
    self.waiters = waiters
  }

  var isEmpty: Bool { held.isEmpty && waiters.isEmpty }
  var count: Int { held.count + waiters.count }

  /// The first lock of another holder that does not go together with this one.
  func obstacle(
    to holder: PosixLockHolder, _ start: UInt64, _ end: UInt64, isExclusive: Bool
  ) -> HeldPosixLock? {
    held.first {
      $0.holder != holder && (isExclusive || $0.isExclusive) && $0.overlaps(start, end)
    }
  }

  /// Gives `lock` to its holder, in the place of what that one has in the range.
  mutating func insert(_ lock: HeldPosixLock) {
    var lock = lock
    replace(own: lock.holder) { own in
      var rest: [HeldPosixLock] = []
      for part in own {
        if part.isExclusive == lock.isExclusive, Self.touch(part, lock) {
          lock.start = min(lock.start, part.start)
          lock.end = max(lock.end, part.end)
        } else {
          rest += Self.outside(part, lock.start, lock.end)
        }
      }
      rest.append(lock)
      return rest.sorted { $0.start < $1.start }
    }
  }

  /// Whether `holder` had anything in the range.
  @discardableResult
  mutating func release(_ holder: PosixLockHolder, _ start: UInt64, _ end: UInt64) -> Bool {
    guard held.contains(where: { $0.holder == holder && $0.overlaps(start, end) }) else {
      return false
    }
    replace(own: holder) { own in own.flatMap { Self.outside($0, start, end) } }
    return true
  }

  mutating func append(_ waiter: Waiter) { waiters.append(waiter) }

  /// Removes the waiters for which `isGone` holds; returns whether there were any.
  @discardableResult
  mutating func removeWaiters(where isGone: (Waiter) -> Bool) -> Bool {
    let before = waiters.count
    waiters.removeAll(where: isGone)
    return waiters.count < before
  }

  /// Removes what nodes have for which `isGone` holds.
  mutating func remove(where isGone: (NodeInstance) -> Bool) {
    held.removeAll { isGone($0.holder.node) }
    waiters.removeAll { isGone($0.node) }
  }

  /// Grants whatever can be, in order, and returns whose requests that were.
  mutating func grantWaiters() -> [Waiter] {
    var granted: [Waiter] = []
    var index = 0
    while index < waiters.count {
      let waiter = waiters[index]
      let request = waiter.request
      guard
        obstacle(
          to: waiter.holder, request.start, request.end, isExclusive: request.isExclusive) == nil
      else {
        index += 1
        continue
      }
      waiters.remove(at: index)
      granted.append(waiter)
      insert(waiter.lock)
      // A write lock that became a read lock may let somebody through who came earlier.
      if !request.isExclusive { index = 0 }
    }
    return granted
  }

  private mutating func replace(
    own holder: PosixLockHolder, by body: ([HeldPosixLock]) -> [HeldPosixLock]
  ) {
    let first = held.firstIndex { $0.holder >= holder } ?? held.endIndex
    let last = held[first...].firstIndex { $0.holder != holder } ?? held.endIndex
    held.replaceSubrange(first..<last, with: body(Array(held[first..<last])))
  }

  /// Whether they overlap or are neighbours.
  private static func touch(_ one: HeldPosixLock, _ other: HeldPosixLock) -> Bool {
    let (low, high) = one.start <= other.start ? (one, other) : (other, one)
    return high.start <= low.end || high.start - low.end == 1
  }

  private static func outside(
    _ lock: HeldPosixLock, _ start: UInt64, _ end: UInt64
  ) -> [HeldPosixLock] {
    guard lock.overlaps(start, end) else { return [lock] }
    var parts: [HeldPosixLock] = []
    if lock.start < start {
      var left = lock
      left.end = start - 1
      parts.append(left)
    }
    if lock.end > end {
      var right = lock
      right.start = end + 1
      parts.append(right)
    }
    return parts
  }
}

extension FileLocks.Waiter {
  /// What it waits for.
  var lock: HeldPosixLock {
    HeldPosixLock(
      start: request.start, end: request.end, isExclusive: request.isExclusive, holder: holder,
      processID: request.processID)
  }
}
