import ClusterSimulation
import ClusterTypes
import Testing

@testable import LockProtocol

/// The short way of lock messages against `Frame`, which does the same layer by layer.
struct SequencedLockMessageTests {
  private struct Sample {
    let bytes: [UInt8]
    let sequence: UInt32
    let message: LockMessage
  }

  private func samples() throws -> [Sample] {
    try Recording.all().flatMap(\.messages).compactMap { recorded in
      // Some recorded probes are no messages.
      guard let frame = try? Frame(decoding: recorded.bytes),
        case .sequenced(let sequence, .lock(let message)) = frame.content
      else { return nil }
      return Sample(bytes: recorded.bytes, sequence: sequence, message: message)
    }
  }

  private func decode(_ bytes: [UInt8], like sample: Sample) -> LockMessage? {
    bytes.withUnsafeBytes {
      SequencedLockMessage.decode(
        $0, sequence: sample.sequence, sender: sample.message.sender, version: .version3dot2)
    }
  }

  @Test func recordedMessagesAreReadAndWrittenAlike() throws {
    let samples = try samples()
    #expect(samples.count > 500)
    for sample in samples {
      #expect(decode(sample.bytes, like: sample) == sample.message)
      var bytes: [UInt8] = [7]
      SequencedLockMessage.append(
        sample.message, sequence: sample.sequence, version: .version3dot2, to: &bytes)
      #expect(bytes == [7] + sample.bytes)
    }
  }

  /// Whatever the short way takes, the long way takes for the same; what it leaves is decoded there.
  @Test func damagedMessagesAreNeverTakenForOthers() throws {
    var random = SeededGenerator(seed: 1)
    var taken = 0
    for sample in try samples() {
      for _ in 0..<20 {
        var bytes = sample.bytes
        for _ in 0..<Int.random(in: 1...2, using: &random) {
          bytes[.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...8, using: &random)
        }
        if Bool.random(using: &random) {
          bytes = Array(bytes.prefix(.random(in: 0...bytes.count, using: &random)))
        }
        guard let message = decode(bytes, like: sample) else { continue }
        taken += 1
        let frame = try Frame(decoding: bytes)
        #expect(frame.version == .version3dot2 && frame.sender == sample.message.sender)
        #expect(frame.content == .sequenced(sample.sequence, .lock(message)))
      }
    }
    #expect(taken > 1000)
  }
}

/// The queue of unacknowledged messages against a list.
struct SendQueueTests {
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func keepsWhatIsUnacknowledged(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var queue = SendQueue()
    var expected: [[UInt8]] = []
    for step in 0..<3000 {
      // Sometimes much more comes than is acknowledged, so that memory is reclaimed in the middle.
      if Int.random(in: 0..<10, using: &random) < (step / 500 % 2 == 0 ? 7 : 3) {
        let message = [UInt8](
          repeating: UInt8(truncatingIfNeeded: step), count: .random(in: 16...400, using: &random))
        queue.append { $0 += message }
        expected.append(message)
        #expect(queue.withLast { Array($0) } == message)
      } else {
        let acknowledged = Int.random(in: 0...min(expected.count, 12), using: &random)
        let next = queue.nextSequence &- UInt32(expected.count - acknowledged)
        let isTaken = queue.acknowledge(before: next)
        #expect(isTaken)
        expected.removeFirst(acknowledged)
      }
      let isFromTheFuture = !queue.acknowledge(before: queue.nextSequence &+ 1)
      #expect(isFromTheFuture)
      #expect(queue.count == expected.count && queue.isEmpty == expected.isEmpty)
      #expect(queue.byteCount == expected.reduce(0) { $0 + $1.count })
    }
    #expect(queue.unacknowledged == expected)
    let isTaken = queue.acknowledge(before: queue.nextSequence)
    #expect(isTaken && queue.isEmpty && queue.unacknowledged.isEmpty)
  }
}
