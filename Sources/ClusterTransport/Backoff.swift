import NIOCore

/// Growing pauses between attempts: none before the first, then doubling up to a limit.
struct Backoff {
  private let first: TimeAmount
  private let limit: TimeAmount
  private var pause: TimeAmount = .zero

  init(first: TimeAmount, limit: TimeAmount) {
    self.first = first
    self.limit = limit
  }

  /// The pause before the next attempt.
  mutating func next() -> TimeAmount {
    defer { pause = pause == .zero ? first : min(pause * 2, limit) }
    return pause
  }

  mutating func reset() { pause = .zero }
}
