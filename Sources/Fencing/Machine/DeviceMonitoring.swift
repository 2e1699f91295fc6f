import ClusterTypes

// Devices are tried out before they are needed: at the start, then at intervals, and more often while
// one fails. A device on which a fence just succeeded or failed has been tried out by that.

extension FencingMachine {
  struct Monitor: Sendable {
    var nextAt: Timestamp
    var state: FenceDeviceStatus.State
    var explanation = ""
    var since: Timestamp?
    var failures = 0
    /// Which of the device's nodes is asked for next.
    var nextNode = 0
  }

  /// A trial that takes longer tells that the device is too slow to be relied on.
  static let monitorTimeoutMilliseconds: UInt32 = 20_000
  /// A failing device is tried at least this often.
  static let failingInterval = Duration.seconds(60)
  /// The first trials are this far apart, so that they do not all start at once.
  static let firstSpread = Duration.milliseconds(500)

  static func monitors(of topology: FenceTopology, from now: Timestamp) -> [String: Monitor] {
    var monitors: [String: Monitor] = [:]
    var first = now
    for (name, device) in topology.devices.sorted(by: { $0.key < $1.key })
    where device.isMonitored {
      monitors[name] = Monitor(nextAt: first, state: .unknown)
      first = first + firstSpread
    }
    return monitors
  }

  /// What is known of devices that stay as they are is kept; the others are tried out at once.
  mutating func change(
    to new: FenceTopology, _ now: Timestamp, _ effects: inout [FencingEffect]
  ) {
    let changed = topology.devices.filter { new.devices[$0.key] != $0.value }.keys
    for name in changed.sorted() {
      guard let run = running[name], run.isTrial, !run.isCancelled else { continue }
      running[name]?.isCancelled = true
      effects.append(.cancel(runID: run.id))
    }
    monitors = Self.monitors(of: new, from: now).merging(
      monitors.filter { topology.devices[$0.key] == new.devices[$0.key] },
      uniquingKeysWith: { _, known in known })
    topology = new
  }

  mutating func startMonitors(_ now: Timestamp, _ effects: inout [FencingEffect]) {
    for (name, monitor) in monitors.sorted(by: { $0.key < $1.key })
    where monitor.nextAt <= now && running[name] == nil && !isWanted(name) {
      guard let device = topology.devices[name] else { continue }
      let nodes = topology.nodes(of: name)
      var victim: FenceVictim?
      if case .agent = device.program, device.monitoring == .status, !nodes.isEmpty {
        let node = nodes[monitor.nextNode % nodes.count]
        monitors[name]?.nextNode += 1
        victim = topology.nodeIDs[node].map { FenceVictim(id: $0, name: node) }
      }
      let action: FenceAction = victim == nil ? .monitor : .status
      let timeout = min(device.timeoutMilliseconds, Self.monitorTimeoutMilliseconds)
      _ = startProgram(device, action, victim, timeout: timeout, &effects)
      monitors[name]?.nextAt = now + device.monitorInterval
    }
  }

  /// An attempt waits for the device.
  private func isWanted(_ device: String) -> Bool {
    attempts.contains { $0.jobs.contains { !$0.isOver && $0.device.name == device } }
  }

  /// Every run tells something about its device.
  mutating func noteMonitor(
    of name: String, _ run: Running, _ outcome: AgentOutcome, _ now: Timestamp,
    _ effects: inout [FencingEffect]
  ) {
    guard monitors[name] != nil, let device = topology.devices[name] else { return }
    if outcome.ending == .cancelled {
      monitors[name]?.nextAt = now + Self.retryPause
      return
    }
    let nodes = topology.nodes(of: name).joined(separator: ", ")
    let wasFailing = monitors[name]?.state == .failing
    monitors[name]?.since = now
    if outcome.isSuccess(of: run.action) {
      monitors[name]?.state = .working
      monitors[name]?.explanation = ""
      monitors[name]?.failures = 0
      monitors[name]?.nextAt = now + device.monitorInterval
      if wasFailing {
        effects.append(
          .report(FenceReport(.notice, "fence device \(name) (of \(nodes)) works again")))
      }
      return
    }
    monitors[name]?.state = .failing
    monitors[name]?.explanation = outcome.explanation
    monitors[name]?.failures += 1
    monitors[name]?.nextAt = now + min(Self.failingInterval, device.monitorInterval)
    if run.isTrial, !wasFailing {
      effects.append(
        .report(
          FenceReport(
            .error,
            "fence device \(name) does not work: \(outcome.explanation). As long as that is so, "
              + "it cannot fence \(nodes); see to it before it is needed")))
    }
  }

  /// All devices by name, for `clvm status`.
  public var deviceStatus: [FenceDeviceStatus] {
    topology.devices.keys.sorted().map { name in
      let monitor = monitors[name]
      return FenceDeviceStatus(
        name: name, state: monitor?.state ?? .unmonitored,
        explanation: monitor?.explanation ?? "", since: monitor?.since,
        failures: monitor?.failures ?? 0, nodes: topology.nodes(of: name))
    }
  }

  /// Nil for a name that is no node's.
  public func nodeID(of name: String) -> NodeID? { topology.nodeIDs[name] }

  /// What is being waited for, as sentences.
  public var waits: [String] {
    attempts.compactMap { attempt in
      guard attempt.id != nil else { return nil }
      let devices = attempt.jobs.filter { !$0.isOver }.map(\.device.name)
      return "node \(attempt.victim.name) is being fenced, level \(attempt.level): "
        + "\(devices.joined(separator: ", "))"
    }
  }
}

extension FenceDevice {
  var isMonitored: Bool {
    switch program {
    case .agent, .reservations: monitoring != .none
    // A command of another authority fences whenever it is started.
    case .command: false
    }
  }

  var monitorInterval: Duration { .milliseconds(Int64(monitorIntervalMilliseconds)) }
}
