/// Sequenced messages that the peer has not acknowledged yet (dlm-wire 5.2, 5.3).
///
/// They are kept as bytes, because a retransmission repeats the identical bytes.
struct SendQueue: Sendable {
  /// The messages, one behind the other; those before `start` are forgotten.
  private var log: [UInt8] = []
  private var start = 0
  /// Of each message in the log; those before `first` are forgotten.
  private var lengths: [UInt16] = []
  private var first = 0
  /// The number that the next message takes.
  private(set) var nextSequence: UInt32 = 0

  var isEmpty: Bool { count == 0 }
  var count: Int { lengths.count - first }
  var byteCount: Int { log.count - start }

  /// Oldest first.
  var unacknowledged: [[UInt8]] {
    var end = start
    return lengths[first...].map { length in
      defer { end += Int(length) }
      return Array(log[end..<(end + Int(length))])
    }
  }

  /// Keeps a message that has been given `nextSequence`, and that `write` appends.
  mutating func append(_ write: (inout [UInt8]) -> Void) {
    nextSequence &+= 1
    let before = log.count
    write(&log)
    lengths.append(UInt16(log.count - before))
  }

  /// The message that was appended last.
  func withLast<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let length = Int(lengths.last ?? 0)
    return log.withUnsafeBytes { bytes in
      body(UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - length)...]))
    }
  }

  /// Forgets everything before `next`.
  ///
  /// - Returns: false, and nothing is forgotten, when the peer acknowledges what was never sent.
  mutating func acknowledge(before next: UInt32) -> Bool {
    let outstanding = Int(nextSequence &- next)
    if outstanding > count {
      // An acknowledgement that a later one has overtaken, or one from the future.
      return nextSequence.isAtOrAfter(next)
    }
    for _ in 0..<(count - outstanding) {
      start += Int(lengths[first])
      first += 1
    }
    reclaim()
    return true
  }

  /// Memory that is kept although nothing is unacknowledged.
  private static let keptCapacity = 1 << 18

  private mutating func reclaim() {
    if isEmpty {
      let keeps = log.capacity <= Self.keptCapacity
      log.removeAll(keepingCapacity: keeps)
      lengths.removeAll(keepingCapacity: keeps)
    } else if start > 1 << 16, start > log.count / 2 {
      // Each byte is moved at most once for one that is forgotten.
      log.removeFirst(start)
      lengths.removeFirst(first)
    } else {
      return
    }
    start = 0
    first = 0
  }
}

extension UInt32 {
  /// The order of sequence numbers, which wrap around.
  func isAtOrAfter(_ other: UInt32) -> Bool { Int32(bitPattern: self &- other) >= 0 }
}
