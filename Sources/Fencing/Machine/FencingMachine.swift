import ClusterTypes

// How an attempt goes. All devices of its level get the off action, each on its own: after the
// device's delay, again after a failure as often as the device says, never beyond the attempt's time.
// When the last of them has ended, the attempt is answered: with success only if all succeeded. Only
// then, where it is configured, are they asked to switch the node on again; that node may be a member
// by then, so a power-on that waits is dropped as soon as a new attempt against the node begins.
//
// A device does one thing at a time, because many take only one session; a fence goes before
// anything that is tried out. Attempts against one node go one after the other, those against
// different nodes side by side.

/// Decides which fence programs run when; see the head of this file.
public struct FencingMachine: Sendable {
  /// What a device has to do for an attempt, or for the power-on after it.
  struct Job: Sendable {
    enum State: Sendable {
      case waiting(until: Timestamp)
      case running(UInt64)
      case succeeded
      case failed(Int32?)
    }

    var device: FenceDevice
    var action: FenceAction
    var state: State
    var tries = 0

    var isOver: Bool {
      switch state {
      case .waiting, .running: false
      case .succeeded, .failed: true
      }
    }
  }

  struct Attempt: Sendable {
    /// Nil for the power-on after an attempt.
    var id: UInt64?
    var victim: FenceVictim
    var level: Int
    var deadline: Timestamp
    var jobs: [Job]
  }

  struct Running: Sendable {
    var id: UInt64
    var action: FenceAction
    var node: String?
    var isCancelled = false
  }

  /// Between two tries of one action.
  static let retryPause = Duration.seconds(1)

  var topology: FenceTopology
  /// The first of each victim is under way; the rest waits.
  var attempts: [Attempt] = []
  /// By device.
  var running: [String: Running] = [:]
  var monitors: [String: Monitor]
  private var lastRun: UInt64 = 0

  /// `now`: the first tries of the devices are spread over the first seconds after it.
  public init(topology: FenceTopology, startedAt now: Timestamp) {
    self.topology = topology
    monitors = Self.monitors(of: topology, from: now)
  }

  public mutating func handle(
    _ input: FencingInput, at now: Timestamp, effects: inout [FencingEffect]
  ) {
    switch input {
    case .attempt(let id, let victim, let level, let timeout):
      begin(id, victim, level, timeout, now, &effects)
    case .topologyChanged(let new): change(to: new, now, &effects)
    case .runEnded(let id, let outcome): ended(id, outcome, now, &effects)
    case .tick: break
    }
    finishAttempts(now, &effects)
    startJobs(now, &effects)
    startMonitors(now, &effects)
    if let next = nextMoment(after: now) { effects.append(.wake(at: next)) }
  }

  // MARK: - Attempts

  private mutating func begin(
    _ id: UInt64, _ victim: FenceVictim, _ level: Int, _ timeout: UInt32, _ now: Timestamp,
    _ effects: inout [FencingEffect]
  ) {
    guard let devices = topology.level(level, of: victim.name) else {
      effects.append(
        .report(
          FenceReport(
            .error,
            "node \(victim.name) cannot be fenced by this node: its clvmd.conf has no fence level "
              + "\(level) for it")))
      effects.append(.attemptEnded(id: id, exit: nil))
      return
    }
    // Whoever is to be switched off must not be switched on afterwards.
    for index in attempts.indices
    where attempts[index].id == nil && attempts[index].victim.id == victim.id {
      attempts[index].jobs.removeAll { if case .waiting = $0.state { true } else { false } }
    }
    let jobs = devices.map { device in
      Job(
        device: device, action: device.offAction,
        state: .waiting(until: now + .milliseconds(Int64(device.delayMilliseconds))))
    }
    attempts.append(
      Attempt(
        id: id, victim: victim, level: level, deadline: now + .milliseconds(Int64(timeout)),
        jobs: jobs))
    let names = devices.map(\.name).joined(separator: ", ")
    effects.append(
      .report(FenceReport(.notice, "fencing node \(victim.name), level \(level): \(names)")))
  }

  private mutating func ended(
    _ id: UInt64, _ outcome: AgentOutcome, _ now: Timestamp, _ effects: inout [FencingEffect]
  ) {
    guard let (name, run) = running.first(where: { $0.value.id == id }) else { return }
    running[name] = nil
    noteMonitor(of: name, run, outcome, now, &effects)
    for attempt in attempts.indices {
      for job in attempts[attempt].jobs.indices {
        guard case .running(id) = attempts[attempt].jobs[job].state else { continue }
        ended(attempt, job, outcome, now, &effects)
      }
    }
  }

  private mutating func ended(
    _ attempt: Int, _ job: Int, _ outcome: AgentOutcome, _ now: Timestamp,
    _ effects: inout [FencingEffect]
  ) {
    let (device, action) = (attempts[attempt].jobs[job].device, attempts[attempt].jobs[job].action)
    let victim = attempts[attempt].victim.name
    if outcome.isSuccess(of: action) {
      attempts[attempt].jobs[job].state = .succeeded
      return
    }
    let again = now + Self.retryPause
    let mayRetry =
      attempts[attempt].jobs[job].tries <= device.retries && again < attempts[attempt].deadline
    attempts[attempt].jobs[job].state =
      mayRetry ? .waiting(until: again) : .failed(outcome.exitStatus)
    effects.append(
      .report(
        FenceReport(
          mayRetry ? .warning : .error,
          "fence device \(device.name): '\(action.rawValue)' for node \(victim) failed"
            + "\(mayRetry ? ", trying again" : ""): \(outcome.explanation)")))
  }

  private mutating func finishAttempts(_ now: Timestamp, _ effects: inout [FencingEffect]) {
    for index in attempts.indices where now >= attempts[index].deadline {
      for job in attempts[index].jobs.indices {
        // What has not begun by now will not; what runs has a limit of its own.
        if case .waiting = attempts[index].jobs[job].state {
          attempts[index].jobs[job].state = .failed(nil)
        }
      }
    }
    var powerOns: [Attempt] = []
    for attempt in attempts where attempt.jobs.allSatisfy(\.isOver) {
      guard let id = attempt.id else { continue }
      let failure = attempt.jobs.lazy.compactMap { job -> Int32?? in
        if case .failed(let status) = job.state { status } else { nil }
      }.first
      if let failure {
        effects.append(.attemptEnded(id: id, exit: failure))
        continue
      }
      effects.append(
        .report(
          FenceReport(.notice, "node \(attempt.victim.name) is fenced, level \(attempt.level)")))
      effects.append(.attemptEnded(id: id, exit: 0))
      if let powerOn = powerOn(after: attempt, now) { powerOns.append(powerOn) }
    }
    attempts.removeAll { $0.jobs.allSatisfy(\.isOver) }
    attempts += powerOns
  }

  private func powerOn(after attempt: Attempt, _ now: Timestamp) -> Attempt? {
    guard topology.switchesOnAgain,
      !attempts.contains(where: {
        $0.victim.id == attempt.victim.id && $0.id != nil && $0.id != attempt.id
      })
    else { return nil }
    let jobs = attempt.jobs.compactMap { job -> Job? in
      // A command cannot switch on, and a reboot has done so.
      guard case .agent = job.device.program, job.action == .off else { return nil }
      return Job(device: job.device, action: .on, state: .waiting(until: now))
    }
    guard !jobs.isEmpty else { return nil }
    let longest = jobs.map(\.device.timeoutMilliseconds).max() ?? 0
    return Attempt(
      id: nil, victim: attempt.victim, level: attempt.level,
      deadline: now + .milliseconds(2 * Int64(longest)), jobs: jobs)
  }

  // MARK: - Programs

  private mutating func startJobs(_ now: Timestamp, _ effects: inout [FencingEffect]) {
    var busyVictims: Set<NodeID> = []
    for index in attempts.indices {
      // Against one node one attempt after the other.
      guard busyVictims.insert(attempts[index].victim.id).inserted else { continue }
      for job in attempts[index].jobs.indices {
        guard case .waiting(let start) = attempts[index].jobs[job].state, start <= now,
          now < attempts[index].deadline
        else { continue }
        let device = attempts[index].jobs[job].device
        if let run = running[device.name] {
          if run.isTrial, !run.isCancelled {
            running[device.name]?.isCancelled = true
            effects.append(.cancel(runID: run.id))
          }
          continue
        }
        let remaining = (attempts[index].deadline - now).wholeMilliseconds
        let id = startProgram(
          device, attempts[index].jobs[job].action, attempts[index].victim,
          timeout: UInt32(min(UInt64(device.timeoutMilliseconds), remaining)), &effects)
        attempts[index].jobs[job].tries += 1
        attempts[index].jobs[job].state = .running(id)
      }
    }
  }

  /// Starts a program and returns its run's number.
  mutating func startProgram(
    _ device: FenceDevice, _ action: FenceAction, _ node: FenceVictim?, timeout: UInt32,
    _ effects: inout [FencingEffect]
  ) -> UInt64 {
    lastRun += 1
    running[device.name] = Running(id: lastRun, action: action, node: node?.name)
    effects.append(
      .run(
        AgentRun(
          id: lastRun, device: device, action: action, node: node,
          timeoutMilliseconds: max(timeout, 1))))
    return lastRun
  }

  private func nextMoment(after now: Timestamp) -> Timestamp? {
    var moments: [Timestamp] = []
    for attempt in attempts {
      for case .waiting(let start) in attempt.jobs.map(\.state) {
        moments.append(start > now ? min(start, attempt.deadline) : attempt.deadline)
      }
    }
    moments += monitors.filter { running[$0.key] == nil }.values.map(\.nextAt)
    return moments.filter { $0 > now }.min()
  }
}

extension FencingMachine.Running {
  /// It only tries the device out.
  var isTrial: Bool { action == .monitor || action == .status }
}
