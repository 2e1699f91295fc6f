import ClusterTypes
import NIOCore

/// What decides: an input and the time go in, effects come out.
package protocol Machine {
  associatedtype Input
  associatedtype Effect

  /// Takes one event in and says what to do. `now` never goes back.
  mutating func handle(_ input: Input, at now: Timestamp) -> [Effect]
  /// When it wants to be called at the latest; nil when nothing waits for time.
  var nextDeadline: Timestamp? { get }
}

/// The shell around a machine: one input after the other, its effects, and its deadlines.
///
/// Called on its event loop only.
package final class MachineRunner<Decider: Machine> {
  package private(set) var machine: Decider
  private let eventLoop: any EventLoop
  private let clock: () -> Timestamp
  private let wake: Decider.Input
  private var inputs: [Decider.Input] = []
  private var isHandling = false
  private lazy var timer = DeadlineTimer(eventLoop: eventLoop, clock: clock) { [weak self] in
    guard let self else { return }
    handle(wake)
  }
  /// Carries out an effect. Inputs that this leads to wait for their turn.
  package var carryOut: (Decider.Effect) -> Void = { _ in }
  /// All effects of what has happened were carried out.
  package var stepped: () -> Void = {}

  /// - Parameters:
  ///   - clock: the machine's boot-time clock.
  ///   - wake: the input that says that a deadline has come.
  package init(
    _ machine: Decider, eventLoop: any EventLoop, clock: @escaping () -> Timestamp,
    wake: Decider.Input
  ) {
    self.machine = machine
    self.eventLoop = eventLoop
    self.clock = clock
    self.wake = wake
  }

  /// Hands an event to the machine and carries its effects out. May be called while that happens:
  /// the event then waits for its turn.
  ///
  /// - Parameter isFirst: it is known before what waits already.
  package func handle(_ input: Decider.Input, isFirst: Bool = false) {
    eventLoop.preconditionInEventLoop()
    inputs.insert(input, at: isFirst ? 0 : inputs.endIndex)
    guard !isHandling else { return }
    isHandling = true
    while !inputs.isEmpty {
      for effect in machine.handle(inputs.removeFirst(), at: clock()) { carryOut(effect) }
    }
    isHandling = false
    timer.set(machine.nextDeadline)
    stepped()
  }

  /// No deadline wakes the machine any more.
  package func stop() { timer.set(nil) }
}
