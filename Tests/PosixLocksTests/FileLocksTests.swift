import ClusterSimulation
import ClusterTypes
import Testing

@testable import PosixLocks

/// The rules of fcntl(2), byte by byte: who has which lock on which byte.
private struct ByteModel {
  struct Byte: Hashable {
    var readers: Set<PosixLockHolder> = []
    var writer: PosixLockHolder?
  }

  var bytes: [Byte]

  func isFree(_ lock: HeldPosixLock) -> Bool {
    bytes[Int(lock.start)...Int(lock.end)].allSatisfy { byte in
      (byte.writer ?? lock.holder) == lock.holder
        && (!lock.isExclusive || byte.readers.subtracting([lock.holder]).isEmpty)
    }
  }

  mutating func insert(_ lock: HeldPosixLock) {
    release(lock.holder, lock.start, lock.end)
    for index in Int(lock.start)...Int(lock.end) {
      if lock.isExclusive {
        bytes[index].writer = lock.holder
      } else {
        bytes[index].readers.insert(lock.holder)
      }
    }
  }

  mutating func release(_ holder: PosixLockHolder, _ start: UInt64, _ end: UInt64) {
    for index in Int(start)...Int(end) {
      bytes[index].readers.remove(holder)
      if bytes[index].writer == holder { bytes[index].writer = nil }
    }
  }

  init(size: Int) { bytes = Array(repeating: Byte(), count: size) }

  init(_ locks: [HeldPosixLock], size: Int) {
    self.init(size: size)
    for lock in locks { insert(lock) }
  }
}

@Suite struct FileLocksTests {
  private static let size = 24

  private static func holder(_ number: UInt64) -> PosixLockHolder {
    PosixLockHolder(
      node: NodeInstance(NodeID(Int32(number % 2) + 1)!, Incarnation(1)), owner: number)
  }

  private static func lock(
    _ start: UInt64, _ end: UInt64, exclusive: Bool = true, of owner: UInt64 = 0
  ) -> HeldPosixLock {
    HeldPosixLock(
      start: start, end: end, isExclusive: exclusive, holder: holder(owner), processID: 1)
  }

  private static func waiter(_ lock: HeldPosixLock, _ sequence: UInt64) -> FileLocks.Waiter {
    FileLocks.Waiter(
      node: lock.holder.node, sequence: sequence,
      request: PosixLockRequest(
        .lock, inode: 1, start: lock.start, end: lock.end, owner: lock.holder.owner,
        isExclusive: lock.isExclusive, waits: true, processID: 1))
  }

  @Test func `every byte has the locks that the rules give it`() {
    for seed in UInt64(1)...300 {
      var random = SeededGenerator(seed: seed)
      var locks = FileLocks()
      var model = ByteModel(size: Self.size)
      for _ in 0..<120 {
        let start = UInt64.random(in: 0..<UInt64(Self.size), using: &random)
        let end = UInt64.random(in: start..<UInt64(Self.size), using: &random)
        let lock = Self.lock(
          start, end, exclusive: random.chance(50), of: .random(in: 0..<4, using: &random))
        if random.chance(60) {
          let isFree =
            locks.obstacle(to: lock.holder, start, end, isExclusive: lock.isExclusive) == nil
          #expect(isFree == model.isFree(lock), "seed \(seed)")
          guard isFree else { continue }
          locks.insert(lock)
          model.insert(lock)
        } else {
          locks.release(lock.holder, start, end)
          model.release(lock.holder, start, end)
        }
        #expect(ByteModel(locks.held, size: Self.size).bytes == model.bytes, "seed \(seed)")
        #expect(FileLocks(held: locks.held, waiters: []) != nil, "seed \(seed)")
        let neighbours = zip(locks.held, locks.held.dropFirst()).filter {
          $0.holder == $1.holder && $0.isExclusive == $1.isExclusive && $0.end + 1 == $1.start
        }
        #expect(neighbours.isEmpty, "seed \(seed): neighbours of one kind stay apart")
      }
    }
  }

  @Test func `the last byte that there is can be locked`() {
    var locks = FileLocks()
    locks.insert(Self.lock(5, .max))
    locks.insert(Self.lock(0, 4))
    #expect(locks.held == [Self.lock(0, .max)])
    locks.release(Self.holder(0), 0, .max)
    #expect(locks.isEmpty)
  }

  @Test func `waiters are granted in their order, and whoever can go on does`() {
    var locks = FileLocks()
    locks.insert(Self.lock(0, 9))
    let first = Self.waiter(Self.lock(0, 4, of: 1), 1)
    let second = Self.waiter(Self.lock(2, 6, of: 2), 2)
    let third = Self.waiter(Self.lock(7, 9, of: 3), 3)
    for waiter in [first, second, third] { locks.append(waiter) }
    #expect(locks.grantWaiters().isEmpty)
    locks.release(Self.holder(0), 0, 9)
    #expect(locks.grantWaiters() == [first, third])
    locks.release(Self.holder(1), 0, 4)
    #expect(locks.grantWaiters() == [second])
  }

  @Test func `a granted read lock that replaces a write lock lets an earlier waiter through`() {
    var locks = FileLocks()
    locks.insert(Self.lock(0, 3, of: 1))
    locks.insert(Self.lock(4, 9, of: 2))
    let reader = Self.waiter(Self.lock(0, 3, exclusive: false, of: 3), 1)
    let downgrade = Self.waiter(Self.lock(0, 9, exclusive: false, of: 1), 2)
    locks.append(reader)
    locks.append(downgrade)
    locks.release(Self.holder(2), 4, 9)
    #expect(locks.grantWaiters() == [downgrade, reader])
  }
}
