/// Sequenced messages that the peer has not acknowledged yet (dlm-wire 5.2, 5.3).
///
/// They are kept as bytes, because a retransmission repeats the identical bytes.
struct SendQueue: Sendable {
  private var frames: [[UInt8]] = []
  private(set) var byteCount = 0
  /// The number that the next message takes.
  private(set) var nextSequence: UInt32 = 0

  var isEmpty: Bool { frames.isEmpty }
  var count: Int { frames.count }
  /// Oldest first.
  var unacknowledged: [[UInt8]] { frames }

  /// Keeps a message that has been given `nextSequence`.
  mutating func append(_ bytes: [UInt8]) {
    nextSequence &+= 1
    frames.append(bytes)
    byteCount += bytes.count
  }

  /// Forgets everything before `next`.
  ///
  /// - Returns: false, and nothing is forgotten, when the peer acknowledges what was never sent.
  mutating func acknowledge(before next: UInt32) -> Bool {
    let outstanding = Int(nextSequence &- next)
    if outstanding > frames.count {
      // An acknowledgement that a later one has overtaken, or one from the future.
      return nextSequence.isAtOrAfter(next)
    }
    let acknowledged = frames.count - outstanding
    byteCount -= frames[..<acknowledged].reduce(0) { $0 + $1.count }
    frames.removeFirst(acknowledged)
    return true
  }
}

extension UInt32 {
  /// The order of sequence numbers, which wrap around.
  func isAtOrAfter(_ other: UInt32) -> Bool { Int32(bitPattern: self &- other) >= 0 }
}
