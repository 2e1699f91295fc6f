import NIOCore

/// Collects what is written to a channel and sends it in one write: everything that a batch of read
/// messages causes leaves together with the batch's end, anything else with the end of the event
/// loop's turn.
final class BatchedOutput {
  private let channel: any Channel
  private let batch: ReadBatch
  /// Bytes that may wait for the peer to read.
  private let limit: Int
  @exclusivity(unchecked)
  private var pending: ByteBuffer
  @exclusivity(unchecked)
  private var isScheduled = false
  @exclusivity(unchecked)
  fileprivate var isNoted = false
  /// Given to the channel, not yet taken by the kernel.
  @exclusivity(unchecked)
  private var unwrittenCount = 0

  init(channel: any Channel, batch: ReadBatch, limit: Int) {
    self.channel = channel
    self.batch = batch
    self.limit = limit
    pending = channel.allocator.buffer(capacity: 512)
  }

  /// Of a long batch the beginning leaves early, so that the peer can work on it meanwhile.
  private static let earlyFlushCount = 3072

  /// False when more waits for the peer than allowed: the connection must be given up.
  func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    pending.writeBytes(bytes)
    return appended()
  }

  func append(_ bytes: some Sequence<UInt8>) -> Bool {
    pending.writeBytes(bytes)
    return appended()
  }

  private func appended() -> Bool {
    if batch.isReading {
      if pending.readableBytes >= Self.earlyFlushCount {
        flush()
      } else if !isNoted {
        batch.note(self)
      }
    } else if !isScheduled {
      isScheduled = true
      channel.eventLoop.assumeIsolated().execute {
        self.isScheduled = false
        self.flush()
      }
    }
    return pending.readableBytes + unwrittenCount <= limit
  }

  func flush() {
    let count = pending.readableBytes
    guard count > 0 else { return }
    let batch = pending
    pending = channel.allocator.buffer(capacity: min(count, 1 << 16))
    unwrittenCount += count
    channel.writeAndFlush(batch).assumeIsolated().whenComplete { _ in
      // A failed write closes the channel, which is reported where the channel is read.
      self.unwrittenCount -= count
    }
  }
}

/// The messages that are being read from one of a transport's connections. What they cause may be
/// written to another: a peer often sends on one connection and is sent to on a second.
final class ReadBatch {
  @exclusivity(unchecked)
  private(set) var isReading = false
  private var outputs: [BatchedOutput] = []

  func begin() { isReading = true }

  fileprivate func note(_ output: BatchedOutput) {
    output.isNoted = true
    outputs.append(output)
  }

  func end() {
    isReading = false
    for output in outputs {
      output.isNoted = false
      output.flush()
    }
    outputs.removeAll(keepingCapacity: true)
  }
}
