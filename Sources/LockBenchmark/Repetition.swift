import NIOCore

/// How long one round of a measurement took.
struct Sample: Sendable {
  /// The time from `begin` to `end` of each operation, in no particular order.
  var latencies: [Duration]
  /// From the first to the last.
  var total: Duration

  var median: Duration {
    let sorted = latencies.sorted()
    return sorted.isEmpty ? .zero : sorted[sorted.count / 2]
  }
}

/// Repeats an operation on an event loop, a number of them at a time.
///
/// An operation may need preparation that does not count: it calls `begin` and `end` around what
/// does, and `done` when the next may follow.
final class Repetition {
  struct Probe {
    fileprivate let repetition: Repetition
    fileprivate let lane: Int

    func begin() { repetition.starts[lane] = .now }

    func end() {
      repetition.latencies.append(ContinuousClock.now - repetition.starts[lane])
    }

    func done() { repetition.done(lane) }
  }

  /// Lane by lane, one operation at a time; the index counts all operations.
  typealias Operation = (_ lane: Int, _ index: Int, Probe) -> Void

  private let operation: Operation
  private let promise: EventLoopPromise<Sample>
  private let start = ContinuousClock.now
  private let count: Int
  private var begun = 0
  private var ended = 0
  fileprivate var starts: [ContinuousClock.Instant]
  fileprivate var latencies: [Duration] = []

  private init(
    _ count: Int, inFlight: Int, _ promise: EventLoopPromise<Sample>,
    _ operation: @escaping Operation
  ) {
    self.count = count
    self.promise = promise
    self.operation = operation
    starts = Array(repeating: start, count: inFlight)
    latencies.reserveCapacity(count)
  }

  /// To be called on the loop.
  static func run(
    _ count: Int, inFlight: Int, on loop: any EventLoop, _ operation: @escaping Operation
  ) -> EventLoopFuture<Sample> {
    let promise = loop.makePromise(of: Sample.self)
    let repetition = Repetition(count, inFlight: inFlight, promise, operation)
    for lane in 0..<min(inFlight, count) { repetition.next(lane) }
    return promise.futureResult
  }

  private func next(_ lane: Int) {
    guard begun < count else { return }
    begun += 1
    operation(lane, begun - 1, Probe(repetition: self, lane: lane))
  }

  private func done(_ lane: Int) {
    ended += 1
    if ended == count {
      promise.succeed(Sample(latencies: latencies, total: .now - start))
    } else {
      next(lane)
    }
  }
}
