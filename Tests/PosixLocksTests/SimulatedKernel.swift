import ClusterTypes
import PosixLocks

@testable import struct PosixLocks.FileLocks

/// What one node's kernel and processes know: who holds what, and which requests wait for an answer.
struct SimulatedKernel {
  /// As processes were told, by file.
  var held: [UInt64: FileLocks] = [:]
  /// Not waiting: answered in order.
  var ordered: [PosixLockRequest] = []
  var waiting: [PosixLockRequest] = []
  private(set) var complaints: [String] = []

  var busyOwners: Set<UInt64> { Set((ordered + waiting).map(\.owner)) }

  /// A process asks; the kernel has released what it unlocks before it asks.
  mutating func ask(_ request: PosixLockRequest, as node: NodeInstance) {
    if request.operation == .unlock { release(request, node) }
    if request.isClose {
      waiting.removeAll { $0.owner == request.owner && $0.inode == request.inode }
    } else if request.waits {
      waiting.append(request)
    } else {
      ordered.append(request)
    }
  }

  private mutating func release(_ request: PosixLockRequest, _ node: NodeInstance) {
    held[request.inode]?.release(
      PosixLockHolder(node: node, owner: request.owner), request.start, request.end)
  }

  /// Takes an answer as Linux 6.1 does; returns the lock that a process has now.
  mutating func take(_ answer: [UInt8], as node: NodeInstance) -> (UInt64, HeldPosixLock)? {
    guard let record = try? PosixLockRecord(answer) else {
      complaints.append("an answer that is no record")
      return nil
    }
    let code = Int32(
      bitPattern: UInt32(answer[24]) | UInt32(answer[25]) << 8 | UInt32(answer[26]) << 16 | UInt32(
        answer[27]) << 24)
    let request: PosixLockRequest
    if record.request.waits {
      guard let place = waiting.firstIndex(of: record.request) else { return nil }
      request = waiting.remove(at: place)
    } else {
      guard !ordered.isEmpty else {
        complaints.append("an answer that nobody waits for")
        return nil
      }
      request = ordered.removeFirst()
      if request.operation != record.request.operation || request.owner != record.request.owner
        || request.inode != record.request.inode
      {
        complaints.append("the answer to \(record.request) went to \(request)")
      }
    }
    guard request.operation == .lock, code == 0 else { return nil }
    let lock = HeldPosixLock(
      start: request.start, end: request.end, isExclusive: request.isExclusive,
      holder: PosixLockHolder(node: node, owner: request.owner), processID: request.processID)
    held[request.inode, default: FileLocks()].insert(lock)
    return (request.inode, lock)
  }

  /// Whether a process here relies on something that does not go together with another node's lock. While
  /// it asks for a read lock in the place of its write lock, it may have either.
  func contradicts(_ lock: HeldPosixLock, inode: UInt64) -> Bool {
    let asking = (ordered + waiting).filter {
      $0.operation == .lock && !$0.isExclusive && $0.inode == inode
    }
    return held[inode]?.held.contains { own in
      guard own.start <= lock.end, lock.start <= own.end, own.holder != lock.holder else {
        return false
      }
      let mayBeRead = asking.contains {
        $0.owner == own.holder.owner && $0.start <= own.end && own.start <= $0.end
      }
      return lock.isExclusive || own.isExclusive && !mayBeRead
    } ?? false
  }
}
