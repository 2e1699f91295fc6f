import AdminProtocol
import ClusterTypes
import Fencing
import Logging
import NIOCore

/// This node's fence devices: carries out the orders of the cluster, and tries the devices out before
/// they are needed.
final class FenceDevices: FenceExecutor {
  private var machine: FencingMachine
  private var topology: FenceTopology
  private let runner: FencingRunner
  private let reservations: DiskReservations?
  /// `Capabilities.reservedDevices` of this node.
  private let reservedDevices: UInt64
  private let loop: any EventLoop
  private let logger: Logger
  private let now: () -> Timestamp
  private var completions: [UInt64: (FenceResult) -> Void] = [:]
  /// Attempts that only take keys off disks.
  private var byReservation: Set<UInt64> = []
  private var inputs: [FencingInput] = []
  private var wake: Scheduled<Void>?
  private var isStopped = false

  /// - Parameters:
  ///   - reservations: who this node is on disks.
  ///   - reservedDevices: names those disks; zero without.
  ///   - sharedDevices: devices of the volume groups that nodes share; blocks.
  ///   - now: tells the boot-time clock.
  init(
    _ topology: FenceTopology, reservations: ReservationRunner?, reservedDevices: UInt64,
    sharedDevices: @escaping @Sendable () throws -> [String], loop: any EventLoop, logger: Logger,
    now: @escaping () -> Timestamp
  ) {
    self.topology = topology
    self.reservedDevices = reservedDevices
    runner = FencingRunner(reservations: reservations)
    self.reservations = reservations.map {
      DiskReservations(
        $0, disks: topology.reservedDisks, sharedDevices: sharedDevices, loop: loop, logger: logger)
    }
    machine = FencingMachine(topology: topology, startedAt: now())
    self.loop = loop
    self.logger = logger
    self.now = now
  }

  func start() {
    reservations?.start()
    handle(.tick)
  }

  /// Other devices from now on; orders that are under way end with those that they began with.
  func change(to topology: FenceTopology) {
    self.topology = topology
    handle(.topologyChanged(topology))
  }

  /// Kills what runs; orders that are not finished end as failed.
  func stop() {
    isStopped = true
    wake?.cancel()
    reservations?.stop()
    runner.cancelAll()
  }

  func run(_ order: FenceOrder, completion: @escaping (FenceResult) -> Void) {
    guard completions[order.attempt] == nil, !isStopped else { return completion(.exited(nil)) }
    let isByReservation =
      topology.reservationLevels(of: order.victimName).contains(order.level)
    guard isByReservation == order.isByReservation else {
      logger.error(
        """
        node \(order.victimName) is not fenced: level \(order.level) is another one in this node's \
        clvmd.conf than the cluster has decided; run: clvm cluster apply
        """)
      return completion(.exited(nil))
    }
    if isByReservation {
      if let gap = reservations?.gap {
        logger.error("node \(order.victimName) is not fenced by reservation: \(gap)")
        return completion(.exited(1))
      }
      byReservation.insert(order.attempt)
    }
    completions[order.attempt] = completion
    handle(
      .attempt(
        id: order.attempt,
        victim: FenceVictim(
          id: order.victim.node, name: order.victimName, incarnation: order.victim.incarnation),
        level: order.level, timeoutMilliseconds: UInt32(clamping: order.timeout.wholeMilliseconds)))
  }

  private func attemptEnded(_ id: UInt64, exit: Int32?) {
    let isByReservation = byReservation.remove(id) != nil
    guard let completion = completions.removeValue(forKey: id) else { return }
    completion(isByReservation && exit == 0 ? .excluded(devices: reservedDevices) : .exited(exit))
  }

  func readExclusions(_ nodes: [NodeInstance], completion: @escaping ([Bool?]) -> Void) {
    guard let reservations else { return completion(nodes.map { _ in nil }) }
    reservations.keepAway(nodes, completion: completion)
  }

  func leaseExtended(until end: Timestamp) { reservations?.leaseExtended(until: end) }

  func note(about node: NodeID) -> String? {
    if let gap = reservations?.gap, isFencedByReservation(node) { return gap }
    let failing = machine.deviceStatus.filter { status in
      status.state == .failing && status.nodes.contains { machine.nodeID(of: $0) == node }
    }
    guard !failing.isEmpty else { return nil }
    return failing.map { status in
      let times = status.failures == 1 ? "once" : "\(status.failures) times in a row"
      return "fence device \(status.name) failed \(times): \(status.explanation)"
    }.joined(separator: "; ")
  }

  private func isFencedByReservation(_ node: NodeID) -> Bool {
    topology.nodeIDs.contains {
      $0.value == node && !topology.reservationLevels(of: $0.key).isEmpty
    }
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
    case .attemptEnded(let id, let exit): attemptEnded(id, exit: exit)
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
