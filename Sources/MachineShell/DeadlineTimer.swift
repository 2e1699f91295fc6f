import ClusterTypes
import NIOCore

/// Wakes a machine at the deadline that it names, on its event loop.
package final class DeadlineTimer {
  private let eventLoop: any EventLoop
  private let clock: () -> Timestamp
  private let fire: () -> Void
  private var pending: (deadline: Timestamp, task: Scheduled<Void>)?

  /// - Parameters:
  ///   - clock: the machine's boot-time clock.
  ///   - fire: called on the event loop.
  package init(
    eventLoop: any EventLoop, clock: @escaping () -> Timestamp,
    fire: @escaping () -> Void
  ) {
    self.eventLoop = eventLoop
    self.clock = clock
    self.fire = fire
  }

  /// Replaces an earlier deadline; nil for none.
  package func set(_ deadline: Timestamp?) {
    guard deadline != pending?.deadline else { return }
    pending?.task.cancel()
    pending = nil
    guard let deadline else { return }
    let timer = NIOLoopBound(self, eventLoop: eventLoop)
    // A nanosecond more: the loop's clock must not wake us before the deadline.
    let delay = TimeAmount.nanoseconds(Int64((deadline - clock()).wholeNanoseconds) + 1)
    let task = eventLoop.scheduleTask(in: delay) {
      timer.value.pending = nil
      timer.value.fire()
    }
    pending = (deadline, task)
  }
}
