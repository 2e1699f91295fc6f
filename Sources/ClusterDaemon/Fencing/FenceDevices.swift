import AdminProtocol
import ClusterTypes
import Fencing
import Logging
import NIOCore

/// This node's fence devices: carries out the orders of the cluster, and tries the devices out before
/// they are needed.
final class FenceDevices: FenceExecutor {
  private var machine: FencingMachine
  private let runner: FencingRunner
  private let loop: any EventLoop
  private let logger: Logger
  private let now: () -> Timestamp
  private var completions: [UInt64: (Int32?) -> Void] = [:]
  private var inputs: [FencingInput] = []
  private var wake: Scheduled<Void>?
  private var isStopped = false

  /// `now` tells the boot-time clock; `reservations` who this node is on disks.
  init(
    _ topology: FenceTopology, reservations: ReservationRunner?, loop: any EventLoop,
    logger: Logger, now: @escaping () -> Timestamp
  ) {
    runner = FencingRunner(reservations: reservations)
    machine = FencingMachine(topology: topology, startedAt: now())
    self.loop = loop
    self.logger = logger
    self.now = now
  }

  func start() { handle(.tick) }

  /// Kills what runs; orders that are not finished end as failed.
  func stop() {
    isStopped = true
    wake?.cancel()
    runner.cancelAll()
  }

  func run(_ order: FenceOrder, completion: @escaping (Int32?) -> Void) {
    guard completions[order.attempt] == nil, !isStopped else {
      completion(nil)
      return
    }
    completions[order.attempt] = completion
    handle(
      .attempt(
        id: order.attempt,
        victim: FenceVictim(
          id: order.victim.node, name: order.victimName, incarnation: order.victim.incarnation),
        level: order.level, timeoutMilliseconds: UInt32(clamping: order.timeout.wholeMilliseconds)))
  }

  func note(about node: NodeID) -> String? {
    let failing = machine.deviceStatus.filter { status in
      status.state == .failing && status.nodes.contains { machine.nodeID(of: $0) == node }
    }
    guard !failing.isEmpty else { return nil }
    return failing.map { status in
      let times = status.failures == 1 ? "once" : "\(status.failures) times in a row"
      return "fence device \(status.name) failed \(times): \(status.explanation)"
    }.joined(separator: "; ")
  }

  /// All devices, for `clvm status`.
  var reports: [FenceDeviceReport] {
    machine.deviceStatus.map { status in
      let state: FenceDeviceReport.State =
        switch status.state {
        case .unknown: .unknown
        case .working: .working
        case .failing: .failing
        case .unmonitored: .unmonitored
        }
      return FenceDeviceReport(
        name: status.name, state: state, failures: status.failures,
        explanation: status.explanation, nodes: status.nodes)
    }
  }

  /// An answer may lead to the next order: inputs wait for their turn.
  private func handle(_ input: FencingInput) {
    inputs.append(input)
    guard inputs.count == 1 else { return }
    while let next = inputs.first {
      var effects: [FencingEffect] = []
      machine.handle(next, at: now(), effects: &effects)
      for effect in effects { carryOut(effect) }
      inputs.removeFirst()
    }
  }

  private func carryOut(_ effect: FencingEffect) {
    switch effect {
    case .run(let run): start(run)
    case .cancel(let id): runner.cancel(id)
    case .attemptEnded(let id, let exit): completions.removeValue(forKey: id)?(exit)
    case .report(let report):
      switch report.severity {
      case .notice: logger.notice("\(report.text)")
      case .warning: logger.warning("\(report.text)")
      case .error: logger.error("\(report.text)")
      }
    case .wake(let moment):
      wake?.cancel()
      wake = loop.assumeIsolated().scheduleTask(
        in: .nanoseconds(Int64(clamping: (moment - now()).wholeNanoseconds))
      ) { [weak self] in self?.handle(.tick) }
    }
  }

  private func start(_ run: AgentRun) {
    let bound = NIOLoopBound(self, eventLoop: loop)
    runner.run(run) { [loop] outcome in
      loop.execute { bound.value.handle(.runEnded(id: run.id, outcome)) }
    }
  }
}
